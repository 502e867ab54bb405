"""Normalization against Keras."""

import keras
import numpy as np
import pytest
import torch

from striate.data.dataset import Dataset
from striate.foundation.checks import UserError
from striate.layers import Dense, Input, Normalization
from striate.layers.symbol import ShapeError
from striate.models import Sequential, load_model

X = np.random.default_rng(2).normal(3, 5, (20, 4, 6, 3)).astype("float32")


@pytest.mark.parametrize("axis", [-1, 1, None, (1, -1), (-1, 2), [1, 2, 3]], ids=str)
@pytest.mark.parametrize("invert", [False, True])
def test_adapting_is_that_of_keras(axis, invert):
    ours, theirs = Normalization(axis=axis, invert=invert), keras.layers.Normalization(axis=axis, invert=invert)
    for layer in (ours, theirs):
        layer.adapt(X)
    np.testing.assert_allclose(ours(X), theirs(X).cpu(), rtol=1e-5, atol=1e-5)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_batches_are_put_together():
    whole = Normalization()
    whole.adapt(X)
    batches = [X[:7], X[7:8], X[8:]]
    dataset = Dataset.from_tensor_slices((X, np.zeros(20))).batch(7)
    for data in (batches, iter(batches), dataset, [(torch.from_numpy(x), None) for x in batches]):
        layer = Normalization()
        layer.adapt(data)
        for one, other in zip(layer.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize(
    ("mean", "variance", "axis"),
    [(3.0, 4.0, -1), ([1, 2, 3], [4, 5, 6], -1), (np.ones(3), np.full(3, 2.0), (1, -1)), (0.5, 0.0, None)],
    ids=str,
)
def test_known_statistics_are_used_as_in_keras(mean, variance, axis):
    options = {"mean": mean, "variance": variance, "axis": axis}
    expected = keras.layers.Normalization(**options)(X).cpu()
    np.testing.assert_allclose(Normalization(**options)(X), expected, rtol=1e-5, atol=1e-5)


def test_files_go_both_ways(tmp_path):
    ours = Sequential([Input((4, 6, 3)), Normalization(), Normalization(mean=[1, 2, 3], variance=[2, 2, 2])])
    ours.layers[0].adapt(X)
    ours.save(tmp_path / "ours.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "ours.keras")(X).cpu(), ours(X), rtol=1e-5, atol=1e-6)
    keras.models.load_model(tmp_path / "ours.keras").save(tmp_path / "theirs.keras")
    assert torch.equal(load_model(tmp_path / "theirs.keras")(X), ours(X))


def test_adapting_again_starts_anew_and_training_leaves_it_alone():
    layer = Normalization()
    layer.adapt(X * 10)
    layer.adapt(X)
    once = Normalization()
    once.adapt(X)
    assert torch.equal(layer(X), once(X))
    model = Sequential([layer, Dense(1)])
    model.compile("sgd", "mse")
    before = layer.get_weights()
    model.fit(X, np.zeros((20, 4, 6, 1), "float32"), verbose=0)
    for one, other in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Normalization(mean=1.0), r"Normalization '.*' got mean=1\.0 and variance=None; it needs both"),
        (lambda: Normalization(mean=[1, 2], variance=1), "it needs both, of the same shape, or none"),
        (lambda: Normalization(mean=[[1]], variance=[[1]]), r"got mean of shape \(1, 1\); it needs at most the 1 axes"),
        (lambda: Normalization(mean="x", variance="y"), "got mean='x'; it needs a number, or numbers over the axes"),
        (lambda: Normalization(axis=0.5), r"got axis=0\.5; it needs whole numbers, or None"),
        (lambda: Normalization(mean=1.0, variance=1.0).adapt(X), "adapt got data for a layer that was given its mean"),
        (lambda: Normalization().adapt([]), "adapt got no data; it needs at least one batch"),
        (lambda: Normalization().adapt(3), "adapt got a int; it needs an array, or batches of them"),
        (lambda: Normalization().adapt("x.npy"), "adapt got a str; it needs an array, or batches of them"),
        (lambda: Normalization().adapt({"x": X}), "adapt got a dict; it needs an array, or batches of them"),
        (lambda: Normalization().adapt(X[:0]), "adapt got no data; it needs at least one batch"),
        (lambda: Normalization().adapt(np.array([["a"]])), "adapt got an array of dtype object; it needs numbers"),
        (lambda: Normalization().adapt(X.astype(complex)), "adapt got a tensor of complex128; it needs real numbers"),
        (lambda: Normalization().adapt(np.zeros((2, 2), "datetime64[s]")), r"adapt got an array of dtype datetime64"),
        (lambda: Normalization(axis=7).adapt(X), "needs an axis 7"),
        (lambda: Sequential([Input((4, None)), Normalization()]), "needs a known size on axis"),
    ],
)
def test_bad_arguments_are_refused(make, text):
    with pytest.raises(UserError, match=text):
        make()


def test_other_channels_than_before_are_refused():
    layer = Normalization()
    layer.adapt(X)
    with pytest.raises(ShapeError, match=r"got shape \(None, 4, 6, 2\); it needs sizes \(3,\) on axis"):
        layer.adapt(X[..., :2])


def test_adapting_reads_what_torch_cannot():
    once, again = Normalization(), Normalization()
    once.adapt(X)
    again.adapt(X[::-1].astype(">f8"))
    np.testing.assert_allclose(again.get_weights()[0], once.get_weights()[0], rtol=1e-6)
