"""Losses of predicted quantities."""

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from striate.training import labels
from striate.training.losses.at_once import AT_ONCE
from striate.training.losses.base import LossFunctionWrapper, PlainLoss, registry
from striate.training.losses.options import checked
from striate.training.reduction import EPSILON, last_mean


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
    return last_mean(F.mse_loss(y_pred, y_true, reduction="none"))


def mean_absolute_error(y_true: Any, y_pred: Any) -> torch.Tensor:
    """The size of the error, averaged over the last axis; shapes as in `mean_squared_error`.

    Example:
        >>> mean_absolute_error([[0.0, 1.0]], [[0.5, 1.0]])
        tensor([0.2500])
    """
    y_true, y_pred = labels.pair("mean_absolute_error", y_true, y_pred)
    return last_mean(F.l1_loss(y_pred, y_true, reduction="none"))


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> torch.Tensor:
    """The size of the error in percent of the label, averaged over the last axis; shapes as in `mean_squared_error`.

    Labels nearer to 0 than 1e-7 count as 1e-7, which makes huge values of them: better have none.

    Example:
        >>> mean_absolute_percentage_error([[2.0, 4.0]], [[3.0, 4.0]])
        tensor([25.])
    """
    y_true, y_pred = labels.pair("mean_absolute_percentage_error", y_true, y_pred)
    return 100.0 * ((y_true - y_pred) / y_true.abs().clamp(min=EPSILON)).abs().mean(-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> torch.Tensor:
    """The square of the difference of log(1 + y), averaged over the last axis; shapes as in `mean_squared_error`.

    Numbers below 1e-7 count as 1e-7.

    Example:
        >>> mean_squared_logarithmic_error([[0.0, 1.0]], [[0.0, 3.0]])
        tensor([0.2402])
    """
    y_true, y_pred = labels.pair("mean_squared_logarithmic_error", y_true, y_pred)
    return (torch.log(_positive(y_pred) + 1.0) - torch.log(_positive(y_true) + 1.0)).square().mean(-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> torch.Tensor:
    """Half the square of errors up to `delta`, linear beyond, averaged over the last axis (Huber 1964).

    Shapes as in `mean_squared_error`.

    Example:
        >>> huber([[0.0, 0.0]], [[1.0, 3.0]])
        tensor([1.5000])
    """
    y_true, y_pred = labels.pair("huber", y_true, y_pred)
    return last_mean(F.huber_loss(y_pred, y_true, reduction="none", delta=delta))


def log_cosh(y_true: Any, y_pred: Any) -> torch.Tensor:
    """The logarithm of the hyperbolic cosine of the error, averaged over the last axis.

    About half the square of small errors, and the size of large ones less log(2). Shapes as in `mean_squared_error`.

    Example:
        >>> log_cosh([[0.0, 0.0]], [[1.0, 0.0]])
        tensor([0.2169])
    """
    y_true, y_pred = labels.pair("log_cosh", y_true, y_pred)
    error = y_pred - y_true
    # log(cosh(x)) without the overflow of cosh.
    return last_mean(error + F.softplus(-2.0 * error) - math.log(2.0))


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> torch.Tensor:
    """The negative cosine of the angle between labels and predictions along `axis`: -1 is the best, 1 the worst.

    0 where one of them is 0; shapes as in `mean_squared_error`.

    Example:
        >>> cosine_similarity([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])
        tensor([-0.0000, -1.0000])
    """
    y_true, y_pred = labels.pair("cosine_similarity", y_true, y_pred)
    return -(_unit(y_true, axis) * _unit(y_pred, axis)).sum(axis)


AT_ONCE[mean_squared_error] = lambda y_true, y_pred: F.mse_loss(y_pred, y_true)
AT_ONCE[huber] = lambda y_true, y_pred, delta=1.0: F.huber_loss(y_pred, y_true, delta=delta)


def _positive(value: torch.Tensor) -> torch.Tensor:
    return torch.maximum(value, value.new_tensor(EPSILON))


def _unit(value: torch.Tensor, axis: int) -> torch.Tensor:
    """Vectors of length 1; those shorter than 1e-7 are only lengthened, so that 0 has a gradient (Keras's is NaN)."""
    return value * value.square().sum(axis, keepdim=True).clamp(min=EPSILON**2).rsqrt()


class _Regression(LossFunctionWrapper):
    """Base of losses whose labels are any finite numbers."""

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels of another shape, or not finite."""
        labels.check_numbers(where, y_true, y_pred)


@registry.register("mse")
class MeanSquaredError(_Regression, PlainLoss):
    """The mean of squared errors, for quantities. See `mean_squared_error`.

    Example:
        >>> MeanSquaredError()([[1.0, 0.0]], [[0.9, 0.2]])
        tensor(0.0250)
    """

    fn = staticmethod(mean_squared_error)


@registry.register("mae")
class MeanAbsoluteError(_Regression, PlainLoss):
    """The mean size of errors, for quantities with outliers. See `mean_absolute_error`.

    Example:
        >>> MeanAbsoluteError()([[1.0, 0.0]], [[0.9, 0.2]])
        tensor(0.1500)
    """

    fn = staticmethod(mean_absolute_error)


@registry.register("mape")
class MeanAbsolutePercentageError(_Regression, PlainLoss):
    """The mean size of errors in percent, for quantities far from 0. See `mean_absolute_percentage_error`.

    Example:
        >>> MeanAbsolutePercentageError()([[1.0, 2.0]], [[1.5, 2.0]])
        tensor(25.)
    """

    fn = staticmethod(mean_absolute_percentage_error)


@registry.register("msle")
class MeanSquaredLogarithmicError(PlainLoss):
    """The mean square of errors of log(1 + y), for quantities of many sizes. See `mean_squared_logarithmic_error`.

    Example:
        >>> MeanSquaredLogarithmicError()([[0.0, 1.0]], [[0.0, 3.0]])
        tensor(0.2402)
    """

    fn = staticmethod(mean_squared_logarithmic_error)

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels of another shape, not finite, or below 0, which would count as 0."""
        labels.check_not_negative(where, y_true, y_pred)


@registry.register()
class LogCosh(_Regression, PlainLoss):
    """The mean logarithm of the hyperbolic cosine of errors, a smooth absolute error. See `log_cosh`.

    Example:
        >>> LogCosh()([[0.0, 0.0]], [[1.0, 0.0]])
        tensor(0.2169)
    """

    fn = staticmethod(log_cosh)


@registry.register()
class Huber(_Regression):
    """Squared for small errors, linear for large ones. See `huber`.

    Example:
        >>> Huber()([[0.0, 0.0]], [[1.0, 3.0]])
        tensor(1.5000)
    """

    unwritten: ClassVar[dict[str, Any]] = {"delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(huber, reduction, name, dtype, **checked(name, delta=delta))


@registry.register()
class CosineSimilarity(_Regression):
    """Minus the cosine between labels and predictions, for directions. See `cosine_similarity`.

    Example:
        >>> CosineSimilarity()([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])
        tensor(-0.5000)
    """

    unwritten: ClassVar[dict[str, Any]] = {"axis": -1}

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, **checked(name, axis=axis))
