"""Arrays and shapes in nested lists and dicts; modes of modules."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError, is_int
from striate.foundation.shapes import describe


@contextlib.contextmanager
def mode(module: torch.nn.Module, training: bool) -> Iterator[None]:
    """Put a module and all inside it into training or inference mode, and back into each one's own after."""
    before = [(inner, inner.training) for inner in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for inner, was in before:
            inner.training = was


def as_tensor(value: Any, dtype: str = "float32") -> Any:
    """NumPy arrays (and lists of them) as torch tensors, float64 as `dtype`; anything else as it is."""
    if isinstance(value, np.ndarray):
        tensor = torch.from_numpy(value if value.flags.writeable else value.copy())
        return tensor.to(getattr(torch, dtype)) if tensor.dtype == torch.float64 else tensor
    if isinstance(value, list | tuple):
        return type(value)(as_tensor(item, dtype) for item in value)
    if isinstance(value, dict):
        return {key: as_tensor(item, dtype) for key, item in value.items()}
    return value


def shape_of(value: Any, where: str | None = None) -> Any:
    """The shape of a tensor, or the same structure of shapes for a structure of tensors.

    Raises:
        UserError: Something in it has no shape, and `where` says who asks; otherwise it counts as None.
    """
    if isinstance(value, list | tuple):
        return [shape_of(item, where) for item in value]
    if isinstance(value, dict):
        return {key: shape_of(item, where) for key, item in value.items()}
    if hasattr(value, "shape"):
        return tuple(value.shape)
    if where is not None:
        raise UserError(where, f"a {type(value).__name__}", "a tensor or a NumPy array", "Pass np.asarray(x).")
    return None


def is_shape(value: Any) -> bool:
    """Whether `value` is one shape, not a list of shapes."""
    return isinstance(value, tuple | list) and all(size is None or is_int(size) for size in value)


def describe_all(shape: Any) -> str:
    """A shape, or several, in words."""
    if is_shape(shape):
        return describe(shape)
    return str(shape)
