"""Shape arithmetic as plain integers, said once for layers, summary, page and export.

The letters: N items, H rows, W columns, D slices, L steps of a series, C channels, F filters. Arrays are
channels-last: pictures (N, H, W, C), series (N, L, C), volumes (N, D, H, W, C); layers told data_format=
"channels_first" take (N, C, H, W) and so on. None is a size not known yet.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

Size = int | None
Shape = tuple[int | None, ...]

LETTERS = {1: "(N,)", 2: "(N, F)", 3: "(N, L, C)", 4: "(N, H, W, C)", 5: "(N, D, H, W, C)"}
LETTERS_FIRST = {3: "(N, C, L)", 4: "(N, C, H, W)", 5: "(N, C, D, H, W)"}


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
        padding: "valid", "same" or "causal", with Keras's meaning: the last two give ceil(length / stride).

    Example:
        >>> window_count(64, 3, 1, "valid"), window_count(7, 3, 2, "same"), window_count(None, 3, 1, "same")
        (62, 4, None)
    """
    if length is None:
        return None
    if padding in ("same", "causal"):
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


def padding_cells(length: int, kernel: int, stride: int, padding: str, dilation: int = 1) -> tuple[int, int]:
    """Cells added before and after one axis: none for "valid", all of them before for "causal".

    Example:
        >>> [padding_cells(8, 3, 1, padding) for padding in ("valid", "same", "causal")]
        [(0, 0), (1, 1), (2, 0)]
    """
    if padding == "same":
        return same_padding(length, kernel, stride, dilation)
    return (extent(kernel, dilation) - 1 if padding == "causal" else 0), 0


def transposed_crop(span: int, stride: int, padding: str, output_padding: int | None = None) -> tuple[int, int]:
    """Cells cut before and after one axis of a transposed convolution; zeros are added where the second is negative.

    Uncut, `length` cells become (length - 1) * stride + span. Keras wants, for padding="valid", output_padding cells
    more, by default as many as make up for a stride that is wider than the window; and for "same" (length - 1) *
    stride + span % 2 + output_padding, by default length * stride. The odd cell is cut after.

    Args:
        span: How many cells the window spans, dilation included: `extent`.

    Example:
        >>> transposed_crop(3, 2, "valid"), transposed_crop(2, 3, "valid"), transposed_crop(4, 1, "same")
        ((0, 0), (0, -1), (1, 2))
    """
    if padding == "valid":
        return 0, min(span - stride, 0) if output_padding is None else -output_padding
    cut = span - stride if output_padding is None else span - span % 2 - output_padding
    before = max(cut // 2, 0)
    return before, cut - before


def transposed_count(length: Size, span: int, stride: int, crop: tuple[int, int]) -> Size:
    """How many cells a transposed convolution makes along one axis.

    Example:
        >>> transposed_count(8, 3, 2, transposed_crop(3, 2, "same"))
        16
    """
    return None if length is None else (length - 1) * stride + span - sum(crop)


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


class Window(NamedTuple):
    """What a layer sees of its input for one output cell: kernel, stride and dilation per spatial axis.

    Args:
        up: How many cells it first makes of one, with zeros between: transposed convolutions and upsampling are
            windows that slide over what is spread out so. Empty for 1 on every axis.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    up: tuple[int, ...] = ()

    def per_axis(self) -> Iterator[tuple[int, int, int, int]]:
        """Kernel, stride, dilation and up, one spatial axis after the other."""
        return zip(self.kernel, self.stride, self.dilation, self.up or (1,) * len(self.kernel), strict=True)

    def in_one_row(self) -> "Window":
        """The window of a series over a picture that has this series as its only row.

        Example:
            >>> Window((5,), (2,), (1,)).in_one_row()
            Window(kernel=(1, 5), stride=(1, 2), dilation=(1, 1), up=())
        """
        return Window((1, *self.kernel), (1, *self.stride), (1, *self.dilation), (1, *self.up) if self.up else ())


class ReceptiveField(NamedTuple):
    """Which part of the network's input one cell can see, along one axis.

    Args:
        size: How far it sees, in input cells; a fraction after layers that make several cells of one, and at most
            so far where such layers follow others that make one of several.
        jump: Distance, in input cells, between neighbours.

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, arXiv 1603.07285.
    """

    size: int | Fraction = 1
    jump: int | Fraction = 1

    def through(self, kernel: int, stride: int, dilation: int = 1, up: int = 1) -> "ReceptiveField":
        """The field after one more sliding window.

        Example:
            >>> ReceptiveField().through(3, 1).through(2, 2)
            ReceptiveField(size=4, jump=2)
            >>> ReceptiveField().through(4, 1, up=2)  # its neighbours are half an input cell apart
            ReceptiveField(size=Fraction(5, 2), jump=Fraction(1, 2))
        """
        step = self.jump if up == 1 else Fraction(self.jump) / up
        return ReceptiveField(self.size + (extent(kernel, dilation) - 1) * step, step * stride)

    @property
    def cells(self) -> int:
        """The most input cells that a stretch of this size can hold.

        Example:
            >>> ReceptiveField().through(4, 1, up=2).cells
            2
        """
        return math.floor(self.size)
