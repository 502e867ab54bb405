"""Losses of predicted quantities."""

from typing import Any

import torch

from striate.training import labels
from striate.training.losses.base import LossFunctionWrapper, registry


def mean_squared_error(y_true: Any, y_pred: Any) -> torch.Tensor:
    """The square of the error, averaged over the last axis.

    Args:
        y_true: Numbers of the shape of `y_pred`; (N,) goes with (N, 1).
        y_pred: Numbers (..., L).

    Returns:
        Values of shape (...).

    Raises:
        UserError: The shapes differ.

    Example:
        >>> mean_squared_error([[0.0, 1.0]], [[0.5, 1.0]])
        tensor([0.1250])
    """
    y_true, y_pred = labels.pair("mean_squared_error", y_true, y_pred)
    return (y_true - y_pred).square().mean(-1)


@registry.register("mse")
class MeanSquaredError(LossFunctionWrapper):
    """The mean of squared errors, for quantities. See `mean_squared_error`.

    Example:
        >>> MeanSquaredError()([[1.0, 0.0]], [[0.9, 0.2]])
        tensor(0.0250)
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_error, reduction, name, dtype)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels of another shape, or not finite."""
        labels.check_numbers(where, y_true, y_pred)
