"""fit, evaluate and predict against real Keras: same weights and data in, same history and weights out."""

import keras
import numpy as np
import pytest

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


def twins(build):
    """The same network here and in Keras, with the same weights."""
    theirs, ours = build(keras), build(type("striate", (), {"layers": layers, "models": models}))
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def assert_same(ours, theirs, one, two, tolerance=2e-5):
    assert one.history.keys() == two.history.keys()
    for name in two.history:
        np.testing.assert_allclose(one.history[name], two.history[name], rtol=tolerance, atol=1e-6, err_msg=name)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


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
    # Two epochs of Adam amplify float32 rounding where gradients are near zero.
    assert_same(ours, theirs, *found, tolerance=2e-4)
    np.testing.assert_allclose(ours.predict(PICTURES, verbose=0), theirs.predict(PICTURES, verbose=0), atol=2e-4)
    np.testing.assert_allclose(
        ours.evaluate(PICTURES, y, verbose=0), theirs.evaluate(PICTURES, y, verbose=0), rtol=2e-4, atol=1e-6
    )


@pytest.mark.parametrize("extra", [{"sample_weight": WEIGHTS}, {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5, 3: 1.0}}])
def test_weights_of_samples_and_classes_agree(extra):
    ours, theirs = twins(lambda k: convnet(k, k.layers.Dense(4, "softmax")))
    found = []
    for model in (ours, theirs):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
        found.append(model.fit(PICTURES, CLASSES, epochs=2, shuffle=False, verbose=0, **extra))
    assert set(found[0].history) == set(found[1].history)
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
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


def test_evaluate_gives_keras_names():
    ours, theirs = twins(lambda k: convnet(k, k.layers.Dense(1, "sigmoid")))
    found = []
    for model in (ours, theirs):
        model.compile("sgd", "binary_crossentropy", metrics=["accuracy", "AUC"])
        found.append(model.evaluate(PICTURES, BINARY, return_dict=True, verbose=0))
    assert set(found[0]) == set(found[1])
    for name, value in found[1].items():
        assert found[0][name] == pytest.approx(value, rel=1e-5)
