"""The steps of a program: which arrays each of them reads and writes, and its instruction."""

import ctypes
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch

from striate.kernels.conv_lines import gains, sizes_of
from striate.kernels.program import (
    Instruction,
    Numbers,
    Operation,
    contiguous_strides,
    filled_up,
    for_lines,
    for_winograd,
    in_panels,
    numbers,
)
from striate.layers.symbol import Node
from striate.models.values import Value

Packed = dict[tuple[Any, ...], torch.Tensor]
"""Weights as operations want them, by what they are made of."""


@dataclass(eq=False)
class Step:
    """What a program does at one point.

    Attributes:
        output: What it writes.
        reads: What it reads.
        name: How `describe` calls it.
    """

    output: Value
    reads: list[Value]
    name: str


@dataclass(eq=False)
class Call(Step):
    """A call of a layer, or of a function, on torch's tensors."""

    function: Callable[..., torch.Tensor]


def call_of(node: Node, output: Value, reads: list[Value], replace: Callable[..., Any]) -> Call:
    """The call of a node's layer, `replace` putting arrays for symbols."""
    kwargs = {name: value for name, value in node.kwargs.items() if name != "training"}

    def call(*arrays: torch.Tensor) -> torch.Tensor:
        by_symbol = dict(zip(map(id, node.inputs), arrays, strict=True))
        given, named = replace((node.args, kwargs), lambda symbol: by_symbol[id(symbol)])
        return node.layer(*given, **named)

    return Call(output, reads, f"{node.layer.where}, as it is", call)


@dataclass(eq=False)
class Compiled(Step):
    """An instruction.

    Attributes:
        rectified, cap: Whether ReLU follows, and where it ends.
        made: How it will be done, once that is known.
    """

    rectified: bool = False
    cap: float = math.nan
    made: str = ""

    def instruction(self, packed: Packed) -> tuple[Instruction, list[Any]]:
        """The instruction, without the addresses of values, and what must stay in memory as long as it does."""
        raise NotImplementedError

    def build(
        self, operation: Operation, sizes: Numbers, *weights: torch.Tensor | None, flag: int | None = None
    ) -> Any:
        """An instruction with these sizes; weights come after the input."""
        given = (ctypes.c_void_p * 4)(0, *(None if tensor is None else tensor.data_ptr() for tensor in weights))
        flag = int(self.rectified) if flag is None else flag
        one = Instruction(operation, ctypes.addressof(sizes), given, None, self.cap, flag)
        return one, [sizes, *weights]


@dataclass(eq=False)
class Slide(Compiled):
    """A window of weights slides over an array.

    Attributes:
        key: What its weights are made of: with the same, they are the same.
        weights: What makes the kernel (window, C, filters), or (window, C), and the bias, or None.
        window, steps, gaps, before: Of each of three axes; the first are 1 where there are fewer.
        cells: The output's planes, rows and columns.
    """

    key: tuple[Any, ...] = ()
    weights: Callable[[], tuple[torch.Tensor, torch.Tensor | None]] = field(default=lambda: (torch.empty(0), None))
    window: tuple[int, ...] = (1, 1, 1)
    steps: tuple[int, ...] = (1, 1, 1)
    gaps: tuple[int, ...] = (1, 1, 1)
    before: tuple[int, ...] = (0, 0, 0)
    cells: tuple[int, ...] = (1, 1, 1)
    filters: int = 0

    @property
    def source(self) -> tuple[int, ...]:
        """The input as (N, D, H, W, C)."""
        return in_five(self.reads[0].shape)

    @property
    def is_bare(self) -> bool:
        """Whether nothing follows yet."""
        return not self.rectified and math.isnan(self.cap)

    def pack(
        self, packed: Packed, form: str, lay_out: Callable[[torch.Tensor], torch.Tensor], to_panels: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The weights in a form, made once."""
        key = form, *self.key
        if key not in packed:
            kernel, bias = self.weights()
            packed[key] = lay_out(kernel)
            packed["bias of", *key] = filled_up(bias, self.filters, to_panels)
        return packed[key], packed["bias of", *key]


@dataclass(eq=False)
class SlideEach(Slide):
    """A window of two axes for each channel by itself."""

    def instruction(self, packed: Packed) -> tuple[Instruction, list[Any]]:
        self.made = "depthwise convolution"
        n, _, height, width, channels = self.source
        geometry = zip(self.window[1:], self.steps[1:], self.gaps[1:], self.before[1:], strict=True)
        window, steps, gaps, before = zip(*geometry, strict=True)
        apart = window[1] * channels, channels, 1
        sizes = numbers(n, height, width, channels, *self.cells[1:], *window, *steps, *gaps, *before, *apart)
        kernel, bias = self.pack(packed, "windows", torch.Tensor.contiguous)
        return self.build(Operation.DEPTHWISE, sizes, kernel, bias)


@dataclass(eq=False)
class Convolve(Slide):
    """A convolution, or a product of matrices, and what follows.

    Attributes:
        to: Where its cells go, if not side by side: numbers from one item and one cell of each axis to the next, and
            from the start.
        added: The position in `reads` of what is added to it.
        pooled: Whether max-pooling of 2 x 2 follows.
    """

    to: tuple[int, ...] = ()
    added: int | None = None
    pooled: bool = False

    def instruction(self, packed: Packed) -> tuple[Instruction, list[Any]]:
        n, *_, channels = self.source
        if self.pooled:
            self.made = "convolution + ReLU + max-pooling, one kernel"
            sizes = numbers(n, *self.source[2:], self.filters, *self.window[1:])
            kernel, bias = self.pack(packed, "taps", lambda k: filled_up(k.flatten(0, -2), self.filters, False), False)
            return self.build(Operation.CONV_POOL, sizes, kernel, bias)
        if self.suits_winograd:
            self.made = "Winograd's convolution"
            _, _, height, width, _ = self.source
            sizes = numbers(n, height, width, channels, *self.cells[1:], self.filters, *self.before[1:])
            kernel, bias = self.pack(packed, "winograd", lambda k: for_winograd(k.view(3, 3, channels, self.filters)))
            return self.build(Operation.WINOGRAD, sizes, kernel, bias)
        if self.suits_lines:
            self.made = "Winograd's convolution along lines"
            sizes = numbers(*sizes_of(self.source, self.cells, self.filters, self.window, self.before))
            shape = *self.window, channels, self.filters
            kernel, bias = self.pack(packed, "lines", lambda k: for_lines(k.view(shape), sizes))
            return self.build(Operation.LINES, sizes, kernel, bias)
        self.made = "convolution" if math.prod(self.window) > 1 else "product"
        geometry = *self.cells, self.filters, *self.window, *self.steps, *self.gaps, *self.before
        to = self.to[:4] or contiguous_strides((n, *self.cells, self.filters))
        sizes = numbers(*self.source, *geometry, channels, *to)
        kernel, bias = self.pack(packed, "panels", lambda k: in_panels(k.flatten(0, -2)))
        return self.build(Operation.CONVOLVE, sizes, kernel, bias)

    @property
    def suits_winograd(self) -> bool:
        """Whether a window of 3 x 3 is faster by tiles: with few of them, reading the weights is what takes time."""
        small = self.window == (1, 3, 3) and self.steps == self.gaps == (1, 1, 1) and not self.to
        tiles = self.source[0] * math.prod((size + 1) // 2 for size in self.cells[1:])
        channels = self.source[-1]
        return small and min(channels, self.filters) >= 32 and max(self.before) <= 1 and tiles >= channels / 4

    @property
    def suits_tiles(self) -> bool:
        """Whether it is computed by tiles, and so writes cells side by side only."""
        return self.suits_winograd or self.suits_lines

    @property
    def suits_lines(self) -> bool:
        """Whether any other window is faster by tiles of its lines."""
        simple = self.steps == self.gaps == (1, 1, 1) and not self.to
        return simple and gains(self.source[0], self.cells, self.window, self.source[-1], self.filters)


@dataclass(eq=False)
class ConvolveMax(Compiled):
    """A convolution of a series and the greatest value of every filter."""

    convolve: Convolve | None = None

    def instruction(self, packed: Packed) -> tuple[Instruction, list[Any]]:
        assert self.convolve is not None
        self.made = "convolution + global max-pooling, one kernel"
        inner = self.convolve
        n, _, _, length, channels = in_five(self.reads[0].shape)
        sizes = numbers(n, length, channels, inner.filters, inner.window[2])
        kernel, bias = inner.pack(packed, "panels", lambda k: in_panels(k.flatten(0, -2)))
        return self.build(Operation.CONV_GLOBAL_MAX, sizes, kernel, bias)


@dataclass(eq=False)
class PoolWindows(Compiled):
    """The greatest, or the mean, of windows."""

    greatest: bool = True
    window: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    cells: tuple[int, ...] = ()

    def over(
        self, window: tuple[int, ...], steps: tuple[int, ...], before: tuple[int, ...], cells: tuple[int, ...]
    ) -> Self:
        """The same over these windows, as of `Convolve`."""
        self.window, self.steps, self.before, self.cells = window, steps, before, cells
        return self

    def instruction(self, packed: Packed) -> tuple[Instruction, list[Any]]:
        self.made = "greatest of windows" if self.greatest else "mean of windows"
        sizes = numbers(*in_five(self.reads[0].shape), *self.cells, *self.window, *self.steps, *self.before)
        return self.build(Operation.POOL_WINDOWS, sizes, flag=self.greatest)


@dataclass(eq=False)
class Scale(Compiled):
    """Every channel times a number, plus another."""

    scaling: Callable[[], tuple[torch.Tensor, torch.Tensor]] | None = None

    def instruction(self, packed: Packed) -> tuple[Instruction, list[Any]]:
        self.made = "scaled channels"
        channels = self.output.shape[-1]
        scale, offset = torch.ones(channels), torch.zeros(channels)
        if self.scaling is not None:
            scale, offset = (vector.contiguous() for vector in self.scaling())
        return self.build(Operation.SCALE, numbers(math.prod(self.output.shape[:-1]), channels), scale, offset)


@dataclass(eq=False)
class Combine(Compiled):
    """A sum, a difference or a product of two arrays of one shape."""

    which: int = 0

    def instruction(self, packed: Packed) -> tuple[Instruction, list[Any]]:
        self.made = ("sum", "difference", "product")[self.which]
        return self.build(
            Operation.COMBINE, numbers(self.output.storage.numbers), flag=2 * self.which + int(self.rectified)
        )


@dataclass(eq=False)
class Activate(Compiled):
    """Sigmoid of every number, its product with the number, or softmax along the last axis."""

    which: int = 0

    def instruction(self, packed: Packed) -> tuple[Instruction, list[Any]]:
        self.made = ("sigmoid", "silu", "softmax")[self.which]
        channels = self.output.shape[-1]
        return self.build(
            Operation.ACTIVATE, numbers(self.output.storage.numbers // channels, channels), flag=self.which
        )


@dataclass(eq=False)
class Copy(Compiled):
    """Cells written to other places, perhaps several times.

    Attributes:
        factors: How often each cell is written along each axis.
        to: Numbers from one item and one cell of each axis to the next, and from the start.
        sides: How many cells of zeros come before each axis, where there are zeros around.
    """

    factors: tuple[int, ...] = (1, 1, 1)
    to: tuple[int, ...] = ()
    sides: tuple[int, ...] | None = None

    def instruction(self, packed: Packed) -> tuple[Instruction, list[Any]]:
        self.made = "copy"
        n, *cells, channels = source = in_five(self.reads[0].shape)
        written = [size * factor for size, factor in zip(cells, self.factors, strict=True)]
        sizes = numbers(n, *written, channels, *self.factors, *contiguous_strides(source), *self.to[:4])
        return self.build(Operation.COPY, sizes)


def in_five(shape: Sequence[int]) -> tuple[int, ...]:
    """(N, ..., C) as (N, D, H, W, C), with axes of one cell where there are fewer."""
    return (shape[0], *(1,) * (5 - len(shape)), *shape[1:])


def three(values: Sequence[Any], otherwise: int = 1) -> tuple[int, ...]:
    """Of each of three axes; the first are `otherwise` where there are fewer."""
    return (*(otherwise,) * (3 - len(values)), *(int(value) for value in values))
