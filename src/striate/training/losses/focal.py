"""Focal cross-entropies: samples that are already right count less (Lin et al., arXiv 1708.02002)."""

from collections.abc import Sequence
from typing import Any

import torch

from striate.training import labels
from striate.training.losses.base import LossFunctionWrapper, registry
from striate.training.losses.options import checked
from striate.training.losses.parts import clip, smooth, smooth_binary, surprise
from striate.training.losses.probabilistic import probabilities
from striate.training.reduction import last_mean


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> torch.Tensor:
    """`binary_crossentropy` times (1 - p) ** gamma, where p is the probability of the label, averaged over `axis`.

    Args:
        y_true: Labels from 0 to 1 of the shape of `y_pred`; (N,) goes with (N, 1).
        y_pred: Probabilities (..., L); logits if `from_logits`.
        apply_class_balancing: Whether labels 1 weigh `alpha` and labels 0 weigh 1 - `alpha`.
        alpha: From 0 to 1, for `apply_class_balancing`.
        gamma: How much less right samples count; 0 is plain cross-entropy.
        from_logits: Whether `y_pred` comes without the sigmoid.
        label_smoothing: From 0 to 1: how far the labels are pulled towards 0.5.
        axis: The axis to average over.

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes differ.

    Example:
        >>> binary_focal_crossentropy([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
        tensor([0.3299, 0.2058])
    """
    y_true, y_pred = labels.pair("binary_focal_crossentropy", y_true, y_pred)
    y_true = smooth_binary(y_true, label_smoothing)
    if from_logits:
        y_pred = y_pred.sigmoid()
    right = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    values = (1.0 - right) ** gamma * surprise(y_true, y_pred)
    if apply_class_balancing:
        values = (y_true * alpha + (1 - y_true) * (1 - alpha)) * values
    return last_mean(values, axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> torch.Tensor:
    """`categorical_crossentropy` times alpha * (1 - p) ** gamma, where p is the probability of the true class.

    Args:
        y_true: One-hot or soft labels of the shape of `y_pred`.
        y_pred: Probabilities (..., C); logits if `from_logits`.
        alpha: A weight for all classes, or one for each class of the last axis.
        gamma: How much less right samples count.
        from_logits: Whether `y_pred` comes without the softmax.
        label_smoothing: As in `categorical_crossentropy`.
        axis: The axis of the classes.

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes differ.

    Example:
        >>> categorical_focal_crossentropy([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
        tensor([3.2058e-05, 4.6627e-01])
    """
    y_true, y_pred = labels.pair("categorical_focal_crossentropy", y_true, y_pred)
    if from_logits:
        y_pred = y_pred.softmax(axis)
    share = clip(probabilities(y_pred, axis))
    weight = (1.0 - share) ** gamma * torch.as_tensor(alpha, dtype=share.dtype, device=share.device)
    return (weight * -smooth(y_true, label_smoothing, axis) * torch.log(share)).sum(axis)


@registry.register()
class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Focal cross-entropy for yes or no. See `binary_focal_crossentropy`.

    Example:
        >>> BinaryFocalCrossentropy()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
        tensor(0.2678)
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = checked(name, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)
        options |= checked(name, apply_class_balancing=apply_class_balancing, alpha=alpha, gamma=gamma)
        super().__init__(binary_focal_crossentropy, reduction, name, dtype, **options)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels of another shape, or outside 0 to 1."""
        labels.check_binary(where, y_true, y_pred)


@registry.register()
class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Focal cross-entropy for one class of C, labels one-hot. See `categorical_focal_crossentropy`.

    Example:
        >>> CategoricalFocalCrossentropy()([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
        tensor(0.2332)
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = checked(name, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)
        options |= checked(name, alpha=alpha, gamma=gamma)
        super().__init__(categorical_focal_crossentropy, reduction, name, dtype, **options)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels that are not one-hot with as many classes as the predictions."""
        labels.check_one_hot(where, y_true, y_pred, self.options["axis"])
