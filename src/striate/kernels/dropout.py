"""Dropout whose numbers follow from a seed and the place: cheap to draw, and drawn again for the gradient."""

from typing import Any

import torch

from striate.kernels import reference
from striate.kernels.library import OR_HALF, compiled, library, plain


def can_dropout(x: torch.Tensor) -> bool:
    """Whether the compiled kernel can do it."""
    return plain(x, dtypes=OR_HALF) and library() is not None and x.numel() > 0


def dropout(x: torch.Tensor, rate: float) -> torch.Tensor:
    """Set a share of the cells to zero and scale the rest up; for arrays that `can_dropout` accepts.

    One number is taken from torch's generator, so that `torch.manual_seed` fixes what is kept.

    Args:
        x: Any shape. What is bfloat16 comes out as bfloat16.
        rate: The share set to zero, from 0 up to but not including 1.
    """
    seed = int(torch.randint(2**63 - 1, ()))
    return _Dropout.apply(x.float(), min(round(rate * 2**31), 2**31 - 1), 1 / (1 - rate), seed).to(x.dtype)


class _Dropout(torch.autograd.Function):
    """The compiled kernel, whose gradient is itself with the same seed."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, least_kept: int, factor: float, seed: int) -> torch.Tensor:
        ctx.arguments = least_kept, factor, seed
        x = x.contiguous()
        y = torch.empty_like(x)
        compiled().dropout(x.numel(), x.data_ptr(), seed, least_kept, factor, y.data_ptr())
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[Any, ...]:
        if torch.is_grad_enabled() or not plain(dy):
            return reference.dropout(dy, *ctx.arguments), None, None, None
        return _Dropout.apply(dy, *ctx.arguments), None, None, None
