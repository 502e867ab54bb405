"""Elements of a `Dataset`: tensors, texts, and tuples and dicts of them."""

import operator
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from striate.data.tensors import as_tensor, holds_texts, map_leaves
from striate.foundation.checks import UserError
from striate.foundation.nested import StructureError, flatten, map_structure


def as_element(where: str, value: Any) -> Any:
    """Return `value` with arrays, numbers and lists of numbers as tensors; texts and paths stay as they are.

    Example:
        >>> as_element("map", ([1, 2], "cat.jpg"))
        (tensor([1, 2]), 'cat.jpg')
    """

    def convert(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray) and holds_texts(leaf):
            return leaf.tolist()
        stays = isinstance(leaf, str | bytes | PurePath) or is_texts(leaf)
        return leaf if stays else as_tensor(where, "an element", leaf)

    return map_leaves(convert, value, is_leaf=_is_list)


def _is_list(value: Any) -> bool:
    """A list is one tensor, or texts: what elements are made of is tuples and dicts."""
    return isinstance(value, list)


def is_texts(value: Any) -> bool:
    """Whether `value` is a list of texts or paths, which stay Python objects."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, str | bytes | PurePath) for v in value)


def call(function: Callable[..., Any], element: Any) -> Any:
    """Call `function` with a tuple's parts as its arguments, as tf.data does, or with the element."""
    return function(*element) if isinstance(element, tuple) else function(element)


def stack(where: str, elements: list[Any]) -> Any:
    """Put elements of one structure into one, with a new first axis.

    Raises:
        UserError: The elements differ in structure or in shape.

    Example:
        >>> stack("batch", [(torch.zeros(2), "a"), (torch.ones(2), "b")])
        (tensor([[0., 0.],
                [1., 1.]]), ['a', 'b'])
    """

    def stack_leaves(*leaves: Any) -> Any:
        if not isinstance(leaves[0], torch.Tensor):
            return None if leaves[0] is None else list(leaves)
        shapes = {tuple(leaf.shape) for leaf in leaves}
        if len(shapes) > 1:
            fix = "Resize or pad them to one shape in map() before batch()."
            raise UserError(where, f"elements of shapes {sorted(shapes)[:3]}", "one shape", fix)
        return torch.stack(leaves)

    try:
        return map_structure(stack_leaves, *elements, is_leaf=_is_list)
    except StructureError:
        needs, fix = "elements of one structure", "Mend the function that makes them."
        raise UserError(where, "elements that differ in structure", needs, fix) from None


def count_slices(where: str, element: Any) -> int:
    """Count the slices of an element along its first axis.

    Raises:
        UserError: A part has no axis, or the parts differ in length.

    Example:
        >>> count_slices("unbatch", (torch.zeros(2, 8), ["a", "b"]))
        2
    """
    lengths: list[int] = []
    for part in flatten(element, is_leaf=_is_list):
        if part is None:
            continue
        if isinstance(part, str | bytes | PurePath) or (isinstance(part, torch.Tensor) and part.ndim == 0):
            fix = "Pass arrays or lists whose first axis counts the elements."
            raise UserError(where, "a single number or text", "something with a first axis to cut", fix)
        lengths.append(len(part))
    if len(set(lengths)) != 1:
        got = "parts of " + ", ".join(map(str, lengths)) if lengths else "nothing to cut"
        raise UserError(where, got, "parts of one length", "Check which rows were left out of one of them.")
    return lengths[0]


def slices(element: Any, count: int, start: int = 0) -> Iterator[Any]:
    """Yield the slices of an element along its first axis, from number `start` on."""
    for position in range(start, count):
        yield map_leaves(operator.itemgetter(position), element, is_leaf=_is_list)
