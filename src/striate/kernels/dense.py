"""A fully connected layer over the few rows of a batch, with its bias and ReLU."""

import functools
from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.again import again
from striate.kernels.early import EarlyStep, take_step
from striate.kernels.library import address, compiled, fits_last_axis, library, plain, wants_gradient

MOST_ROWS = 128  # beyond it torch's own product of matrices is as fast


def can_dense(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> bool:
    """Whether the compiled kernel can do it."""
    if not plain(x, kernel, bias) or library() is None:
        return False
    fits = x.ndim == kernel.ndim == 2 and x.shape[1] == kernel.shape[0] and fits_last_axis(bias, kernel)
    return fits and len(x) <= MOST_ROWS and x.numel() > 0 and kernel.numel() > 0


def dense(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, relu: bool = False) -> torch.Tensor:
    """The product x @ kernel + bias, and ReLU of it if asked.

    Args:
        x: (N, C).
        kernel: (C, units).
        bias: (units,), or None.
        relu: Whether what is below 0 becomes 0.

    Returns:
        (N, units).

    Example:
        >>> dense(torch.ones(2, 3), torch.eye(3), torch.tensor([0.0, 1.0, -2.0]), relu=True)
        tensor([[1., 2., 0.],
                [1., 2., 0.]])
    """
    if not can_dense(x, kernel, bias):
        return reference.dense(x, kernel, bias, relu)
    if wants_gradient(x, kernel, bias):
        return _Dense.apply(x, kernel, bias, relu)
    return _forward(x, kernel, bias, relu)


def _forward(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, relu: bool) -> torch.Tensor:
    x, kernel = x.detach().contiguous(), kernel.detach().contiguous()
    bias = None if bias is None else bias.detach().contiguous()
    y = x.new_empty(len(x), kernel.shape[1])
    addresses = (x.data_ptr(), kernel.data_ptr(), address(bias))
    compiled().dense(*x.shape, kernel.shape[1], *addresses, relu, y.data_ptr())
    return y


def _step(
    ctx: Any,
    x: torch.Tensor,
    kernel: torch.Tensor,
    y: torch.Tensor | None,
    dy: torch.Tensor,
    bias: torch.Tensor | None,
    early: EarlyStep,
) -> tuple[torch.Tensor | None, None, torch.Tensor | None]:
    """The gradients of input and bias, while the kernel takes its step and gets none."""
    dx, db = (
        torch.empty_like(tensor) if needed and tensor is not None else None
        for tensor, needed in ((x, ctx.needs_input_grad[0]), (bias, ctx.needs_input_grad[2]))
    )
    addresses = [address(tensor) for tensor in (x, kernel, y, dy, dx, db, early.mean, early.square)]
    compiled().dense_backward_adam(*x.shape, kernel.shape[1], *addresses, *early.numbers)
    torch.autograd.graph.increment_version(kernel)
    return dx, None, db


class _Dense(torch.autograd.Function):
    """The compiled kernel with its gradient; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, relu: bool) -> torch.Tensor:
        y = _forward(x, kernel, bias, relu)
        ctx.relu = relu
        ctx.save_for_backward(x, kernel, bias, *([y] if relu else []))
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
        x, kernel, bias, *rest = ctx.saved_tensors
        if torch.is_grad_enabled() or not plain(dy):
            compute = functools.partial(reference.dense, relu=ctx.relu)
            return *again(compute, (x, kernel, bias), ctx.needs_input_grad, dy), None
        x, w, dy = x.contiguous(), kernel.contiguous(), dy.contiguous()
        early = take_step(kernel) if ctx.needs_input_grad[1] and w is kernel else None
        if early is not None:
            return *_step(ctx, x, kernel, rest[0] if ctx.relu else None, dy, bias, early), None
        wanted = zip((x, w, bias), ctx.needs_input_grad, strict=False)
        found = [torch.empty_like(tensor) if needed else None for tensor, needed in wanted]
        addresses = [address(tensor) for tensor in (x, w, rest[0] if ctx.relu else None, dy, *found)]
        compiled().dense_backward(*x.shape, w.shape[1], *addresses)
        return *found, None
