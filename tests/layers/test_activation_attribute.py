"""An activation may be replaced after the layer is made, as Grad-CAM programs do; None and names mean what they mean
in `__init__`."""

import keras
import numpy as np
import pytest
import torch

from striate import layers
from striate.foundation.checks import UserError
from striate.models import Sequential, load_model


def _pair(shape, here, theirs):
    """Models of striate and Keras of one layer, with the same weights."""
    model, twin = Sequential([layers.Input(shape), here]), keras.Sequential([keras.Input(shape), theirs])
    twin.set_weights(model.get_weights())
    return model, twin


@pytest.mark.parametrize(
    ("shape", "make"),
    [
        ((4,), lambda kind: kind.Dense(3, activation="softmax")),
        ((6, 6, 2), lambda kind: kind.Conv2D(3, 3, activation="relu")),
        ((6, 6, 2), lambda kind: kind.DepthwiseConv2D(3, activation="relu")),
        ((6, 6, 2), lambda kind: kind.SeparableConv2D(3, 3, activation="relu")),
        ((6, 6, 2), lambda kind: kind.Conv2DTranspose(3, 3, activation="relu")),
    ],
)
@pytest.mark.parametrize("seen_before", [False, True])
def test_none_takes_it_away_as_in_keras(shape, make, seen_before):
    model, twin = _pair(shape, make(layers), make(keras.layers))
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype("float32")
    if seen_before:  # when the plan is made
        model.predict(x, verbose=0)
    model.layers[0].activation = twin.layers[0].activation = None
    np.testing.assert_allclose(model.predict(x, verbose=0), twin.predict(x, verbose=0), atol=1e-5)
    np.testing.assert_allclose(model(x).detach(), twin(x).detach(), atol=1e-5)


def test_a_name_means_the_function(tmp_path):
    model, twin = _pair((4,), layers.Dense(3, activation="relu"), keras.layers.Dense(3, activation="tanh"))
    x = np.random.default_rng(0).standard_normal((2, 4)).astype("float32")
    model.layers[0].activation = "tanh"
    np.testing.assert_allclose(model.predict(x, verbose=0), twin.predict(x, verbose=0), atol=1e-6)
    model.save(tmp_path / "m.keras")
    assert load_model(tmp_path / "m.keras").layers[0].get_config()["activation"] == "tanh"


def test_an_activation_layer_likewise():
    layer = layers.Activation("relu")
    layer.activation = None
    assert layer(torch.tensor([-1.0])).item() == -1.0
    layer.activation = "glu"
    assert layer(torch.ones(1, 2)).shape == (1, 1)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_layers_hand_it_to_their_cell(kind):
    here, theirs = (getattr(layer, kind) for layer in (layers, keras.layers))
    model, twin = _pair((5, 2), here(3), theirs(3, activation="relu", recurrent_activation="hard_sigmoid"))
    x = np.random.default_rng(0).standard_normal((2, 5, 2)).astype("float32")
    model.predict(x, verbose=0)  # by torch's own function for whole sequences
    model.layers[0].activation, model.layers[0].recurrent_activation = "relu", "hard_sigmoid"
    np.testing.assert_allclose(model.predict(x, verbose=0), twin.predict(x, verbose=0), atol=1e-5)
    assert model.layers[0].get_config()["activation"] == "relu"


def test_a_module_gives_way_to_a_function():
    layer = layers.Dense(2, activation=torch.nn.Tanh())
    layer.activation = "relu"
    assert layer(-torch.ones(1, 3)).min() >= 0
    assert not list(layer.children())


def test_what_is_none_is_refused():
    layer = layers.Dense(2, activation="relu")
    with pytest.raises(UserError, match=r"Dense '\w+' got activation='rely'; it needs .* Did you mean 'relu'\?"):
        layer.activation = "rely"
    assert layer(-torch.ones(1, 3)).min() >= 0
