"""Files with convolutions and pools of every kind: what is written here Keras opens, and the other way round."""

import contextlib
import random
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from model_files import assert_same_outputs, keras_predict, open_in_keras, stir
from oracles.compare import Case, weights_of
from oracles.spatial_cases import SPATIAL, average_pooling_same

from striate import layers
from striate.layers.options import argument_names
from striate.layers.symbol import ShapeError
from striate.models import Sequential, load_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

# Of each layer the case that says most, among those where Keras's backends agree.
EVEN = [case for case in average_pooling_same() if case.arguments["strides"] == 1 and case.arguments["pool_size"] == 3]
CASES = {
    case.layer: case
    for case in sorted([*SPATIAL, *EVEN], key=lambda case: len(case.arguments))
    if case.values == "normal"
}


@pytest.mark.parametrize("case", CASES.values(), ids=str)
def test_files_go_both_ways(case: Case, tmp_path: Path):
    (shape,) = case.shapes
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    parts = [layers.Input(shape[1:]), getattr(layers, case.layer)(**case.arguments, name="layer")]
    model = stir(Sequential(parts))
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "ours.keras")
    theirs = open_in_keras(tmp_path / "ours.keras")
    assert_same_outputs(keras_predict(theirs, x), expected)
    theirs.save(tmp_path / "theirs.keras")
    again = load_model(tmp_path / "theirs.keras")
    assert_same_outputs(again.predict(x, verbose=0), expected, tolerance=0)
    assert again.layers[-1].get_config() == model.layers[-1].get_config()
    names = [weight.name for weight in theirs.weights]
    own = {id(weight): name for name, weight in model.layers[-1].named_parameters()}
    assert [own[id(weight)] for weight in model.weights] == names


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("Conv{}D", {"filters": 3, "kernel_size": 3, "activation": "relu"}),
    ("Conv{}D", {"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same"}),
    ("Conv{}DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("DepthwiseConv{}D", {"kernel_size": 2, "depth_multiplier": 2}),
    ("SeparableConv{}D", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}),
    ("MaxPooling{}D", {"pool_size": 2, "padding": "same"}),
    ("AveragePooling{}D", {"pool_size": 2, "strides": 1}),
    ("ZeroPadding{}D", {"padding": 1}),
    ("Cropping{}D", {"cropping": 1}),
    ("UpSampling{}D", {"size": 2}),
]


def random_stack(seed: int) -> Sequential:
    """Layers along space, one after the other as it comes; those that their input is too small for are left out."""
    choose = random.Random(seed)
    axes, first = seed % 3 + 1, choose.random() < 0.5
    where = {"data_format": "channels_first"} if first else {}
    model = Sequential([layers.Input((2, *(9,) * axes) if first else (*(9,) * axes, 2))])
    for _ in range(8):
        name, arguments = choose.choice(KINDS)
        cls = getattr(layers, name.format(axes), None)
        if cls is None or (where and "data_format" not in argument_names(cls)):  # not for so many axes, or not so
            continue
        with contextlib.suppress(ShapeError):
            model.add(cls(**arguments, **where))
    model.add(getattr(layers, f"GlobalMaxPooling{axes}D")(**where))
    return model


@pytest.mark.parametrize("seed", range(24))
def test_random_stacks_go_both_ways(seed: int, tmp_path: Path):
    model = stir(random_stack(seed), seed)
    x = np.random.default_rng(seed).normal(size=(3, *model.input_shape[1:])).astype("float32")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "ours.keras")
    theirs = open_in_keras(tmp_path / "ours.keras")
    assert_same_outputs(keras_predict(theirs, x) / np.abs(expected).max(), expected / np.abs(expected).max())
    theirs.save(tmp_path / "theirs.keras")
    assert_same_outputs(load_model(tmp_path / "theirs.keras").predict(x, verbose=0), expected, tolerance=0)


def test_weights_alone_go_both_ways(tmp_path: Path):
    def network(library):
        kinds = [library.Conv2D(4, 3), library.DepthwiseConv2D(2), library.SeparableConv2D(3, 2)]
        return [library.Input((9, 8, 2)), *kinds, library.Conv2DTranspose(2, 3, strides=2)]

    ours, theirs = stir(Sequential(network(layers))), keras.Sequential(network(keras.layers))
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    for one, other in zip(weights_of(ours), weights_of(theirs), strict=True):
        np.testing.assert_array_equal(one, other)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    twin = Sequential(network(layers))
    twin.load_weights(tmp_path / "theirs.weights.h5")
    x = torch.rand(2, 9, 8, 2)
    torch.testing.assert_close(twin(x), ours(x), rtol=0, atol=0)
