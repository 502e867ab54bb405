"""Arithmetic on symbols in Keras's files: the same numbers out of layers, or refused by name."""

import json

import keras
import numpy as np
import pytest
from model_files import assert_same_outputs, edit_config, keras_predict, open_in_keras

from striate.foundation.checks import UnsupportedError, UserError
from striate.models import load_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

A, B = np.random.default_rng(0).normal(size=(2, 3, 4, 4, 2)).astype("float32")
SUPPORTED = {
    "a number behind": lambda a, b: a + 3.0,
    "a number before": lambda a, b: 0.5 * a,
    "a whole number": lambda a, b: a * 2 + 1,
    "two arrays": lambda a, b: a + b,
    "less": lambda a, b: b - a,
    "times": lambda a, b: a * b,
    "itself": lambda a, b: a * a,
    "the larger": lambda a, b: keras.ops.maximum(a, b),
    "the smaller": lambda a, b: keras.ops.minimum(a, b),
    "one that is stretched": lambda a, b: a * keras.layers.GlobalAveragePooling2D(keepdims=True)(b),
    "one after the other": lambda a, b: keras.layers.ReLU(6.0)(a + 3.0) * (1.0 / 6.0) * b,
}


def saved(combine, path, dtype="float32"):
    inputs = [keras.layers.Input((4, 4, 2), name=name, dtype=dtype) for name in "ab"]
    model = keras.models.Model(inputs, combine(*inputs))
    model.save(path)
    return model


@pytest.mark.parametrize("name", SUPPORTED)
def test_the_same_numbers(name, tmp_path):
    theirs = saved(SUPPORTED[name], tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    expected = keras_predict(theirs, [A, B])
    assert_same_outputs(ours.predict([A, B], verbose=0), expected)
    ours.save(tmp_path / "ours.keras")
    assert_same_outputs(keras_predict(open_in_keras(tmp_path / "ours.keras"), [A, B]), expected)


REFUSED = {
    "fewer axes": (lambda a, b: a * keras.layers.GlobalAveragePooling2D()(b), "float32", "Multiply"),
    "whole numbers": (lambda a, b: a + b, "int32", "Add"),
    "a quotient": (lambda a, b: a / 2.0, "float32", "TrueDivide"),
    "a number less": (lambda a, b: a - 2.0, "float32", "Subtract"),
    "infinity": (lambda a, b: a + float("inf"), "float32", "Add"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_layer_computes_is_refused(name, tmp_path):
    combine, dtype, operation = REFUSED[name]
    saved(combine, tmp_path / "model.keras", dtype)
    with pytest.raises(UserError) as caught:
        load_model(tmp_path / "model.keras")
    if name != "infinity":  # which JSON does not know
        assert isinstance(caught.value, UnsupportedError)
        assert f"Keras's operation keras.src.ops.numpy.{operation}; it needs layers. Write" in str(caught.value)


JUNK = [None, [], {}, "x", 10**400, [[1]], {"class_name": "__keras_tensor__", "config": {"keras_history": 1}}]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: json.dumps(junk)[:20])
@pytest.mark.parametrize("key", ["class_name", "name", "config", "inbound_nodes", "args", 0, 1, "dtype", "shape"])
def test_damaged_ones_are_refused(key, junk, tmp_path):
    saved(lambda a, b: a + b, tmp_path / "model.keras")

    def damage(config):
        form = next(form for form in config["config"]["layers"] if form["class_name"] == "Add")
        call = form["inbound_nodes"][0]
        inside = {"args": call, 0: call["args"], 1: call["args"]}.get(key, form)
        if key in ("dtype", "shape"):
            inside = call["args"][0]["config"]
        inside[key] = junk

    edit_config(tmp_path / "model.keras", damage)
    try:
        load_model(tmp_path / "model.keras")
    except UserError as error:
        assert "model.keras" in str(error)  # noqa: PT017
