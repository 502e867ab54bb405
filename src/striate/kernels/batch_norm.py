"""Batch normalisation in training, with its ReLU; and the scaling of channels that it is in inference."""

from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.again import again
from striate.kernels.library import address, compiled, fits_last_axis, library, plain
from striate.kernels.reference import Rectifier

Tensor = torch.Tensor


def can_batch_norm(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> bool:
    """Whether the compiled kernels can do it."""
    if not plain(x, gamma, beta) or library() is None:
        return False
    return x.ndim > 1 and x.numel() > 0 and fits_last_axis(gamma, x) and fits_last_axis(beta, x)


def batch_norm(
    x: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float, rectifier: Rectifier | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Give every channel a mean of 0 and a variance of 1 over the batch, times gamma, plus beta.

    Args:
        x: (N, ..., C).
        gamma, beta: (C,), or None.
        epsilon: Added to the variance.
        rectifier: ReLU after it, if any.

    Returns:
        The output (N, ..., C), and the mean and the variance (C,) that the channels had.

    Example:
        >>> y, mean, variance = batch_norm(torch.tensor([[1.0], [3.0]]), None, None, 1e-9)
        >>> y.flatten(), mean, variance
        (tensor([-1.,  1.]), tensor([2.]), tensor([1.]))
    """
    if not can_batch_norm(x, gamma, beta):
        return reference.batch_norm(x, gamma, beta, epsilon, rectifier)
    return _BatchNorm.apply(x, gamma, beta, epsilon, rectifier)


def scale_channels(x: Tensor, scale: Tensor, offset: Tensor, rectifier: Rectifier | None = None) -> Tensor:
    """The sum x * scale + offset by channel, and ReLU of it if asked; no gradient.

    Args:
        x: (N, ..., C).
        scale, offset: (C,).
        rectifier: ReLU after it, if any.
    """
    if not can_batch_norm(x, scale, offset):
        return reference.scale_channels(x, scale, offset, rectifier)
    x, scale, offset = x.detach().contiguous(), scale.contiguous(), offset.contiguous()
    y = torch.empty_like(x)
    addresses = (x.data_ptr(), scale.data_ptr(), offset.data_ptr())
    compiled().scale_channels(*_rows(x), *addresses, *_numbers(rectifier), y.data_ptr())
    return y


def _rows(x: Tensor) -> tuple[int, int]:
    """How many rows of channels, and how many channels."""
    return x.numel() // x.shape[-1], x.shape[-1]


def _numbers(rectifier: Rectifier | None) -> tuple[bool, float]:
    return rectifier is not None, 0.0 if rectifier is None else rectifier.cap


class _BatchNorm(torch.autograd.Function):
    """The compiled kernels; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float, rectifier: Rectifier | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        native, given = compiled(), x
        x = x.contiguous()
        mean, variance = x.new_empty(x.shape[-1]), x.new_empty(x.shape[-1])
        native.moments(*_rows(x), x.data_ptr(), mean.data_ptr(), variance.data_ptr())
        factor = torch.rsqrt(variance + epsilon)
        scale = factor if gamma is None else factor * gamma
        offset = -mean * scale if beta is None else torch.addcmul(beta, mean, scale, value=-1)
        y = torch.empty_like(x)
        addresses = (x.data_ptr(), scale.data_ptr(), offset.data_ptr())
        native.scale_channels(*_rows(x), *addresses, *_numbers(rectifier), y.data_ptr())
        ctx.epsilon, ctx.rectifier = epsilon, rectifier
        ctx.save_for_backward(given, gamma, beta, scale, offset, mean, factor)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Any, ...]:
        x, gamma, beta, scale, offset, mean, factor = ctx.saved_tensors
        if torch.is_grad_enabled() or not plain(dy):

            def compute(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
                return reference.batch_norm(x, gamma, beta, ctx.epsilon, ctx.rectifier)[0]

            return *again(compute, (x, gamma, beta), ctx.needs_input_grad, dy), None, None
        x, dy = x.contiguous(), dy.contiguous()
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        dgamma, dbeta = torch.empty_like(mean), torch.empty_like(mean)
        addresses = [tensor.data_ptr() for tensor in (x, dy, scale, offset, mean, factor)]
        found = (address(dx), dgamma.data_ptr(), dbeta.data_ptr())
        compiled().batch_norm_backward(*_rows(x), *addresses, *_numbers(ctx.rectifier), *found)
        wanted = zip((dx, dgamma, dbeta), ctx.needs_input_grad, strict=False)
        return *(gradient if needed else None for gradient, needed in wanted), None, None
