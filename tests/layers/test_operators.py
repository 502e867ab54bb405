"""Arithmetic on symbols against Keras, which records operations for it."""

import keras
import numpy as np
import pytest
import torch
from model_files import assert_same_outputs, open_in_keras

import striate.layers
import striate.models
from striate.foundation.checks import UserError
from striate.layers import Input
from striate.models import load_model

X, Y = (np.random.default_rng(seed).normal(size=(4, 3, 5)).astype("float32") for seed in (0, 1))
EXPRESSIONS = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x + 2": lambda x, y: x + 2,
    "2 + x": lambda x, y: 2 + x,
    "x - 0.5": lambda x, y: x - 0.5,
    "0.5 - x": lambda x, y: 0.5 - x,
    "3 * x": lambda x, y: 3 * x,
    "x * np.float32(3)": lambda x, y: x * np.float32(3),
    "x / 4": lambda x, y: x / 4,
    "-x": lambda x, y: -x,
    "all of it": lambda x, y: -(x * x + 2 * x * y - y / 3) + 1,
}


def model(lib, expression):
    inputs = [lib.layers.Input((3, 5), name=name) for name in "xy"]
    return lib.models.Model(inputs, lib.layers.Dense(2, name="last")(expression(*inputs)))


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_arithmetic_is_that_of_keras(name, tmp_path):
    ours, theirs = model(striate, EXPRESSIONS[name]), model(keras, EXPRESSIONS[name])
    theirs.set_weights(ours.get_weights())
    inputs = [torch.from_numpy(X), torch.from_numpy(Y)]
    expected = theirs(inputs)
    assert_same_outputs(ours(inputs), expected, 1e-6)
    ours.save(tmp_path / "ours.keras")
    assert_same_outputs(open_in_keras(tmp_path / "ours.keras")(inputs), expected, 1e-6)
    assert_same_outputs(load_model(tmp_path / "ours.keras")(inputs), expected, 1e-6)


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x / x,
        lambda x: 1 / x,
        lambda x: x / 0,
        lambda x: x**2,
        lambda x: x @ x,
        lambda x: x + Input((5,)),
        lambda x: x + True,
        lambda x: x + "1",
        lambda x: x * float("nan"),
        lambda x: Input((3, 5), dtype="int32") + 1,
        lambda x: -Input((3, 5), dtype="int32"),
        lambda x: x + Input((3, 5), dtype="float64"),
    ],
)
def test_what_no_layer_computes_is_refused(compute):
    with pytest.raises(UserError, match=r"Symbol '\w+' got arithmetic that no layer does; it needs layers: .*\. Use"):
        compute(Input((3, 5)))


@pytest.mark.parametrize(
    ("shape", "layer"),
    [((3, 5), "Cropping1D"), ((3, 5, 1), "Cropping2D"), ((2, 3, 5, 1), "Cropping3D"), ((3,), "Reshape or Flatten")],
)
def test_parts_of_symbols_have_layers(shape, layer):
    with pytest.raises(UserError, match=rf"got a part to be taken; it needs layers: .*\. Use {layer}; for other parts"):
        Input(shape)[:, 1:]
