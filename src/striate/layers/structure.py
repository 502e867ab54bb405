"""Arrays and shapes in nested lists and dicts; modes of modules."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError, check_flag, is_int
from striate.foundation.nested import as_lists, map_structure
from striate.foundation.shapes import describe
from striate.layers.readable import from_array

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
    module.train(check_flag(getattr(module, "where", type(module).__name__), "training", training))
    token = _mode_is_set.set(True)
    try:
        yield
    finally:
        _mode_is_set.reset(token)
        for inner, was in before:
            inner.training = was


def as_tensor(value: Any, dtype: str = "float32", where: str = "as_tensor") -> Any:
    """NumPy arrays (and lists of them) as torch tensors, float64 as `dtype`; texts in arrays; the rest as it is.

    Raises:
        UserError: An array holds neither numbers nor texts.
    """

    def convert(leaf: Any) -> Any:
        if _is_texts(leaf):
            return np.asarray(leaf, dtype=object)
        if not isinstance(leaf, np.ndarray | np.generic):
            return leaf
        tensor = from_array(np.asarray(leaf), where)
        return tensor.to(getattr(torch, dtype)) if tensor.dtype == torch.float64 else tensor

    return map_structure(convert, value, is_leaf=_is_texts)


def _is_texts(value: Any) -> bool:
    """Whether it is an array or a list of texts, for which torch has no tensors."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "OSU"
    return isinstance(value, list) and bool(value) and all(isinstance(part, str | bytes) for part in value)


def in_dtype(value: Any, dtype: torch.dtype, integers: bool, follow: bool = True) -> Any:
    """Tensors (and structures of them) in a layer's floating dtype; what has it already is not copied.

    Under `torch.autocast` half and single precision stay as they are: torch chooses between them.

    Args:
        value: What came in; what is no tensor stays.
        dtype: Of the layer; nothing happens unless it is a floating one.
        integers: Whether whole numbers become floats, too.
        follow: Whether autocast, where it is on, chooses; else `dtype` does.
    """

    def cast(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor) or leaf.dtype == dtype or not dtype.is_floating_point:
            return leaf
        if not leaf.is_floating_point():
            return leaf.to(dtype) if integers and not leaf.is_complex() else leaf
        double = torch.float64 in (dtype, leaf.dtype)
        return leaf if follow and not double and autocasts(leaf.device.type) else leaf.to(dtype)

    return map_structure(cast, value)


def autocasts(device: str) -> bool:
    """Whether `torch.autocast` is on for a kind of device."""
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def as_modules(value: Any, where: str) -> torch.nn.Module | None:
    """A list, tuple or dict of modules (nested, too) as torch's containers; None for anything else.

    Raises:
        UserError: A dict of modules has a key that torch takes for no name.
    """
    if isinstance(value, torch.nn.Module):
        return value
    if not isinstance(value, list | tuple | dict) or not value:
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
    """The shape of a tensor, or lists and dicts of shapes for a structure of tensors.

    Raises:
        UserError: Something in it has no shape, and `where` says who asks; otherwise it counts as None.
    """

    def shape(leaf: Any) -> Any:
        if hasattr(leaf, "shape"):
            return tuple(leaf.shape)
        if where is not None:
            raise UserError(where, f"a {type(leaf).__name__}", "a tensor or a NumPy array", "Pass np.asarray(x).")
        return None

    return map_structure(shape, as_lists(value))


def is_shape(value: Any) -> bool:
    """Whether `value` is one shape, not a list of shapes."""
    return isinstance(value, tuple | list) and all(size is None or is_int(size) for size in value)


def describe_all(shape: Any) -> str:
    """A shape, or several, in words."""
    if is_shape(shape):
        return describe(shape)
    return str(shape)
