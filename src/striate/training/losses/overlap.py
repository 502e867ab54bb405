"""Losses of overlap between predicted and true regions, for segmentation."""

from collections.abc import Sequence
from typing import Any

import torch

from striate.training import labels
from striate.training.losses.at_once import AT_ONCE
from striate.training.losses.base import LossFunctionWrapper, registry
from striate.training.losses.options import checked
from striate.training.reduction import EPSILON

Axes = int | Sequence[int] | None


def dice(y_true: Any, y_pred: Any, axis: Axes = None) -> torch.Tensor:
    """1 less Dice's coefficient, twice the overlap of two regions over the sum of their sizes (Milletari et al. 2016).

    Args:
        y_true: Labels from 0 to 1 of the shape of `y_pred`.
        y_pred: Probabilities.
        axis: The axes that make up a region; None takes the whole batch as one, (1, 2, 3) each mask (N, H, W, C).

    Returns:
        Values for the other axes, a scalar for None.

    Raises:
        UserError: The shapes differ.

    Example:
        >>> dice([[1, 1], [0, 1]], [[1, 0], [0, 1]], axis=-1)
        tensor([0.3333, 0.0000])
    """
    return _dice(*labels.pair("dice", y_true, y_pred), axis)


def _dice(y_true: torch.Tensor, y_pred: torch.Tensor, axis: Axes) -> torch.Tensor:
    return 1 - 2.0 * _sum(y_true * y_pred, axis) / (_sum(y_true + y_pred, axis) + EPSILON)


AT_ONCE[dice] = lambda y_true, y_pred, axis=None: _dice(y_true, y_pred, None) if axis is None else None


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axes = None) -> torch.Tensor:
    """1 less Tversky's index, the overlap over overlap and what either region has alone (Salehi et al. 2017).

    Args:
        y_true: Labels from 0 to 1 of the shape of `y_pred`.
        y_pred: Probabilities.
        alpha: The weight of what only the label has (Keras calls them false positives).
        beta: The weight of what only the prediction has; with both 0.5 the index is Dice's coefficient.
        axis: As in `dice`.

    Returns:
        Values for the other axes, a scalar for None.

    Raises:
        UserError: The shapes differ.

    Example:
        >>> tversky([[1, 1], [0, 1]], [[1, 0], [0, 1]], alpha=1.0, axis=-1)
        tensor([5.0000e-01, 1.1921e-07])
    """
    y_true, y_pred = labels.pair("tversky", y_true, y_pred)
    both = _sum(y_true * y_pred, axis)
    only_true, only_pred = _sum((1 - y_pred) * y_true, axis), _sum(y_pred * (1 - y_true), axis)
    return 1 - both / (both + only_true * alpha + only_pred * beta + EPSILON)


def _sum(value: torch.Tensor, axis: Axes) -> torch.Tensor:
    if axis is None:
        return value.sum()
    return value.sum([axis] if isinstance(axis, int) else list(axis))


class _Overlap(LossFunctionWrapper):
    """Base of losses of regions."""

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels of another shape, or outside 0 to 1."""
        labels.check_binary(where, y_true, y_pred)


@registry.register()
class Dice(_Overlap):
    """The share of two regions that do not overlap. See `dice`.

    Example:
        >>> Dice()([[1, 1], [0, 1]], [[1, 0], [0, 1]])
        tensor(0.2000)
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Axes = None,
        dtype: Any = None,
    ) -> None:
        checked(name, axes=axis)
        super().__init__(dice, reduction, name, dtype, axis=axis)


@registry.register()
class Tversky(_Overlap):
    """`Dice` with weights of its own for missed and for false pixels. See `tversky`.

    Example:
        >>> Tversky(alpha=1.0, beta=0.0)([[1, 1], [0, 1]], [[1, 0], [0, 1]])
        tensor(0.3333)
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Axes = None,
        dtype: Any = None,
    ) -> None:
        checked(name, axes=axis)
        super().__init__(tversky, reduction, name, dtype, **checked(name, alpha=alpha, beta=beta), axis=axis)
