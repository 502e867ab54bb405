"""Subclasses of `Model` with a forward of their own, beside Keras's."""

import keras
import numpy as np
import pytest

import striate
from striate import layers
from striate.foundation.checks import UserError


def _own(kind, base):
    class Own(base):
        def __init__(self, units=2, **options):
            super().__init__(**options)
            self.units, self.dense = units, kind.Dense(units)

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Own


X = np.arange(8, dtype="float32").reshape(2, 4)


@pytest.mark.parametrize("called", [False, True])
def test_their_config_begins_with_keras_s(called):
    model = _own(layers, striate.Model)(3, name="one", trainable=False)
    twin = _own(keras.layers, keras.Model)(3, name="one", trainable=False)
    if called:
        model(X), twin(X)
    assert model.get_config() == twin.get_config()


def test_files_go_both_ways(tmp_path):
    ours, theirs = _own(layers, striate.Model), _own(keras.layers, keras.Model)
    model = ours(3)
    expected = model(X).detach().numpy()
    model.save(tmp_path / "ours.keras")
    again = striate.models.load_model(tmp_path / "ours.keras", custom_objects={"Own": ours})
    np.testing.assert_array_equal(again.predict(X, verbose=0), expected)
    twin = keras.models.load_model(tmp_path / "ours.keras", custom_objects={"Own": theirs})
    np.testing.assert_allclose(twin.predict(X, verbose=0), expected, atol=1e-5)
    twin.save(tmp_path / "theirs.keras")
    back = striate.models.load_model(tmp_path / "theirs.keras", custom_objects={"Own": ours})
    np.testing.assert_array_equal(back.predict(X, verbose=0), expected)


def test_what_asks_for_a_graph_says_that_there_is_none():
    model = _own(layers, striate.Model)()
    model(X)
    for ask in ("plan", "inputs", "output_shape"):
        with pytest.raises(UserError, match=r"Own 'own\w*' got a forward of its own; it needs a graph of layers for"):
            getattr(model, ask)
    with pytest.raises(UserError, match="got no input shape yet"):
        _ = striate.Sequential([layers.Dense(1)]).plan
    with pytest.raises(UserError, match="got no input shape yet"):
        striate.Model().get_config()


class Twice(layers.Layer):
    def call(self, x):
        return 2 * x


class KerasTwice(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@pytest.mark.parametrize("functional", [False, True])
def test_from_config_takes_custom_objects(functional):
    def make(kind, models, custom):
        inputs = kind.Input((4,))
        if functional:
            model = models.Model(inputs, kind.Dense(1)(custom()(inputs)))
        else:
            model = models.Sequential([inputs, custom(), kind.Dense(1)])
        return type(model).from_config(model.get_config(), custom_objects={"Twice": custom, "KerasTwice": custom})

    model, twin = make(layers, striate, Twice), make(keras.layers, keras, KerasTwice)
    twin.set_weights(model.get_weights())
    np.testing.assert_allclose(model.predict(X, verbose=0), twin.predict(X, verbose=0), atol=1e-5)
    assert isinstance(model.layers[-2], Twice)
