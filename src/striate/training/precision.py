"""The precision of a whole model: a named choice, carried out by torch's autocast."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from striate.foundation.nested import map_structure
from striate.layers.masks import mask_of, put_mask

# What a model can be told to compute in; its weights stay float32.
PRECISIONS = ("float32", "bfloat16", "float16")


def computing_in(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Let torch compute in a precision what bears it: products of matrices and convolutions, not sums and losses.

    Args:
        precision: One of `PRECISIONS`; with float32 nothing changes.
        device: Where the model is.

    Source: Micikevicius et al., Mixed Precision Training, arXiv 1710.03740.

    Example:
        >>> with computing_in("bfloat16", torch.device("cpu")):
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.bfloat16
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, getattr(torch, precision))


def in_full(outputs: Any) -> Any:
    """Outputs in half precision as float32, with their masks, so that losses and metrics see all digits."""

    def convert(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor) or leaf.dtype not in (torch.bfloat16, torch.float16):
            return leaf
        full = leaf.float()
        if (mask := mask_of(leaf)) is not None:
            put_mask(full, mask)
        return full

    return map_structure(convert, outputs)
