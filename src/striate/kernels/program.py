"""Programs: compiled operations in a list, run by one call. What each of them reads is laid out here as it wants it."""

import ctypes
import enum
import functools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from striate.kernels.conv_lines import taps_at_once
from striate.kernels.library import compiled, laid_out

Numbers = ctypes.Array[ctypes.c_int64]
MOST_SIZES = 32


class Operation(enum.IntEnum):
    """What an instruction does; the numbers are those of `native/program.inl`."""

    CONVOLVE = 0
    WINOGRAD = 1
    CONV_POOL = 2
    CONV_GLOBAL_MAX = 3
    POOL_WINDOWS = 4
    SCALE = 5
    COMBINE = 6
    COPY = 7
    ACTIVATE = 8
    DEPTHWISE = 9
    LINES = 10


class Instruction(ctypes.Structure):
    """One operation and where its arrays are.

    Attributes:
        sizes: The address of its sizes, whole numbers of 64 bits.
        given: The addresses of what it reads, its input first; 0 where there is nothing.
        y: The address of what it writes.
        cap: Where ReLU ends; NaN where it does not.
        flag: Whether ReLU follows, or which of several the operation is.
    """

    _fields_ = (
        ("operation", ctypes.c_int64),
        ("sizes", ctypes.c_void_p),
        ("given", ctypes.c_void_p * 4),
        ("y", ctypes.c_void_p),
        ("cap", ctypes.c_float),
        ("flag", ctypes.c_int32),
    )


def numbers(*values: int) -> Numbers:
    """Sizes, as an instruction takes them: always so many, since all of them are copied."""
    return (ctypes.c_int64 * MOST_SIZES)(*values)


def run_program(instructions: ctypes.Array[Instruction], first: int, count: int) -> None:
    """Run `count` instructions from the one with the number `first` on."""
    compiled().run_program(ctypes.addressof(instructions) + first * ctypes.sizeof(Instruction), count)


class Apart(ctypes.Structure):
    """How far an instruction's arrays, what it reads and then what it writes, lie apart.

    Attributes:
        by_item: Numbers from one item to the next; 0 for weights.
        by_thread: Numbers from the memory of one thread to that of the next, for arrays of which each has its own.
    """

    _fields_ = (("by_item", ctypes.c_int64 * 5), ("by_thread", ctypes.c_int64 * 5))


def run_in_groups(
    instructions: ctypes.Array[Instruction],
    first: int,
    apart: ctypes.Array[Apart],
    items: int,
    group: int,
    threads: int,
) -> None:
    """Run as many instructions as `apart` has from the one with the number `first` on, for some of the items at a time.

    Args:
        instructions: For all items.
        first: The first of them.
        apart: Where the arrays of other items lie.
        items: How many there are.
        group: How many of them at a time.
        threads: For how many there is memory.
    """
    compiled().run_in_groups(
        ctypes.addressof(instructions) + first * ctypes.sizeof(Instruction),
        ctypes.addressof(apart),
        len(apart),
        items,
        group,
        threads,
    )


@functools.cache
def widths(unit: str) -> tuple[int, int]:
    """How many columns stand together in packed weights, and how many numbers in a vector, of an instruction set."""
    panel, lanes = numbers(0), numbers(0)
    compiled().widths(ctypes.addressof(panel), ctypes.addressof(lanes))
    return panel[0], lanes[0]


def in_panels(matrix: torch.Tensor) -> torch.Tensor:
    """A matrix (..., depth, columns) as (..., panels, depth, columns of a panel), zeros behind the last column."""
    width, _ = widths(compiled().unit)
    panels = -(-matrix.shape[-1] // width)
    padded = F.pad(matrix, (0, panels * width - matrix.shape[-1]))
    return padded.unflatten(-1, (panels, width)).movedim(-2, -3).contiguous()


def filled_up(values: torch.Tensor | None, count: int, to_panels: bool = True) -> torch.Tensor:
    """A vector (count,), or (..., count), with zeros up to whole panels, or whole vectors; None counts as zeros."""
    values = torch.zeros(count) if values is None else values
    width = widths(compiled().unit)[0 if to_panels else 1]
    return F.pad(values, (0, -count % width)).contiguous()


def for_winograd(kernel: torch.Tensor) -> torch.Tensor:
    """A kernel (3, 3, C, filters) as it multiplies transformed tiles: (16, panels, C, columns of a panel)."""
    width, _ = widths(compiled().unit)
    channels, filters = kernel.shape[2:]
    places = torch.empty(16, -(-filters // width), channels, width, dtype=torch.float32)
    weights = laid_out(kernel)
    compiled().winograd_weights(filters, channels, weights.data_ptr(), places.data_ptr())
    return places


def for_lines(kernel: torch.Tensor, sizes: Numbers) -> torch.Tensor:
    """A kernel (window, C, filters) as it multiplies transformed lines: (places, panels, depth, columns of a panel)."""
    width, _ = widths(compiled().unit)
    *window, channels, filters = kernel.shape
    taps = taps_at_once(window[-1])
    depth = math.prod(window[:-1]) * -(-window[-1] // taps) * channels
    places = torch.empty(taps + 3, -(-filters // width), depth, width, dtype=torch.float32)
    weights = laid_out(kernel)
    compiled().conv_lines_weights(sizes, weights.data_ptr(), places.data_ptr())
    return places


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """How far apart in memory neighbours along each axis but the last are, in numbers."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape) - 1))
