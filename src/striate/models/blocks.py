"""Blocks: layers in a row that one kernel, or a few, do the work of."""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F

from striate.foundation.shapes import padding_cells
from striate.kernels.conv3x3 import can_conv3x3, conv3x3
from striate.kernels.conv_global_max import conv_global_max
from striate.kernels.conv_lines import can_conv_lines, conv_lines
from striate.kernels.conv_pool import can_conv_pool, conv_pool
from striate.kernels.dense import can_dense, dense
from striate.kernels.halves import Products, bfloat16_products
from striate.kernels.library import FULL, OR_HALF, plain
from striate.kernels.pointwise import can_pointwise, pointwise
from striate.kernels.pooling import max_pool
from striate.kernels.reference import Pool
from striate.layers import activation as activations
from striate.layers.conv import Conv, Conv2D
from striate.layers.dense import Dense
from striate.layers.layer import Layer
from striate.layers.masks import mask_of
from striate.layers.pooling import MaxPooling

Said = tuple[torch.Tensor, str]
# Up to which a kernel in float32 is faster than oneDNN in bfloat16 by AVX512-BF16, see LOG.md.
FEW_CHANNELS = 8  # of the input of a convolution whose gradient nobody asks for
FEW_ROWS = 64  # that a fully connected layer reads: with more, products take longer than memory
FORM = ("activation", "data_format", "max_value", "negative_slope", "threshold", "axis", "keepdims")
"""Attributes that say whether a layer belongs in a block; blocks read the others at every call."""


class Place:
    """What a layer's place in a block hangs on, as the plan found it; it can be changed after the plan was made.

    Asked before every call: it is written for speed.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer, self.kind, self.forward = layer, type(layer), type(layer).forward
        own = vars(layer)
        self.options = [(name, own.get(name)) for name in FORM]

    def refusal(self) -> str | None:
        """Why the layer has to run as it is; None where it need not."""
        layer, own = self.layer, self.layer.__dict__
        if type(layer) is not self.kind or self.kind.forward is not self.forward:
            return f"{layer.where} has been changed"
        for name, value in self.options:
            if own.get(name) != value:
                return f"{layer.where} has been changed"
        if layer.activity_regularizer is not None:
            return f"{layer.where} penalises what it gives"
        for weight in own["_parameters"].values():
            if weight is not None and not weight.is_cpu:
                return f"{layer.where} lies elsewhere"
        hooks = (
            own["_forward_hooks"] or own["_forward_pre_hooks"] or own["_backward_hooks"] or own["_backward_pre_hooks"]
        )
        if hooks or "forward" in own:
            return f"hooks on {layer.where}"
        if layer.mixed is not None or layer.dtype != "float32":
            return f"{layer.where} has a dtype of its own"
        return None


class Block:
    """Layers in a row, the first of which reads one array, that kernels can do the work of.

    Args:
        layers: The layers, in order.

    Attributes:
        said: How the last call ran, and why so.
    """

    name: ClassVar[str]

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self.said = "not called yet"
        self._places = [Place(layer) for layer in layers]
        self._accepted: torch.Size | None = None
        self._gives: tuple[int | None, ...] = ()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """What the layers give, one after the other."""
        reason = self.refusal(x)
        if reason is None:
            if x.shape != self._accepted:
                self._check(x.shape)
            y, self.said = self._in_full(x) if torch.is_autocast_enabled("cpu") else self.compute(x)
            return y
        self.said = f"layers as they are: {reason}"
        for layer in self.layers:
            x = layer(x)
        return x

    def compute(self, x: torch.Tensor) -> Said:
        """The same as the layers, and how it was done."""
        raise NotImplementedError

    def _in_full(self, x: torch.Tensor) -> Said:
        """As `compute`, in float32 where autocast would have torch compute in bfloat16; so is what comes out."""
        with torch.autocast("cpu", enabled=False):
            y, said = self.compute(x.float())
        return y, f"{said}, in float32"

    def prefers_full(self, x: torch.Tensor, products: Products) -> bool:
        """Whether float32 is faster than bfloat16, of which the processor has products; without them it always is."""
        return False

    def refusal(self, x: torch.Tensor) -> str | None:
        """Why the layers have to run as they are; None where they need not."""
        autocast = torch.is_autocast_enabled("cpu")
        if not plain(x, dtypes=OR_HALF if autocast else FULL):
            return "no float32 array on the CPU"
        if not x.numel():
            return "an empty batch"
        if mask_of(x) is not None:
            return "a mask"
        if autocast:
            products = bfloat16_products()
            if torch.get_autocast_dtype("cpu") is not torch.bfloat16:
                return "autocast to float16"
            if products is not Products.NOTHING and not self.prefers_full(x, products):
                return "bfloat16 is faster"
        if torch.nn.modules.module._has_any_global_hook():
            return "hooks on all layers"
        for place in self._places:
            reason = place.refusal()
            if reason is not None:
                return reason
        return None

    def _check(self, shape: torch.Size) -> None:
        """Let the layers refuse a shape, as they do when called."""
        passed = tuple(shape)
        for layer in self.layers:
            layer.seen_shape = passed
            passed = layer.ensure_built(passed)
        self._accepted, self._gives = shape, passed

    def shape_of(self, shape: torch.Size) -> tuple[int | None, ...]:
        """What comes out for an input of this shape, which the layers may refuse."""
        if shape != self._accepted:
            self._check(shape)
        return self._gives


class MaxPool(Block):
    """Max-pooling, perhaps after ReLU."""

    name = "max-pooling"

    def __init__(self, layers: Sequence[Layer], pooling: MaxPooling, relu: bool) -> None:
        super().__init__(layers)
        self.pooling, self.relu = pooling, relu

    def prefers_full(self, x: torch.Tensor, products: Products) -> bool:
        return x.dtype is torch.float32  # else casting costs what the kernel gains

    def compute(self, x: torch.Tensor) -> Said:
        return max_pool(x, pool_of(self.pooling, x.shape), self.relu), "one kernel"


class ConvBlock(Block):
    """A convolution, and what follows it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers)
        conv = layers[0]
        assert isinstance(conv, Conv)
        self.conv = conv


def convolve(conv: Conv, x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, relu: bool = False) -> Said:
    """What the layer's convolution makes with a kernel and a bias, and ReLU if asked, which overwrites it."""
    if is_product(conv) and can_pointwise(x, kernel, bias):
        return pointwise(x, kernel, bias, relu), "one product"
    if conv.groups == 1 and set(conv.strides + conv.dilation_rate) == {1}:
        sides = tuple(padding_of(conv.padding, x.shape, conv.kernel_size, conv.strides))
        if len(sides) == 2 and can_conv3x3(x, kernel, bias, sides):
            return conv3x3(x, kernel, bias, sides, relu), "Winograd's convolution"
        if can_conv_lines(x, kernel, bias, sides):
            return conv_lines(x, kernel, bias, sides, relu), "Winograd's convolution along lines"
    y = conv.convolve(conv.inward(x), conv.torchs_kernel(kernel), bias, conv.groups)
    return conv.outward(torch.relu_(y) if relu else y), "torch's convolution"


def is_product(conv: Conv) -> bool:
    """Whether every pixel by itself becomes sums of all of its channels."""
    return type(conv) is Conv2D and conv.groups == 1 and conv.kernel_size == conv.strides == (1, 1)


class Convolution(ConvBlock):
    """Convolution, with ReLU if that follows."""

    name = "convolution"

    def compute(self, x: torch.Tensor) -> Said:
        relu = len(self.layers) == 2 or self.conv.activation is activations.relu
        return convolve(self.conv, x, self.conv.kernel, self.conv.bias, relu)


class ConvMaxPool(ConvBlock):
    """Convolution, ReLU and max-pooling."""

    name = "convolution + ReLU + max-pooling"

    def __init__(self, layers: Sequence[Layer], pooling: MaxPooling) -> None:
        super().__init__(layers)
        self.pooling = pooling

    def prefers_full(self, x: torch.Tensor, products: Products) -> bool:
        return products is Products.VECTORS and x.shape[-1] <= FEW_CHANNELS and not x.requires_grad

    def compute(self, x: torch.Tensor) -> Said:
        padded = self._padded(x)
        if padded is not None:
            return conv_pool(padded, self.conv.kernel, self.conv.bias), "one kernel"
        y, how = convolve(self.conv, x, self.conv.kernel, self.conv.bias)
        return max_pool(y, pool_of(self.pooling, y.shape), relu=True), f"{how}, then ReLU + max-pooling"

    def _padded(self, x: torch.Tensor) -> torch.Tensor | None:
        """The input as one kernel takes it; None where that cannot be."""
        conv = self.conv
        simple = conv.strides == conv.dilation_rate == (1, 1) and conv.groups == 1
        halves = self.pooling.pool_size == self.pooling.strides == (2, 2)
        if not simple or not halves or not can_conv_pool(x, conv.kernel, conv.bias):
            return None
        sides = padding_of(conv.padding, x.shape, conv.kernel_size, conv.strides)
        steps = zip(x.shape[1:3], sides, conv.kernel_size, strict=True)
        odd = any((cells + sum(side) - kernel + 1) % 2 for cells, side, kernel in steps)
        if odd and self.pooling.padding == "same":
            return None
        return F.pad(x, (0, 0, *sides[1], *sides[0])) if conv.padding == "same" else x


class ConvGlobalMax(ConvBlock):
    """Convolution of a series, ReLU if there is one, and the greatest value of every filter."""

    name = "convolution + global max-pooling"

    def compute(self, x: torch.Tensor) -> Said:
        conv = self.conv
        (size,), (step,), (dilation,) = conv.kernel_size, conv.strides, conv.dilation_rate
        before, after = padding_cells(x.shape[1], size, step, conv.padding, dilation)
        relu = len(self.layers) == 3 or conv.activation is activations.relu
        x = F.pad(x, (0, 0, before, after)) if before or after else x
        return conv_global_max(x, conv.kernel, conv.bias, relu), "one kernel"

    def prefers_full(self, x: torch.Tensor, products: Products) -> bool:
        return products is Products.VECTORS

    def refusal(self, x: torch.Tensor) -> str | None:
        simple = self.conv.strides == self.conv.dilation_rate == (1,) and self.conv.groups == 1
        return super().refusal(x) if simple else "strides, dilation or groups"


class Connected(Block):
    """A fully connected layer, with ReLU if that follows."""

    name = "fully connected"

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers)
        layer = layers[0]
        assert isinstance(layer, Dense)
        self.dense = layer

    def prefers_full(self, x: torch.Tensor, products: Products) -> bool:
        return products is Products.VECTORS and x.ndim == 2 and len(x) <= FEW_ROWS

    def compute(self, x: torch.Tensor) -> Said:
        layer = self.dense
        relu = len(self.layers) == 2 or layer.activation is activations.relu
        said = "one kernel" if can_dense(x, layer.kernel, layer.bias) else "torch's product"
        y = dense(x, layer.kernel, layer.bias, relu)
        return (y if relu else layer.activation(y)), said


def padding_of(
    padding: str, shape: Sequence[int], kernel: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """Cells added before and after each axis of (N, ..., C) but the first and the last."""
    sizes = zip(shape[1:-1], kernel, strides, strict=True)
    return [padding_cells(cells, k, step, padding) for cells, k, step in sizes]


def pool_of(layer: MaxPooling, shape: Sequence[int]) -> Pool:
    """The layer's window over arrays of this shape."""
    sides = padding_of(layer.padding, shape, layer.pool_size, layer.strides)
    before, after = zip(*sides, strict=True)
    return Pool(layer.pool_size, layer.strides, before, after)
