"""Arrays and shapes in nested lists and dicts; modes of modules."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError, is_int
from striate.foundation.shapes import describe

_mode_is_set: ContextVar[bool] = ContextVar("_mode_is_set", default=False)


def mode_is_set() -> bool:
    """Whether a `mode` is in force."""
    return _mode_is_set.get()


@contextlib.contextmanager
def mode(module: torch.nn.Module, training: bool) -> Iterator[None]:
    """Put a module and all inside it into training or inference mode, and back into each one's own after.

    Meanwhile what calls within a network have said about `training` does not count, as in Keras.
    """
    before = [(inner, inner.training) for inner in module.modules()]
    module.train(training)
    token = _mode_is_set.set(True)
    try:
        yield
    finally:
        _mode_is_set.reset(token)
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


def in_dtype(value: Any, dtype: torch.dtype, integers: bool) -> Any:
    """Tensors (and structures of them) in a layer's floating dtype; what has it already is not copied.

    Under `torch.autocast` half and single precision stay as they are: torch chooses between them.

    Args:
        value: What came in; what is no tensor stays.
        dtype: Of the layer; nothing happens unless it is a floating one.
        integers: Whether whole numbers become floats, too.
    """
    if isinstance(value, torch.Tensor):
        if value.dtype == dtype or not dtype.is_floating_point:
            return value
        if not value.is_floating_point():
            return value.to(dtype) if integers and not value.is_complex() else value
        double = torch.float64 in (dtype, value.dtype)
        return value if not double and _autocasts(value.device.type) else value.to(dtype)
    if isinstance(value, list | tuple):
        return type(value)(in_dtype(item, dtype, integers) for item in value)
    if isinstance(value, dict):
        return {key: in_dtype(item, dtype, integers) for key, item in value.items()}
    return value


def _autocasts(device: str) -> bool:
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def as_modules(value: Any, where: str) -> torch.nn.Module | None:
    """A list, tuple or dict of modules (nested, too) as torch's containers; None for anything else.

    Raises:
        UserError: A dict of modules has a key that torch takes for no name.
    """
    if isinstance(value, torch.nn.Module):
        return value
    if not value or not isinstance(value, list | tuple | dict):
        return None
    found = [as_modules(item, where) for item in (value.values() if isinstance(value, dict) else value)]
    modules = [module for module in found if module is not None]
    if len(modules) < len(found):
        return None
    if not isinstance(value, dict):
        return torch.nn.ModuleList(modules)
    try:
        return torch.nn.ModuleDict(dict(zip(value, modules, strict=True)))
    except (KeyError, TypeError) as error:
        needs = f"texts that torch takes as names ({error.args[0]})"
        raise UserError(where, f"layers in a dict by {list(value)}", needs, "Choose other keys.") from None


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
