"""Blocks that begin with a depthwise convolution, or with the zeros around its input."""

import functools
from collections.abc import Sequence

import torch

from striate.foundation.shapes import padding_cells
from striate.kernels.conv_norm import each_channel
from striate.kernels.depthwise import can_depthwise, depthwise
from striate.kernels.halves import Products
from striate.kernels.reference import Rectifier, Slide
from striate.layers.depthwise import DepthwiseConv2D
from striate.layers.layer import Layer
from striate.layers.normalization import BatchNormalization
from striate.layers.padding import ZeroPadding2D
from striate.models.blocks import Block, Said
from striate.models.normalization_blocks import Normalization

Sides = tuple[tuple[int, int], ...]


class Depthwise(Block):
    """Depthwise convolution, with zeros put around before it and ReLU after it if there are such layers.

    Args:
        layers: The layers, in order.
        rectifier: The ReLU that is an activation, or a layer at the end.
    """

    name = "depthwise convolution"

    def __init__(self, layers: Sequence[Layer], rectifier: Rectifier | None) -> None:
        super().__init__(layers)
        self.padding, self.conv = padded_convolution(layers)
        self.rectifier = rectifier

    def prefers_full(self, x: torch.Tensor, products: Products) -> bool:
        return True  # oneDNN's gradient of the input is slow in bfloat16 where the window strides, see LOG.md

    def compute(self, x: torch.Tensor) -> Said:
        conv = self.conv
        y, how = convolve_each(self.padding, conv, x, conv.kernel, conv.bias, self.rectifier)
        return (y if self.rectifier is not None else conv.activation(y)), how


class DepthwiseNormalization(Normalization):
    """As `Depthwise`, with batch normalisation before the ReLU; in inference folded into one convolution."""

    name = "depthwise convolution + batch normalisation"

    def __init__(self, layers: Sequence[Layer], norm: BatchNormalization, rectifier: Rectifier | None) -> None:
        super().__init__(layers, norm, rectifier)
        self.padding, self.conv = padded_convolution(layers)

    def prefers_full(self, x: torch.Tensor, products: Products) -> bool:
        return True

    def compute(self, x: torch.Tensor) -> Said:
        conv = self.conv
        if self.in_training:
            return self.in_batch(x, self.rectifier)
        scale, offset = self.norm.scaling()
        moved = offset if conv.bias is None else offset + conv.bias * scale
        y, how = convolve_each(self.padding, conv, x, conv.kernel * scale.unsqueeze(-1), moved, self.rectifier)
        return y, f"{how}, folded into one"

    def in_batch(self, x: torch.Tensor, rectifier: Rectifier | None, added: torch.Tensor | None = None) -> Said:
        conv, after = self.conv, "then statistics of the batch"
        kernel, bias, slide = conv.kernel, conv.bias, slide_of(self.padding, conv, x.shape)
        if can_depthwise(x, kernel, bias, slide) and self.fits(x.shape[-1]):
            return self.convolved(each_channel(slide), x, kernel, bias, rectifier, added), f"one kernel, {after}"
        y = depthwise(x, kernel, bias, slide)
        return self.norm.normalise_batch(y, rectifier, added), f"convolution, {after}"


def padded_convolution(layers: Sequence[Layer]) -> tuple[ZeroPadding2D | None, DepthwiseConv2D]:
    """The layer that puts zeros around, if these begin with one, and the convolution."""
    padding, conv = layers[0], layers[1] if type(layers[0]) is ZeroPadding2D else layers[0]
    assert isinstance(conv, DepthwiseConv2D)
    return (padding if isinstance(padding, ZeroPadding2D) else None), conv


def convolve_each(
    padding: ZeroPadding2D | None,
    conv: DepthwiseConv2D,
    x: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    rectifier: Rectifier | None = None,
) -> Said:
    """What the layer's window makes with a kernel and a bias, and how that was done."""
    slide = slide_of(padding, conv, x.shape)
    how = "one kernel" if can_depthwise(x, kernel, bias, slide) else "torch's convolution"
    return depthwise(x, kernel, bias, slide, rectifier), how


def slide_of(padding: ZeroPadding2D | None, conv: DepthwiseConv2D, shape: Sequence[int]) -> Slide:
    """How the window moves over arrays of this shape, (N, H, W, C)."""
    sides = ((0, 0), (0, 0)) if padding is None else padding.sides
    options = conv.kernel_size, conv.strides, conv.dilation_rate, conv.padding
    return _slide((shape[1], shape[2]), sides, *options)


@functools.lru_cache(maxsize=256)
def _slide(
    cells: tuple[int, int],
    sides: Sides,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    padding: str,
) -> Slide:
    """How the window moves over so many rows and columns, those outside included."""
    rows, columns = (
        (before + more[0], after + more[1])
        for size, (before, after), k, step, apart in zip(cells, sides, kernel, strides, dilation, strict=True)
        for more in [padding_cells(size + before + after, k, step, padding, apart)]
    )
    return Slide(strides, dilation, rows, columns)
