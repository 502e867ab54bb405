"""Gradients in torch's own operations, which can be differentiated once more."""

from collections.abc import Callable, Sequence

import torch

Tensor = torch.Tensor


def again(
    compute: Callable[..., Tensor], inputs: Sequence[Tensor | None], needed: Sequence[bool], dy: Tensor
) -> list[Tensor | None]:
    """The gradients of `compute(*inputs)`, for those of the inputs that need one.

    Args:
        compute: The definition of an operation.
        inputs: What it was called on.
        needed: Which of them need a gradient.
        dy: The output's gradient.

    Example:
        >>> x = torch.tensor([3.0], requires_grad=True)
        >>> (gradient,) = again(torch.square, [x], [True], torch.ones(1))
        >>> gradient, torch.autograd.grad(gradient, x)[0]
        (tensor([6.], grad_fn=<MulBackward0>), tensor([2.]))
    """
    with torch.enable_grad():
        # Views, at which the gradients stop: one input may have been computed from another.
        inputs = [None if tensor is None else tensor.view_as(tensor) for tensor in inputs]
        wanted = [tensor for tensor, need in zip(inputs, needed, strict=False) if need and tensor is not None]
        found = iter(torch.autograd.grad(compute(*inputs), wanted, dy, create_graph=True))
    return [next(found) if need else None for _, need in zip(inputs, needed, strict=False)]
