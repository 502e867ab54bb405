"""How an operation becomes known: by Keras's name, with arrays of any kind made tensors on the way in.

A function that is marked with `@op` says what it takes by its annotations: what it annotates as `torch.Tensor` comes to
it as one, and what it annotates as `list[torch.Tensor]` as a list of them, whatever the caller passed.
"""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError, nearest
from striate.foundation.explain import FAULTS, hand_on
from striate.layers.symbol import Symbol, operate

TABLE: dict[str, Callable[..., Any]] = {}
"""Every operation by the name that follows `striate.ops.`: "mean", "image.resize"."""

DTYPES = {
    name: getattr(torch, name)
    for name in ("float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool")
}
DTYPES |= {"float": torch.float32, "int": torch.int32, "complex64": torch.complex64, "complex128": torch.complex128}


def op(*aliases: str, within: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that makes a function an operation under its own name, without a closing underscore, and `aliases`.

    Args:
        within: The part of `striate.ops` it belongs to: "image".
    """

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        names = [f"{within}.{name}".lstrip(".") for name in (function.__name__.rstrip("_"), *aliases)]
        operation = taking_arrays(function, f"ops.{names[0]}")
        TABLE.update(dict.fromkeys(names, operation))
        return operation

    return add


def to_tensor(value: Any, dtype: torch.dtype | None = None, where: str = "ops.convert_to_tensor") -> torch.Tensor:
    """A tensor of what may be an array, a number or nested lists of them; Python's own floats become float32.

    Raises:
        UserError: It is a symbol, or no numbers.
    """
    if isinstance(value, torch.Tensor):
        return value if dtype is None else value.to(dtype)
    if isinstance(value, Symbol):
        fix = "Call the operation in the forward of a layer's class."
        raise UserError(where, f"the symbol {value.name!r}", "arrays: a symbol has a shape but no numbers", fix)
    if dtype is None and (isinstance(value, float) or (type(value) is int and abs(value) < 2**31)):
        return torch.full((), value, dtype=torch.float32 if isinstance(value, float) else torch.int32)  # can be traced
    if isinstance(value, list | tuple) and any(isinstance(item, torch.Tensor) for item in value):
        return torch.stack([to_tensor(item, dtype, where) for item in value])
    try:
        array = np.asarray(value)
        tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
    except (TypeError, ValueError) as error:
        got = f"a {type(value).__name__} that is no array ({error})"
        raise UserError(where, got, "a tensor, a NumPy array, a number or nested lists", "Convert it first.") from None
    if dtype is None and not hasattr(value, "dtype"):  # Python's own numbers: the dtype is ours to choose
        dtype = _own_dtype(array)
    return tensor if dtype is None else tensor.to(dtype)


def dtype_of(where: str, dtype: Any, default: torch.dtype | None = None) -> torch.dtype | None:
    """The torch dtype for a name, a NumPy or a torch dtype; `default` for None.

    Raises:
        UserError: There is none of that name.
    """
    if dtype is None or isinstance(dtype, torch.dtype):
        return default if dtype is None else dtype
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", getattr(dtype, "__name__", str(dtype)))
    if name not in DTYPES:
        raise UserError(where, f"dtype={dtype!r}", "the name of a dtype", nearest(str(name), DTYPES))
    return DTYPES[name]


def as_floats(x: torch.Tensor) -> torch.Tensor:
    """Whole numbers and truths as float32; floats as they are."""
    return x if x.is_floating_point() or x.is_complex() else x.float()


def axes_of(x: torch.Tensor, axis: Any) -> list[int]:
    """An axis, several, or all (None), counted from the front.

    Raises:
        IndexError: There is no such axis; `op` words it for the user, as it does torch's own.
    """
    axes = range(x.ndim) if axis is None else [axis] if not isinstance(axis, list | tuple) else axis
    for one in axes:
        if not -x.ndim <= one < x.ndim:
            raise IndexError(f"there is no axis {one} among {x.ndim}")
    return [int(one) % x.ndim for one in axes]


def taking_arrays(function: Callable[..., Any], where: str) -> Callable[..., Any]:
    """The function behind a door where arrays become tensors, and torch's refusals errors of ours."""
    parameters = inspect.signature(function).parameters.values()
    readers = {parameter.name: _READERS.get(parameter.annotation, _leave) for parameter in parameters}
    places = [readers[p.name] for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    rest = next((readers[p.name] for p in parameters if p.kind == p.VAR_POSITIONAL), _leave)

    @functools.wraps(function)
    def operation(*args: Any, **kwargs: Any) -> Any:
        if _has_symbols(args) or _has_symbols(kwargs.values()):
            return operate(where.removeprefix("ops."), args, kwargs)
        try:
            read = zip(itertools.chain(places, itertools.repeat(rest)), args, strict=False)
            values = [reader(value, where) for reader, value in read]
            named = {name: readers.get(name, _leave)(value, where) for name, value in kwargs.items()}
            return function(*values, **named)
        except FAULTS as error:
            hand_on(where, function, args, kwargs, error)

    return operation


def _has_symbols(values: Iterable[Any]) -> bool:
    return any(isinstance(v, Symbol) or (isinstance(v, list | tuple) and _has_symbols(v)) for v in values)


def _leave(value: Any, where: str) -> Any:
    return value


def _read_one(value: Any, where: str) -> Any:
    return None if value is None else to_tensor(value, None, where)


def _read_list(value: Any, where: str) -> list[torch.Tensor]:
    return [to_tensor(item, None, where) for item in value]


_READERS: dict[Any, Callable[[Any, str], Any]] = {
    torch.Tensor: _read_one,
    torch.Tensor | None: _read_one,
    list[torch.Tensor]: _read_list,
}


def _own_dtype(array: np.ndarray) -> torch.dtype | None:
    """What Python's numbers become: 32 bits, 64 for whole numbers that need them."""
    if array.dtype.kind == "i":
        return torch.int32 if not array.size or abs(array).max() < 2**31 else torch.int64
    return {"f": torch.float32, "c": torch.complex64}.get(array.dtype.kind)
