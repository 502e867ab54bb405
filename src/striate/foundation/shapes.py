"""Shape arithmetic as plain integers, said once for layers, summary, page and export.

The letters: N items, H rows, W columns, D slices, L steps of a series, C channels, F filters. Arrays are
channels-last: pictures (N, H, W, C), series (N, L, C), volumes (N, D, H, W, C). None is a size not known yet.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Size = int | None
Shape = tuple[int | None, ...]

LETTERS = {1: "(N,)", 2: "(N, F)", 3: "(N, L, C)", 4: "(N, H, W, C)", 5: "(N, D, H, W, C)"}


def extent(kernel: int, dilation: int = 1) -> int:
    """How many cells a dilated kernel spans.

    Example:
        >>> extent(3, dilation=2)
        5
    """
    return (kernel - 1) * dilation + 1


def window_count(length: Size, kernel: int, stride: int, padding: str, dilation: int = 1) -> Size:
    """How many positions a sliding window takes along one axis; at most 0 means that it does not fit.

    Args:
        padding: "valid" or "same", with Keras's meaning: "same" gives ceil(length / stride).

    Example:
        >>> window_count(64, 3, 1, "valid"), window_count(7, 3, 2, "same"), window_count(None, 3, 1, "same")
        (62, 4, None)
    """
    if length is None:
        return None
    if padding == "same":
        return -(-length // stride)
    return (length - extent(kernel, dilation)) // stride + 1


def same_padding(length: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Cells added before and after one axis by padding="same"; the odd one goes after.

    Example:
        >>> same_padding(8, 3, 2), same_padding(7, 3, 2)
        ((0, 1), (1, 1))
    """
    positions = -(-length // stride)
    total = max((positions - 1) * stride + extent(kernel, dilation) - length, 0)
    return total // 2, total - total // 2


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes; None if one is not known.

    Example:
        >>> product((31, 31, 32)), product((None, 3))
        (30752, None)
    """
    known = list(sizes)
    return None if None in known else math.prod(known)  # type: ignore[arg-type]


def describe(shape: Sequence[Size]) -> str:
    """A shape as Keras prints it.

    Example:
        >>> describe((None, 62, 62, 32))
        '(None, 62, 62, 32)'
    """
    return str(tuple(shape))


@dataclass(frozen=True)
class Window:
    """What a layer sees of its input for one output cell: kernel, stride and dilation per spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]


class ReceptiveField(NamedTuple):
    """Which part of the network's input one cell can see, along one axis.

    Args:
        size: Cells of the input that reach it.
        jump: Distance, in input cells, between neighbours.

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, arXiv 1603.07285.
    """

    size: int = 1
    jump: int = 1

    def through(self, kernel: int, stride: int, dilation: int = 1) -> "ReceptiveField":
        """The field after one more sliding window.

        Example:
            >>> ReceptiveField().through(3, 1).through(2, 2)
            ReceptiveField(size=4, jump=2)
        """
        return ReceptiveField(self.size + (extent(kernel, dilation) - 1) * self.jump, self.jump * stride)
