"""Batch normalisation in training, with a sum and ReLU after it; and what it is in inference, scaling of channels."""

from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.again import again
from striate.kernels.library import address, compiled, fits_last_axis, library, plain, readable
from striate.kernels.reference import Moving, Rectifier

Tensor = torch.Tensor


def can_batch_norm(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> bool:
    """Whether the compiled kernels can do it."""
    if not plain(x, gamma, beta) or library() is None:
        return False
    return x.ndim > 1 and x.numel() > 0 and fits_last_axis(gamma, x) and fits_last_axis(beta, x)


def batch_norm(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    epsilon: float,
    rectifier: Rectifier | None = None,
    moving: Moving | None = None,
    added: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Give every channel a mean of 0 and a variance of 1 over the batch, times gamma, plus beta.

    Args:
        x: (N, ..., C).
        gamma, beta: (C,), or None.
        epsilon: Added to the variance.
        rectifier: ReLU after it, if any.
        moving: Statistics that follow those of the batch, if any.
        added: (N, ..., C), to be added before ReLU, if any.

    Returns:
        The output (N, ..., C), and the mean and the variance (2, C) that the channels had.

    Example:
        >>> y, moments = batch_norm(torch.tensor([[1.0], [3.0]]), None, None, 1e-9)
        >>> y.flatten(), moments.flatten()
        (tensor([-1.,  1.]), tensor([2., 1.]))
    """
    can_add = added is None or (added.shape == x.shape and plain(added))
    if not can_add or not can_batch_norm(x, gamma, beta) or not (moving is None or _can_follow(moving, x)):
        return reference.batch_norm(x, gamma, beta, epsilon, rectifier, moving, added)
    return _BatchNorm.apply(x, gamma, beta, added, epsilon, rectifier, moving)


def _can_follow(moving: Moving, x: Tensor) -> bool:
    """Whether the compiled kernels can write the statistics."""
    mean, variance, channels = moving.mean, moving.variance, x.shape[-1:]
    lying = mean.is_contiguous() and variance.is_contiguous() and readable(mean, variance)
    return lying and mean.shape == channels and variance.shape == channels


def fold_norm(
    mean: Tensor, variance: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor]:
    """What batch normalisation multiplies channels with these statistics by, and adds then; no gradient.

    Args:
        mean, variance: (C,).
        gamma, beta: (C,), or None.
        epsilon: Added to the variance.

    Returns:
        Scale and offset, (C,) each.

    Example:
        >>> fold_norm(torch.ones(1), torch.tensor([4.0]), None, torch.ones(1), 0.0)
        (tensor([0.5000]), tensor([0.5000]))
    """
    vectors = mean, variance, gamma, beta
    if not plain(*vectors) or library() is None or mean.ndim != 1 or not all(fits_last_axis(v, mean) for v in vectors):
        return reference.fold_norm(*vectors, epsilon)
    lying = [None if vector is None else vector.contiguous() for vector in vectors]  # kept, as long as they are read
    scale, offset = found = mean.new_empty(2, len(mean))
    compiled().fold_norm(len(mean), *map(address, lying), epsilon, found.data_ptr())
    return scale, offset


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


def forward(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    epsilon: float,
    rectifier: Rectifier | None,
    moving: Moving | None,
    added: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The compiled kernel for arrays without gaps; output, moments (2, C) and factor, scale and offset (3, C)."""
    channels = x.shape[-1]
    y, moments, scaling = torch.empty_like(x), x.new_empty(2, channels), x.new_empty(3, channels)
    followed: tuple[int | None, int | None, float] = None, None, 0.0
    if moving is not None:
        followed = moving.mean.data_ptr(), moving.variance.data_ptr(), 1 - moving.momentum
        torch.autograd.graph.increment_version(moving[:2])  # so that backward passes through older ones are refused
    before = (x.data_ptr(), address(gamma), address(beta), epsilon, *_numbers(rectifier), address(added))
    after = (moments.data_ptr(), scaling.data_ptr(), y.data_ptr())
    compiled().batch_norm(x.numel() // channels, channels, *before, *followed, *after)
    return y, moments, scaling


def gradients(
    x: Tensor,
    dy: Tensor,
    moments: Tensor,
    scaling: Tensor,
    rectifier: Rectifier | None,
    of_x: bool,
    y: Tensor | None = None,
) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:
    """The gradients of x, if asked, gamma, beta and what was added, by the compiled kernel; y is of a sum and ReLU."""
    channels = x.shape[-1]
    dx, dadded = torch.empty_like(x) if of_x else None, dy if y is None else torch.empty_like(x)
    dgamma, dbeta = x.new_empty(channels), x.new_empty(channels)
    before = (x.data_ptr(), dy.data_ptr(), moments.data_ptr(), scaling.data_ptr(), *_numbers(rectifier))
    summed = None if y is None else y.data_ptr(), None if y is None else dadded.data_ptr()
    after = (*summed, address(dx), dgamma.data_ptr(), dbeta.data_ptr())
    compiled().batch_norm_backward(x.numel() // channels, channels, *before, *after)
    return dx, dgamma, dbeta, dadded


def after_sum(y: Tensor, added: Tensor | None, rectifier: Rectifier | None) -> Tensor | None:
    """The output, if a backward pass needs it to know what ReLU let through after a sum."""
    return None if added is None or rectifier is None else y


def let_through(dy: Tensor, y: Tensor | None, rectifier: Rectifier | None) -> Tensor:
    """The part of the output's gradient that ReLU after a sum hands on; all of it where `after_sum` kept nothing."""
    return dy if y is None or rectifier is None else torch.where((y <= 0) | (y >= rectifier.cap), 0.0, dy)


class _BatchNorm(torch.autograd.Function):
    """The compiled kernels; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        added: Tensor | None,
        epsilon: float,
        rectifier: Rectifier | None,
        moving: Moving | None,
    ) -> tuple[Tensor, Tensor]:
        scale, offset, other = (None if array is None else array.contiguous() for array in (gamma, beta, added))
        y, moments, scaling = forward(x.contiguous(), scale, offset, epsilon, rectifier, moving, other)
        ctx.epsilon, ctx.rectifier = epsilon, rectifier
        ctx.save_for_backward(x, gamma, beta, moments, scaling, after_sum(y, added, rectifier))
        ctx.mark_non_differentiable(moments)
        return y, moments

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Any, ...]:
        x, gamma, beta, moments, scaling, y = ctx.saved_tensors
        needed = ctx.needs_input_grad[:4]
        if torch.is_grad_enabled() or not plain(dy):

            def compute(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
                return reference.batch_norm(x, gamma, beta, ctx.epsilon, ctx.rectifier if y is None else None)[0]

            dy = let_through(dy, y, ctx.rectifier)
            return *again(compute, (x, gamma, beta), needed, dy), dy if needed[3] else None, None, None, None
        found = gradients(x.contiguous(), dy.contiguous(), moments, scaling, ctx.rectifier, needed[0], y)
        return *(one if need else None for one, need in zip(found, needed, strict=True)), None, None, None
