"""Elements of a `Dataset`: tensors, texts, and tuples and dicts of them."""

from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

import torch

from striate.data.tensors import as_tensor
from striate.foundation.checks import UserError


def as_element(where: str, value: Any) -> Any:
    """Return `value` with arrays, numbers and lists of numbers as tensors; texts and paths stay as they are.

    Example:
        >>> as_element("map", ([1, 2], "cat.jpg"))
        (tensor([1, 2]), 'cat.jpg')
    """
    if isinstance(value, tuple):
        return tuple(as_element(where, part) for part in value)
    if isinstance(value, dict):
        return {key: as_element(where, part) for key, part in value.items()}
    if value is None or isinstance(value, str | bytes | PurePath) or is_texts(value):
        return value
    return as_tensor(where, "an element", value)


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
    first = elements[0]
    if isinstance(first, tuple | dict):
        keys = list(first) if isinstance(first, dict) else list(range(len(first)))
        for element in elements:
            same = isinstance(element, type(first)) and len(element) == len(first)
            if not same or (isinstance(first, dict) and set(element) != set(first)):
                needs = "elements of one structure"
                raise UserError(where, "elements that differ in structure", needs, "Mend the function that makes them.")
        parts = [stack(where, [element[key] for element in elements]) for key in keys]
        return dict(zip(keys, parts, strict=True)) if isinstance(first, dict) else tuple(parts)
    if not isinstance(first, torch.Tensor):
        return None if first is None else list(elements)
    shapes = {tuple(element.shape) for element in elements}
    if len(shapes) > 1:
        fix = "Resize or pad them to one shape in map() before batch()."
        raise UserError(where, f"elements of shapes {sorted(shapes)[:3]}", "one shape", fix)
    return torch.stack(elements)


def count_slices(where: str, element: Any) -> int:
    """Count the slices of an element along its first axis.

    Raises:
        UserError: A part has no axis, or the parts differ in length.

    Example:
        >>> count_slices("unbatch", (torch.zeros(2, 8), ["a", "b"]))
        2
    """
    lengths: list[int] = []
    for part in _parts(element):
        if isinstance(part, str | bytes | PurePath) or (isinstance(part, torch.Tensor) and part.ndim == 0):
            fix = "Pass arrays or lists whose first axis counts the elements."
            raise UserError(where, "a single number or text", "something with a first axis to cut", fix)
        lengths.append(len(part))
    if len(set(lengths)) != 1:
        got = "parts of " + ", ".join(map(str, lengths)) if lengths else "nothing to cut"
        raise UserError(where, got, "parts of one length", "Check which rows were left out of one of them.")
    return lengths[0]


def _parts(element: Any) -> Iterator[Any]:
    """The tensors, texts and lists of texts in an element."""
    if isinstance(element, tuple | dict):
        for part in element.values() if isinstance(element, dict) else element:
            yield from _parts(part)
    elif element is not None:
        yield element


def slices(element: Any, count: int, start: int = 0) -> Iterator[Any]:
    """Yield the slices of an element along its first axis, from number `start` on."""
    if isinstance(element, tuple):
        yield from zip(*(slices(part, count, start) for part in element), strict=True)
    elif isinstance(element, dict):
        for parts in zip(*(slices(part, count, start) for part in element.values()), strict=True):
            yield dict(zip(element, parts, strict=True))
    elif element is None:
        for _ in range(start, count):
            yield None
    else:
        for position in range(start, count):
            yield element[position]
