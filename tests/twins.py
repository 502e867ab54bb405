"""The same small network here and in Keras, with the same weights, in the precision that Keras is set to."""

import keras
import numpy as np

from striate import layers, models, optimizers

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 5)).astype("float32")
Y = (X @ RNG.normal(size=(5, 1)) + 0.1 * RNG.normal(size=(40, 1))).astype("float32")


def twins(optimizer="SGD", loss="mse", metrics=(), **options):
    """Ours and Keras's, compiled."""
    keras.utils.set_random_seed(7)
    found = []
    for kind, kinds, maker in (
        (models.Sequential, layers, optimizers),
        (keras.Sequential, keras.layers, keras.optimizers),
    ):
        stack = [kinds.Input((5,)), kinds.Dense(4, "tanh"), kinds.BatchNormalization(), kinds.Dense(1)]
        model = kind(stack)
        model = model.double() if maker is optimizers and keras.config.floatx() == "float64" else model
        model.compile(getattr(maker, optimizer)(**options), loss, metrics=list(metrics))
        found.append(model)
    ours, theirs = found
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def fit(model, callbacks, epochs=6, **more):
    """The history, with validation on a part of the data."""
    more = {"validation_data": (X[30:], Y[30:]), "batch_size": 8, "shuffle": False, "verbose": 0} | more
    return model.fit(X[:30], Y[:30], epochs=epochs, callbacks=callbacks, **more).history


def assert_same(ours, theirs, mine, other):
    """Histories, which Keras gives in float32, and weights; the order of names in histories counts, too."""
    assert list(mine) == list(other)
    for name, expected in other.items():
        np.testing.assert_allclose(mine[name], expected, 1e-6, err_msg=name)
    for weight, one, two in zip(theirs.weights, ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, 1e-9, 1e-12, err_msg=weight.path)
