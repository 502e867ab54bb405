"""Operations that make arrays from nothing but their shape."""

import operator
from collections.abc import Sequence
from typing import Any

import torch

from striate.foundation.checks import UnsupportedError, is_int
from striate.ops.table import dtype_of, op, to_tensor

Shape = int | Sequence[int]


def _sizes(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if is_int(shape) else tuple(map(operator.index, shape))


@op()
def zeros(shape: Shape, dtype: Any = None) -> torch.Tensor:
    """All zeros; float32 unless told."""
    return torch.zeros(_sizes(shape), dtype=dtype_of("ops.zeros", dtype))


@op()
def ones(shape: Shape, dtype: Any = None) -> torch.Tensor:
    """All ones; float32 unless told."""
    return torch.ones(_sizes(shape), dtype=dtype_of("ops.ones", dtype))


@op()
def empty(shape: Shape, dtype: Any = None) -> torch.Tensor:
    """Numbers that mean nothing; float32 unless told."""
    return torch.empty(_sizes(shape), dtype=dtype_of("ops.empty", dtype))


@op()
def full(shape: Shape, fill_value: torch.Tensor, dtype: Any = None) -> torch.Tensor:
    """The same number everywhere, or an array that is repeated.

    Example:
        >>> full((2, 2), 7)
        tensor([[7., 7.],
                [7., 7.]])
    """
    return fill_value.to(dtype_of("ops.full", dtype, torch.float32)).broadcast_to(_sizes(shape)).clone()


@op()
def zeros_like(x: torch.Tensor, dtype: Any = None) -> torch.Tensor:
    """Zeros of x's shape and dtype."""
    return torch.zeros_like(x, dtype=dtype_of("ops.zeros_like", dtype))


@op()
def ones_like(x: torch.Tensor, dtype: Any = None) -> torch.Tensor:
    """Ones of x's shape and dtype."""
    return torch.ones_like(x, dtype=dtype_of("ops.ones_like", dtype))


@op()
def empty_like(x: torch.Tensor, dtype: Any = None) -> torch.Tensor:
    """Numbers that mean nothing, of x's shape and dtype."""
    return torch.empty_like(x, dtype=dtype_of("ops.empty_like", dtype))


@op()
def full_like(x: torch.Tensor, fill_value: torch.Tensor, dtype: Any = None) -> torch.Tensor:
    """The same number everywhere, in x's shape and dtype."""
    return fill_value.to(x.device, dtype_of("ops.full_like", dtype, x.dtype)).broadcast_to(x.shape).clone()


@op()
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> torch.Tensor:
    """From `start` (or 0) up to but without `stop`; int32 for whole numbers.

    Example:
        >>> arange(2, 8, 3)
        tensor([2, 5], dtype=torch.int32)
    """
    given = [to_tensor(value) for value in (start, stop, step) if value is not None]
    default = given[0].dtype
    for one in given[1:]:
        default = torch.promote_types(default, one.dtype)
    start, stop = (0, start) if stop is None else (start, stop)
    return torch.arange(start, stop, 1 if step is None else step, dtype=dtype_of("ops.arange", dtype, default))


@op()
def linspace(
    start: torch.Tensor,
    stop: torch.Tensor,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Numbers at equal distances, along a new first axis where `start` and `stop` are arrays.

    Args:
        endpoint: Whether `stop` is the last of them.
        retstep: Whether to return the distance, too.

    Example:
        >>> linspace(0, 1, 5)
        tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    if axis != 0:
        raise UnsupportedError("ops.linspace", f"axis={axis}", "axis=0", "Use moveaxis on the result.")
    kind = torch.promote_types(torch.promote_types(start.dtype, stop.dtype), torch.float32)
    target = dtype_of("ops.linspace", dtype, kind)
    start, stop = start.to(kind), stop.to(kind)
    parts = num - 1 if endpoint else num
    step = (stop - start) / parts if parts > 0 else torch.full_like(stop - start, torch.nan)
    counts = torch.arange(num, dtype=kind).reshape(-1, *[1] * step.ndim)
    numbers = start + counts * step if parts > 0 else start + counts
    if endpoint and parts > 0:
        numbers[-1] = stop  # rounding may miss it
    if retstep:
        return numbers.to(target), step if step.ndim else float(step)
    return numbers.to(target)


@op()
def logspace(
    start: torch.Tensor,
    stop: torch.Tensor,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: Any = None,
    axis: int = 0,
) -> torch.Tensor:
    """Powers of `base` whose exponents stand at equal distances."""
    return (base ** linspace(start, stop, num, endpoint, axis=axis)).to(dtype_of("ops.logspace", dtype, torch.float32))


@op()
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> torch.Tensor:
    """Ones on a diagonal, the k-th above the middle one, zeros elsewhere."""
    return tri(N, M, k, dtype) - tri(N, M, k - 1, dtype)


@op()
def identity(n: int, dtype: Any = None) -> torch.Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    return torch.eye(n, dtype=dtype_of("ops.identity", dtype))


@op()
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> torch.Tensor:
    """Ones on and below the k-th diagonal, zeros above."""
    return torch.tril(torch.ones((N, N if M is None else M), dtype=dtype_of("ops.tri", dtype)), k)


@op()
def meshgrid(*x: torch.Tensor, indexing: str = "xy") -> list[torch.Tensor]:
    """The coordinates of every point of a grid: as many arrays as there are axes.

    Args:
        indexing: "xy": the first array goes along the columns; "ij": along the first axis.

    Example:
        >>> [grid.tolist() for grid in meshgrid([1, 2], [3])]
        [[[1, 2]], [[3, 3]]]
    """
    return list(torch.meshgrid(*x, indexing=indexing))
