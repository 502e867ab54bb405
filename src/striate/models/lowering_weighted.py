"""The rules by which layers with weights become steps of a program."""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch

from striate.foundation.shapes import Shape, padding_cells
from striate.layers import activation as activations
from striate.layers.conv import Conv, Conv1D, Conv2D, Conv3D
from striate.layers.conv_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, ConvTranspose
from striate.layers.convolution import Convolution
from striate.layers.dense import Dense
from striate.layers.depthwise import (
    DepthwiseConv,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv,
    SeparableConv1D,
    SeparableConv2D,
)
from striate.layers.normalization import BatchNormalization
from striate.models.lowering import Lowering, rule, strides_of
from striate.models.lowering_steps import Convolve, Copy, Scale, Slide, SlideEach, in_five, three
from striate.models.values import Value, new_value

Window = TypeVar("Window", bound=Slide)
Weights = tuple[torch.Tensor, torch.Tensor | None]


@rule(Conv1D, Conv2D, Conv3D)
def convolution(lowering: Lowering, layer: Conv, inputs: list[Value], shape: Shape) -> Value | None:
    """A convolution; zeros around the input before it become part of it."""
    if layer.data_format != "channels_last" or layer.groups > 1:
        return None
    (x,) = inputs
    step = Convolve(new_value(shape), [x], layer.where, key=(layer,), weights=lambda: _weights(layer))
    return lowering.activated(layer, lowering.add(_slid(lowering, step, layer)))


def _slid(lowering: Lowering, step: Window, layer: Convolution) -> Window:
    """The step with the layer's window; zeros that lie around the input before it become part of it."""
    (x,) = step.reads
    window = list(zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True))
    before = [padding_cells(n, k, s, layer.padding, d)[0] for n, (k, s, d) in zip(x.shape[1:], window, strict=False)]
    step.window, step.steps, step.gaps = three(layer.kernel_size), three(layer.strides), three(layer.dilation_rate)
    step.before, step.cells = three(before, 0), three(step.output.shape[1:-1])
    step.filters = step.output.shape[-1]
    padded = x.step
    if isinstance(padded, Copy) and padded.sides is not None:
        lowering.steps.remove(padded)
        step.reads = [padded.reads[0]]
        step.before = tuple(map(sum, zip(step.before, padded.sides, strict=True)))
    return step


@rule(DepthwiseConv1D, DepthwiseConv2D)
def depthwise_convolution(lowering: Lowering, layer: DepthwiseConv, inputs: list[Value], shape: Shape) -> Value | None:
    """A window for each channel."""
    if layer.data_format != "channels_last" or layer.depth_multiplier > 1:
        return None
    step = SlideEach(
        new_value(shape), inputs, layer.where, key=(layer,), weights=lambda: _weights(layer, layer.kernel[..., 0])
    )
    return lowering.activated(layer, lowering.add(_slid(lowering, step, layer)))


@rule(SeparableConv1D, SeparableConv2D)
def separable_convolution(lowering: Lowering, layer: SeparableConv, inputs: list[Value], shape: Shape) -> Value | None:
    """A window for each channel, and a product that mixes them."""
    if layer.data_format != "channels_last" or layer.depth_multiplier > 1:
        return None
    between = new_value((*shape[:-1], inputs[0].shape[-1]))
    kernel = layer.depthwise_kernel[..., 0].detach()
    first = SlideEach(
        between, inputs, f"{layer.where}, channel by channel", key=(layer, "each"), weights=lambda: (kernel, None)
    )
    lowering.add(_slid(lowering, first, layer))
    step = Convolve(new_value(shape), [between], layer.where, key=(layer,), cells=three(shape[1:-1]))
    step.weights, step.filters = (lambda: _weights(layer, layer.pointwise_kernel)), layer.filters
    return lowering.activated(layer, lowering.add(step))


@rule(Conv1DTranspose, Conv2DTranspose, Conv3DTranspose)
def transposed_convolution(lowering: Lowering, layer: ConvTranspose, inputs: list[Value], shape: Shape) -> Value | None:
    """As many convolutions as cells come out for one: each makes every so many-th cell of the output."""
    strides, size = three(layer.strides), three(layer.kernel_size)
    if layer.data_format != "channels_last" or max(layer.dilation_rate) > 1:
        return None
    if any(k < s for k, s in zip(size, strides, strict=True)):
        return None
    (x,) = inputs
    whole = new_value(shape)
    cut = three([before for before, _ in layer._crops()], 0)
    cells, apart = in_five(whole.shape)[1:4], strides_of(whole.shape)
    for first in itertools.product(*map(range, map(min, strides, cells))):
        # The output's cell o is the sum over taps k and cells i of the input with i * stride + k = o + cut.
        taps = [(o + c) % s for o, c, s in zip(first, cut, strides, strict=True)]
        window = [len(range(tap, k, s)) for tap, k, s in zip(taps, size, strides, strict=True)]
        before = [w - 1 - (o + c) // s for w, o, c, s in zip(window, first, cut, strides, strict=True)]
        step = Convolve(
            whole,
            [x],
            layer.where,
            key=(layer, *first),
            weights=functools.partial(_part_of_weights, layer, taps, strides),
            window=tuple(window),
            before=tuple(before),
            cells=tuple(len(range(o, n, s)) for o, n, s in zip(first, cells, strides, strict=True)),
            filters=layer.filters,
            to=(
                apart[0],
                *(step * s for step, s in zip(apart[1:], strides, strict=True)),
                sum(o * step for o, step in zip(first, apart[1:], strict=True)),
            ),
            rectified=layer.activation is activations.relu,
        )
        lowering.steps.append(step)
    y = Value(whole.shape, whole.storage)
    return y if layer.activation is activations.relu else lowering.activated(layer, y)


def _part_of_weights(layer: ConvTranspose, taps: Sequence[int], strides: Sequence[int]) -> Weights:
    """Of the kernel every so many-th tap, the last first, as of a convolution: (window, C, filters)."""
    kernel = layer.kernel.detach().movedim(-1, -2)
    kernel = kernel.view(*three(kernel.shape[:-2]), *kernel.shape[-2:])
    picked = kernel[tuple(slice(tap, None, step) for tap, step in zip(taps, strides, strict=True))]
    return picked.flip(0, 1, 2), None if layer.bias is None else layer.bias.detach()


@rule(Dense)
def product(lowering: Lowering, layer: Dense, inputs: list[Value], shape: Shape) -> Value:
    """A product of matrices; all but the last axis are one."""
    (x,) = inputs
    output = new_value(shape)
    flat = Value((math.prod(x.shape[:-1]), x.shape[-1]), x.storage)
    step = Convolve(
        output, [flat], layer.where, key=(layer,), weights=lambda: _weights(layer), filters=output.shape[-1]
    )
    return lowering.activated(layer, lowering.add(step))


def _weights(layer: Any, kernel: torch.Tensor | None = None) -> Weights:
    """The layer's kernel, or another one of it, and its bias."""
    kernel = layer.kernel if kernel is None else kernel
    return kernel.detach(), None if layer.bias is None else layer.bias.detach()


@rule(BatchNormalization)
def normalisation(lowering: Lowering, layer: BatchNormalization, inputs: list[Value], shape: Shape) -> Value | None:
    """By the moving statistics: folded into the weights before it, or a factor and an offset for each channel."""
    (x,) = inputs
    if layer.axis not in (-1, len(x.shape) - 1):
        return None
    step = x.step
    if isinstance(step, Slide) and _can_take_more(step) and step.output.shape == x.shape:
        step.weights = functools.partial(_folded, step.weights, layer)
        step.key, step.name = (*step.key, layer), f"{step.name} + {layer.where}"
        return Value(x.shape, x.storage, step)
    return lowering.add(Scale(new_value(shape), [x], layer.where, scaling=layer.scaling))


def _can_take_more(step: Slide) -> bool:
    """Whether nothing follows yet."""
    return step.is_bare and not (isinstance(step, Convolve) and (step.pooled or step.added is not None))


def _folded(weights: Any, norm: BatchNormalization) -> Weights:
    kernel, bias = weights()
    scale, offset = norm.scaling()
    return kernel * scale, offset if bias is None else offset + bias * scale
