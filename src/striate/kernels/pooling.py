"""Max-pooling over one to three axes, with ReLU before it for nothing."""

import ctypes
import functools
import math
from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.library import address, compiled, library, plain, wants_gradient
from striate.kernels.reference import Pool

MOST_CELLS = 256  # of a window, since a byte says which of them won


def can_max_pool(x: torch.Tensor, pool: Pool) -> bool:
    """Whether the compiled kernel can do it."""
    axes = len(pool.size)
    return plain(x) and library() is not None and x.ndim == axes + 2 and x.numel() > 0 and _fits(pool, x.shape[1:-1])


def max_pool(x: torch.Tensor, pool: Pool, relu: bool = False) -> torch.Tensor:
    """The greatest of every window, after ReLU if asked.

    Args:
        x: (N, ..., C), with one to three axes in between.
        pool: The window.
        relu: Whether what is below 0 counts as 0.

    Returns:
        (N, ..., C), with fewer cells.

    Example:
        >>> max_pool(torch.arange(16.0).view(1, 4, 4, 1), Pool((2, 2), (2, 2))).flatten()
        tensor([ 5.,  7., 13., 15.])
    """
    if not can_max_pool(x, pool):
        return reference.max_pool(x, pool, relu)
    if wants_gradient(x):
        return _MaxPool.apply(x, pool, relu)
    return _forward(x, pool, relu, keep=False)[0]


@functools.lru_cache(maxsize=256)
def _fits(pool: Pool, cells: tuple[int, ...]) -> bool:
    """Whether something comes out, and every window has a cell of the input."""
    inside = all(max(sides) < k for k, *sides in zip(pool.size, pool.before, pool.after, strict=True))
    return inside and min(pool.output_size(*cells)) > 0 and math.prod(pool.size) <= MOST_CELLS


@functools.lru_cache(maxsize=256)
def _sizes(shape: tuple[int, ...], pool: Pool) -> Any:
    n, *cells, channels = shape
    ones, none = (1,) * (3 - len(cells)), (0,) * (3 - len(cells))
    geometry = *ones, *pool.size, *ones, *pool.strides, *none, *pool.before
    return (ctypes.c_int64 * 17)(n, *ones, *cells, channels, *ones, *pool.output_size(*cells), *geometry)


def _forward(x: torch.Tensor, pool: Pool, relu: bool, keep: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The output and, if asked, which cell of each window won."""
    x = x.detach().contiguous()
    shape = (x.shape[0], *pool.output_size(*x.shape[1:-1]), x.shape[-1])
    y = x.new_empty(shape)
    winner = x.new_empty(shape, dtype=torch.uint8) if keep else None
    compiled().max_pool(_sizes(tuple(x.shape), pool), relu, x.data_ptr(), y.data_ptr(), address(winner))
    return y, winner


def max_pool_gradient(
    shape: tuple[int, ...], pool: Pool, relu: bool, y: torch.Tensor | None, winner: torch.Tensor, dy: torch.Tensor
) -> torch.Tensor:
    """The gradient of the input, of this shape, by the compiled kernel; see `reference.max_pool_gradient`."""
    dy, dx = dy.contiguous(), dy.new_empty(shape)
    addresses = (address(y), winner.data_ptr(), dy.data_ptr(), dx.data_ptr())
    compiled().max_pool_backward(_sizes(shape, pool), relu, *addresses)
    return dx


class _MaxPool(torch.autograd.Function):
    """The compiled kernel with its gradient; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, pool: Pool, relu: bool) -> torch.Tensor:
        y, winner = _forward(x, pool, relu, keep=True)
        ctx.shape, ctx.pool, ctx.relu = tuple(x.shape), pool, relu
        ctx.save_for_backward(winner, *([y] if relu else []))
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        winner, *rest = ctx.saved_tensors
        y = rest[0] if ctx.relu else None
        if torch.is_grad_enabled() or not plain(dy):
            y = None if y is None else y.detach()
            return reference.max_pool_gradient(ctx.shape, ctx.pool, winner, y, dy), None, None
        return max_pool_gradient(ctx.shape, ctx.pool, ctx.relu, y, winner, dy), None, None
