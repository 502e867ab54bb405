"""Losses of margins: right by 1 or more costs nothing."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.training import labels
from striate.training.losses.base import PlainLoss, registry
from striate.training.reduction import last_mean


def hinge(y_true: Any, y_pred: Any) -> torch.Tensor:
    """max(1 - y_true * y_pred, 0), averaged over the last axis.

    Args:
        y_true: Labels -1 and 1, of the shape of `y_pred`; (N,) goes with (N, 1). If all are 0 or 1, 0 counts as -1.
        y_pred: Scores (..., L) of any size; above 0 means 1.

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes differ.

    Example:
        >>> hinge([[1, -1], [1, -1]], [[0.5, -2.0], [-1.0, 0.0]])
        tensor([0.2500, 1.5000])
    """
    return last_mean(_twice_at_least_zero(_missing_margins("hinge", y_true, y_pred))) / 2


def squared_hinge(y_true: Any, y_pred: Any) -> torch.Tensor:
    """The square of max(1 - y_true * y_pred, 0), averaged over the last axis; arguments as of `hinge`.

    Example:
        >>> squared_hinge([[1, -1], [1, -1]], [[0.5, -2.0], [-1.0, 0.0]])
        tensor([0.1250, 2.5000])
    """
    return last_mean(_missing_margins("squared_hinge", y_true, y_pred).relu().square())


def categorical_hinge(y_true: Any, y_pred: Any) -> torch.Tensor:
    """By how much the score of the true class is not 1 above the best other: max(1 + other - true, 0).

    Args:
        y_true: One-hot labels of the shape of `y_pred`.
        y_pred: Scores (..., C).

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes differ.

    Example:
        >>> categorical_hinge([[0, 1], [1, 0]], [[0.5, 2.0], [0.5, 1.0]])
        tensor([0.0000, 1.5000])
    """
    y_true, y_pred = labels.pair("categorical_hinge", y_true, y_pred)
    true, other = (y_true * y_pred).sum(-1), ((1.0 - y_true) * y_pred).amax(-1)
    return _twice_at_least_zero(other - true + 1.0) / 2


def _missing_margins(where: str, y_true: Any, y_pred: Any) -> torch.Tensor:
    """1 - y_true * y_pred."""
    y_true, y_pred = labels.pair(where, y_true, y_pred)
    # The rest is done on the device, without a look at the outcome, for which the program would have to wait.
    on_host = y_true.device.type == "cpu" and y_true.numel() > 0
    if not (on_host and y_true.amin() < 0):
        is_binary = (y_true.square() == y_true).all()  # 0 and 1 alone are their squares
        y_true = torch.where(is_binary, 2.0 * y_true - 1.0, y_true)
    return 1.0 - y_true * y_pred


def _twice_at_least_zero(value: torch.Tensor) -> torch.Tensor:
    """2 * max(value, 0); at 0 itself the gradient is 1, halfway, as in Keras.

    relu's is 0 there, and the threshold is just below it. A third of the time of `torch.maximum`.
    """
    return F.threshold(value, -torch.finfo(value.dtype).tiny, 0.0).add_(torch.relu(value))


@registry.register()
class Hinge(PlainLoss):
    """The mean of missing margins, for labels -1 and 1. See `hinge`.

    Example:
        >>> Hinge()([[1, -1], [1, -1]], [[0.5, -2.0], [-1.0, 0.0]])
        tensor(0.8750)
    """

    fn = staticmethod(hinge)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels of another shape, or other than -1 and 1 or 0 and 1."""
        labels.check_signs(where, y_true, y_pred)


@registry.register()
class SquaredHinge(Hinge):
    """The mean of squared missing margins, for labels -1 and 1. See `squared_hinge`.

    Example:
        >>> SquaredHinge()([[1, -1], [1, -1]], [[0.5, -2.0], [-1.0, 0.0]])
        tensor(1.3125)
    """

    fn = staticmethod(squared_hinge)


@registry.register()
class CategoricalHinge(PlainLoss):
    """The mean margin missing between the true class and the best other, labels one-hot. See `categorical_hinge`.

    Example:
        >>> CategoricalHinge()([[0, 1], [1, 0]], [[0.5, 2.0], [0.5, 1.0]])
        tensor(0.7500)
    """

    fn = staticmethod(categorical_hinge)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels that are not one-hot with as many classes as the predictions."""
        labels.check_one_hot(where, y_true, y_pred)
