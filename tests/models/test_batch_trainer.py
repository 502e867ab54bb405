"""One batch at a time, against Keras, and what is refused."""

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.layers import Dense, Input
from striate.models import Model, Sequential, model_from_json

X = np.random.default_rng(0).random((10, 4), "float32")
Y = np.arange(10).reshape(10, 1) % 3
WEIGHTS = [np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3), np.zeros(3, "float32")]


def pair():
    """The same small classifier in both libraries."""
    made = []
    for library, dense, start in ((keras.Sequential, keras.layers.Dense, keras.Input), (Sequential, Dense, Input)):
        model = library([start((4,)), dense(3, activation="softmax", kernel_regularizer="l2")])
        model.set_weights(WEIGHTS)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        made.append(model)
    return made


def test_batches_give_the_figures_and_weights_of_keras():
    theirs, ours = pair()
    weight = {0: 1.0, 1: 2.0, 2: 0.5}
    for begin, end in ((0, 4), (4, 10)):
        expected = theirs.train_on_batch(X[begin:end], Y[begin:end], class_weight=weight)
        assert ours.train_on_batch(X[begin:end], Y[begin:end], class_weight=weight) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(ours.get_weights()[0], theirs.get_weights()[0], rtol=1e-5, atol=1e-7)
    sample_weight = np.linspace(0, 1, 10)
    for rows in (slice(0, 3), slice(3, 10)):
        arguments = X[rows], Y[rows], sample_weight[rows]
        expected = theirs.test_on_batch(*arguments, return_dict=True)
        found = ours.test_on_batch(*arguments, return_dict=True)
        assert found.keys() == expected.keys()
        assert found == pytest.approx({name: float(value) for name, value in expected.items()}, rel=1e-5)
    np.testing.assert_allclose(ours.predict_on_batch(X), theirs.predict_on_batch(X), rtol=1e-5)


def test_the_loss_alone_is_a_number():
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse")
    assert isinstance(model.train_on_batch(X, X[:, :1]), float)
    assert isinstance(model.test_on_batch(X, X[:, :1]), float)


def test_a_model_that_waits_for_its_shape_is_built_by_its_first_batch():
    model = Sequential([Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(X, Y)
    assert [tuple(weight.shape) for weight in model.trainable_variables] == [(4, 3), (3,)]


def test_inputs_and_outputs_by_name():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    model = Model([a, b], [Dense(1, name="left")(a), Dense(1, name="right")(b)])
    model.compile("sgd", {"left": "mse", "right": "mae"})
    logs = model.train_on_batch({"a": X, "b": X}, {"left": X[:, :1], "right": X[:, :1]}, return_dict=True)
    assert list(logs) == ["loss", "left_loss", "right_loss"]


def test_what_compile_chose_can_be_asked():
    theirs, ours = pair()
    assert ours.compiled
    assert ours.loss == theirs.loss == "sparse_categorical_crossentropy"
    assert Sequential([Dense(1)]).loss is None
    assert not Sequential([Dense(1)]).compiled
    assert Sequential([Dense(1)]).metrics == []
    ours.train_on_batch(X, Y)
    assert [metric.name for metric in ours.metrics] == ["loss", "accuracy"]
    assert float(ours.metrics[1].result()) > 0
    ours.reset_metrics()
    assert float(ours.metrics[1].result()) == 0


def test_variables_are_weights_as_in_keras():
    norm = [keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    theirs = keras.Sequential([keras.Input((3,)), *norm])
    ours = model_from_json(theirs.to_json())
    for name in ("variables", "trainable_variables", "non_trainable_variables"):
        assert [tuple(v.shape) for v in getattr(ours, name)] == [tuple(v.shape) for v in getattr(theirs, name)]


def test_json_goes_both_ways():
    theirs, ours = pair()
    assert keras.models.model_from_json(ours.to_json()).count_params() == 15
    again = model_from_json(theirs.to_json(indent=1))
    assert (again.count_params(), again.output_shape) == (15, (None, 3))
    again.set_weights(WEIGHTS)
    np.testing.assert_allclose(again.predict_on_batch(X), ours.predict_on_batch(X))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda model: Sequential([Dense(1)]).train_on_batch(X, Y),
            r"Sequential '.*' got a call that needs a loss; it needs to be compiled\. Call compile\(",
        ),
        (
            lambda model: model.train_on_batch(X, Y[:3]),
            r"train_on_batch got 10 samples in x, 3 samples in y; it needs equally many in all of them\. Check which",
        ),
        (
            lambda model: model.train_on_batch(X * np.nan, Y),
            r"train_on_batch got .*NaN.*; it needs ",
        ),
        (
            lambda model: model.train_on_batch(X, Y + 5),
            r"Loss 'sparse_categorical_crossentropy' got labels from 5 to 7; it needs whole numbers from 0 to 2",
        ),
        (
            lambda model: model.test_on_batch(X, np.array(["a"] * 10)),
            r"test_on_batch got y of dtype <U1; it needs numbers\.",
        ),
        (
            lambda model: model.train_on_batch(iter([X]), None),
            r"train_on_batch got batch_size=.*; it needs a source that makes no batches itself",
        ),
        (lambda model: model_from_json("{"), r"model_from_json got no JSON \(.*\); it needs the text that model\.to_"),
        (lambda model: model_from_json(None), r"model_from_json got no JSON \(.*\); it needs the text that model\.to_"),
        (lambda model: model_from_json("[]"), r"A model's config got .*; it needs a layer's class_name and config\."),
    ],
)
def test_refusals_leave_the_weights_alone(call, text):
    model = pair()[1]
    with pytest.raises(UserError, match=text):
        call(model)
    np.testing.assert_array_equal(model.get_weights()[0], WEIGHTS[0])


def test_frozen_weights_are_refused_by_name():
    model = pair()[1]
    model.trainable = False
    with pytest.raises(UserError, match=r"Sequential '.*'\.train_on_batch got no trainable weights; it needs at least"):
        model.train_on_batch(X, Y)


def test_a_batch_leaves_the_mode_and_no_graph():
    model = pair()[1]
    model.train_on_batch(X, Y)
    assert not model.training
    assert not torch.is_grad_enabled() or not any(m.result().requires_grad for m in model.metrics)
