"""Cross-entropies: losses of predicted probabilities."""

from typing import Any

import torch

from striate.foundation.checks import UserError, check_number, is_int
from striate.training import labels
from striate.training.losses.base import LossFunctionWrapper, registry

# Probabilities stay this far from 0 and 1, so that their logarithms are finite; Keras's `epsilon()`.
EPSILON = 1e-7


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
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        values = torch.nn.functional.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    else:
        # torch's binary_cross_entropy stops the process on a GPU when a prediction is NaN; this hands the NaN on.
        y_pred = _clip(y_pred)
        values = -torch.lerp(torch.log1p(-y_pred), torch.log(y_pred), y_true)
    return values.mean(axis)


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
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[axis]
    if from_logits:
        log_probability = y_pred.log_softmax(axis)
    else:
        log_probability = torch.log(_clip(y_pred / y_pred.sum(axis, keepdim=True)))
    return -(y_true * log_probability).sum(axis)


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
    index = y_true.long().unsqueeze(axis)
    if from_logits:
        log_probability = y_pred.log_softmax(axis).gather(axis, index)
    else:
        log_probability = torch.log(_clip(y_pred.gather(axis, index) / y_pred.sum(axis, keepdim=True)))
    values = -log_probability.squeeze(axis)
    return values if ignore_class is None else torch.where(valid, values, 0.0)


def _clip(probability: torch.Tensor) -> torch.Tensor:
    return probability.clamp(EPSILON, 1.0 - EPSILON)


def _checked(name: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """The options, refused where they have no meaning."""
    where = f"Loss {name!r}"
    smoothing, axis, ignored = options.get("label_smoothing", 0.0), options["axis"], options.get("ignore_class")
    check_number(where, "label_smoothing", smoothing, "a number from 0 to 1", lambda value: 0 <= value <= 1)
    if not is_int(axis):
        raise UserError(where, f"axis={axis!r}", "a whole number", "Pass for example axis=-1.")
    if ignored is not None and not is_int(ignored):
        raise UserError(where, f"ignore_class={ignored!r}", "a class number", "Pass for example ignore_class=255.")
    return options


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
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, dtype, **_checked(name, options))

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
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **_checked(name, options))

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

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **_checked(name, options))

    def mask(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor | None:
        """True where the label is not `ignore_class`."""
        ignored = self.options["ignore_class"]
        return None if ignored is None else labels.class_labels(self.where, y_true, y_pred, self._axis) != ignored

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels that are no whole numbers from 0 to C - 1."""
        labels.check_classes(where, y_true, y_pred, self._axis, self.options["ignore_class"])

    def config(self) -> dict[str, Any]:
        """The arguments that make the same loss again; like Keras's, without the usual axis."""
        config = super().config()
        if self._axis == -1:
            del config["axis"]
        return config

    @property
    def _axis(self) -> int:
        return self.options["axis"]
