"""Models that say themselves what a step is, beside Keras: losses, weights and histories, epoch by epoch."""

import keras
import numpy as np
import pytest
import torch

import striate
from striate.foundation.checks import UserError
from striate.training.diagnose import NotFiniteError
from striate.utils import pack_x_y_sample_weight, unpack_x_y_sample_weight

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 5)).astype("float32")
Y = (X @ RNG.normal(size=(5, 1))).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2.0, 24).astype("float32")


def gradients_of(weights):
    return [weight.value.grad if hasattr(weight, "value") else weight.grad for weight in weights]


def own_loss(lib):
    class Own(lib.Model):
        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            loss = lib.ops.mean(lib.ops.square(lib.ops.subtract(y_pred, y))) + 0.01 * lib.ops.mean(lib.ops.square(x))
            return loss * (1.0 if training else 2.0)

    return Own


def own_loss_of_old(lib):
    class Own(lib.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return super().compute_loss(x, y, y_pred, sample_weight) + lib.ops.mean(lib.ops.abs(y_pred))

    return Own


def own_loss_and_metrics(lib):
    class Own(lib.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.tracker = lib.metrics.Mean(name="mine")

        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            loss = lib.ops.mean((y_pred - y) ** 2)
            self.tracker.update_state(loss)
            return loss

        @property
        def metrics(self):
            return [self.tracker]

        def reset_metrics(self):
            self.tracker.reset_state()

    return Own


def own_train_step(lib):
    class Own(lib.Model):
        def train_step(self, data):
            x, y = data
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            loss.backward()
            trainable_weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply(gradients_of(trainable_weights), trainable_weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    return Own


def own_train_step_and_trackers(lib):
    class Own(lib.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.loss_tracker = lib.metrics.Mean(name="loss")
            self.mae = lib.metrics.MeanAbsoluteError(name="mae")
            self.loss_fn = lib.losses.MeanSquaredError()

        @property
        def metrics(self):
            return [self.loss_tracker, self.mae]

        def train_step(self, data):
            x, y, sample_weight = lib.utils.unpack_x_y_sample_weight(data)
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.loss_fn(y, y_pred, sample_weight=sample_weight)
            loss.backward()
            with torch.no_grad():
                self.optimizer.apply(gradients_of(self.trainable_weights), self.trainable_weights)
            self.loss_tracker.update_state(loss)
            self.mae.update_state(y, y_pred)
            return {"loss": self.loss_tracker.result(), "mae": self.mae.result()}

        def test_step(self, data):
            x, y, sample_weight = lib.utils.unpack_x_y_sample_weight(data)
            y_pred = self(x, training=False)
            self.loss_tracker.update_state(self.loss_fn(y, y_pred, sample_weight=sample_weight))
            self.mae.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    return Own


def trackers_as_attributes(lib):
    class Own(lib.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.spread = lib.metrics.Mean(name="spread")

        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            self.spread.update_state(lib.ops.std(y_pred))
            return super().compute_loss(x, y, y_pred, sample_weight)

    return Own


def super_train_step(lib):
    class Own(lib.Model):
        def train_step(self, data):
            return {**super().train_step(data), "more": 1.0}

    return Own


OWN = {
    function.__name__: (function, compiled)
    for function, compiled in [
        (own_loss, {"metrics": ["mae"]}),
        (own_loss_of_old, {"loss": "mse", "metrics": ["mae"]}),
        (own_loss_and_metrics, {}),
        (own_train_step, {"loss": "mse"}),
        (own_train_step_and_trackers, {}),
        (trackers_as_attributes, {"loss": "mse", "metrics": ["mae"]}),
        (super_train_step, {"loss": "mse", "metrics": ["mae"]}),
    ]
}


def both(name, optimizer="SGD", **options):
    """The model here and in Keras, compiled, with the same weights."""
    make, compiled = OWN[name]
    found = []
    for lib in (striate, keras):
        x = lib.layers.Input((5,))
        hidden = lib.layers.Dense(4, "tanh", kernel_regularizer=lib.regularizers.L2(0.01))(x)
        model = make(lib)(x, lib.layers.Dense(1)(lib.layers.BatchNormalization()(hidden)))
        model.compile(getattr(lib.optimizers, optimizer)(**(options or {"learning_rate": 0.05})), **compiled)
        found.append(model)
    ours, theirs = found
    ours.set_weights(theirs.get_weights())
    return ours, theirs


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", OWN)
def test_trajectories_are_keras_s(name, weighted):
    if weighted and name == "own_train_step":  # which takes two parts only
        return
    ours, theirs = both(name)
    more = {"sample_weight": WEIGHTS[:16]} if weighted else {}
    histories, evaluated, on_batch = [], [], []
    for model in (ours, theirs):
        options = {"epochs": 3, "batch_size": 8, "shuffle": False, "verbose": 0, "validation_data": (X[16:], Y[16:])}
        histories.append(model.fit(X[:16], Y[:16], **options, **more).history)
        evaluated.append(model.evaluate(X, Y, verbose=0, return_dict=True))
        on_batch.append(np.size(model.evaluate(X, Y, verbose=0)))
    mine, other = histories
    assert set(mine) == set(other)
    for figure, expected in other.items():
        np.testing.assert_allclose(mine[figure], expected, rtol=2e-5, err_msg=figure)
    assert set(evaluated[0]) == set(evaluated[1])
    for figure, expected in evaluated[1].items():
        np.testing.assert_allclose(evaluated[0][figure], expected, rtol=2e-5, err_msg=figure)
    assert on_batch[0] == on_batch[1]
    for one, two in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("Adam", {"learning_rate": 0.01}),
        ("Adam", {"learning_rate": 0.01, "clipnorm": 0.1}),
        ("RMSprop", {"weight_decay": 0.01}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "gradient_accumulation_steps": 2}),
    ],
)
def test_apply_is_a_step_of_keras_s(optimizer, options):
    ours, theirs = both("own_train_step", optimizer, **options)
    for model in (ours, theirs):
        model.fit(X, Y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    for one, two in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def gan(lib):
    """The shape of Keras's tutorial: two networks, two optimizers, no call."""

    class Gan(lib.Model):
        def __init__(self, discriminator, generator):
            super().__init__()
            self.discriminator, self.generator = discriminator, generator
            self.d_loss_tracker = lib.metrics.Mean(name="d_loss")
            self.g_loss_tracker = lib.metrics.Mean(name="g_loss")
            self.built = lib is keras  # which needs to be told

        @property
        def metrics(self):
            return [self.d_loss_tracker, self.g_loss_tracker]

        def compile(self, d_optimizer, g_optimizer, loss_fn):
            super().compile()
            self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

        def train_step(self, real):
            if isinstance(real, tuple):
                real = real[0]
            noise = real[:, :2] * 0.5  # the same numbers in both
            made = self.generator(noise)
            labels = lib.ops.concatenate([lib.ops.ones((len(real), 1)), lib.ops.zeros((len(real), 1))], axis=0)
            self.zero_grad()
            d_loss = self.loss_fn(labels, self.discriminator(lib.ops.concatenate([made, real], axis=0)))
            d_loss.backward()
            with torch.no_grad():
                weights = self.discriminator.trainable_weights
                self.d_optimizer.apply(gradients_of(weights), weights)
            self.zero_grad()
            g_loss = self.loss_fn(lib.ops.zeros((len(real), 1)), self.discriminator(self.generator(noise)))
            g_loss.backward()
            with torch.no_grad():
                weights = self.generator.trainable_weights
                self.g_optimizer.apply(gradients_of(weights), weights)
            self.d_loss_tracker.update_state(d_loss)
            self.g_loss_tracker.update_state(g_loss)
            return {"d_loss": self.d_loss_tracker.result(), "g_loss": self.g_loss_tracker.result()}

    d = lib.Sequential([lib.layers.Input((5,)), lib.layers.Dense(4, "tanh"), lib.layers.Dense(1)])
    g = lib.Sequential([lib.layers.Input((2,)), lib.layers.Dense(5)])
    model = Gan(d, g)
    optimizers = lib.optimizers.Adam(0.01), lib.optimizers.Adam(0.02)
    model.compile(*optimizers, lib.losses.BinaryCrossentropy(from_logits=True))
    return model


def test_two_networks_against_each_other():
    ours, theirs = gan(striate), gan(keras)
    for part in ("discriminator", "generator"):
        getattr(ours, part).set_weights(getattr(theirs, part).get_weights())
    histories = [model.fit(X, epochs=3, batch_size=8, shuffle=False, verbose=0).history for model in (ours, theirs)]
    assert set(histories[0]) == set(histories[1])
    for figure, expected in histories[1].items():
        np.testing.assert_allclose(histories[0][figure], expected, rtol=2e-5, err_msg=figure)
    for one, two in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("data", ["x", "xy", "xyw", "list", "dict"])
def test_a_step_gets_what_keras_s_gets(data):
    seen = []
    arguments = {
        "x": {"x": X},
        "xy": {"x": X, "y": Y},
        "xyw": {"x": X, "y": Y, "sample_weight": WEIGHTS},
        "list": {"x": [X, X]},
        "dict": {"x": {"a": X}, "y": Y},
    }[data]
    for lib in (striate, keras):

        class Looking(lib.Model):
            def train_step(self, data):
                seen.append(_shapes(data))
                return {"loss": 0.0}

        x = lib.layers.Input((5,))
        model = Looking(x, lib.layers.Dense(1)(x))
        model.compile()
        model.fit(**arguments, verbose=0)
    assert seen[0] == seen[1]


def _shapes(data):
    if isinstance(data, dict):
        return {key: _shapes(value) for key, value in data.items()}
    return type(data)(map(_shapes, data)) if isinstance(data, list | tuple) else tuple(data.shape)


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch"])
@pytest.mark.parametrize("name", ["own_loss", "own_train_step_and_trackers", "super_train_step"])
def test_one_batch(name, method):
    ours, theirs = both(name)
    mine, other = (getattr(model, method)(X, Y, return_dict=True) for model in (ours, theirs))
    assert set(mine) == set(other)
    for figure, expected in other.items():
        np.testing.assert_allclose(mine[figure], float(expected), rtol=2e-5, err_msg=figure)


def test_training_goes_on_from_a_backup(tmp_path):
    class Stop(striate.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1 and self.model.optimizer.iterations > 3:
                raise KeyboardInterrupt

    whole, _ = both("own_train_step_and_trackers")
    parted, _ = both("own_train_step_and_trackers")
    parted.set_weights(whole.get_weights())
    options = {"epochs": 3, "batch_size": 8, "shuffle": False, "verbose": 0}
    expected = whole.fit(X, Y, **options).history
    backup = striate.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=1)
    parted.fit(X, Y, callbacks=[backup, Stop()], **options)
    got = parted.fit(X, Y, callbacks=[striate.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=1)], **options)
    for name, values in expected.items():
        np.testing.assert_array_equal(got.history[name][-1], values[-1])
    for one, two in zip(whole.get_weights(), parted.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def model_with(**methods):
    x = striate.layers.Input((5,), name="x")
    model = type("Own", (striate.Model,), methods)(x, striate.layers.Dense(1)(x), name="own")
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("methods", "text"),
    [
        (
            {"train_step": lambda self, data: None},
            r"^Own 'own'\.train_step got a NoneType to return; it needs a dict of",
        ),
        (
            {"train_step": lambda self, data: {"loss": "x"}},
            r"^Own 'own'\.train_step got loss='x' to return; it needs num",
        ),
        (
            {"compute_loss": lambda self, x, y, y_pred, sample_weight: 1},
            r"compute_loss got a int to return; it needs a sc",
        ),
        (
            {"compute_loss": lambda self, x, y, y_pred, sample_weight: y_pred},
            r"got shape \(24, 1\) to return; it needs a",
        ),
    ],
)
def test_what_steps_may_not_return(methods, text):
    with pytest.raises(UserError, match=text):
        model_with(**methods).fit(X, Y, verbose=0)


def test_a_loss_that_is_no_number_moves_nothing():
    model = model_with(compute_loss=lambda self, x, y, y_pred, sample_weight: y_pred.sum() * float("nan"))
    before = model.get_weights()
    with pytest.raises(NotFiniteError, match="fit got loss nan at batch 0"):
        model.fit(X, Y, batch_size=24, verbose=0)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_batches_in_parts():
    for lib in (striate, keras):
        assert lib.utils.unpack_x_y_sample_weight([1, 2]) == (1, 2, None)
        assert lib.utils.unpack_x_y_sample_weight((1, 2, 3)) == (1, 2, 3)
    assert pack_x_y_sample_weight(1, 2, 3) == keras.utils.pack_x_y_sample_weight(1, 2, 3)
    with pytest.raises(UserError, match=r"got data of 4 parts; it needs x, \(x, y\) or \(x, y, sample_weight\)"):
        unpack_x_y_sample_weight((1, 2, 3, 4))
    with pytest.raises(UserError, match=r"SGD\.apply got 1 gradients; it needs 0, as weights"):
        striate.optimizers.SGD().apply([torch.zeros(1)])
