"""Convolution, bias, ReLU and max-pooling in one, where the input has few channels."""

import ctypes
import functools
from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.again import again
from striate.kernels.conv3x3 import FEWEST_CHANNELS, input_gradient
from striate.kernels.library import address, compiled, fits_last_axis, laid_out, library, plain, wants_gradient
from striate.kernels.pooling import max_pool_gradient
from striate.kernels.reference import Pool

MOST_CHANNELS = 32  # of the input; with more, the weights of a vector of filters leave the fastest cache
HALVES = Pool((2, 2), (2, 2))


def can_conv_pool(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> bool:
    """Whether the compiled kernel can do it."""
    if not plain(x, kernel, bias) or library() is None:
        return False
    if not (x.ndim == kernel.ndim == 4 and x.shape[-1] == kernel.shape[2] and fits_last_axis(bias, kernel)):
        return False
    large = x.shape[1] > kernel.shape[0] and x.shape[2] > kernel.shape[1]  # so that something comes out
    return large and x.shape[-1] <= MOST_CHANNELS and x.numel() > 0 and kernel.numel() > 0


def conv_pool(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Max-pooling of 2 x 2 of ReLU of a convolution that moves by one cell.

    Args:
        x: (N, H, W, C), padding included.
        kernel: (rows, columns, C, filters).
        bias: (filters,), or None.

    Returns:
        (N, (H - rows + 1) // 2, (W - columns + 1) // 2, filters).

    Example:
        >>> conv_pool(torch.ones(1, 5, 5, 1), torch.ones(2, 2, 1, 3), torch.zeros(3)).shape
        torch.Size([1, 2, 2, 3])
    """
    if not can_conv_pool(x, kernel, bias):
        return reference.conv_pool(x, kernel, bias)
    if wants_gradient(x, kernel, bias):
        return _ConvPool.apply(x, kernel, bias)
    return _forward(x, kernel, bias, keep=False)[0]


@functools.lru_cache(maxsize=256)
def _sizes(shape: tuple[int, ...], kernel: tuple[int, ...]) -> Any:
    rows, columns, _, filters = kernel
    return (ctypes.c_int64 * 7)(*shape, filters, rows, columns)


def _forward(
    x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, keep: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The output and, if asked, which of its four cells won."""
    x, weights = x.detach().contiguous(), laid_out(kernel)
    n, height, width, _ = x.shape
    rows, columns, _, filters = kernel.shape
    shape = (n, (height - rows + 1) // 2, (width - columns + 1) // 2, filters)
    y = x.new_empty(shape)
    winner = x.new_empty(shape, dtype=torch.uint8) if keep else None
    bias = None if bias is None else bias.detach().contiguous()
    addresses = (x.data_ptr(), weights.data_ptr(), address(bias), y.data_ptr(), address(winner))
    compiled().conv_pool(_sizes(tuple(x.shape), tuple(kernel.shape)), *addresses)
    return y, winner


class _ConvPool(torch.autograd.Function):
    """The compiled kernel with its gradient; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        y, winner = _forward(x, kernel, bias, keep=True)
        ctx.save_for_backward(x, kernel, bias, y, winner)
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
        x, kernel, bias, y, winner = ctx.saved_tensors
        if torch.is_grad_enabled() or not plain(dy):
            return tuple(again(reference.conv_pool, (x, kernel, bias), ctx.needs_input_grad, dy))
        x, dy, (of_x, of_kernel, of_bias) = x.contiguous(), dy.contiguous(), ctx.needs_input_grad
        dx = _input_gradient(x, kernel, y, winner, dy) if of_x else None
        if not (of_kernel or of_bias):
            return dx, None, None
        dweights = torch.empty_like(kernel.movedim(-1, 0), memory_format=torch.contiguous_format)
        dbias = torch.empty_like(bias) if of_bias else None
        addresses = [address(tensor) for tensor in (x, y, winner, dy, dweights, dbias)]
        sizes = _sizes(tuple(x.shape), tuple(kernel.shape))
        compiled().conv_pool_backward(sizes, *addresses)
        return dx, dweights.movedim(0, -1) if of_kernel else None, dbias


def _input_gradient(
    x: torch.Tensor, kernel: torch.Tensor, y: torch.Tensor, winner: torch.Tensor, dy: torch.Tensor
) -> torch.Tensor:
    """The gradient of x: that of the pooling, zeros included, through torch's own convolution."""
    n, height, width, _ = x.shape
    rows, columns, _, filters = kernel.shape
    gradient = max_pool_gradient((n, height - rows + 1, width - columns + 1, filters), HALVES, True, y, winner, dy)
    if (rows, columns) == (3, 3) and min(kernel.shape[2:]) >= FEWEST_CHANNELS:
        return input_gradient(gradient, kernel, ((0, 0), (0, 0)))
    seen = [tensor.movedim(-1, 1) for tensor in (gradient, x)]
    options = ([filters], [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, False, False])
    weights = kernel.movedim((-1, -2), (0, 1))
    return torch.ops.aten.convolution_backward(*seen, weights, *options)[0].movedim(1, -1)
