"""What users hand over (NumPy, torch, lists of numbers, nested) as torch tensors, copied only where it must be."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError
from striate.foundation.nested import flatten_with_path, map_structure, pack
from striate.layers.readable import READABLE


def map_leaves(function: Callable[[Any], Any], tree: Any, *, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Apply `function` to every leaf of nested tuples, lists and dicts; `None` stays `None`: nothing was given there.

    Example:
        >>> map_leaves(lambda leaf: leaf * 2, {"left": 1, "right": (2, None)})
        {'left': 2, 'right': (4, None)}
    """
    return map_structure(lambda leaf: None if leaf is None else function(leaf), tree, is_leaf=is_leaf)


def named_leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield every leaf but `None` with the words a user would write to reach it.

    Example:
        >>> list(named_leaves("x", {"left": 1, "right": (2, None)}))
        [("x['left']", 1), ("x['right'][0]", 2)]
    """
    return ((_spell(name, path), leaf) for path, leaf in flatten_with_path(tree) if leaf is not None)


def _spell(name: str, path: tuple[Any, ...]) -> str:
    return name + "".join(f"[{key!r}]" for key in path)


def is_array(value: object) -> bool:
    """Whether `value` is a NumPy array, a torch tensor or speaks NumPy's protocol (a pandas column does)."""
    return isinstance(value, np.ndarray | torch.Tensor) or (
        hasattr(value, "__array__") and not isinstance(value, np.generic)
    )


def _is_one_array(value: object) -> bool:
    """Whether `value` is one input: no dict, and no list or tuple of arrays, but perhaps one of numbers."""
    if isinstance(value, list | tuple):
        return not any(is_array(part) or isinstance(part, dict) for part in value)
    return not isinstance(value, dict)


def as_tensors(where: str, name: str, value: Any) -> Any:
    """Return `value` with every array in it as a tensor, texts in x as NumPy arrays; the nesting stays as it is.

    Args:
        where: Who asks, for errors: "fit".
        name: The argument's name, for errors: "x".
        value: An array, (nested) lists of numbers, or lists, tuples and dicts of arrays.

    Raises:
        UserError: A leaf is neither a numeric array nor texts in x, or ragged.

    Example:
        >>> as_tensors("fit", "x", {"image": np.zeros((2, 3)), "age": [1, 2]})["image"].dtype
        torch.float32
    """
    leaves = flatten_with_path(value, is_leaf=_is_one_array)

    def convert(path: tuple[Any, ...], leaf: Any) -> Any:
        if name == "x" and holds_texts(leaf):
            return np.asarray(leaf, dtype=object)  # for TextVectorization; torch has no tensors of texts
        return None if leaf is None else as_tensor(where, _spell(name, path), leaf)

    return pack(value, [convert(path, leaf) for path, leaf in leaves], is_leaf=_is_one_array)


def holds_texts(value: Any) -> bool:
    """Whether it is an array, or a list or nested lists, of nothing but texts.

    Example:
        >>> holds_texts(np.array(["a", "b"])), holds_texts([["a"], ["b"]]), holds_texts(["a", 1]), holds_texts([])
        (True, True, False, False)
    """
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(part, str | bytes) or holds_texts(part) for part in value)
    if isinstance(value, torch.Tensor) or not is_array(value):
        return False
    array = np.asarray(value)
    if array.dtype.kind != "O":
        return array.dtype.kind in "US"
    return bool(array.size) and all(isinstance(part, str | bytes) for part in array.flat)


def as_tensor(where: str, name: str, value: Any) -> torch.Tensor:
    """Return one array or (nested) list of numbers as a tensor that shares memory where it can.

    float64 becomes float32; float16, integers, booleans and uint8 pictures stay what they are; unsigned integers
    that torch cannot calculate with become the next wider signed ones.

    Raises:
        UserError: The value holds no numbers, or its rows differ in length.
    """
    if isinstance(value, torch.Tensor):
        _check_dtype(where, name, str(value.dtype).removeprefix("torch."), value.dtype.is_complex)
        _check_memory(where, name, value)
        value = value.detach()
        return value.float() if value.dtype == torch.float64 else value
    array = as_array(where, name, value)
    if array.dtype.name == "uint64" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise UserError(where, f"{name} with {array.max()}", "integers below 2**63", f"Scale {name} down.")
    wide = array.dtype.kind == "f" and array.dtype.itemsize > 4
    wanted = np.float32 if wide else READABLE.get(array.dtype.name, array.dtype.newbyteorder("="))
    array = array.astype(wanted, copy=False)
    if any(stride < 0 for stride in array.strides) or not array.flags.aligned:
        array = array.copy()
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Unlocked(array)))


class _Unlocked:
    """Shows read-only memory as writable, because torch warns otherwise; a feed only ever reads it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array  # keeps the memory alive
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def as_array(where: str, name: str, value: Any) -> np.ndarray:
    """NumPy's view of a tensor, a list of numbers or an object that speaks its protocol.

    Raises:
        UserError: The value holds no numbers, or its rows differ in length.

    Example:
        >>> as_array("fit", "x", torch.ones(2, requires_grad=True))
        array([1., 1.], dtype=float32)
    """
    if isinstance(value, torch.Tensor):
        _check_memory(where, name, value)
        value = value.detach().cpu()
    known = isinstance(value, list | tuple | int | float | np.generic) or is_array(value)
    if not known and not hasattr(value, "__array_interface__"):  # Pillow's images have that
        needs = "an array, a tensor or a list of numbers"
        raise UserError(where, f"{name} of type {type(value).__name__}", needs, f"Turn {name} into a NumPy array.")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        fix = "Pad or cut the rows to one length (for text and series), or resize the pictures to one size."
        raise UserError(where, f"{name} as a ragged list", "rows that all have one shape", fix) from error
    _check_dtype(where, name, str(array.dtype), array.dtype.kind not in "biuf")
    return array


def _check_memory(where: str, name: str, value: torch.Tensor) -> None:
    """Refuse tensors whose numbers do not lie in memory one beside the other: sparse ones, and those without any."""
    if value.layout is not torch.strided:
        kind = str(value.layout).removeprefix("torch.")
        raise UserError(where, f"{name} as a tensor of {kind}", "a dense tensor", "Make it dense with to_dense().")
    if value.is_meta:
        fix = "Make it on another device: a tensor on meta has a shape alone."
        raise UserError(where, f"{name} on the device meta", "a tensor that holds numbers", fix)


def as_dtype(where: str, dtype: Any) -> np.dtype:
    """NumPy's dtype of this name.

    Raises:
        UserError: There is none.
    """
    try:
        return np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise UserError(
            where, f"dtype={dtype!r}", "the name of a dtype", "Pass for example dtype='float32'."
        ) from error


def _check_dtype(where: str, name: str, dtype: str, refused: bool) -> None:
    if refused:
        text = dtype == "object" or dtype[:2] in ("<U", ">U", "|S")
        fix = (
            f"For class names: classes, {name} = numpy.unique({name}, return_inverse=True)."
            if name.startswith("y")
            else "Stack pictures of one size with numpy.stack; turn words into numbers first."
        )
        got = f"{name} of dtype {dtype}"
        raise UserError(where, got, "numbers", fix if text else f"Convert {name} to float32.")
