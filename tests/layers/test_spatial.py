"""The layers along space: what they refuse, what they copy, what they count. Their numbers are in tests/oracles."""

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from striate import layers
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    Input,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    SeparableConv1D,
    SeparableConv2D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding3D,
)
from striate.layers.symbol import ShapeError
from striate.models import Sequential
from striate.models.summary import Summary

# Refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Conv1D(2, (3, 3)), r"kernel_size=\(3, 3\); it needs a whole number of at least 1, or 1 of them"),
        (lambda: Conv1D(2, 3, padding="casual"), r"'valid', 'same', 'causal'\. Did you mean 'causal'\?"),
        (lambda: Conv2D(2, 3, padding="causal"), r"padding='causal'; it needs one of 'valid', 'same'\. Choose one of"),
        (lambda: Conv1DTranspose(2, 3, padding="causal"), r"padding='causal'; it needs one of 'valid', 'same'"),
        (lambda: SeparableConv1D(2, 3, padding="causal"), r"padding='causal'; it needs one of 'valid', 'same'"),
        (lambda: Conv3D(4, 3, groups=3), r"Conv3D '\w+' got groups=3; it needs groups that divide filters=4\. Change"),
        (lambda: Conv3D(4, 3, strides=2, dilation_rate=2), r"it needs one of them to be 1, as Keras does\. Change one"),
        (lambda: Conv2DTranspose(4, 3, strides=2, dilation_rate=2), r"strides=\(2, 2\) with dilation_rate=\(2, 2\)"),
        (
            lambda: Conv2DTranspose(4, 3, strides=(2, 3), output_padding=2),
            r"output_padding=\(2, 2\) with strides=\(2, 3\); it needs less than the stride on every axis\. Change one",
        ),
        (lambda: Conv2DTranspose(4, 3, output_padding=-1), r"output_padding=-1; it needs a whole number of at least 0"),
        (lambda: Conv2DTranspose(4, 3, groups=2), r"Conv2DTranspose got an unknown argument groups=2"),
        (lambda: DepthwiseConv2D(3, depth_multiplier=0), r"depth_multiplier=0; it needs a whole number of at least 1"),
        (lambda: DepthwiseConv1D(3, depthwise_initializer="hi_normal"), r"'hi_normal'; .* Did you mean 'HeNormal'\?"),
        (lambda: SeparableConv2D(0, 3), r"filters=0; it needs a whole number of at least 1"),
        (lambda: MaxPooling3D((2, 2)), r"pool_size=\(2, 2\); it needs a whole number of at least 1, or 3 of them"),
        (lambda: AveragePooling1D(2, padding="causal"), r"padding='causal'; it needs one of 'valid', 'same'"),
        (lambda: GlobalAveragePooling1D(keepdims=1), r"keepdims=1; it needs True or False"),
        (
            lambda: ZeroPadding1D((1, 2, 3)),
            r"padding=\(1, 2, 3\); it needs a whole number of at least 0, or two of them",
        ),
        (lambda: ZeroPadding1D(-1), r"padding=-1; it needs .*\. Pass for example padding=\(1, 2\)\.$"),
        (
            lambda: ZeroPadding3D((1, 2)),
            r"padding=\(1, 2\); it needs a whole number of at least 0, three of them, or th",
        ),
        (
            lambda: Cropping2D(((1, 2), (3, -4))),
            r"cropping=.*-4\)\); it needs .* Pass for example cropping=\(\(1, 1\), ",
        ),
        (lambda: Cropping1D(1, data_format="channels_first"), r"Cropping1D got an unknown argument data_format="),
        (lambda: UpSampling1D((2,)), r"size=\(2,\); it needs a whole number of at least 1"),
        (lambda: UpSampling2D(0), r"size=0; it needs a whole number of at least 1, or 2 of them"),
        (
            lambda: UpSampling2D(interpolation="cubic"),
            r"interpolation='cubic'; it needs one of .* Did you mean 'bicubi",
        ),
        (
            lambda: UpSampling3D(data_format="last"),
            r"data_format='last'; it needs one of 'channels_last', 'channels_fi",
        ),
    ],
)
def test_bad_arguments_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: UpSampling2D(interpolation="lanczos3"),
            r"interpolation='lanczos3'; it needs .*'bicubic'\. Use 'bicub",
        ),
        (lambda: Conv1D(2, 3, lora_rank=4), r"lora_rank=4; it needs lora_rank=None"),
    ],
)
def test_what_keras_knows_and_striate_does_not_is_refused_by_name(make: Any, text: str):
    with pytest.raises(UnsupportedError, match=text):
        make()


FIRST = "channels_first"


@pytest.mark.parametrize(
    ("make", "shape", "text"),
    [
        (
            lambda: Conv2D(2, 3, data_format=FIRST),
            (None, 8, 8),
            r"it needs \(N, C, H, W\)\. \(N, H, W, C\) needs data_",
        ),
        (lambda: Conv1D(2, 3, data_format=FIRST), (None, None, 8), r"it needs a known number of channels\. Give Input"),
        (lambda: Conv3D(2, 3), (None, 8, 8, 8, None), r"it needs a known number of channels"),
        (lambda: Conv1D(2, 3, groups=2), (None, 8, 3), r"it needs channels that groups=2 divides\. Change groups"),
        (lambda: Conv2D(2, 3, groups=2, data_format=FIRST), (None, 3, 8, 8), r"channels that groups=2 divides"),
        (lambda: Conv2D(2, 5, data_format=FIRST), (None, 8, 4, 8), r"it needs at least \(5, 5\) cells for its window"),
        (
            lambda: Conv1D(2, 3, dilation_rate=4),
            (None, 8, 3),
            r"it needs at least \(9,\) cells for its window\. Use pa",
        ),
        (lambda: SeparableConv2D(2, 3), (None, 2, 8, 3), r"it needs at least \(3, 3\) cells"),
        (lambda: MaxPooling3D(3), (None, 3, 3, 2, 1), r"it needs at least \(3, 3, 3\) cells for its window"),
        (lambda: GlobalAveragePooling2D(FIRST), (None, 3), r"it needs \(N, C, H, W\)"),
        (
            lambda: Conv2DTranspose(2, 2, padding="same", output_padding=0),
            (None, 1, 4, 3),
            r"it needs sizes of which something is left: .*\. Leave output_padding out, or use larger inputs\.",
        ),
        (
            lambda: Cropping2D((2, 0)),
            (None, 4, 4, 3),
            r"it needs at least \(5, 1\) cells to cut from\. Cut less, or us",
        ),
        (lambda: Cropping1D((3, 4)), (None, 7, 3), r"it needs at least \(8,\) cells to cut from"),
    ],
)
def test_shapes_that_cannot_be_are_refused(make: Any, shape: Any, text: str):
    with pytest.raises(ShapeError, match=text):
        make().compute_output_shape(shape)


def test_other_channels_than_before_are_refused_where_they_are():
    layer = Conv2D(2, 3, data_format=FIRST, name="c")
    layer(torch.zeros(1, 3, 8, 8))
    text = r"^Conv2D 'c' got shape \(1, 8, 8, 3\); it needs 3 channels on axis 1\. .* pictures are \(N, C, H, W\)\.$"
    with pytest.raises(ShapeError, match=text):
        layer(torch.zeros(1, 8, 8, 3))


# Memory -------------------------------------------------------------------------------------------

MAKERS = [
    lambda **where: Conv1D(4, 3, **where),
    lambda **where: Conv1D(4, 3, padding="same", **where),
    lambda **where: Conv2D(4, 3, **where),
    lambda **where: Conv3D(4, 3, strides=2, **where),
    lambda **where: Conv1DTranspose(4, 3, strides=2, **where),
    lambda **where: Conv2DTranspose(4, 3, strides=2, **where),
    lambda **where: Conv3DTranspose(4, 2, strides=2, **where),
    lambda **where: DepthwiseConv1D(3, **where),
    lambda **where: DepthwiseConv2D(3, **where),
    lambda **where: SeparableConv1D(4, 3, **where),
    lambda **where: SeparableConv2D(4, 3, **where),
    lambda **where: MaxPooling1D(**where),
    lambda **where: MaxPooling2D(**where),
    lambda **where: MaxPooling3D(**where),
    lambda **where: AveragePooling1D(2, **where),
    lambda **where: AveragePooling2D(2, **where),  # but for AveragePooling3D, which torch leaves channels-first
    lambda **where: UpSampling2D(**where),
    lambda **where: UpSampling2D(interpolation="bilinear", **where),
    lambda **where: UpSampling3D(**where),
    lambda **where: ZeroPadding3D(**where),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_what_comes_out_lies_in_the_order_of_its_axes(make: Any, data_format: str):
    layer = make(data_format=data_format)
    sizes = (8, 7, 6)[: layer.axes]
    x = torch.randn(2, *sizes, 3) if data_format == "channels_last" else torch.randn(2, 3, *sizes)
    assert layer(x).is_contiguous()


@pytest.mark.parametrize("layer", [Cropping1D(1), Cropping2D(1), Cropping3D(1), Cropping2D(1, FIRST)])
def test_cropping_copies_nothing(layer: Any):
    x = torch.zeros(1, 4, 4, 4, 4)[(0,) * (3 - layer.axes)]
    y = layer(x)
    y += 1
    assert x.sum() == y.numel() > 0


@pytest.mark.parametrize(
    "name", ["Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"]
)
def test_kernels_lie_as_torch_reads_them(name: str):
    layer = getattr(layers, name)(4, 2)
    layer(torch.zeros(1, *(4,) * layer.axes, 3))
    assert layer.kernel.movedim(-1, 0).is_contiguous()  # what the convolution makes, its window, what it takes
    layer = getattr(layers, name)(4, 2, data_format=FIRST)
    layer(torch.zeros(1, 3, *(4,) * layer.axes))
    assert layer.kernel.movedim((-1, -2), (0, 1)).is_contiguous()


@pytest.mark.parametrize("channels", [1, 2])
def test_one_channel_in_double_precision(channels: int):
    """Torch refuses to go back through some kernels of one channel, depending on strides that say nothing."""
    layer = Conv2DTranspose(2, (2, 5), dtype="float64")
    x = torch.randn(2, 4, 3, channels, dtype=torch.float64, requires_grad=True)
    gradient = torch.autograd.grad(layer(x).square().sum(), layer.kernel)[0]
    kernel = layer.kernel.detach().permute(3, 2, 0, 1).clone(memory_format=torch.contiguous_format).requires_grad_()
    y = torch.nn.functional.conv_transpose2d(x.permute(0, 3, 1, 2).contiguous(), kernel)
    expected = torch.autograd.grad(y.square().sum(), kernel)[0].permute(2, 3, 1, 0)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", MAKERS)
def test_mixed_precision_computes_and_trains(make: Any):
    full, mixed = make(), make(dtype="mixed_bfloat16")
    x = torch.randn(2, *(8, 7, 6)[: full.axes], 3)
    expected = full(x)
    largest = float(expected.detach().abs().max())
    mixed.ensure_built(tuple(x.shape))
    mixed.set_weights(full.get_weights())
    y = mixed(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), expected, rtol=0, atol=2e-2 * largest)
    for weight, other in zip(mixed.weights, full.weights, strict=True):
        (ours,) = torch.autograd.grad(y.float().square().sum(), weight, retain_graph=True)
        (theirs,) = torch.autograd.grad(expected.square().sum(), other, retain_graph=True)
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-2 * float(theirs.abs().max()))


# Both orders of axes --------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", None])
def test_channels_first_is_channels_last_with_its_axes_moved(activation: str | None):
    def network(data_format: str, shape: tuple[int, ...]) -> Sequential:
        where = {"data_format": data_format}
        parts = [
            Input(shape),
            Conv2D(4, 3, padding="same", activation=activation, **where),
            MaxPooling2D(**where),
            SeparableConv2D(6, 3, **where),
            Conv2DTranspose(2, 3, strides=2, **where),
            UpSampling2D(interpolation="bilinear", **where),
            Cropping2D(2, **where),
            Flatten(**where),
        ]
        return Sequential(parts)

    last, first = network("channels_last", (8, 10, 3)), network(FIRST, (3, 8, 10))
    first.set_weights(last.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 8, 10, 3)).astype("float32")
    torch.testing.assert_close(first(x.transpose(0, 3, 1, 2)), last(x))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("where", [{}, {"data_format": FIRST}])
def test_means_of_the_steps_that_count_are_those_of_keras(keepdims: bool, where: dict[str, str]):
    x = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")
    mask = torch.tensor([[True, False, True], [True, True, False]])
    x[0, 1, 1] = np.nan  # does not count, whichever axis the channels are on
    ours = GlobalAveragePooling1D(keepdims=keepdims, **where)(x, mask=mask)
    theirs = keras.layers.GlobalAveragePooling1D(keepdims=keepdims, **where)(x, mask=mask)
    assert ours.isfinite().all()
    torch.testing.assert_close(ours, theirs)


# What summaries tell ------------------------------------------------------------------------------


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda **more: Conv1D(4, 3, padding="causal", **more), (9, 2)),
        (lambda **more: Conv2D(4, 3, groups=2, strides=2, **more), (9, 8, 2)),
        (lambda **more: Conv2D(4, 3, data_format=FIRST, **more), (2, 9, 8)),
        (lambda **more: Conv3D(4, 2, padding="same", **more), (5, 4, 3, 2)),
        (lambda **more: Conv1DTranspose(4, 3, strides=2, **more), (9, 2)),
        (lambda **more: Conv2DTranspose(4, 3, strides=2, **more), (9, 8, 2)),
        (lambda **more: Conv3DTranspose(4, 3, data_format=FIRST, **more), (2, 5, 4, 3)),
        (lambda **more: DepthwiseConv1D(3, depth_multiplier=2, **more), (9, 2)),
        (lambda **more: DepthwiseConv2D(3, strides=2, **more), (9, 8, 2)),
        (lambda **more: SeparableConv1D(4, 3, **more), (9, 2)),
        (lambda **more: SeparableConv2D(4, 3, depth_multiplier=3, data_format=FIRST, **more), (2, 9, 8)),
    ],
)
def test_flops_agree_with_those_that_torch_counts(make: Any, shape: tuple[int, ...], use_bias: bool):
    layer, x = make(use_bias=use_bias), torch.zeros(1, *shape)
    with FlopCounterMode(display=False) as counter:
        y = layer(x)
    assert layer.flops((1, *shape)) == counter.get_total_flops() + y.numel() * use_bias


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (MaxPooling2D(), (8, 8, 3), 0),
        (AveragePooling1D(3, strides=2), (9, 5), 4 * 5 * 3),
        (AveragePooling3D(2, data_format=FIRST), (5, 4, 4, 4), 8 * 5 * 8),
        (GlobalAveragePooling2D(), (8, 9, 3), 8 * 9 * 3),
        (UpSampling2D(), (4, 4, 3), 0),
        (UpSampling2D(2, None, "bilinear"), (4, 4, 3), 64 * 3 * 8),
        (ZeroPadding1D(), (4, 3), 0),
    ],
)
def test_flops_of_layers_without_weights(layer: Any, shape: tuple[int, ...], expected: int):
    assert layer.flops((None, *shape)) == expected


def seen_by_gradient(model: Any) -> int:
    """The most cells along the input's first spatial axis that a cell of the output depends on."""
    x = torch.rand(1, *model.input_shape[1:], dtype=torch.float64, requires_grad=True)
    y = model.to(torch.float64)(x)
    found = []
    for row in range(y.shape[1]):
        (gradient,) = torch.autograd.grad(y[0, row].sum(), x, retain_graph=True)
        (rows,) = gradient[0].flatten(1).abs().sum(1).nonzero(as_tuple=True)
        found.append(int(rows.max() - rows.min() + 1) if len(rows) else 0)
    return max(found)


@pytest.mark.parametrize(
    "stack",
    [
        lambda: [Conv1D(2, 3), AveragePooling1D(2), Conv1D(2, 2, dilation_rate=3)],
        lambda: [Conv1D(2, 3, padding="causal", dilation_rate=2), SeparableConv1D(2, 3)],
        lambda: [DepthwiseConv1D(4), ZeroPadding1D(2), Cropping1D(1), Conv1D(1, 3)],
        lambda: [UpSampling1D(2)],
        lambda: [UpSampling1D(3), Conv1D(2, 4)],
        lambda: [Conv1DTranspose(2, 3, strides=2)],
        lambda: [Conv1DTranspose(2, 2, strides=2)],
        lambda: [Conv1DTranspose(2, 2, strides=2), Conv1D(2, 2)],
        lambda: [Conv1DTranspose(2, 5, strides=2), Conv1D(2, 3), Conv1DTranspose(1, 4, strides=2, padding="same")],
    ],
)
def test_receptive_fields_are_what_gradients_reach(stack: Any):
    model = Sequential([Input((24, 1)), *stack()])
    for layer in model.layers:  # no dead cells
        layer.set_weights([np.abs(weight) + 0.1 for weight in layer.get_weights()])
    assert Summary(model).rows[-1].receptive_field == (seen_by_gradient(model),)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_receptive_fields_after_shrinking_and_growing_are_bounds(size: int):
    """Which cells of a stretch are reached depends on where it begins, which a size alone does not tell."""
    model = Sequential([Input((24, 1)), AveragePooling1D(2), UpSampling1D(2), Conv1D(2, size)])
    (field,) = Summary(model).rows[-1].receptive_field
    assert seen_by_gradient(model) <= field <= seen_by_gradient(model) + 1


@pytest.mark.parametrize(("kind", "size"), [("nearest", 2), ("bilinear", 2), ("bilinear", 3), ("bicubic", 2)])
def test_receptive_fields_of_upsampling(kind: str, size: int):
    model = Sequential([Input((12, 12, 1)), UpSampling2D(size, interpolation=kind)])
    assert Summary(model).rows[-1].receptive_field == (seen_by_gradient(model),) * 2
