"""A convolution and batch normalisation in training, as one operation of autograd's."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from striate.kernels import batch_norm, depthwise, pointwise, reference
from striate.kernels.again import again
from striate.kernels.library import plain, readable
from striate.kernels.reference import Moving, Rectifier, Slide

Tensor = torch.Tensor


class FusedConvolution(NamedTuple):
    """What is computed of x, kernel and bias, each by a compiled kernel, and what that means."""

    forward: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    gradients: Callable[[Tensor, Tensor, Tensor, Sequence[bool]], tuple[Tensor | None, ...]]
    definition: Callable[[Tensor, Tensor, Tensor | None], Tensor]


POINTWISE = FusedConvolution(pointwise.forward, pointwise.gradients, reference.pointwise)


@functools.lru_cache(maxsize=256)
def each_channel(slide: Slide) -> FusedConvolution:
    """The depthwise convolution whose window slides so."""

    def gradients(x: Tensor, kernel: Tensor, dy: Tensor, needed: Sequence[bool]) -> tuple[Tensor | None, ...]:
        return depthwise.gradients(x, kernel, dy, needed, slide)

    forward, definition = depthwise.forward, reference.depthwise
    return FusedConvolution(
        functools.partial(forward, slide=slide), gradients, functools.partial(definition, slide=slide)
    )


def can_conv_norm(channels: int, gamma: Tensor | None, beta: Tensor | None, moving: Moving) -> bool:
    """Whether the compiled kernels can normalise so many channels with these, after a convolution that they can do."""
    vectors = gamma, beta, moving.mean, moving.variance
    fit = all(vector is None or (vector.shape == (channels,) and vector.is_contiguous()) for vector in vectors)
    return fit and readable(*vectors)


def conv_norm(
    conv: FusedConvolution,
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    gamma: Tensor | None,
    beta: Tensor | None,
    epsilon: float,
    rectifier: Rectifier | None,
    moving: Moving,
) -> Tensor:
    """What `batch_norm` makes of the convolution of an array.

    To be called where `can_pointwise` or `can_depthwise`, and `can_conv_norm`, say that the kernels can do it.

    Args:
        conv: `POINTWISE`, or `each_channel(slide)`.
        x, kernel, bias: Of the convolution.
        gamma, beta, epsilon, rectifier, moving: Of `batch_norm`.

    Returns:
        (N, H', W', filters).

    Example:
        >>> x, moving = torch.tensor([[[[1.0]], [[3.0]]]]), Moving(torch.zeros(1), torch.ones(1), 0.5)
        >>> y = conv_norm(POINTWISE, x, torch.ones(1, 1, 1, 1), None, None, None, 1e-9, None, moving)
        >>> y.flatten(), moving.mean
        (tensor([-1.,  1.]), tensor([1.]))
    """
    return _ConvNorm.apply(x, kernel, bias, gamma, beta, epsilon, rectifier, moving, conv)


class _ConvNorm(torch.autograd.Function):
    """The compiled kernels; for gradients of gradients, torch's operations."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        kernel: Tensor,
        bias: Tensor | None,
        gamma: Tensor | None,
        beta: Tensor | None,
        epsilon: float,
        rectifier: Rectifier | None,
        moving: Moving,
        conv: FusedConvolution,
    ) -> Tensor:
        z = conv.forward(x.contiguous(), kernel, bias)
        y, moments, scaling = batch_norm.forward(z, gamma, beta, epsilon, rectifier, moving)
        ctx.options = epsilon, rectifier, conv
        ctx.save_for_backward(x, kernel, bias, gamma, beta, z, moments, scaling)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
        x, kernel, bias, gamma, beta, z, moments, scaling = ctx.saved_tensors
        epsilon, rectifier, conv = ctx.options
        needed = ctx.needs_input_grad[:5]
        if torch.is_grad_enabled() or not plain(dy):

            def compute(x: Tensor, kernel: Tensor, bias: Any, gamma: Any, beta: Any) -> Tensor:
                return reference.batch_norm(conv.definition(x, kernel, bias), gamma, beta, epsilon, rectifier)[0]

            return *again(compute, (x, kernel, bias, gamma, beta), needed, dy), None, None, None, None
        dz, dgamma, dbeta = batch_norm.gradients(z, dy.contiguous(), moments, scaling, rectifier, any(needed[:3]))
        of_conv = (None, None, None) if dz is None else conv.gradients(x.contiguous(), kernel, dz, needed)
        return *of_conv, dgamma if needed[3] else None, dbeta if needed[4] else None, None, None, None, None
