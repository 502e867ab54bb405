"""fit, evaluate and predict against real Keras: same weights and data in, same history and weights out."""

import contextlib
import types

import keras
import numpy as np
import pytest
from oracles.compare import double_precision

from striate import layers, models

RNG = np.random.default_rng(7)
PICTURES = RNG.normal(size=(50, 8, 8, 3)).astype("float32")
CLASSES = RNG.integers(0, 4, 50)
ONE_HOT = np.eye(4, dtype="float32")[CLASSES]
BINARY = (CLASSES % 2).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2, 50).astype("float32")


def convnet(k, output, **regularized):
    return k.models.Sequential(
        [
            k.layers.Input((8, 8, 3)),
            k.layers.Conv2D(4, 3, activation="relu", **regularized),
            k.layers.BatchNormalization(),
            k.layers.MaxPooling2D(),
            k.layers.Flatten(),
            output,
        ]
    )


# How closely weights and outputs must agree: relatively, and for numbers near zero in parts of the array's largest (or
# of 1). In float64 a difference in meaning would stand out. Sums of float32 taken in another order differ by some 1e-7
# of their terms, which is more than 1e-5 of what is left where terms cancel out (biases, Adam's small moments).
TOLERANCES = {"float64": (1e-9, 1e-12), "float32": (1e-5, 1e-5)}
# Histories come in float32 from models of any precision: rounding to it changes up to 6e-8.
FIGURES = {"float64": 1e-7, "float32": 1e-5}


@pytest.fixture(autouse=True, params=TOLERANCES)
def precision(request):
    """Runs every test in both precisions, with Keras set to them."""
    with double_precision() if request.param == "float64" else contextlib.nullcontext():
        yield


def twins(build):
    """The same network here and in Keras, with the same weights."""
    keras.utils.set_random_seed(7)
    theirs, ours = build(keras), build(types.SimpleNamespace(layers=layers, models=models))
    ours = ours.double() if keras.config.floatx() == "float64" else ours
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def assert_close(mine, other, what=""):
    """One array here and in Keras: of the precision under test, and equal but for its rounding."""
    assert mine.dtype == other.dtype == keras.config.floatx()
    relative, absolute = TOLERANCES[keras.config.floatx()]
    np.testing.assert_allclose(mine, other, relative, absolute * max(1.0, np.abs(other).max()), err_msg=what)


def assert_same_figures(mine, other):
    """Numbers by name, as in histories."""
    assert mine.keys() == other.keys()
    for name, expected in other.items():
        np.testing.assert_allclose(mine[name], expected, FIGURES[keras.config.floatx()], err_msg=name)


def assert_same(ours, theirs, one, two):
    """Histories and weights after training."""
    assert_same_figures(one.history, two.history)
    for weight, mine, other in zip(theirs.weights, ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(mine, other, weight.path)


CASES = {
    "binary": ("sigmoid", 1, "binary_crossentropy", BINARY, ["accuracy"]),
    "binary column": ("sigmoid", 1, "binary_crossentropy", BINARY[:, None], ["accuracy", "mse"]),
    "sparse": ("softmax", 4, "sparse_categorical_crossentropy", CLASSES, ["accuracy"]),
    "one-hot": ("softmax", 4, "categorical_crossentropy", ONE_HOT, ["accuracy", "categorical_accuracy"]),
    "regression": (None, 1, "mean_squared_error", WEIGHTS, ["mse"]),
}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("case", CASES)
def test_histories_and_weights_agree(case, optimizer):
    activation, units, loss, y, metrics = CASES[case]
    ours, theirs = twins(lambda k: convnet(k, k.layers.Dense(units, activation)))
    found = []
    for model in (ours, theirs):
        model.compile(optimizer=optimizer, loss=loss, metrics=metrics)
        found.append(model.fit(PICTURES, y, batch_size=16, epochs=2, shuffle=False, validation_split=0.2, verbose=0))
    assert_same(ours, theirs, *found)
    assert_close(ours.predict(PICTURES, verbose=0), theirs.predict(PICTURES, verbose=0))
    assert_same_figures(*(model.evaluate(PICTURES, y, verbose=0, return_dict=True) for model in (ours, theirs)))


@pytest.mark.parametrize("extra", [{"sample_weight": WEIGHTS}, {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5, 3: 1.0}}])
def test_weights_of_samples_and_classes_agree(extra):
    ours, theirs = twins(lambda k: convnet(k, k.layers.Dense(4, "softmax")))
    found = []
    for model in (ours, theirs):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
        found.append(model.fit(PICTURES, CLASSES, epochs=2, shuffle=False, verbose=0, **extra))
    assert_same(ours, theirs, *found)


def test_regularizers_count_in_the_loss():
    ours, theirs = twins(lambda k: convnet(k, k.layers.Dense(1), kernel_regularizer="l2", bias_regularizer="l1"))
    found = []
    for model in (ours, theirs):
        model.compile("sgd", "mse")
        found.append(
            model.fit(PICTURES, WEIGHTS, epochs=2, shuffle=False, validation_data=(PICTURES, WEIGHTS), verbose=0)
        )
    assert_same(ours, theirs, *found)


def two_headed(k):
    left, right = k.layers.Input((8, 8, 3), name="left"), k.layers.Input((3,), name="right")
    x = k.layers.Conv2D(3, 3, activation="relu", name="conv")(left)
    x = k.layers.GlobalAveragePooling2D(name="pool")(x)
    x = k.layers.Concatenate(name="join")([x, right])
    kind, size = k.layers.Dense(4, "softmax", name="kind")(x), k.layers.Dense(1, name="size")(x)
    return k.models.Model([left, right], [kind, size])


@pytest.mark.parametrize("by_name", [False, True])
def test_several_inputs_and_outputs_agree(by_name):
    side = RNG.normal(size=(50, 3)).astype("float32")
    ours, theirs = twins(two_headed)
    x, y = [PICTURES, side], [CLASSES, WEIGHTS]
    loss, factors = ["sparse_categorical_crossentropy", "mse"], [1.0, 0.3]
    metrics = [["accuracy"], ["mse"]]
    if by_name:
        x, y = dict(zip(("left", "right"), x, strict=True)), dict(zip(("kind", "size"), y, strict=True))
        loss, factors = dict(zip(y, loss, strict=True)), dict(zip(y, factors, strict=True))
        metrics = dict(zip(y, metrics, strict=True))
    found = []
    for model in (ours, theirs):
        model.compile("sgd", loss, loss_weights=factors, metrics=metrics)
        found.append(model.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0))
    assert_same(ours, theirs, *found)
    for one, two in zip(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), strict=True):
        assert_close(one, two)


def test_evaluate_gives_keras_names():
    ours, theirs = twins(lambda k: convnet(k, k.layers.Dense(1, "sigmoid")))
    found = []
    for model in (ours, theirs):
        model.compile("sgd", "binary_crossentropy", metrics=["accuracy", "AUC"])
        found.append(model.evaluate(PICTURES, BINARY, return_dict=True, verbose=0))
    assert_same_figures(*found)
