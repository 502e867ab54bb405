"""How often predictions are right."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_flag, check_int, check_number
from striate.training.labels import as_float, check_same_shape, class_labels, match_rank, to_tensor
from striate.training.metrics.base import MeanMetricWrapper, PlainMean, registry


def accuracy(y_true: Any, y_pred: Any) -> torch.Tensor:
    """True where a prediction equals its label; both of one shape.

    Example:
        >>> accuracy([1, 2, 3], [1, 2, 4])
        tensor([ True,  True, False])
    """
    y_true, y_pred = _pair("accuracy", y_true, y_pred)
    return y_true == y_pred


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> torch.Tensor:
    """True where a prediction is above `threshold` and its label 1, or not above and 0; both of one shape.

    Example:
        >>> binary_accuracy([1, 0, 1], [[0.9], [0.5], [0.5]])
        tensor([[ True],
                [ True],
                [False]])
    """
    y_true, y_pred = _pair("binary_accuracy", y_true, y_pred)
    y_pred = y_pred.detach()
    above = torch.gt(
        y_pred, threshold, out=torch.empty_like(y_pred)
    )  # as numbers: torch is slow to compare booleans with them
    return above == y_true


def categorical_accuracy(y_true: Any, y_pred: Any) -> torch.Tensor:
    """True where the largest of C predictions is the largest of C labels; both (..., C), the result (...).

    Example:
        >>> categorical_accuracy([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        tensor([False,  True])
    """
    y_true, y_pred = _pair("categorical_accuracy", y_true, y_pred)
    return _position(y_true) == _position(y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> torch.Tensor:
    """True where the largest of C predictions is that of the label's class; labels (...) or (..., 1).

    Example:
        >>> sparse_categorical_accuracy([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        tensor([False,  True])
    """
    where = "sparse_categorical_accuracy"
    y_pred = to_tensor(where, "y_pred", y_pred)
    return class_labels(where, y_true, y_pred) == _position(y_pred)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> torch.Tensor:
    """True where the label's class is among the `k` largest of C predictions; one-hot labels (..., C).

    Example:
        >>> top_k_categorical_accuracy([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]], k=2)
        tensor([True, True])
    """
    where = "top_k_categorical_accuracy"
    y_true, y_pred = _pair(where, y_true, y_pred)
    return _in_top_k(where, _position(y_true), y_pred, k)


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> torch.Tensor:
    """True where the label's class is among the `k` largest of C predictions; labels (...) or (..., 1).

    Args:
        y_true: Class numbers.
        y_pred: Scores (..., C); with `from_sorted_ids` class numbers, best first, at least `k` of them.
        k: How many classes count.
        from_sorted_ids: Whether `y_pred` holds class numbers instead of scores.

    Example:
        >>> sparse_top_k_categorical_accuracy([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]], k=1)
        tensor([False,  True])
    """
    where = "sparse_top_k_categorical_accuracy"
    y_pred = to_tensor(where, "y_pred", y_pred)
    y_true = class_labels(where, y_true, y_pred)
    if from_sorted_ids:
        return (y_true.unsqueeze(-1) == y_pred[..., :k]).any(-1)
    return _in_top_k(where, y_true.long(), as_float(y_pred), k)


def _pair(where: str, y_true: Any, y_pred: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Both of one shape; dtypes stay, since comparing promotes them."""
    y_true, y_pred = to_tensor(where, "y_true", y_true), to_tensor(where, "y_pred", y_pred)
    if y_true.shape != y_pred.shape:
        y_true, y_pred = match_rank(y_true, y_pred)
        check_same_shape(where, y_true, y_pred)
    return y_true, y_pred


def _position(one_hot: torch.Tensor) -> torch.Tensor:
    return (one_hot.byte() if one_hot.dtype == torch.bool else one_hot).argmax(-1)  # torch has none of booleans


def _in_top_k(where: str, position: torch.Tensor, scores: torch.Tensor, k: int) -> torch.Tensor:
    """Whether fewer than `k` scores are larger than the one at `position`: ties count as in."""
    if k > scores.shape[-1]:
        needs = f"k of at most {scores.shape[-1]}, the number of classes"
        raise UserError(where, f"k={k}", needs, f"Pass a smaller k, for example {max(scores.shape[-1] - 1, 1)}.")
    own = scores.gather(-1, position.unsqueeze(-1))
    return (scores > own).sum(-1) < k


@registry.register()
class Accuracy(PlainMean):
    """The share of predictions that equal their labels. See `accuracy`.

    Example:
        >>> Accuracy()([1, 2, 3, 4], [0, 2, 3, 4])
        tensor(0.7500)
    """

    fn = staticmethod(accuracy)


@registry.register()
class BinaryAccuracy(MeanMetricWrapper):
    """The share of right yes-or-no predictions. See `binary_accuracy`.

    Args:
        name: The key in histories.
        dtype: "float32"; others are refused.
        threshold: Predictions above it mean yes; for logits pass 0.

    Example:
        >>> BinaryAccuracy()([1, 1, 0, 0], [0.98, 1.0, 0.0, 0.6])
        tensor(0.7500)
    """

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        check_number(self.where, "threshold", threshold, "a number")


@registry.register()
class CategoricalAccuracy(PlainMean):
    """The share of samples whose class is found, labels one-hot. See `categorical_accuracy`.

    Example:
        >>> CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        tensor(0.5000)
    """

    fn = staticmethod(categorical_accuracy)


@registry.register()
class SparseCategoricalAccuracy(PlainMean):
    """The share of samples whose class is found, labels whole numbers. See `sparse_categorical_accuracy`.

    Example:
        >>> SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]])
        tensor(0.5000)
    """

    fn = staticmethod(sparse_categorical_accuracy)


@registry.register()
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """The share of samples whose class is among the `k` likeliest, labels one-hot. See `top_k_categorical_accuracy`.

    Example:
        >>> TopKCategoricalAccuracy(k=1)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        tensor(0.5000)
    """

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=check_int(type(self).__name__, "k", k))


@registry.register()
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """The share of samples whose class is among the `k` likeliest, labels whole numbers.

    See `sparse_top_k_categorical_accuracy`.

    Example:
        >>> SparseTopKCategoricalAccuracy(k=1)([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        tensor(0.5000)
    """

    unwritten: ClassVar[dict[str, Any]] = {"from_sorted_ids": False}

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        k = check_int(type(self).__name__, "k", k)
        check_flag(type(self).__name__, "from_sorted_ids", from_sorted_ids)
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
