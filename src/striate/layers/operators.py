"""Arithmetic on symbols, x + y or 3 * x, as the layers that compute the same.

Files thus hold layers, which Keras opens as such; it records operations of its own for the same arithmetic.
"""

import math
from typing import Any

import numpy as np

from striate.layers.layer import Layer
from striate.layers.merge import Add, Multiply, Subtract
from striate.layers.preprocessing.rescaling import Rescaling
from striate.layers.symbol import Symbol

FLOATS = ("float16", "bfloat16", "float32", "float64")


def add(one: Any, other: Any) -> Any:
    """The sum of two symbols, or of a symbol and a number; NotImplemented where no layer computes it.

    Example:
        >>> from striate.layers import Input
        >>> x = Input((2,))
        >>> [type((x + x).node.layer).__name__, type((1 + x).node.layer).__name__]
        ['Add', 'Rescaling']
    """
    if _is_number(one):
        one, other = other, one
    return _scaled(one, 1.0, float(other)) if _is_number(other) else _merged(Add, one, other)


def subtract(one: Any, other: Any) -> Any:
    """The difference, likewise."""
    if _is_number(one):
        return _scaled(other, -1.0, float(one))
    return _scaled(one, 1.0, -float(other)) if _is_number(other) else _merged(Subtract, one, other)


def multiply(one: Any, other: Any) -> Any:
    """The product, likewise."""
    if _is_number(one):
        one, other = other, one
    return _scaled(one, float(other)) if _is_number(other) else _merged(Multiply, one, other)


def divide(one: Any, other: Any) -> Any:
    """A symbol divided by a number: its product with the inverse."""
    return _scaled(one, 1 / float(other)) if _is_number(other) and other else NotImplemented


def negative(one: Any) -> Any:
    """A symbol with the other sign."""
    return _scaled(one, -1.0)


def _scaled(symbol: Symbol, scale: float, offset: float = 0.0) -> Any:
    return Rescaling(scale, offset)(symbol) if symbol.dtype in FLOATS else NotImplemented


def _merged(layer: type[Layer], one: Any, other: Any) -> Any:
    """Two symbols joined; of different ranks layers would stretch them in another way than operators do."""
    both = isinstance(one, Symbol) and isinstance(other, Symbol) and one.ndim == other.ndim
    return layer()([one, other]) if both and one.dtype == other.dtype in FLOATS else NotImplemented


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


Symbol.operators |= {"+": add, "-": subtract, "*": multiply, "/": divide, "negative": negative}
