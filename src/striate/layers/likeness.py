"""Inputs like those of the call before: what was found in order then need not be looked at again."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


def likeness(value: Any) -> Any:
    """What checks, casts and shapes go by: shape, dtype and layout of a tensor, or of each in a list.

    Returns:
        None, or a list with None in it, where there is more to see to: a mask, or what is no tensor.

    Example:
        >>> likeness(torch.zeros(2, 3))
        (torch.Size([2, 3]), torch.float32, torch.strided)
        >>> likeness([torch.zeros(2), "word"])
        [(torch.Size([2]), torch.float32, torch.strided), None]
    """
    if torch._C._get_tracing_state() is not None:
        return None  # a trace is to look the same each time
    if isinstance(value, torch.Tensor):
        return None if getattr(value, "_keras_mask", None) is not None else (value.shape, value.dtype, value.layout)
    return [likeness(part) for part in value] if type(value) is list else None


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Keep what is checked in the block out of `torch.jit.trace`, to which sizes are tensors and checks are work."""
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]
