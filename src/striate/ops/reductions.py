"""Operations that make one number of many: sums, means, extremes, along an axis, several or all."""

from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.ops.table import as_floats, axes_of, dtype_of, op

SMALL = (torch.bool, torch.uint8, torch.int8, torch.int16)  # whole numbers whose sums are kept in int32
Axis = int | tuple[int, ...] | list[int] | None


def _wide(x: torch.Tensor) -> torch.dtype:
    return torch.int32 if x.dtype in SMALL else x.dtype


def _rows(x: torch.Tensor, axis: Axis) -> torch.Tensor:
    """The array with the reduced axes as one at the end."""
    axes = axes_of(x, axis)
    others = [one for one in range(x.ndim) if one not in axes]
    return x.permute(*others, *axes).reshape(*(x.shape[one] for one in others), -1)


def _kept(y: torch.Tensor, x: torch.Tensor, axis: Axis, front: int = 0) -> torch.Tensor:
    """The result with the reduced axes kept as axes of one."""
    for one in sorted(axes_of(x, axis)):
        y = y.unsqueeze(one + front)
    return y


@op()
def sum_(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """The sum; of small whole numbers and truths as int32.

    Example:
        >>> sum_([[1.0, 2.0], [3.0, 4.0]], axis=0)
        tensor([4., 6.])
    """
    return torch.sum(x, axes_of(x, axis), keepdims).to(_wide(x))


@op()
def mean(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """The mean; of whole numbers as float32.

    Example:
        >>> mean([[1, 2], [3, 4]], axis=-1)
        tensor([1.5000, 3.5000])
    """
    return torch.mean(as_floats(x), axes_of(x, axis), keepdims)


@op()
def var(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """The mean of the squared distances from the mean."""
    return torch.var(as_floats(x), axes_of(x, axis), correction=0, keepdim=keepdims)


@op()
def std(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """The root of the variance."""
    return torch.std(as_floats(x), axes_of(x, axis), correction=0, keepdim=keepdims)


@op()
def prod(x: torch.Tensor, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> torch.Tensor:
    """The product."""
    y = torch.prod(_rows(x, axis), -1, dtype=dtype_of("ops.prod", dtype, _wide(x)))
    return _kept(y, x, axis) if keepdims else y


@op()
def max_(x: torch.Tensor, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> torch.Tensor:
    """The largest number; at least `initial`, where given.

    Example:
        >>> max_([[1, 5], [3, 4]], axis=1)
        tensor([5, 4], dtype=torch.int32)
    """
    y = torch.amax(x, axes_of(x, axis), keepdims)
    return y if initial is None else torch.maximum(y, torch.full_like(y, initial))


@op()
def min_(x: torch.Tensor, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> torch.Tensor:
    """The smallest number; at most `initial`, where given."""
    y = torch.amin(x, axes_of(x, axis), keepdims)
    return y if initial is None else torch.minimum(y, torch.full_like(y, initial))


@op()
def amax(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """The largest number."""
    return torch.amax(x, axes_of(x, axis), keepdims)


@op()
def amin(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """The smallest number."""
    return torch.amin(x, axes_of(x, axis), keepdims)


@op()
def ptp(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """How far the largest is from the smallest number."""
    return amax(x, axis, keepdims) - amin(x, axis, keepdims)


@op()
def all_(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """Whether all are true."""
    return torch.all(x.bool(), axes_of(x, axis), keepdims)


@op()
def any_(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """Whether one is true."""
    return torch.any(x.bool(), axes_of(x, axis), keepdims)


@op()
def argmax(x: torch.Tensor, axis: int | None = None, keepdims: bool = False) -> torch.Tensor:
    """Where the largest number stands, as int32; without an axis in the flattened array.

    Example:
        >>> argmax([[1, 5], [7, 4]], axis=1)
        tensor([1, 0], dtype=torch.int32)
    """
    return torch.argmax(_countable(x), axis, keepdims).int()


@op()
def argmin(x: torch.Tensor, axis: int | None = None, keepdims: bool = False) -> torch.Tensor:
    """Where the smallest number stands, as int32; without an axis in the flattened array."""
    return torch.argmin(_countable(x), axis, keepdims).int()


@op()
def average(x: torch.Tensor, axis: Axis = None, weights: torch.Tensor | None = None) -> torch.Tensor:
    """The mean, in which every number counts as much as its weight.

    Args:
        weights: Of x's shape, or along `axis` alone.

    Example:
        >>> average([1.0, 4.0], weights=[2.0, 1.0])
        tensor(2.)
    """
    x = as_floats(x)
    if weights is None:
        return torch.mean(x, axes_of(x, axis))
    if weights.shape != x.shape:
        if weights.ndim != 1 or not isinstance(axis, int):
            needs = "weights of x's shape, or one axis and weights along it"
            got = f"weights of shape {tuple(weights.shape)} for x of shape {tuple(x.shape)}"
            raise UserError("ops.average", got, needs, "Pass axis=.")
        weights = weights.reshape([-1 if one == axes_of(x, axis)[0] else 1 for one in range(x.ndim)])
    weights = weights.to(x.dtype).expand_as(x)
    return torch.sum(x * weights, axes_of(x, axis)) / torch.sum(weights, axes_of(x, axis))


@op()
def count_nonzero(x: torch.Tensor, axis: Axis = None) -> torch.Tensor:
    """How many are not 0, as int32."""
    return torch.count_nonzero(x, axes_of(x, axis)).int()


@op()
def cumsum(x: torch.Tensor, axis: int | None = None, dtype: Any = None) -> torch.Tensor:
    """The sums of all that comes before and the number itself."""
    x, axis = (x.flatten(), 0) if axis is None else (x, axis)
    default = torch.int32 if x.dtype == torch.bool else x.dtype
    return torch.cumsum(x, axis, dtype=dtype_of("ops.cumsum", dtype, default))


@op()
def cumprod(x: torch.Tensor, axis: int | None = None, dtype: Any = None) -> torch.Tensor:
    """The products of all that comes before and the number itself."""
    x, axis = (x.flatten(), 0) if axis is None else (x, axis)
    default = torch.int32 if x.dtype == torch.bool else x.dtype
    return torch.cumprod(x, axis, dtype=dtype_of("ops.cumprod", dtype, default))


@op()
def logsumexp(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """The logarithm of the sum of exp(x), without overflow."""
    return torch.logsumexp(as_floats(x), axes_of(x, axis), keepdims)


@op()
def median(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
    """The middle number; of an even count the mean of the two in the middle."""
    return quantile(x, 0.5, axis, "linear", keepdims)


@op()
def quantile(
    x: torch.Tensor, q: torch.Tensor, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> torch.Tensor:
    """The number that a share q of all does not exceed.

    Args:
        q: From 0 to 1; of several, the results stand along a new first axis.
        method: Between two numbers: "linear", "lower", "higher", "midpoint" or "nearest".
    """
    x = as_floats(x)
    y = torch.quantile(_rows(x, axis), q.to(x), -1, interpolation=method)
    return _kept(y, x, axis, q.ndim) if keepdims else y


@op()
def percentile(
    x: torch.Tensor, q: torch.Tensor, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> torch.Tensor:
    """As `quantile`, with q from 0 to 100."""
    return quantile(x, as_floats(q) / 100, axis, method, keepdims)


def _countable(x: torch.Tensor) -> torch.Tensor:
    """Truths as numbers: torch finds no largest among them."""
    return x.to(torch.uint8) if x.dtype == torch.bool else x
