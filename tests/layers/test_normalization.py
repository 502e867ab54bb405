"""Normalisations: masks, axes that Keras's torch backend gets wrong, refusals. The rest is in the oracle's table."""

from typing import Any

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UnsupportedError, UserError
from striate.kernels.library import library
from striate.layers import BatchNormalization, GroupNormalization, LayerNormalization, UnitNormalization
from striate.layers.masks import mask_of, put_mask
from striate.layers.symbol import ShapeError

RANDOM = np.random.default_rng(1)
SERIES = RANDOM.normal(2, 3, (4, 6, 3)).astype("float32")
STEPS = RANDOM.random((4, 6)) < 0.6
COUNTED: list[tuple[dict[str, Any], tuple[int, ...], np.ndarray]] = [
    ({}, (4, 6, 3), STEPS),
    ({"momentum": 0.5, "epsilon": 1e-2}, (4, 6, 3), STEPS),
    ({"center": False}, (4, 6, 3), STEPS),
    ({"scale": False}, (4, 6, 3), STEPS),
    ({"axis": 1}, (4, 6, 3), STEPS),
    ({}, (4, 6, 5, 2), RANDOM.random((4, 6, 5)) < 0.4),
    ({}, (4, 3), np.array([True, False, True, True])),
    ({}, (4, 6, 3), np.zeros((4, 6), bool)),
    ({}, (4, 6, 3), np.ones((4, 6), bool)),
    ({}, (4, 6, 3), np.ones((4, 1), bool)),
    ({}, (4, 6, 3), STEPS.astype("float32")),
    ({"trainable": False}, (4, 6, 3), STEPS),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("arguments", "shape", "mask"), COUNTED, ids=lambda value: str(value) if type(value) is dict else None
)
def test_batch_statistics_leave_out_what_the_mask_does_as_in_keras(
    arguments: dict[str, Any], shape: tuple[int, ...], mask: np.ndarray, training: bool
):
    values = np.random.default_rng(2).normal(2, 3, shape).astype("float32")
    direction = torch.from_numpy(np.random.default_rng(3).normal(size=shape).astype("float32"))
    found = []
    for layer in (BatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)):
        x = torch.tensor(values, requires_grad=True)
        layer(x)
        layer.set_weights([np.full(weight.shape, 0.5 + at, "float32") for at, weight in enumerate(layer.weights)])
        y = layer(x, training=training, mask=torch.from_numpy(mask))
        (gradient,) = torch.autograd.grad((y * direction).sum(), x)
        weights = [getattr(weight, "value", weight).detach().numpy() for weight in layer.weights]
        found.append([y.detach().numpy(), gradient.numpy(), *weights])
    for got, expected in zip(*found, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * max(np.abs(expected).max(), 1))


@pytest.mark.parametrize("shape", [(5, 7), (1, 7), (2, 6, 7), (2, 3, 4, 7)], ids=str)
@pytest.mark.parametrize(
    ("arguments", "fits"),
    [
        ({}, True),
        ({"center": False, "scale": False, "momentum": 0.5}, True),
        ({"axis": 1}, False),
        ({"dtype": "float64"}, False),
    ],
    ids=str,
)
def test_alone_the_layer_trains_by_the_compiled_kernel_where_it_can(
    arguments: dict[str, Any], fits: bool, shape: tuple[int, ...]
):
    values = np.random.default_rng(4).normal(2, 3, shape)
    direction = torch.from_numpy(np.random.default_rng(5).normal(size=shape))
    found = []
    for layer in (BatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)):
        x = torch.tensor(values.astype(arguments.get("dtype", "float32")), requires_grad=True)
        y = layer(x, training=True)
        if isinstance(layer, BatchNormalization):
            last = fits or (len(shape) == 2 and arguments == {"axis": 1})
            assert (type(y.grad_fn).__name__ == "_BatchNormBackward") == (last and library() is not None)
        (gradient,) = torch.autograd.grad((y * direction).sum(), x)
        weights = [getattr(weight, "value", weight).detach().numpy() for weight in layer.weights]
        found.append([y.detach().numpy(), gradient.numpy(), *weights])
    for got, expected in zip(*found, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * max(np.abs(expected).max(), 1))


def test_a_mask_on_the_tensor_is_used_and_handed_on():
    x, mask = torch.from_numpy(SERIES), torch.from_numpy(STEPS)
    put_mask(x, mask)
    layer, twin = BatchNormalization(momentum=0.0), BatchNormalization(momentum=0.0)
    y = layer(x, training=True)
    assert mask_of(y) is mask
    np.testing.assert_allclose(layer.moving_mean, SERIES[STEPS].mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, SERIES[STEPS].var(0), rtol=1e-5)
    torch.testing.assert_close(twin(torch.from_numpy(SERIES), training=True, mask=mask), y)


@pytest.mark.parametrize("shape", [(4, 6, 3), (4,), (4, 5), (2, 6)], ids=str)
def test_a_mask_that_does_not_fit_is_refused(shape: tuple[int, ...]):
    text = (
        rf"^BatchNormalization 'b' got a mask of shape \({shape[0]}.*; it needs \(4, 6\), the input's but for C\. Pass"
    )
    with pytest.raises(UserError, match=text):
        BatchNormalization(name="b")(torch.from_numpy(SERIES), mask=torch.ones(shape))


@pytest.mark.parametrize("axis", [1, [1], [1, 2], 2, [2], -2, [-3, -2]], ids=str)
def test_layer_normalization_along_axes_before_the_last(axis: Any):
    """Keras's torch backend normalises other axes there, so that it is asked about the array with these moved last."""
    axes = sorted(one % 4 for one in ([axis] if isinstance(axis, int) else axis))
    x = torch.from_numpy(np.random.default_rng(5).normal(size=(2, 3, 4, 5)).astype("float32"))
    ours, last = LayerNormalization(axis), list(range(4 - len(axes), 4))
    theirs = keras.layers.LayerNormalization(axis=last)
    ours(x), theirs(x.movedim(axes, last))
    weights = [np.random.default_rng(at).normal(size=weight.shape) for at, weight in enumerate(theirs.weights)]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    expected = theirs(x.movedim(axes, last)).movedim(last, axes)
    torch.testing.assert_close(ours(x), expected, rtol=1e-5, atol=1e-5)


def test_minus_one_group_is_one_for_every_channel():
    x = torch.from_numpy(np.random.default_rng(6).normal(3, 2, (2, 7, 5, 4)).astype("float32"))
    y = GroupNormalization(-1, epsilon=1e-9)(x)
    torch.testing.assert_close(y.mean((1, 2)), torch.zeros(2, 4), rtol=0, atol=1e-5)
    torch.testing.assert_close(y.var((1, 2), correction=0), torch.ones(2, 4), rtol=0, atol=1e-4)
    assert GroupNormalization(-1).config()["groups"] == -1


def test_unit_normalization_of_zeros_is_zero_and_has_a_gradient():
    x = torch.zeros(2, 3, requires_grad=True)
    y = UnitNormalization()(x)
    y.sum().backward()
    assert y.abs().sum() == 0
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: BatchNormalization(axis=[1, 2]), r"BatchNormalization '\w+' got axis=\[1, 2\]; it needs a whole numb"),
        (lambda: BatchNormalization(momentum=1.5), r"momentum=1.5; it needs a share from 0 to 1"),
        (lambda: BatchNormalization(epsilon=0), r"epsilon=0; it needs a positive number"),
        (lambda: LayerNormalization("last"), r"LayerNormalization '\w+' got axis='last'; it needs a whole number, or"),
        (lambda: LayerNormalization([]), r"axis=\[\]; it needs a whole number, or a list of different ones"),
        (lambda: LayerNormalization([1, 1]), r"axis=\[1, 1\]; it needs a whole number, or a list of different ones"),
        (lambda: LayerNormalization([1, -1]), r"axis=\[1, -1\]; .* all counted from the front or all from the end\. P"),
        (lambda: LayerNormalization(center="no"), r"center='no'; it needs True or False"),
        (lambda: GroupNormalization(0), r"GroupNormalization '\w+' got groups=0; it needs a whole number of at least"),
        (lambda: GroupNormalization(-2), r"groups=-2; it needs a whole number of at least 1, or -1 for a group for ev"),
        (lambda: GroupNormalization(2.0), r"groups=2.0; it needs a whole number"),
        (lambda: GroupNormalization(gamma_initializer="on"), r"GroupNormalization '\w+' got initializer 'on'"),
        (lambda: UnitNormalization(None), r"UnitNormalization '\w+' got axis=None; it needs a whole number, or a list"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (GroupNormalization(4, name="g"), (None, 5, 6),
         r"^GroupNormalization 'g' got shape \(None, 5, 6\); it needs channels on axis -1 that groups=4 divides\. Cha"),
        (GroupNormalization(8, name="g"), (None, 5, 6), r"channels on axis -1 that groups=8 divides"),
        (GroupNormalization(2, 1, name="g"), (None, None, 6), r"it needs an axis 1 of known size\. Give Input"),
        (LayerNormalization(2, name="l"), (None, 6), r"^LayerNormalization 'l' got .* with the axis 2 to normalise"),
        (LayerNormalization(0, name="l"), (None, 6), r"with the axis 0 to normalise"),
        (LayerNormalization([1, 2], name="l"), (None, None, 6), r"it needs axes \(1, 2\) of known size\. Give Input"),
        (UnitNormalization([1, 3], name="u"), (None, 4, 6), r"^UnitNormalization 'u' got .*; it needs an axis 3\. Cha"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(layer: Any, shape: Any, text: str):
    with pytest.raises(ShapeError, match=text):
        layer.compute_output_shape(shape)


@pytest.mark.parametrize(
    ("cls", "argument"),
    [
        (BatchNormalization, {"synchronized": True}),
        (BatchNormalization, {"renorm": True}),
        (LayerNormalization, {"rms_scaling": True}),
    ],
    ids=str,
)
def test_what_keras_has_and_striate_has_not_is_refused(cls: type, argument: dict[str, Any]):
    (name,) = argument
    with pytest.raises(
        UnsupportedError, match=rf"got {name}=.*; it needs {name}=.*striate does not support other values"
    ):
        cls(**argument)


@pytest.mark.parametrize("channels", [3, 16])
def test_group_normalization_of_an_input_that_needs_no_gradient(channels):
    """Torch's own gradient ends the process there, where channels lie last."""
    layer, x = GroupNormalization(1), torch.randn(4, 8, 7, channels, generator=torch.Generator().manual_seed(0))
    layer.build(x.shape)
    found = []
    for value in (x, x.clone().requires_grad_()):
        layer.zero_grad()
        layer(value).square().sum().backward()
        found.append([weight.grad for weight in layer.parameters()])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-4)  # of beta it is what hundreds of numbers cancel to
