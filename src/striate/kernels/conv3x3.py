"""Convolution by windows of 3 x 3 with fewer products than it has: Winograd's, for many channels."""

import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.again import again
from striate.kernels.library import address, compiled, fits_last_axis, laid_out, library, plain, wants_gradient

Tensor = torch.Tensor
Sides = tuple[tuple[int, int], tuple[int, int]]

FEWEST_CHANNELS = 32  # in and out: with fewer, transforming takes longer than multiplying
FEWEST_TILES = {True: 64, False: 256}  # whether there are gradients to come: with fewer, transforming the weights does


def can_conv3x3(x: Tensor, kernel: Tensor, bias: Tensor | None, sides: Sides) -> bool:
    """Whether the compiled kernel can do it, and gains by it."""
    if not plain(x, kernel, bias) or library() is None:
        return False
    if kernel.shape[:3] != (3, 3, x.shape[-1]) or min(kernel.shape[2:]) < FEWEST_CHANNELS:
        return False
    rows, columns = output_size(x.shape, sides)
    tiles = len(x) * ((rows + 1) // 2) * ((columns + 1) // 2)
    return min(rows, columns) > 0 and tiles >= FEWEST_TILES[wants_gradient(x, kernel)] and fits_last_axis(bias, kernel)


def output_size(shape: Sequence[int], sides: Sides) -> tuple[int, int]:
    """Rows and columns that come out."""
    return shape[1] + sum(sides[0]) - 2, shape[2] + sum(sides[1]) - 2


def conv3x3(x: Tensor, kernel: Tensor, bias: Tensor | None, sides: Sides, relu: bool = False) -> Tensor:
    """A convolution that moves by one cell, with its bias, and ReLU if asked.

    Args:
        x: (N, H, W, C).
        kernel: (3, 3, C, filters).
        bias: (filters,), or None.
        sides: Zeros before and after rows and columns: at most two each.
        relu: Whether what is below 0 becomes 0.

    Returns:
        (N, H', W', filters).

    Source: F(2 x 2, 3 x 3) of Lavin and Gray, arXiv 1509.09308.

    Example:
        >>> conv3x3(torch.ones(1, 4, 4, 1), torch.ones(3, 3, 1, 1), None, ((1, 1), (0, 0))).flatten()
        tensor([6., 6., 9., 9., 9., 9., 6., 6.])
    """
    if not can_conv3x3(x, kernel, bias, sides):
        return reference.conv3x3(x, kernel, bias, sides, relu)
    if wants_gradient(x, kernel, bias):
        return _Conv3x3.apply(x, kernel, bias, sides, relu)
    return _forward(x.contiguous(), kernel, bias, sides, relu)


@functools.lru_cache(maxsize=256)
def _sizes(shape: tuple[int, ...], filters: int, sides: Sides) -> Any:
    return (ctypes.c_int64 * 9)(*shape, *output_size(shape, sides), filters, sides[0][0], sides[1][0])


def _forward(x: Tensor, kernel: Tensor, bias: Tensor | None, sides: Sides, relu: bool) -> Tensor:
    weights, filters = laid_out(kernel), kernel.shape[-1]
    bias = None if bias is None else bias.detach().contiguous()
    y = x.new_empty(len(x), *output_size(x.shape, sides), filters)
    addresses = (x.data_ptr(), weights.data_ptr(), address(bias))
    compiled().winograd(_sizes(tuple(x.shape), filters, sides), *addresses, relu, False, y.data_ptr())
    return y


def input_gradient(dy: Tensor, kernel: Tensor, sides: Sides) -> Tensor:
    """The gradient of the input, (N, H, W, C), of the output's, (N, H', W', filters), both without gaps in memory."""
    around: Sides = tuple((2 - before, 2 - after) for before, after in sides)  # type: ignore[assignment]
    weights, channels = laid_out(kernel), kernel.shape[2]
    dx = dy.new_empty(len(dy), *output_size(dy.shape, around), channels)
    sizes = _sizes(tuple(dy.shape), channels, around)
    compiled().winograd(sizes, dy.data_ptr(), weights.data_ptr(), None, False, True, dx.data_ptr())
    return dx


class _Conv3x3(torch.autograd.Function):
    """The compiled kernels; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None, sides: Sides, relu: bool) -> Tensor:
        y = _forward(x.contiguous(), kernel, bias, sides, relu)
        ctx.sides, ctx.relu = sides, relu
        ctx.save_for_backward(x, kernel, bias, *([y] if relu else []))
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
        x, kernel, bias, *rest = ctx.saved_tensors
        if torch.is_grad_enabled() or not plain(dy):
            compute = functools.partial(reference.conv3x3, sides=ctx.sides, relu=ctx.relu)
            return *again(compute, (x, kernel, bias), ctx.needs_input_grad, dy), None, None
        of_x, of_kernel, of_bias = ctx.needs_input_grad[:3]
        x, dy = x.contiguous(), dy.contiguous()
        dy = torch.ops.aten.threshold_backward(dy, rest[0], 0.0) if ctx.relu else dy
        dx = input_gradient(dy, kernel, ctx.sides) if of_x else None
        dbias = dy.flatten(0, 2).sum(0) if of_bias else None
        if not of_kernel:
            return dx, None, dbias, None, None
        dweights = torch.empty_like(kernel.movedim(-1, 0), memory_format=torch.contiguous_format)
        sizes = _sizes(tuple(x.shape), kernel.shape[-1], ctx.sides)
        compiled().winograd_backward(sizes, x.data_ptr(), dy.data_ptr(), dweights.data_ptr())
        return dx, dweights.movedim(0, -1), dbias, None, None
