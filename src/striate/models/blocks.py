"""Blocks: layers in a row that one kernel, or a few, do the work of."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from striate.foundation.shapes import padding_cells
from striate.kernels.batch_norm import batch_norm, scale_channels
from striate.kernels.conv3x3 import can_conv3x3, conv3x3
from striate.kernels.conv_global_max import conv_global_max
from striate.kernels.conv_pool import can_conv_pool, conv_pool
from striate.kernels.dense import can_dense, dense
from striate.kernels.library import plain
from striate.kernels.pooling import max_pool
from striate.kernels.reference import Pool, Rectifier
from striate.layers import activation as activations
from striate.layers.conv import Conv, Conv2D
from striate.layers.dense import Dense
from striate.layers.layer import Layer
from striate.layers.masks import mask_of
from striate.layers.normalization import BatchNormalization
from striate.layers.pooling import MaxPooling2D
from striate.layers.structure import autocasts

Said = tuple[torch.Tensor, str]
FORM = ("activation", "data_format", "max_value", "negative_slope", "threshold", "axis", "keepdims")
"""Attributes that say whether a layer belongs in a block; blocks read the others at every call."""


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
        self._forms = [_form(layer) for layer in layers]
        self._accepted: torch.Size | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """What the layers give, one after the other."""
        reason = self.refusal(x)
        if reason is None:
            if x.shape != self._accepted:
                self._check(x.shape)
            y, self.said = self.compute(x)
            return y
        self.said = f"layers as they are: {reason}"
        for layer in self.layers:
            x = layer(x)
        return x

    def compute(self, x: torch.Tensor) -> Said:
        """The same as the layers, and how it was done."""
        raise NotImplementedError

    def refusal(self, x: torch.Tensor) -> str | None:
        """Why the layers have to run as they are; None where they need not."""
        if not plain(x):
            return "no float32 array on the CPU"
        if not x.numel():
            return "an empty batch"
        if mask_of(x) is not None:
            return "a mask"
        if autocasts("cpu"):
            return "autocast"
        for layer, form in zip(self.layers, self._forms, strict=True):
            if _form(layer) != form:
                return f"{layer.where} has been changed"
            if layer.activity_regularizer is not None:
                return f"{layer.where} penalises what it gives"
            if not all(weight is None or weight.is_cpu for weight in layer._parameters.values()):
                return f"{layer.where} lies elsewhere"
            if _is_watched(layer):
                return f"hooks on {layer.where}"
            if layer.mixed is not None or layer.dtype != "float32":
                return f"{layer.where} has a dtype of its own"
        return None

    def _check(self, shape: torch.Size) -> None:
        """Let the layers refuse a shape, as they do when called."""
        passed = tuple(shape)
        for layer in self.layers:
            layer.seen_shape = passed
            passed = layer.ensure_built(passed)
        self._accepted = shape


class MaxPool(Block):
    """Max-pooling over two axes, perhaps after ReLU."""

    name = "max-pooling"

    def __init__(self, layers: Sequence[Layer], pooling: MaxPooling2D, relu: bool) -> None:
        super().__init__(layers)
        self.pooling, self.relu = pooling, relu

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
    if type(conv) is Conv2D and conv.groups == 1 and conv.strides == conv.dilation_rate == (1, 1):
        rows, columns = padding_of(conv.padding, x.shape, conv.kernel_size, conv.strides)
        if can_conv3x3(x, kernel, bias, (rows, columns)):
            return conv3x3(x, kernel, bias, (rows, columns), relu), "Winograd's convolution"
    y = conv.convolve(conv.inward(x), conv.torchs_kernel(kernel), bias, conv.groups)
    return conv.outward(torch.relu_(y) if relu else y), "torch's convolution"


class Convolution(ConvBlock):
    """Convolution, with ReLU if that follows."""

    name = "convolution"

    def compute(self, x: torch.Tensor) -> Said:
        relu = len(self.layers) == 2 or self.conv.activation is activations.relu
        return convolve(self.conv, x, self.conv.kernel, self.conv.bias, relu)


class ConvMaxPool(ConvBlock):
    """Convolution, ReLU and max-pooling."""

    name = "convolution + ReLU + max-pooling"

    def __init__(self, layers: Sequence[Layer], pooling: MaxPooling2D) -> None:
        super().__init__(layers)
        self.pooling = pooling

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

    def refusal(self, x: torch.Tensor) -> str | None:
        simple = self.conv.strides == self.conv.dilation_rate == (1,) and self.conv.groups == 1
        return super().refusal(x) if simple else "strides, dilation or groups"


class Normalization(Block):
    """Batch normalisation, with ReLU if that follows."""

    name = "batch normalisation"

    def __init__(self, layers: Sequence[Layer], norm: BatchNormalization, rectifier: Rectifier | None) -> None:
        super().__init__(layers)
        self.norm, self.rectifier = norm, rectifier

    def refusal(self, x: torch.Tensor) -> str | None:
        frozen = torch.is_grad_enabled() and not self.in_training
        if self.norm.axis not in (-1, x.ndim - 1):
            return "an axis that is not the last"
        return "gradients through moving statistics" if frozen else super().refusal(x)

    @property
    def in_training(self) -> bool:
        """Whether the batch's own statistics count."""
        return self.norm.training and self.norm.trainable

    def compute(self, x: torch.Tensor) -> Said:
        if not self.in_training:
            return scale_channels(x, *self.scaling(), self.rectifier), "moving statistics, one kernel"
        return self.normalise(x), "statistics of the batch"

    def normalise(self, x: torch.Tensor) -> torch.Tensor:
        """By the statistics of the batch, which the moving ones follow."""
        norm = self.norm
        y, mean, variance = batch_norm(x, norm.gamma, norm.beta, norm.epsilon, self.rectifier)
        norm.follow(mean, variance)
        return y

    def scaling(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The factor and the offset of every channel that the moving statistics come to."""
        norm = self.norm
        scale = torch.rsqrt(norm.moving_variance + norm.epsilon)
        scale = scale if norm.gamma is None else scale * norm.gamma
        offset = -norm.moving_mean * scale
        return scale, offset if norm.beta is None else offset + norm.beta


class ConvNormalization(Normalization):
    """Convolution and batch normalisation, with ReLU if that follows; in inference folded into one convolution."""

    name = "convolution + batch normalisation"

    def __init__(self, layers: Sequence[Layer], norm: BatchNormalization, rectifier: Rectifier | None) -> None:
        super().__init__(layers, norm, rectifier)
        conv = layers[0]
        assert isinstance(conv, Conv)
        self.conv = conv

    def compute(self, x: torch.Tensor) -> Said:
        conv = self.conv
        if self.in_training:
            y, how = convolve(conv, x, conv.kernel, conv.bias)
            return self.normalise(y), f"{how}, then statistics of the batch"
        scale, offset = self.scaling()
        bias = offset if conv.bias is None else offset + conv.bias * scale
        relu, cap = self.rectifier is not None, math.nan if self.rectifier is None else self.rectifier.cap
        y, how = convolve(conv, x, conv.kernel * scale, bias, relu and math.isnan(cap))
        return (y if math.isnan(cap) else y.clamp_(0, cap)), f"{how}, folded into one"


class Connected(Block):
    """A fully connected layer, with ReLU if that follows."""

    name = "fully connected"

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers)
        layer = layers[0]
        assert isinstance(layer, Dense)
        self.dense = layer

    def compute(self, x: torch.Tensor) -> Said:
        layer = self.dense
        relu = len(self.layers) == 2 or layer.activation is activations.relu
        said = "one kernel" if can_dense(x, layer.kernel, layer.bias) else "torch's product"
        y = dense(x, layer.kernel, layer.bias, relu)
        return (y if relu else layer.activation(y)), said


def padding_of(
    padding: str, shape: Sequence[int], kernel: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """Cells added before and after rows and columns of (N, H, W, C)."""
    sizes = zip(shape[1:3], kernel, strides, strict=True)
    return [padding_cells(cells, k, step, padding) for cells, k, step in sizes]


def pool_of(layer: MaxPooling2D, shape: Sequence[int]) -> Pool:
    """The layer's window over arrays of this shape."""
    rows, columns = padding_of(layer.padding, shape, layer.pool_size, layer.strides)
    size, strides = layer.pool_size, layer.strides
    return Pool((size[0], size[1]), (strides[0], strides[1]), (rows[0], columns[0]), (rows[1], columns[1]))


def _form(layer: Layer) -> tuple[Any, ...]:
    """What a layer's place in a block hangs on; it can be changed after the plan was made."""
    own = vars(layer)
    return type(layer), type(layer).forward, *[own.get(name) for name in FORM]


def _is_watched(layer: Layer) -> bool:
    """Whether somebody listens to the layer, or has changed how it computes."""
    hooks = layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks
    return bool(hooks) or "forward" in vars(layer) or torch.nn.modules.module._has_any_global_hook()
