"""Cross-entropies: losses of predicted probabilities."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from striate.training import labels
from striate.training.losses.at_once import (
    AT_ONCE,
    mean_binary_crossentropy,
    mean_categorical_crossentropy,
    mean_sparse_categorical_crossentropy,
)
from striate.training.losses.base import LossFunctionWrapper, PlainLoss, registry
from striate.training.losses.options import checked
from striate.training.losses.parts import clip, smooth, smooth_binary, surprise
from striate.training.reduction import EPSILON, last_mean


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> torch.Tensor:
    """Cross-entropy between labels from 0 to 1 and the probability of 1, averaged over `axis`.

    Args:
        y_true: Labels of the shape of `y_pred`; (N,) goes with (N, 1).
        y_pred: Probabilities (..., L), clipped to 1e-7 and 1 - 1e-7; logits if `from_logits`.
        from_logits: Whether `y_pred` comes without the sigmoid.
        label_smoothing: From 0 to 1: how far the labels are pulled towards 0.5.
        axis: The axis to average over.

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes differ.

    Example:
        >>> binary_crossentropy([[0.0, 1.0], [0.0, 0.0]], [[0.6, 0.4], [0.4, 0.6]])
        tensor([0.9163, 0.7136])
    """
    y_true, y_pred = labels.pair("binary_crossentropy", y_true, y_pred)
    y_true = smooth_binary(y_true, label_smoothing)
    if from_logits:
        values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    else:
        values = surprise(y_true, y_pred)
    return last_mean(values, axis)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> torch.Tensor:
    """Cross-entropy between one-hot labels and probabilities of C classes.

    Args:
        y_true: One-hot or soft labels of the shape of `y_pred`.
        y_pred: Probabilities (..., C), divided by their sum and clipped; logits if `from_logits`.
        from_logits: Whether `y_pred` comes without the softmax.
        label_smoothing: From 0 to 1: the share of the label that is spread evenly over the classes of `axis`
            (Szegedy et al., arXiv 1512.00567).
        axis: The axis of the classes.

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes differ.

    Example:
        >>> categorical_crossentropy([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
        tensor([0.0513, 2.3026])
    """
    y_true, y_pred = labels.pair("categorical_crossentropy", y_true, y_pred)
    log_probability = y_pred.log_softmax(axis) if from_logits else torch.log(clip(probabilities(y_pred, axis)))
    return -(smooth(y_true, label_smoothing, axis) * log_probability).sum(axis)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> torch.Tensor:
    """Cross-entropy between class numbers and probabilities of C classes.

    Args:
        y_true: Whole numbers from 0 to C - 1, of the shape of `y_pred` without the classes, or with one of them.
        y_pred: Probabilities (..., C), divided by their sum and clipped; logits if `from_logits`.
        from_logits: Whether `y_pred` comes without the softmax.
        ignore_class: Samples with this label get the value 0.
        axis: The axis of the classes.

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes do not fit.

    Example:
        >>> sparse_categorical_crossentropy([1, 2], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
        tensor([0.0513, 2.3026])
    """
    where = "sparse_categorical_crossentropy"
    y_pred = labels.as_float(labels.to_tensor(where, "y_pred", y_pred))
    y_true = labels.class_labels(where, y_true, y_pred, axis)
    if ignore_class is not None:
        valid = y_true != ignore_class
        y_true = torch.where(valid, y_true, 0)
    # Only the probability of the true class is ever needed, so only that one is divided, clipped and logged.
    index = labels.class_index(where, y_true, y_pred, axis)
    if from_logits:
        log_probability = y_pred.log_softmax(axis).gather(axis, index)
    else:
        log_probability = torch.log(clip(y_pred.gather(axis, index) / y_pred.sum(axis, keepdim=True)))
    values = -log_probability.squeeze(axis)
    return values if ignore_class is None else torch.where(valid, values, 0.0)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> torch.Tensor:
    """(1 - p ** q) / q, where p is the probability of the true class: robust to wrong labels (arXiv 1805.07836).

    Args:
        y_true: Whole numbers from 0 to C - 1, of the shape of `y_pred` without the classes.
        y_pred: Probabilities (..., C).
        q: Between 0 and 1: near 0 it is cross-entropy, at 1 the mean absolute error.

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes do not fit.

    Example:
        >>> categorical_generalized_cross_entropy([1, 2], [[0.0, 1.0, 0.0], [0.25, 0.5, 0.25]], q=0.5)
        tensor([0., 1.])
    """
    where = "categorical_generalized_cross_entropy"
    y_pred = labels.as_float(labels.to_tensor(where, "y_pred", y_pred))
    index = labels.class_index(where, labels.class_labels(where, y_true, y_pred), y_pred)
    return (1 - y_pred.gather(-1, index).squeeze(-1) ** q) / q


def kl_divergence(y_true: Any, y_pred: Any) -> torch.Tensor:
    """The Kullback-Leibler divergence of predicted from true distributions, y_true * log(y_true / y_pred) in all.

    Args:
        y_true: Probabilities of the shape of `y_pred`, clipped to 1e-7 and 1.
        y_pred: Probabilities (..., C), clipped likewise.

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes differ.

    Example:
        >>> kl_divergence([[0.5, 0.5]], [[0.25, 0.75]])
        tensor([0.1438])
    """
    y_true, y_pred = labels.pair("kl_divergence", y_true, y_pred)
    y_true, y_pred = y_true.clamp(EPSILON, 1.0), y_pred.clamp(EPSILON, 1.0)
    return (y_true * torch.log(y_true / y_pred)).sum(-1)


def poisson(y_true: Any, y_pred: Any) -> torch.Tensor:
    """Minus the log-likelihood of counts under predicted rates, up to a constant: y_pred - y_true * log(y_pred).

    Args:
        y_true: Counts of the shape of `y_pred`; (N,) goes with (N, 1).
        y_pred: Rates (..., L), above 0.

    Returns:
        Values of shape (...), averaged over the last axis.

    Raises:
        UserError: The shapes differ.

    Example:
        >>> poisson([[0.0, 2.0]], [[1.0, 1.0]])
        tensor([1.0000])
    """
    y_true, y_pred = labels.pair("poisson", y_true, y_pred)
    return last_mean(y_pred - y_true * torch.log(y_pred + EPSILON))


def probabilities(y_pred: torch.Tensor, axis: int) -> torch.Tensor:
    """Predictions divided by their sum over the classes."""
    return y_pred / y_pred.sum(axis, keepdim=True)


AT_ONCE[binary_crossentropy] = mean_binary_crossentropy
AT_ONCE[categorical_crossentropy] = mean_categorical_crossentropy
AT_ONCE[sparse_categorical_crossentropy] = mean_sparse_categorical_crossentropy


@registry.register("bce")
class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy for yes or no: labels from 0 to 1, one sigmoid unit each. See `binary_crossentropy`.

    Example:
        >>> BinaryCrossentropy()([0, 1, 0, 0], [0.1, 0.9, 0.2, 0.4])
        tensor(0.2362)
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = checked(name, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)
        super().__init__(binary_crossentropy, reduction, name, dtype, **options)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels of another shape, or outside 0 to 1."""
        labels.check_binary(where, y_true, y_pred)


@registry.register()
class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy for one class of C, labels one-hot. See `categorical_crossentropy`.

    Example:
        >>> CategoricalCrossentropy()([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
        tensor(1.1769)
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = checked(name, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)
        super().__init__(categorical_crossentropy, reduction, name, dtype, **options)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels that are not one-hot with as many classes as the predictions."""
        labels.check_one_hot(where, y_true, y_pred, self.options["axis"])


@registry.register()
class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy for one class of C, labels whole numbers. See `sparse_categorical_crossentropy`.

    With `ignore_class` the mean is over the samples of other classes only.

    Example:
        >>> SparseCategoricalCrossentropy()([1, 2], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
        tensor(1.1769)
    """

    casts_labels = False
    unwritten: ClassVar[dict[str, Any]] = {"axis": -1}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = checked(name, from_logits=from_logits, ignore_class=ignore_class, axis=axis)
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **options)

    def mask(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor | None:
        """True where the label is not `ignore_class`."""
        ignored = self.options["ignore_class"]
        return None if ignored is None else labels.class_labels(self.where, y_true, y_pred, self._axis) != ignored

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels that are no whole numbers from 0 to C - 1."""
        labels.check_classes(where, y_true, y_pred, self._axis, self.options["ignore_class"])

    @property
    def _axis(self) -> int:
        return self.options["axis"]


@registry.register()
class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """Cross-entropy that wrong labels disturb less, labels whole numbers. See `categorical_generalized_cross_entropy`.

    Example:
        >>> CategoricalGeneralizedCrossEntropy()([1, 2], [[0.0, 1.0, 0.0], [0.25, 0.5, 0.25]])
        tensor(0.5000)
    """

    casts_labels = False

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, **checked(name, q=q))

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels that are no whole numbers from 0 to C - 1."""
        labels.check_classes(where, y_true, y_pred)


@registry.register("kld")
class KLDivergence(PlainLoss):
    """The Kullback-Leibler divergence between distributions. See `kl_divergence`.

    Example:
        >>> KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])
        tensor(0.1438)
    """

    fn = staticmethod(kl_divergence)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels of another shape, or outside 0 to 1."""
        labels.check_binary(where, y_true, y_pred)


@registry.register()
class Poisson(PlainLoss):
    """How unlikely counts are under predicted rates. See `poisson`.

    Example:
        >>> Poisson()([[0.0, 2.0]], [[1.0, 1.0]])
        tensor(1.0000)
    """

    fn = staticmethod(poisson)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels of another shape, not finite, or below 0."""
        labels.check_not_negative(where, y_true, y_pred)
