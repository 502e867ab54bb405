"""Losses that layers add, in training and evaluation and in files, beside real Keras."""

import types

import keras
import numpy as np
import pytest
import torch
from model_files import open_in_keras
from oracles.compare import double_precision

import striate
from striate import layers, models, optimizers
from striate.foundation.checks import UserError

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(40, 6)).astype("float32"), RNG.normal(size=(40, 1)).astype("float32")
HERE = types.SimpleNamespace(layers=layers, models=models, Model=models.Model, ops=striate.ops, optimizers=optimizers)


def autoencoder(k):
    """A variational autoencoder as tutorials write it, with no chance, so that both can be compared."""

    class Sampling(k.layers.Layer):
        def call(self, inputs):
            mean, log_variance = inputs
            kl = -0.5 * k.ops.mean(log_variance - k.ops.square(mean) - k.ops.exp(log_variance) + 1)
            self.add_loss(0.1 * kl)
            return mean + 0.5 * k.ops.exp(0.5 * log_variance)

    class Autoencoder(k.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.hidden = k.layers.Dense(5, activation="tanh", activity_regularizer="l2")
            self.mean, self.log_variance = k.layers.Dense(2), k.layers.Dense(2, kernel_regularizer="l2")
            self.sampling, self.decoder = Sampling(), k.layers.Dense(6)

        def call(self, inputs):
            hidden = self.hidden(inputs)
            z = self.sampling((self.mean(hidden), self.log_variance(hidden)))
            reconstruction = self.decoder(z)
            self.add_loss(k.ops.mean(k.ops.square(reconstruction - inputs)))
            return reconstruction

    return Autoencoder(name="vae")


def twins(build):
    """The same network here and in Keras, with the same weights."""
    keras.utils.set_random_seed(7)
    theirs, ours = build(keras), build(HERE)
    ours = ours.double() if keras.config.floatx() == "float64" else ours
    for model in (ours, theirs):
        model(torch.tensor(X[:2], dtype=getattr(torch, keras.config.floatx())))
    ours.set_weights(theirs.get_weights())
    return ours, theirs


@pytest.mark.parametrize("loss", [None, "mse"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_autoencoder_trains_as_in_keras(optimizer, loss):
    with double_precision():
        ours, theirs = twins(autoencoder)
        histories = []
        for model in (ours, theirs):
            model.compile(optimizer, loss)
            given = (X,) if loss is None else (X, 0.5 * X)
            options = {"batch_size": 10, "epochs": 5, "shuffle": False, "verbose": 0}
            validation = (X[:12],) * 2 if loss else (X[:12], None)
            histories.append(model.fit(*given, **options, validation_data=validation).history)
        for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(mine, other, 1e-9, 1e-12)
        assert histories[0].keys() == histories[1].keys() == {"loss", "val_loss"}
        for name in histories[1]:
            np.testing.assert_allclose(histories[0][name], histories[1][name], 1e-6)
        results = [model.evaluate(X, X, verbose=0) for model in (ours, theirs)]
        assert results[0] == pytest.approx(results[1], rel=1e-6)
        assert len(ours.losses) == len(theirs.losses) == 4


def test_batch_by_batch():
    found = []
    for model in twins(autoencoder):
        model.compile("sgd")
        found.append([float(model.train_on_batch(X, X)), float(model.test_on_batch(X, X))])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_loop_of_ones_own():
    found = []
    for model in twins(autoencoder):
        figures = []
        for _ in range(3):
            model.zero_grad()
            loss = model(torch.tensor(X), training=True).square().mean()
            loss = loss + sum(model.losses)
            loss.backward()
            with torch.no_grad():
                for weight in model.parameters():
                    weight -= 0.1 * weight.grad
            figures.append(loss.item())
        found.append(figures)
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_no_loss_at_all_is_still_refused():
    model = models.Sequential([layers.Input((6,)), layers.Dense(1)])
    model.compile("sgd")
    with pytest.raises(UserError, match=r"^compile got no loss; it needs a loss to train with\. Pass loss= to compile"):
        model.fit(X, Y, verbose=0)


def test_whole_numbers_and_half_precision_add_up():
    class Odd(layers.Layer):
        def forward(self, x):
            self.add_loss([torch.tensor(2), x.mean().to(torch.bfloat16), x.mean()])
            return x

    model = models.Sequential([layers.Input((6,)), Odd(), layers.Dense(1)])
    model.compile("sgd", "mse")
    expected = model.evaluate(X, Y, verbose=0)
    model(torch.tensor(X))
    error = np.mean((model.predict(X, verbose=0) - Y) ** 2)
    assert expected == pytest.approx(error + 2 + 2 * X.mean(), rel=1e-2)


def penalised(k):
    return k.models.Sequential(
        [
            k.layers.Input((6,)),
            k.layers.Dense(4, activation="relu", activity_regularizer="l1"),
            k.layers.ActivityRegularization(l1=0.01, l2=0.02),
            k.layers.Dense(1),
        ],
        name="p",
    )


def test_files_keep_activity_regularizers_both_ways(tmp_path):
    ours, theirs = twins(penalised)
    for model, path in ((ours, "ours.keras"), (theirs, "theirs.keras")):
        model.compile("sgd", "mse")
        model.fit(X, Y, shuffle=False, verbose=0)
        model.save(tmp_path / path)
    found = [ours, models.load_model(tmp_path / "ours.keras"), models.load_model(tmp_path / "theirs.keras")]
    there = open_in_keras(tmp_path / "ours.keras")
    assert all(model.losses == [] for model in (*found[1:], there))
    figures = [float(model.evaluate(X, Y, verbose=0)) for model in (*found, there, theirs)]
    assert figures == pytest.approx([figures[0]] * 5, rel=1e-5)
    assert found[2].layers[0].activity_regularizer.config() == pytest.approx({"l1": 0.01})
