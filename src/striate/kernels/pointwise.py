"""Convolution by windows of one cell, with its bias and ReLU, for few pixels: products of matrices."""

import functools
from collections.abc import Sequence
from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.again import again
from striate.kernels.library import address, compiled, fits_last_axis, laid_out, library, plain, wants_gradient

Tensor = torch.Tensor

MOST_PIXELS = 4096  # with more, torch's own, which puts weights and gradients into another order first, is as fast


def can_pointwise(x: Tensor, kernel: Tensor, bias: Tensor | None) -> bool:
    """Whether the compiled kernel can do it, and gains by it: only gradients are faster than torch's."""
    if not plain(x, kernel, bias) or library() is None or not x.ndim == kernel.ndim == 4:
        return False
    few = 0 < x.shape[0] * x.shape[1] * x.shape[2] <= MOST_PIXELS
    fits = kernel.shape[:3] == (1, 1, x.shape[-1]) and kernel.numel() > 0 and fits_last_axis(bias, kernel)
    return few and fits and wants_gradient(x, kernel)


def pointwise(x: Tensor, kernel: Tensor, bias: Tensor | None, relu: bool = False) -> Tensor:
    """Every pixel by itself becomes sums of its channels.

    Args:
        x: (N, H, W, C).
        kernel: (1, 1, C, filters).
        bias: (filters,), or None.
        relu: Whether what is below 0 becomes 0.

    Returns:
        (N, H, W, filters).

    Example:
        >>> pointwise(torch.ones(1, 1, 2, 3), torch.ones(1, 1, 3, 1), torch.ones(1)).flatten()
        tensor([4., 4.])
    """
    if not can_pointwise(x, kernel, bias):
        return reference.pointwise(x, kernel, bias, relu)
    return _Pointwise.apply(x, kernel, bias, relu)


def forward(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """The compiled kernel, for an array without gaps."""
    weights, (*sizes, channels), filters = laid_out(kernel), x.shape, kernel.shape[-1]
    y = x.new_empty(*sizes, filters)
    compiled().pointwise(y.numel() // filters, channels, filters, x.data_ptr(), weights.data_ptr(), y.data_ptr())
    return y if bias is None else y.add_(bias)


def gradients(x: Tensor, kernel: Tensor, dy: Tensor, needed: Sequence[bool]) -> tuple[Tensor | None, ...]:
    """Those that are needed of x, kernel and bias, by the compiled kernel; arrays without gaps."""
    weights, filters = laid_out(kernel), kernel.shape[-1]
    dx = torch.empty_like(x) if needed[0] else None
    dweights = torch.empty_like(weights) if needed[1] else None
    dbias = x.new_empty(filters) if needed[2] else None
    addresses = [address(tensor) for tensor in (x, weights, dy, dx, dweights, dbias)]
    compiled().pointwise_backward(dy.numel() // filters, x.shape[-1], filters, *addresses)
    return dx, None if dweights is None else dweights.movedim(0, -1), dbias


class _Pointwise(torch.autograd.Function):
    """The compiled kernels; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
        y = forward(x.contiguous(), kernel, bias)
        y = torch.relu_(y) if relu else y
        ctx.relu = relu
        ctx.save_for_backward(x, kernel, bias, y if relu else None)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
        x, kernel, bias, y = ctx.saved_tensors
        if torch.is_grad_enabled() or not plain(dy):
            compute = functools.partial(reference.pointwise, relu=ctx.relu)
            return *again(compute, (x, kernel, bias), ctx.needs_input_grad, dy), None
        dy = dy.contiguous() if y is None else torch.ops.aten.threshold_backward(dy.contiguous(), y, 0.0)
        return *gradients(x.contiguous(), kernel, dy, ctx.needs_input_grad), None
