"""Convolution of every channel by itself, with its bias and ReLU."""

import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.again import again
from striate.kernels.library import address, compiled, fits_last_axis, library, plain, wants_gradient
from striate.kernels.reference import Rectifier, Slide

Tensor = torch.Tensor


def can_depthwise(x: Tensor, kernel: Tensor, bias: Tensor | None, slide: Slide) -> bool:
    """Whether the compiled kernel can do it."""
    if not plain(x, kernel, bias) or library() is None or not x.ndim == kernel.ndim == 4:
        return False
    if kernel.shape[2:] != (x.shape[-1], 1) or not fits_last_axis(bias, x):
        return False
    return x.numel() > 0 and kernel.numel() > 0 and min(slide.output_size(x.shape[1:3], kernel.shape[:2])) > 0


def depthwise(
    x: Tensor, kernel: Tensor, bias: Tensor | None, slide: Slide, rectifier: Rectifier | None = None
) -> Tensor:
    """A convolution with one window for each channel: channels do not mix.

    Args:
        x: (N, H, W, C).
        kernel: (rows, columns, C, 1).
        bias: (C,), or None.
        slide: How it moves, and the zeros around.
        rectifier: ReLU after it, if any.

    Returns:
        (N, H', W', C).

    Example:
        >>> depthwise(torch.ones(1, 1, 3, 2), torch.ones(1, 3, 2, 1), None, Slide(columns=(1, 1)))[0, 0, :, 0]
        tensor([2., 3., 2.])
    """
    if not can_depthwise(x, kernel, bias, slide):
        return reference.depthwise(x, kernel, bias, slide, rectifier)
    if wants_gradient(x, kernel, bias):
        return _Depthwise.apply(x, kernel, bias, slide, rectifier)
    return forward(x.contiguous(), kernel, bias, slide, rectifier)


@functools.lru_cache(maxsize=256)
def _sizes(shape: tuple[int, ...], kernel: tuple[int, ...], steps: tuple[int, ...], slide: Slide) -> Any:
    """The sizes, and how far apart the weights lie."""
    out = slide.output_size(shape[1:3], kernel[:2])
    moves = *kernel[:2], *slide.strides, *slide.dilation, slide.rows[0], slide.columns[0]
    return (ctypes.c_int64 * 17)(*shape, *out, *moves, *steps[:3])


def forward(x: Tensor, kernel: Tensor, bias: Tensor | None, slide: Slide, rectifier: Rectifier | None = None) -> Tensor:
    """The compiled kernel, for an array without gaps."""
    sizes = _sizes(x.shape, kernel.shape, kernel.stride(), slide)
    y = x.new_empty((x.shape[0], sizes[4], sizes[5], x.shape[3]))
    bias = None if bias is None else bias.contiguous()
    relu, cap = rectifier is not None, 0.0 if rectifier is None else rectifier.cap
    compiled().depthwise(sizes, x.data_ptr(), kernel.data_ptr(), address(bias), relu, cap, y.data_ptr())
    return y


def gradients(
    x: Tensor,
    kernel: Tensor,
    dy: Tensor,
    needed: Sequence[bool],
    slide: Slide,
    y: Tensor | None = None,
    rectifier: Rectifier | None = None,
) -> tuple[Tensor | None, ...]:
    """Those needed of x, kernel and bias, by the compiled kernel; arrays without gaps, and y where ReLU came after."""
    dx = torch.empty_like(x) if needed[0] else None
    dkernel = torch.empty_like(kernel) if needed[1] else None
    dbias = x.new_empty(x.shape[-1]) if needed[2] else None
    if dkernel is not None and dkernel.stride() != kernel.stride():  # some weights lay in gaps, or on one another
        kernel = torch.empty_like(dkernel).copy_(kernel)
    sizes = _sizes(x.shape, kernel.shape, kernel.stride(), slide)
    cap = 0.0 if rectifier is None else rectifier.cap
    found = (address(dx), address(dkernel), address(dbias))
    compiled().depthwise_backward(sizes, x.data_ptr(), kernel.data_ptr(), address(y), cap, dy.data_ptr(), *found)
    return dx, dkernel, dbias


class _Depthwise(torch.autograd.Function):
    """The compiled kernels; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor | None, slide: Slide, rectifier: Rectifier | None
    ) -> Tensor:
        y = forward(x.contiguous(), kernel, bias, slide, rectifier)
        ctx.slide, ctx.rectifier = slide, rectifier
        ctx.save_for_backward(x, kernel, bias, None if rectifier is None else y)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
        x, kernel, bias, y = ctx.saved_tensors
        if torch.is_grad_enabled() or not plain(dy):
            compute = functools.partial(reference.depthwise, slide=ctx.slide, rectifier=ctx.rectifier)
            return *again(compute, (x, kernel, bias), ctx.needs_input_grad, dy), None, None
        needed = ctx.needs_input_grad
        found = gradients(x.contiguous(), kernel, dy.contiguous(), needed, ctx.slide, y, ctx.rectifier)
        return *found, None, None
