"""The rules by which layers without weights become steps of a program."""

import math
from collections.abc import Sequence

from striate.foundation.shapes import Shape, padding_cells
from striate.kernels.conv_pool import MOST_CHANNELS
from striate.layers import activation as activations
from striate.layers import global_pooling, merge, padding, pooling, regularization, upsampling
from striate.layers.activation_layers import Activation, ReLU
from striate.layers.activity_regularization import ActivityRegularization
from striate.layers.identity import Identity
from striate.layers.layer import Layer
from striate.layers.reshape import Flatten, Reshape
from striate.models.lowering import Lowering, alias, joined, rule, strides_of
from striate.models.lowering_steps import Combine, Convolve, ConvolveMax, Copy, PoolWindows, in_five, three
from striate.models.plan import rectifier_of
from striate.models.values import Value, new_value
from striate.ops.operation import Operation

COMBINATIONS: dict[type[Layer], int] = {merge.Add: 0, merge.Subtract: 1, merge.Multiply: 2}
OPERATIONS = {"add": 0, "subtract": 1, "multiply": 2}
"""The numbers of combinations of arrays."""


@rule(Activation, ReLU)
def activation(lowering: Lowering, layer: Activation | ReLU, inputs: list[Value], shape: Shape) -> Value | None:
    """ReLU as part of what comes before."""
    (x,) = inputs
    rectifier = rectifier_of(layer)
    if rectifier is not None:
        y = lowering.rectify(x, rectifier.cap)
        if y.step is not None and y.storage is x.storage:
            y.step.name += f" + {layer.where}"
        return y
    if isinstance(layer, ReLU):
        return None
    return x if layer.activation is activations.linear else lowering.activate(x, layer.where, layer.activation)


# Windows -----------------------------------------------------------------------------------------


@rule(
    pooling.MaxPooling1D,
    pooling.MaxPooling2D,
    pooling.MaxPooling3D,
    pooling.AveragePooling1D,
    pooling.AveragePooling2D,
    pooling.AveragePooling3D,
)
def pool(lowering: Lowering, layer: pooling.Pooling, inputs: list[Value], shape: Shape) -> Value | None:
    """A pool; of 2 x 2 after a convolution with ReLU over few channels, a part of it."""
    if layer.data_format != "channels_last":
        return None
    (x,) = inputs
    greatest = isinstance(layer, pooling.MaxPooling)
    step = x.step
    if isinstance(step, Convolve) and greatest and _pools_in_place(step, layer):
        step.pooled, step.output, step.name = True, new_value(shape), f"{step.name} + {layer.where}"
        step.output.step = step
        return step.output
    windows = zip(x.shape[1:], layer.pool_size, layer.strides, strict=False)
    before = [padding_cells(n, k, s, layer.padding)[0] for n, k, s in windows]
    window = three(layer.pool_size), three(layer.strides), three(before, 0), three(shape[1:-1])
    return lowering.add(PoolWindows(new_value(shape), [x], layer.where, greatest=greatest).over(*window))


def _pools_in_place(step: Convolve, layer: pooling.Pooling) -> bool:
    halves = layer.pool_size == layer.strides == (2, 2)
    even = layer.padding == "valid" or not any(size % 2 for size in step.cells[1:])
    moves = step.steps == step.gaps == (1, 1, 1) and not any(step.before)
    few = step.reads[0].shape[-1] <= MOST_CHANNELS and step.window[0] == 1
    inside = all(n - k + 1 == c for n, k, c in zip(step.source[2:], step.window[1:], step.cells[1:], strict=False))
    plain = step.rectified and math.isnan(step.cap) and step.added is None and not step.to and not step.pooled
    return halves and even and moves and few and inside and plain


@rule(
    *(global_pooling.GlobalMaxPooling1D, global_pooling.GlobalMaxPooling2D, global_pooling.GlobalMaxPooling3D),
    *(global_pooling.GlobalAveragePooling1D, global_pooling.GlobalAveragePooling2D),
    global_pooling.GlobalAveragePooling3D,
)
def global_pool(
    lowering: Lowering, layer: global_pooling.GlobalPooling, inputs: list[Value], shape: Shape
) -> Value | None:
    """The greatest, or the mean, of every channel; of a convolution of series, a part of it."""
    if layer.data_format != "channels_last":
        return None
    (x,) = inputs
    greatest = isinstance(layer, global_pooling.GlobalMaxPooling)
    step = x.step
    if isinstance(step, Convolve) and greatest and len(x.shape) == 3 and _stays_inside(step, x.shape[1]):
        lowering.steps.remove(step)
        name = f"{step.name} + {layer.where}"
        return lowering.add(ConvolveMax(new_value(shape), step.reads, name, rectified=step.rectified, convolve=step))
    cells, one = in_five(x.shape)[1:4], (1, 1, 1)
    return lowering.add(
        PoolWindows(new_value(shape), [x], layer.where, greatest=greatest).over(cells, cells, (0, 0, 0), one)
    )


def _stays_inside(step: Convolve, places: int) -> bool:
    """Whether it moves by one cell, to so many places, over the input alone, and nothing but ReLU follows."""
    moves = (
        step.steps == step.gaps == (1, 1, 1)
        and step.cells[2] == places
        and step.cells[2] + step.window[2] - 1 == step.source[3]
    )
    return moves and math.isnan(step.cap) and step.added is None and not step.to


# Sums, and arrays in other places ----------------------------------------------------------------


@rule(merge.Add, merge.Subtract, merge.Multiply)
def combination(lowering: Lowering, layer: merge.Merge, inputs: list[Value], shape: Shape) -> Value | None:
    """Arrays of one shape, number by number; a convolution adds another array to its own."""
    if len(inputs) < 2 or any(x.shape != inputs[0].shape for x in inputs):
        return None
    return _combined(lowering, COMBINATIONS[type(layer)], layer.where, inputs, shape)


@rule(Operation)
def operation(lowering: Lowering, layer: Operation, inputs: list[Value], shape: Shape) -> Value | None:
    """`x + y`, `x - y` and `x * y` of arrays of one shape, and ReLU."""
    rectifier = rectifier_of(layer)
    if rectifier is not None:
        return lowering.rectify(inputs[0], rectifier.cap)
    which = OPERATIONS.get(layer.record.name)
    if which is None or len(inputs) != 2 or any(x.shape != shape for x in inputs):
        return None
    return _combined(lowering, which, layer.where, inputs, shape)


def _combined(lowering: Lowering, which: int, name: str, inputs: Sequence[Value], shape: Shape) -> Value:
    first, *rest = inputs
    for second in rest:
        step = _that_can_add(first, second) if which == 0 else None
        if step is not None:
            other = second if step is first.step else first
            lowering.move_to_end(step)
            step.added = len(step.reads)
            step.reads.append(Value(other.shape, other.storage))
            step.name += f" + {name}"
            first = Value(first.shape, step.output.storage, step)
        else:
            first = lowering.add(Combine(new_value(shape), [first, second], name, which=which))
    return first


def _that_can_add(*values: Value) -> Convolve | None:
    for value in values[::-1]:
        step = value.step
        simple = isinstance(step, Convolve) and not (step.rectified or step.pooled or step.to)
        if isinstance(step, Convolve) and simple and step.added is None and step.output.shape == value.shape:
            return step
    return None


@rule(merge.Concatenate)
def concatenation(lowering: Lowering, layer: merge.Concatenate, inputs: list[Value], shape: Shape) -> Value | None:
    """Arrays side by side along the channels."""
    return joined(lowering, inputs, shape) if layer.axis in (-1, len(shape) - 1) else None


@rule(padding.ZeroPadding1D, padding.ZeroPadding2D, padding.ZeroPadding3D)
def zeros_around(lowering: Lowering, layer: padding.ZeroPadding, inputs: list[Value], shape: Shape) -> Value | None:
    """A copy in the middle of zeros, unless the layer that reads it brings its own."""
    if layer.data_format != "channels_last":
        return None
    (x,) = inputs
    whole = new_value(shape, is_kept=True)
    before, apart = three([first for first, _ in layer.sides], 0), strides_of(whole.shape)
    start = sum(cells * step for cells, step in zip(before, apart[1:], strict=True))
    return lowering.add(Copy(whole, [x], f"zeros around, {layer.where}", to=(*apart, start), sides=before))


@rule(upsampling.UpSampling1D, upsampling.UpSampling2D, upsampling.UpSampling3D)
def repetition(lowering: Lowering, layer: upsampling.UpSampling, inputs: list[Value], shape: Shape) -> Value | None:
    """Every cell several times."""
    if layer.data_format != "channels_last" or layer.interpolation != "nearest":
        return None
    output = new_value(shape)
    return lowering.add(
        Copy(output, inputs, layer.where, factors=three(layer.factors), to=(*strides_of(output.shape), 0))
    )


@rule(
    *(Identity, ActivityRegularization, regularization.Dropout, regularization.GaussianNoise),
    *(regularization.SpatialDropout1D, regularization.SpatialDropout2D, regularization.SpatialDropout3D),
    *(regularization.GaussianDropout, regularization.AlphaDropout, Flatten, Reshape),
)
def same_numbers(lowering: Lowering, layer: Layer, inputs: list[Value], shape: Shape) -> Value | None:
    """Layers that, to predict, change nothing but perhaps the shape."""
    if isinstance(layer, Flatten) and layer.data_format != "channels_last" and len(inputs[0].shape) > 2:
        return None
    return alias(inputs[0], shape)
