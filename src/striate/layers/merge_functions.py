"""Merging layers as functions of their inputs."""

from typing import Any

from striate.layers.dot import Dot
from striate.layers.merge import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract


def add(inputs: Any, **options: Any) -> Any:
    """`Add(**options)(inputs)`."""
    return Add(**options)(inputs)


def subtract(inputs: Any, **options: Any) -> Any:
    """`Subtract(**options)(inputs)`."""
    return Subtract(**options)(inputs)


def multiply(inputs: Any, **options: Any) -> Any:
    """`Multiply(**options)(inputs)`."""
    return Multiply(**options)(inputs)


def average(inputs: Any, **options: Any) -> Any:
    """`Average(**options)(inputs)`."""
    return Average(**options)(inputs)


def maximum(inputs: Any, **options: Any) -> Any:
    """`Maximum(**options)(inputs)`."""
    return Maximum(**options)(inputs)


def minimum(inputs: Any, **options: Any) -> Any:
    """`Minimum(**options)(inputs)`."""
    return Minimum(**options)(inputs)


def concatenate(inputs: Any, axis: int = -1, **options: Any) -> Any:
    """`Concatenate(axis, **options)(inputs)`."""
    return Concatenate(axis, **options)(inputs)


def dot(inputs: Any, axes: int | tuple[int, int] = -1, **options: Any) -> Any:
    """`Dot(axes, **options)(inputs)`."""
    return Dot(axes, **options)(inputs)
