"""LearningRateScheduler and ReduceLROnPlateau against Keras's, in `fit` and on long made-up runs."""

import itertools
import json
import math

import keras
import numpy as np
import pytest
import torch
from oracles.compare import double_precision
from twins import X, Y, assert_same, fit, twins

from striate import callbacks, optimizers
from striate.foundation.checks import UserError
from striate.layers import Dense
from striate.models import Sequential


@pytest.fixture(autouse=True)
def precision():
    with double_precision():
        yield


# Powers of two, which Keras's assigning of a rate by way of float32 leaves as they are.
SCHEDULES = {
    "both": lambda epoch, rate: rate * 0.75 if epoch % 2 else rate,
    "epoch": lambda epoch: 2.0 ** -(5 + epoch),
    "default": lambda epoch, start=0.1: start * 0.5,  # which gets the rate, as two arguments fit
    "numpy": lambda epoch, rate: np.float64(rate) / 2,
    "zero": lambda epoch, rate: 0.0 if epoch == 3 else 2**-6,
}


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_scheduler_trains_as_keras(schedule, optimizer):
    ours, theirs = twins(optimizer, learning_rate=2**-6)
    mine = fit(ours, [callbacks.LearningRateScheduler(SCHEDULES[schedule])])
    other = fit(theirs, [keras.callbacks.LearningRateScheduler(SCHEDULES[schedule])])
    assert_same(ours, theirs, mine, other)
    assert len(set(mine["learning_rate"])) > 1
    assert ours.optimizer.learning_rate == pytest.approx(float(theirs.optimizer.learning_rate))


PLATEAUS = [
    {"monitor": "val_loss", "factor": 0.5, "patience": 1, "min_delta": 0.3},
    {"monitor": "loss", "factor": 0.25, "patience": 0, "min_delta": 0.5, "min_lr": 2**-9},
    {"monitor": "val_mean_squared_error", "factor": 0.0, "patience": 2, "min_delta": 1.0, "cooldown": 1, "mode": "max"},
]


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("options", PLATEAUS)
def test_a_plateau_trains_as_keras(options, optimizer):
    ours, theirs = twins(optimizer, learning_rate=2**-6, metrics=["mean_squared_error"])
    mine = fit(ours, [callbacks.ReduceLROnPlateau(**options)], epochs=8)
    other = fit(theirs, [keras.callbacks.ReduceLROnPlateau(**options)], epochs=8)
    assert_same(ours, theirs, mine, other)
    assert len(set(mine["learning_rate"])) > 1


def test_together_they_train_as_keras():
    ours, theirs = twins("Adam", learning_rate=2**-4)
    found = []
    for model, k in ((ours, callbacks), (theirs, keras.callbacks)):
        rates = k.LearningRateScheduler(lambda epoch, rate: rate * 1.5)
        plateau = k.ReduceLROnPlateau("loss", patience=1, min_delta=0.5, factor=0.5)
        found.append(fit(model, [rates, plateau, k.ReduceLROnPlateau("loss", patience=2, min_delta=0.1, factor=0.5)]))
    assert_same(ours, theirs, *found)


class Model:
    """As much of a model as these callbacks talk to."""

    def __init__(self, optimizer):
        self.optimizer = optimizer


def rates_of(callback, optimizer, values):
    """The state after each of these values of the monitored quantity."""
    model = Model(optimizer)
    callback.set_model(model)
    callback.set_params({"epochs": len(values)})
    callback.on_train_begin()
    trace = []
    for epoch, value in enumerate(values):
        logs = {"val_loss": value, "accuracy": -value}
        callback.on_epoch_end(epoch, logs)
        rates = [logs["learning_rate"], float(model.optimizer.learning_rate)]
        trace.append([callback.wait, callback.cooldown_counter, callback.best, *rates])
    return trace


GRID = [
    dict(zip(("patience", "cooldown", "min_delta", "factor", "min_lr"), values, strict=True))
    for values in itertools.product([0, 1, 3], [0, 2], [0, 0.125, -0.125], [0.5], [0.0, 0.25])
]


@pytest.mark.parametrize("monitor", [{"monitor": "val_loss"}, {"monitor": "accuracy", "mode": "max"}])
@pytest.mark.parametrize("options", GRID, ids=lambda options: "-".join(map(str, options.values())))
def test_a_plateau_decides_as_keras(options, monitor):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        values = [float(v) for v in rng.integers(0, 16, 25) / 16]  # on a coarse grid, so that there are ties
        ours, theirs = (
            callbacks.ReduceLROnPlateau(**options, **monitor),
            keras.callbacks.ReduceLROnPlateau(**options, **monitor),
        )
        theirs.set_model(Model(None))
        theirs._set_monitor_op()
        expected = rates_of(theirs, keras.optimizers.SGD(1.0), values)
        assert rates_of(ours, optimizers.SGD(1.0), values) == expected


def test_they_say_what_they_do(capsys):
    ours, _ = twins(learning_rate=0.25)
    fit(ours, [callbacks.LearningRateScheduler(lambda epoch: 2**-6, verbose=1)], epochs=1)
    fit(ours, [callbacks.ReduceLROnPlateau("loss", 0.5, 0, 1, min_delta=9)], epochs=2)
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 1: learning rate set to 0.015625",
        "Epoch 2: learning rate reduced from 0.015625 to 0.0078125",
    ]


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_a_plateau_resumes_from_its_state(cut):
    values = [float(v) for v in np.random.default_rng(5).integers(0, 16, 20) / 16]
    options = {"patience": 1, "cooldown": 2, "factor": 0.5}
    whole = rates_of(callbacks.ReduceLROnPlateau(**options), optimizers.SGD(1.0), values)
    killed, optimizer = callbacks.ReduceLROnPlateau(**options), optimizers.SGD(1.0)
    rates_of(killed, optimizer, values[:cut])
    resumed = callbacks.ReduceLROnPlateau(**options)
    resumed.set_model(Model(optimizer))
    resumed.on_train_begin()
    resumed.load_state_dict(json.loads(json.dumps(killed.state_dict())))
    for epoch in range(cut, len(values)):
        resumed.on_epoch_end(epoch, {"val_loss": values[epoch]})
    assert [resumed.wait, resumed.cooldown_counter, resumed.best, optimizer.learning_rate] == [
        *whole[-1][:3],
        whole[-1][-1],
    ]


def test_a_resumed_epoch_is_not_scheduled_twice():
    optimizer = optimizers.SGD(1.0)
    first, second = (callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2) for _ in range(2))
    for callback in (first, second):
        callback.set_model(Model(optimizer))
        callback.on_train_begin()
        callback.load_state_dict(json.loads(json.dumps(first.state_dict())))
        callback.on_epoch_begin(3)
        assert optimizer.learning_rate == 0.5
    second.on_epoch_begin(4)
    assert optimizer.learning_rate == 0.25
    second.on_train_begin()
    second.on_epoch_begin(4)
    assert optimizer.learning_rate == 0.125


def test_torch_optimizers_have_learning_rates_too():
    model = Sequential([Dense(1, input_shape=(5,))])
    model.compile(torch.optim.SGD(model.parameters(), lr=0.5), "mse")
    history = model.fit(
        X, Y, epochs=3, verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda e, rate: rate / 4)]
    )
    assert history.history["learning_rate"] == [0.125, 0.03125, 0.0078125]
    assert model.optimizer.engine.param_groups[0]["lr"] == 0.0078125


REFUSED = [
    (
        lambda: callbacks.LearningRateScheduler(0.1),
        r"LearningRateScheduler got schedule=0.1; it needs a function of \(ep",
    ),
    (
        lambda: callbacks.LearningRateScheduler(lambda a, b, c: a),
        r"got schedule=<.*>; .* Write for example lambda epoch",
    ),
    (
        lambda: callbacks.ReduceLROnPlateau(factor=1),
        "ReduceLROnPlateau got factor=1; it needs a factor from 0 up to but",
    ),
    (lambda: callbacks.ReduceLROnPlateau(factor=-0.5), "ReduceLROnPlateau got factor=-0.5; it needs a factor from 0"),
    (lambda: callbacks.ReduceLROnPlateau(factor=math.nan), "ReduceLROnPlateau got factor=nan"),
    (lambda: callbacks.ReduceLROnPlateau(factor="0.1"), "ReduceLROnPlateau got factor='0.1'"),
    (lambda: callbacks.ReduceLROnPlateau(min_delta="a"), "ReduceLROnPlateau got min_delta='a'; it needs a number"),
    (lambda: callbacks.ReduceLROnPlateau(min_delta=math.nan), "ReduceLROnPlateau got min_delta=nan"),
    (lambda: callbacks.ReduceLROnPlateau(mode="mini"), r"ReduceLROnPlateau got mode='mini'; .* Did you mean 'min'\?"),
    (
        lambda: callbacks.ReduceLROnPlateau(patience=-1),
        "ReduceLROnPlateau got patience=-1; it needs a whole number of at",
    ),
    (lambda: callbacks.ReduceLROnPlateau(cooldown=1.5), "ReduceLROnPlateau got cooldown=1.5; it needs a whole number"),
    (
        lambda: callbacks.ReduceLROnPlateau(min_lr=-1),
        "ReduceLROnPlateau got min_lr=-1; it needs a number of at least 0",
    ),
    (
        lambda: callbacks.ReduceLROnPlateau(patiens=1),
        r"got an unknown argument patiens=1; .* Did you mean 'patience'\?",
    ),
]


@pytest.mark.parametrize(("call", "text"), REFUSED, ids=[text[:40] for _, text in REFUSED])
def test_refused_arguments(call, text):
    with pytest.raises(UserError, match=text):
        call()


@pytest.mark.parametrize("value", [None, "low", math.nan, math.inf, -0.1, True, [0.1], 1j])
def test_a_schedule_that_gives_no_rate_is_refused(value):
    ours, _ = twins()
    before = ours.get_weights()[0].copy()
    with pytest.raises(
        UserError,
        match=r"LearningRateScheduler got a schedule that returns .* for epoch 0; it needs a number of at least 0\. R",
    ):
        fit(ours, [callbacks.LearningRateScheduler(lambda epoch, rate: value)])
    np.testing.assert_array_equal(ours.get_weights()[0], before)


@pytest.mark.parametrize(
    "make", [lambda: callbacks.ReduceLROnPlateau(), lambda: callbacks.LearningRateScheduler(float)]
)
def test_an_optimizer_with_a_schedule_is_refused_before_training(make):
    model = Sequential([Dense(1, input_shape=(5,))])
    model.compile(optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)), "mse")
    begun = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: pytest.fail("training has begun"))
    text = (
        r"got SGD with learning_rate=0.1 beside its ExponentialDecay; it needs a learning rate that no schedule sets\."
    )
    with pytest.raises(UserError, match=type(make()).__name__ + " " + text):
        fit(model, [make(), begun])
    callback = make()
    callback.set_model(torch.nn.Linear(1, 1))
    with pytest.raises(UserError, match=r"got a model without an optimizer; it needs one with a learning rate\. Com"):
        callback.on_train_begin()


def test_an_unknown_monitor_is_refused_at_the_first_epoch():
    ours, _ = twins()
    with pytest.raises(UserError, match=r"ReduceLROnPlateau got monitor='val_los'; .* Did you mean 'val_loss'\?"):
        fit(ours, [callbacks.ReduceLROnPlateau("val_los")], epochs=1)
