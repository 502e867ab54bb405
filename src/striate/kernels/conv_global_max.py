"""Convolution of a series, bias, ReLU and the greatest value of every filter, as networks on texts have it."""

import ctypes
import functools
from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.again import again
from striate.kernels.library import address, compiled, fits_last_axis, laid_out, library, plain, wants_gradient

Tensor = torch.Tensor


def can_conv_global_max(x: Tensor, kernel: Tensor, bias: Tensor | None) -> bool:
    """Whether the compiled kernel can do it."""
    if not plain(x, kernel, bias) or library() is None or not x.ndim == kernel.ndim == 3:
        return False
    fits = x.shape[-1] == kernel.shape[1] and x.shape[1] >= kernel.shape[0] and fits_last_axis(bias, kernel)
    return fits and x.numel() > 0 and kernel.numel() > 0


def conv_global_max(x: Tensor, kernel: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
    """The greatest value over all steps of every filter.

    Args:
        x: (N, L, C), padding included.
        kernel: (k, C, filters).
        bias: (filters,), or None.
        relu: Whether what is below 0 becomes 0.

    Returns:
        (N, filters).

    Example:
        >>> conv_global_max(torch.arange(6.0).view(1, 6, 1), torch.ones(2, 1, 1), None, relu=True)
        tensor([[9.]])
    """
    if not can_conv_global_max(x, kernel, bias):
        return reference.conv_global_max(x, kernel, bias, relu)
    if wants_gradient(x, kernel, bias):
        return _ConvGlobalMax.apply(x, kernel, bias, relu)
    return _forward(x.contiguous(), kernel, bias, relu, keep=False)[0]


@functools.lru_cache(maxsize=256)
def _sizes(shape: tuple[int, ...], kernel: tuple[int, ...]) -> Any:
    return (ctypes.c_int64 * 5)(*shape, kernel[2], kernel[0])


def _forward(x: Tensor, kernel: Tensor, bias: Tensor | None, relu: bool, keep: bool) -> tuple[Tensor, Tensor | None]:
    """The output and, if asked, the bits that say where it is from."""
    weights, filters, places = laid_out(kernel), kernel.shape[-1], x.shape[1] - kernel.shape[0] + 1
    bias = None if bias is None else bias.detach().contiguous()
    y = torch.empty(len(x), filters, dtype=torch.float32)
    won = torch.empty(len(x), places, -(-filters // 8), dtype=torch.uint8) if keep else None
    before, after = (x.data_ptr(), weights.data_ptr(), address(bias)), (y.data_ptr(), address(won))
    sizes = _sizes(tuple(x.shape), tuple(kernel.shape))
    compiled().conv_global_max(sizes, *before, relu, *after)
    return y, won


class _ConvGlobalMax(torch.autograd.Function):
    """The compiled kernel with its gradient; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
        y, won = _forward(x.contiguous(), kernel, bias, relu, keep=True)
        ctx.relu = relu
        ctx.save_for_backward(x, kernel, bias, y, won)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
        x, kernel, bias, y, won = ctx.saved_tensors
        if torch.is_grad_enabled() or not plain(dy):
            compute = functools.partial(reference.conv_global_max, relu=ctx.relu)
            return *again(compute, (x, kernel, bias), ctx.needs_input_grad, dy), None
        x, dy, weights = x.contiguous(), dy.contiguous(), laid_out(kernel)
        wanted = zip((x, weights, y[0]), ctx.needs_input_grad, strict=False)
        found = [torch.empty_like(like) if needed else None for like, needed in wanted]
        addresses = [address(tensor) for tensor in (y, won, dy, *found)]
        sizes = _sizes(tuple(x.shape), tuple(kernel.shape))
        compiled().conv_global_max_backward(sizes, address(x), address(weights), ctx.relu, *addresses)
        dx, dweights, dbias = found
        return dx, None if dweights is None else dweights.movedim(0, -1), dbias, None
