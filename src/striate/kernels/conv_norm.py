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
    added: Tensor | None = None,
) -> Tensor:
    """What `batch_norm` makes of the convolution of an array.

    To be called where `can_pointwise` or `can_depthwise`, and `can_conv_norm`, say that the kernels can do it.

    Args:
        conv: `POINTWISE`, or `each_channel(slide)`.
        x, kernel, bias: Of the convolution.
        gamma, beta, epsilon, rectifier, moving, added: Of `batch_norm`; what is added has the output's shape.

    Returns:
        (N, H', W', filters).

    Example:
        >>> x, moving = torch.tensor([[[[1.0]], [[3.0]]]]), Moving(torch.zeros(1), torch.ones(1), 0.5)
        >>> y = conv_norm(POINTWISE, x, torch.ones(1, 1, 1, 1), None, None, None, 1e-9, None, moving)
        >>> y.flatten(), moving.mean
        (tensor([-1.,  1.]), tensor([1.]))
    """
    return _ConvNorm.apply(x, kernel, bias, gamma, beta, added, epsilon, rectifier, moving, conv)


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
        added: Tensor | None,
        epsilon: float,
        rectifier: Rectifier | None,
        moving: Moving,
        conv: FusedConvolution,
    ) -> Tensor:
        z = conv.forward(x.contiguous(), kernel, bias)
        other = None if added is None else added.contiguous()
        y, moments, scaling = batch_norm.forward(z, gamma, beta, epsilon, rectifier, moving, other)
        ctx.options = epsilon, rectifier, conv
        after = batch_norm.after_sum(y, added, rectifier)
        ctx.save_for_backward(x, kernel, bias, gamma, beta, z, moments, scaling, after)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
        x, kernel, bias, gamma, beta, z, moments, scaling, y = ctx.saved_tensors
        epsilon, rectifier, conv = ctx.options
        needed = ctx.needs_input_grad[:6]
        if torch.is_grad_enabled() or not plain(dy):

            def compute(x: Tensor, kernel: Tensor, bias: Any, gamma: Any, beta: Any) -> Tensor:
                z = conv.definition(x, kernel, bias)
                return reference.batch_norm(z, gamma, beta, epsilon, rectifier if y is None else None)[0]

            dy = batch_norm.let_through(dy, y, rectifier)
            found = again(compute, (x, kernel, bias, gamma, beta), needed, dy)
            return *found, dy if needed[5] else None, None, None, None, None
        of_z, dy = any(needed[:3]), dy.contiguous()
        dz, *of_norm = batch_norm.gradients(z, dy, moments, scaling, rectifier, of_z, y)
        of_conv = (None, None, None) if dz is None else conv.gradients(x.contiguous(), kernel, dz, needed)
        kept = (one if need else None for one, need in zip(of_norm, needed[3:], strict=True))
        return *of_conv, *kept, None, None, None, None
