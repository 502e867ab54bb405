"""The arrays of a program, before they have their places in memory."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.foundation.shapes import Shape

if TYPE_CHECKING:
    from striate.models.lowering_steps import Step


@dataclass(eq=False)
class Storage:
    """Memory of one array.

    Attributes:
        numbers: How many of them.
        is_kept: Whether nothing else may use it later: its zeros are written once.
        offset: Where it begins in the program's memory; None where somebody else brings the array.
    """

    numbers: int
    is_kept: bool = False
    offset: int | None = None


@dataclass(eq=False)
class Value:
    """An array (N, ..., C) that steps read and write.

    Attributes:
        step: What writes it, if one step does, and nobody but the next in line will read it.
    """

    shape: tuple[int, ...]
    storage: Storage
    step: "Step | None" = None


def new_value(shape: Shape, is_kept: bool = False) -> Value:
    """An array in memory of its own."""
    known = tuple(int(size or 0) for size in shape)
    return Value(known, Storage(math.prod(known), is_kept))
