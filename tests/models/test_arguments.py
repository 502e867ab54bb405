"""What compile accepts of Keras's options of execution, and what they do."""

import keras
import numpy as np
import pytest
import torch
from keras.src.trainers.epoch_iterator import EpochIterator

from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Dense, Input
from striate.models import Model, Sequential
from striate.training.backup import BackupAndRestore
from striate.training.callback import Callback
from striate.training.callbacks import ModelCheckpoint
from striate.training.progress import ProgressBar

X = np.random.default_rng(1).normal(size=(20, 3)).astype("float32")
Y = X.sum(1)
BATCHES = 10  # of 2


def network(**options):
    torch.manual_seed(1)
    model = Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse", **options)
    return model


def fit(model, *callbacks, **options):
    return model.fit(X, Y, batch_size=2, verbose=0, shuffle=False, callbacks=list(callbacks), **options)


class Told(Callback):
    def __init__(self):
        self.train, self.test, self.predict = [], [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.train.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.train.append(batch)

    def on_test_batch_begin(self, batch, logs=None):
        self.test.append(batch)

    def on_test_batch_end(self, batch, logs=None):
        self.test.append(batch)

    def on_predict_batch_begin(self, batch, logs=None):
        self.predict.append(batch)

    def on_predict_batch_end(self, batch, logs=None):
        self.predict.append((batch, len(logs["outputs"])))


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")  # Keras's iterator alone says so
@pytest.mark.parametrize("every", [1, 2, 3, 10, 16])
def test_callbacks_are_told_when_keras_tells_them(every):
    expected = []
    for begin, end, data in EpochIterator(X, Y, batch_size=2, steps_per_execution=every):
        list(data)
        expected += [begin, min(end, BATCHES - 1)]  # Keras names batches past the end where fewer are left
    told, model, plain = Told(), network(steps_per_execution=every), network()
    history = fit(model, told, epochs=2, validation_data=(X, Y), validation_batch_size=2).history
    assert told.train == told.test == expected * 2
    assert history == fit(plain, epochs=2, validation_data=(X, Y), validation_batch_size=2).history
    assert torch.equal(model.weights[0], plain.weights[0])
    model.predict(X, batch_size=2, callbacks=[told], verbose=0)
    sizes = [2 * (end - begin + 1) for begin, end in zip(expected[::2], expected[1::2], strict=True)]
    ends = list(zip(expected[1::2], sizes, strict=True))
    assert told.predict == [entry for pair in zip(expected[::2], ends, strict=True) for entry in pair]


def test_outputs_of_several_batches_come_as_one():
    found = []

    class Keep(Callback):
        def on_predict_batch_end(self, batch, logs=None):
            found.append(logs["outputs"])

    x = Input((3,))
    model = Model(x, {"a": Dense(1)(x), "b": Dense(2)(x)})
    model.compile("sgd", "mse", steps_per_execution=4)
    all_of_them = model.predict(X, batch_size=2, callbacks=[Keep()], verbose=0)
    for name, values in all_of_them.items():
        np.testing.assert_array_equal(np.concatenate([part[name].numpy() for part in found]), values)


def test_training_is_stopped_between_executions():
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    model = network(steps_per_execution=4)
    fit(model, Stop())
    assert model.optimizer.iterations == 4


@pytest.mark.parametrize(("every", "freq"), [(1, 3), (2, 3), (4, 6), (3, 3), (4, 1), (16, 4)])
def test_model_checkpoint_saves_when_keras_does(every, freq, tmp_path):
    saved = []
    ours = ModelCheckpoint(str(tmp_path / "{epoch}-{batch}.weights.h5"), save_weights_only=True, save_freq=freq)
    model = network(steps_per_execution=every)
    fit(model, ours, epochs=3)
    theirs = keras.callbacks.ModelCheckpoint("x.keras", save_freq=freq)
    for epoch in range(3):
        for batch in [*range(every - 1, BATCHES, every), *([BATCHES - 1] if BATCHES % every else [])]:
            if theirs._should_save_on_batch(batch):
                saved.append(f"{epoch + 1}-{batch + 1}.weights.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(saved)


def test_a_backup_is_not_missed_between_executions(tmp_path, monkeypatch):
    backup, saved = BackupAndRestore(tmp_path, save_freq=3), []
    monkeypatch.setattr(backup, "save", lambda: saved.append(backup._run[2].step))
    fit(network(steps_per_execution=4), backup)
    assert saved == [4, 8, 0]  # batches 3 and 6 are passed; then the end of the epoch


def test_a_bar_counts_batches_not_executions(capsys):
    bar = ProgressBar(2)
    fit(network(steps_per_execution=4), bar)
    assert "10/10" in capsys.readouterr().out
    assert bar._timed == BATCHES


@pytest.mark.parametrize("value", ["auto", False, None])
def test_what_asks_for_no_compilation_passes(value):
    fit(network(jit_compile=value))


@pytest.mark.parametrize("value", [True, False])
def test_networks_always_run_eagerly(value):
    fit(network(run_eagerly=value))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (
            {"jit_compile": True},
            UnsupportedError,
            "compile got jit_compile=True; it needs 'auto' or False: layers",
        ),
        ({"jit_compile": 0}, UnsupportedError, "got jit_compile=0; it needs 'auto' or False"),
        ({"run_eagerly": None}, UserError, "got run_eagerly=None; it needs True or False"),
        ({"steps_per_execution": 0}, UserError, "got steps_per_execution=0; it needs a whole number of at least 1"),
        ({"steps_per_execution": "auto"}, UserError, "got steps_per_execution='auto'; it needs a whole number"),
        ({"steps_per_exec": 2}, UserError, "unknown argument steps_per_exec=2; .* Did you mean 'steps_per_execution'"),
        ({"precison": "float16"}, UserError, "unknown argument precison='float16'; .* Did you mean 'precision'"),
    ],
)
def test_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        network(**arguments)
