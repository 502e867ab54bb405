"""Functions of the user's own in files: by registered name, both ways with Keras; what is not registered says so."""

import keras
import numpy as np
import pytest
import torch

import striate
from striate import layers
from striate.foundation.checks import UserError
from striate.foundation.custom_objects import get_custom_objects, register_keras_serializable

X = np.linspace(-1, 1, 24, dtype="float32").reshape(2, 3, 4)


def square(x):
    return x**2


@pytest.fixture
def _registered():
    register_keras_serializable("own")(square)
    keras.saving.register_keras_serializable("own")(square)
    yield
    del keras.saving.get_custom_objects()["own>square"]


def _network(kind, models):
    return models.Sequential(
        [
            kind.Input((3, 4)),
            kind.Conv1D(3, 1, activation=square),
            kind.Activation(square),
            kind.LSTM(2, activation=square, recurrent_activation=square),
            kind.Dense(1, activation=square),
        ]
    )


@pytest.mark.usefixtures("_registered")
def test_registered_activations_go_both_ways(tmp_path):
    model, twin = _network(layers, striate), _network(keras.layers, keras)
    for ours, theirs in zip(model.layers, twin.layers, strict=True):
        assert ours.get_config()["activation"] == theirs.get_config()["activation"]
    model.save(tmp_path / "ours.keras")
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "ours.keras").predict(X, verbose=0), expected, 1e-4)
    np.testing.assert_array_equal(striate.models.load_model(tmp_path / "ours.keras").predict(X, verbose=0), expected)
    twin.save(tmp_path / "theirs.keras")
    again = striate.models.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), twin.predict(X, verbose=0), 1e-4)
    config = model.layers[0].get_config()
    assert layers.Conv1D.from_config(config).activation is square
    assert layers.Dense(1, activation="own>square").activation is square


@pytest.mark.usefixtures("_registered")
def test_a_file_s_function_that_is_not_registered(tmp_path):
    _network(keras.layers, keras).save(tmp_path / "m.keras")
    get_custom_objects().clear()
    text = (
        r"activation='own>square'; it needs one that this program has registered\. If it is yours, put"
        r" @register_keras_serializable\(\) before the function, or pass custom_objects=\{'own>square': the function\}"
    )
    with pytest.raises(UserError, match=text):
        striate.models.load_model(tmp_path / "m.keras")
    striate.models.load_model(tmp_path / "m.keras", custom_objects={"own>square": square})


def test_a_function_that_is_not_registered_is_not_saved(tmp_path):
    with pytest.raises(UserError, match=r"the function 'square'; .* Register it with @register_keras_serializable\(\)"):
        _network(layers, striate).save(tmp_path / "m.keras")


class OwnLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return torch.square(y_true - y_pred)


def absolute(y_true, y_pred):
    return torch.abs(y_true - y_pred)


class OwnLayer(keras.layers.Layer):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("layer", "loss", "metric", "name", "kind"),
    [
        (keras.layers.Dense, OwnLoss(), None, "OwnLoss", "class"),
        (keras.layers.Dense, absolute, None, "absolute", "function"),
        (keras.layers.Dense, "mse", absolute, "absolute", "function"),
        (lambda _: OwnLayer(), None, None, "OwnLayer", "class"),
    ],
)
def test_what_is_not_registered_says_how(layer, loss, metric, name, kind, tmp_path):
    twin = keras.Sequential([keras.Input((3,)), layer(1)])
    if loss is not None:
        twin.compile("sgd", loss, metrics=metric and [metric])
    twin.save(tmp_path / "m.keras")
    text = rf"@register_keras_serializable\(\) before the {kind}, or pass custom_objects=\{{'{name}': the {kind}\}}"
    with pytest.raises(UserError, match=text):
        striate.models.load_model(tmp_path / "m.keras")
