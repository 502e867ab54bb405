"""Masks: which steps of a sequence count. They travel on the tensors themselves, under Keras's name."""

from typing import Any

import torch


def mask_of(value: Any) -> Any:
    """The mask that a tensor brings along, or a list of them for a list of tensors; None where there is none.

    Example:
        >>> x = torch.zeros(1, 3, 2)
        >>> put_mask(x, torch.tensor([[True, True, False]]))
        >>> mask_of(x), mask_of(x + 1)  # arithmetic makes a new tensor, without one
        (tensor([[ True,  True, False]]), None)
    """
    if not isinstance(value, torch.Tensor) and isinstance(value, list | tuple):
        masks = [mask_of(item) for item in value]
        return None if all(mask is None for mask in masks) else masks
    return getattr(value, "_keras_mask", None)


def put_mask(value: Any, mask: Any) -> None:
    """Let a tensor bring this mask along; of several tensors and masks each its own."""
    if isinstance(value, torch.Tensor):
        value._keras_mask = mask  # type: ignore[attr-defined]
    elif isinstance(value, list | tuple):
        masks = mask if isinstance(mask, list | tuple) else [mask] * len(value)
        for item, one in zip(value, masks, strict=True):
            put_mask(item, one)
