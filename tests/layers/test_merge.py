"""Merges: masks, functional forms and refusals. Outputs, gradients and shapes are in the oracle's table."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import torch

from striate import layers
from striate.foundation.checks import UserError
from striate.layers import Concatenate, Dot, Input
from striate.layers.masks import mask_of, put_mask
from striate.layers.symbol import ShapeError
from striate.models import Model

ELEMENTWISE = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
RANDOM = np.random.default_rng(3)
VALUES = [RANDOM.normal(size=(4, 5, 3)).astype("float32") for _ in range(3)]
MASKS = [RANDOM.random((4, 5)) < share for share in (0.5, 0.5, 0.7)]


def tensors(masked: tuple[bool, ...], put: Any) -> list[torch.Tensor]:
    """Fresh tensors, some with masks, which `put` gives them."""
    found = [torch.tensor(value, requires_grad=True) for value in VALUES[: len(masked)]]
    for tensor, mask, wanted in zip(found, MASKS, masked, strict=False):
        if wanted:
            put(tensor, torch.from_numpy(mask))
    return found


def outcome(layer: Any, inputs: list[torch.Tensor]) -> list[np.ndarray | None]:
    output = layer(inputs)
    direction = torch.from_numpy(np.random.default_rng(4).normal(size=output.shape).astype("float32"))
    gradients = torch.autograd.grad((output * direction).sum(), inputs)
    mask = mask_of(output)
    return [output.detach().numpy(), *(g.numpy() for g in gradients), None if mask is None else mask.numpy()]


COMBINATIONS = [combination for count in (2, 3) for combination in itertools.product((True, False), repeat=count)]
CASES = [
    *[(name, {}, masked) for name in ELEMENTWISE for masked in COMBINATIONS if name != "Subtract" or len(masked) == 2],
    *[("Concatenate", {"axis": axis}, masked) for axis in (1, 2, -1, -2) for masked in COMBINATIONS],
    *[("Dot", {"axes": 2}, masked) for masked in COMBINATIONS if len(masked) == 2],
]


@pytest.mark.parametrize(("name", "arguments", "masked"), CASES, ids=str)
def test_outputs_gradients_and_masks_with_masked_inputs_are_those_of_keras(
    name: str, arguments: dict[str, Any], masked: tuple[bool, ...]
):
    ours = outcome(getattr(layers, name)(**arguments), tensors(masked, put_mask))
    theirs = outcome(getattr(keras.layers, name)(**arguments), tensors(masked, keras.src.backend.set_keras_mask))
    for got, expected in zip(ours, theirs, strict=True):
        if expected is None or got is None:
            assert got is expected
        else:
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


def test_masks_of_inputs_with_fewer_axes_do_not_choose_cells():
    """As in Keras, which loses them on the way when it adds axes."""
    x, y = torch.tensor(VALUES[0]), torch.tensor(VALUES[1][:, 0])
    put_mask(x, torch.from_numpy(MASKS[0]))
    expected = np.maximum(VALUES[0], VALUES[1][:, :1])
    np.testing.assert_array_equal(layers.Maximum()([x, y]).numpy(), expected)


@pytest.mark.parametrize("name", [*ELEMENTWISE, "Concatenate", "Dot"])
def test_functional_forms_are_those_of_keras(name: str):
    inputs = [torch.tensor(value) for value in VALUES[:2]]
    ours, theirs = getattr(layers, name.lower()), getattr(keras.layers, name.lower())
    for arguments in ({}, *({"Concatenate": [{"axis": 1}], "Dot": [{"axes": 1, "normalize": True}]}.get(name, ()))):
        np.testing.assert_allclose(ours(inputs, **arguments), theirs(inputs, **arguments).numpy(), rtol=1e-5, atol=1e-6)
    symbols = [Input((5, 3)), Input((5, 3))]
    model = Model(symbols, ours(symbols, name="joined"))
    assert model.layers[-1].name == "joined"
    np.testing.assert_allclose(model(inputs), ours(inputs))


@pytest.mark.parametrize("name", ["Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_one_input_is_enough(name: str):
    x = torch.tensor(VALUES[0])
    np.testing.assert_array_equal(getattr(layers, name)()([x]), getattr(keras.layers, name)()([x]).numpy())


def test_whole_numbers_stay_whole_where_they_can():
    x = torch.tensor([[1, 2], [3, 4]])
    for name in ELEMENTWISE:
        ours, theirs = getattr(layers, name)()([x, x]), getattr(keras.layers, name)()([x, x])
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        assert ours.dtype.is_floating_point == theirs.dtype.is_floating_point


def test_masks_stretch_over_the_axes_behind_the_steps():
    pictures = [torch.ones(4, 5, 2, 3), torch.full((4, 5, 2, 3), 2.0)]
    for picture, mask in zip(pictures, MASKS, strict=False):
        put_mask(picture, torch.from_numpy(mask))
    assert mask_of(Concatenate()(pictures)).shape == (4, 5, 2)
    expected = np.where(MASKS[1][..., None, None], 2.0, np.ones((4, 5, 2, 3)))
    counts = (MASKS[0] | MASKS[1])[..., None, None]
    np.testing.assert_array_equal(np.where(counts, layers.Maximum()(pictures), 0), np.where(counts, expected, 0))


def test_cosines_of_zeros_are_zero_and_have_gradients():
    x = torch.zeros(1, 3, requires_grad=True)
    y = Dot(1, normalize=True)([x, torch.ones(1, 3)])
    y.sum().backward()
    assert y.item() == 0
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Concatenate(0), r"Concatenate '\w+' got axis=0; it needs a whole number other than 0, the batch axis"),
        (lambda: Concatenate("last"), r"axis='last'; it needs a whole number other than 0"),
        (lambda: Dot(0), r"Dot '\w+' got axes=0; it needs a whole number other than 0, the batch axis, or two of them"),
        (lambda: Dot((1, 2, 3)), r"axes=\(1, 2, 3\); it needs a whole number other than 0"),
        (lambda: Dot((1, 0)), r"axes=\(1, 0\); it needs a whole number other than 0"),
        (lambda: Dot((1, 2.0)), r"axes=\(1, 2.0\); it needs a whole number other than 0"),
        (lambda: Dot(1, normalize="yes"), r"normalize='yes'; it needs True or False"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()


@pytest.mark.parametrize(
    ("layer", "shapes", "text"),
    [
        (layers.Add(name="a"), [(None, 3, 4), (None, 2, 4)],
         r"^Add 'a' got shape \[\(None, 3, 4\), \(None, 2, 4\)\]; it needs inputs of equal shape, or with axes of 1 to "
         r"stretch\. Make them equal, for example with a 1 x 1 Conv2D on the shorter way\.$"),
        (layers.Add(name="a"), [(2, 3), (5, 3)], r"it needs inputs of as many items each\. Feed batches of one size"),
        (layers.Subtract(name="s"), [(2, 3)] * 3,
         r"^Subtract 's' got .*; it needs a list of 2 inputs\. Call it on a list: Subtract\(\.\.\.\)\(\[a, b\]\)\.$"),
        (layers.Add(name="a"), [], r"it needs a list of inputs\."),
        (Dot(3, name="d"), [(2, 3), (2, 3)], r"^Dot 'd' got .*; it needs inputs with the axes \(3, 3\)\. Change axes"),
        (Dot(-2, name="d"), [(2, 3), (2, 3)], r"it needs inputs with the axes \(-2, -2\)"),
        (Dot(1, name="d"), [(2, 3), (2, 4)],
         r"it needs inputs as long as each other along the axes \(1, 1\)\. Change axes, or give both the same size"),
        (Concatenate(-3, name="c"), [(2, 3, 4)] * 2, r"it needs an axis -3\. Change axis\."),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(layer: Any, shapes: Any, text: str):
    with pytest.raises(ShapeError, match=text):
        layer.compute_output_shape(shapes)
