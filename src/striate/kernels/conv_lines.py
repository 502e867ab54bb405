"""Convolution with fewer products along the last axis than it has: Toom's and Cook's, for many channels."""

import ctypes
import functools
import math
from collections.abc import Sequence
from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.again import again
from striate.kernels.library import address, compiled, fits_last_axis, laid_out, library, plain, wants_gradient

Tensor = torch.Tensor
Sides = tuple[tuple[int, int], ...]

FEWEST_CHANNELS = 16  # in and out: with fewer, transforming takes longer than multiplying
FEWEST_TOGETHER = 48  # channels in and out
FEWEST_CELLS = 512  # that come out: with fewer, transforming the weights does
GAIN = 1.4  # how many times as many products there have to be without


def can_conv_lines(x: Tensor, kernel: Tensor, bias: Tensor | None, sides: Sides) -> bool:
    """Whether the compiled kernel can do it, and gains by it."""
    if not plain(x, kernel, bias) or library() is None or not len(sides) + 2 == x.ndim == kernel.ndim:
        return False
    window, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    cells = output_size(x.shape, window, sides)
    fits = all(max(side) < size for side, size in zip(sides, window, strict=True)) and fits_last_axis(bias, kernel)
    return fits and channels == x.shape[-1] and gains(len(x), cells, window, channels, filters)


def gains(items: int, cells: Sequence[int], window: Sequence[int], channels: int, filters: int) -> bool:
    """Whether fewer products are worth the transforms, for so many cells that come out."""
    if min(channels, filters) < FEWEST_CHANNELS or channels + filters < FEWEST_TOGETHER or window[-1] < 3:
        return False
    return min(cells) > 0 and items * math.prod(cells) >= FEWEST_CELLS and gain(cells[-1], window[-1]) >= GAIN


def gain(cells: int, window: int) -> float:
    """How many products a line of so many cells takes, over how many there are this way.

    Example:
        >>> gain(8, 3), gain(5, 3), gain(512, 5)
        (2.0, 1.25, 2.5)
    """
    taps = taps_at_once(window)
    return cells * window / (math.ceil(cells / 4) * math.ceil(window / taps) * (taps + 3))


def taps_at_once(window: int) -> int:
    """How many taps of a window along a line are transformed together."""
    return window if window in (3, 5) else 4


def output_size(shape: Sequence[int], window: Sequence[int], sides: Sides) -> tuple[int, ...]:
    """Cells of each axis that come out."""
    sizes = zip(shape[1:-1], window, sides, strict=True)
    return tuple(cells + sum(side) - size + 1 for cells, size, side in sizes)


def conv_lines(x: Tensor, kernel: Tensor, bias: Tensor | None, sides: Sides, relu: bool = False) -> Tensor:
    """A convolution that moves by one cell, with its bias, and ReLU if asked.

    Args:
        x: (N, ..., C), with one to three axes between.
        kernel: (window, C, filters), the window of as many axes.
        bias: (filters,), or None.
        sides: Zeros before and after each axis: fewer than the window has cells.
        relu: Whether what is below 0 becomes 0.

    Returns:
        (N, ..., filters).

    Source: F(4, 3), F(4, 4) and F(4, 5) of Winograd, Arithmetic Complexity of Computations, 1980, at points
    that Barabasz et al., arXiv 1803.10986, found to keep rounding small.

    Example:
        >>> conv_lines(torch.ones(1, 4, 1), torch.ones(3, 1, 1), None, ((1, 0),)).flatten()
        tensor([2., 3., 3.])
    """
    if not can_conv_lines(x, kernel, bias, sides):
        return reference.conv_lines(x, kernel, bias, sides, relu)
    if wants_gradient(x, kernel, bias):
        return _ConvLines.apply(x, kernel, bias, sides, relu)
    return _forward(x.contiguous(), kernel, bias, sides, relu)


@functools.lru_cache(maxsize=256)
def _sizes(shape: tuple[int, ...], filters: int, window: tuple[int, ...], sides: Sides) -> Any:
    return sizes_of(shape, output_size(shape, window, sides), filters, window, [side[0] for side in sides])


def sizes_of(
    shape: Sequence[int], out: Sequence[int], filters: int, window: Sequence[int], before: Sequence[int]
) -> Any:
    """What the compiled functions are told of (N, ..., C): `before` cells of the window lie outside at first."""
    n, *cells, c = shape
    if set(window[:-1]) <= {1} and list(out[:-1]) == cells[:-1]:  # all lines are alike, whichever item they are of
        lines = n * math.prod(cells[:-1])
        n, cells, out, window, before = 1, [lines, cells[-1]], (lines, out[-1]), (1, window[-1]), [0, before[-1]]
    missing = 3 - len(out)
    ones, zeros = (1,) * missing, (0,) * missing
    return (ctypes.c_int64 * 15)(n, *ones, *cells, c, *ones, *out, filters, *ones, *window, *zeros, *before)


def _forward(x: Tensor, kernel: Tensor, bias: Tensor | None, sides: Sides, relu: bool) -> Tensor:
    weights, (*window, _, filters) = laid_out(kernel), kernel.shape
    bias = None if bias is None else bias.detach().contiguous()
    y = x.new_empty(len(x), *output_size(x.shape, window, sides), filters)
    sizes = _sizes(tuple(x.shape), filters, tuple(window), sides)
    compiled().conv_lines(sizes, x.data_ptr(), weights.data_ptr(), address(bias), relu, False, y.data_ptr())
    return y


def _input_gradient(dy: Tensor, kernel: Tensor, sides: Sides) -> Tensor:
    weights, (*window, channels, _) = laid_out(kernel), kernel.shape
    around = tuple((size - 1 - side[0], size - 1 - side[1]) for side, size in zip(sides, window, strict=True))
    dx = dy.new_empty(len(dy), *output_size(dy.shape, window, around), channels)
    sizes = _sizes(tuple(dy.shape), channels, tuple(window), around)
    compiled().conv_lines(sizes, dy.data_ptr(), weights.data_ptr(), None, False, True, dx.data_ptr())
    return dx


class _ConvLines(torch.autograd.Function):
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
            compute = functools.partial(reference.conv_lines, sides=ctx.sides, relu=ctx.relu)
            return *again(compute, (x, kernel, bias), ctx.needs_input_grad, dy), None, None
        of_x, of_kernel, of_bias = ctx.needs_input_grad[:3]
        x, dy = x.contiguous(), dy.contiguous()
        dy = torch.ops.aten.threshold_backward(dy, rest[0], 0.0) if ctx.relu else dy
        dx = _input_gradient(dy, kernel, ctx.sides) if of_x else None
        dbias = dy.flatten(0, -2).sum(0) if of_bias else None
        if not of_kernel:
            return dx, None, dbias, None, None
        dweights = torch.empty_like(kernel.movedim(-1, 0), memory_format=torch.contiguous_format)
        sizes = _sizes(tuple(x.shape), kernel.shape[-1], tuple(kernel.shape[:-2]), ctx.sides)
        compiled().conv_lines_backward(sizes, x.data_ptr(), dy.data_ptr(), dweights.data_ptr())
        return dx, dweights.movedim(0, -1), dbias, None, None
