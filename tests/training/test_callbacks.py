import itertools
import json
import os

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from striate.foundation.checks import UserError
from striate.training.callbacks import CallbackList, CSVLogger, EarlyStopping, ModelCheckpoint


class Model:
    """As much of a model as callbacks talk to. Its one weight is the epoch, changed in place."""

    def __init__(self):
        self.weight = np.zeros(2)
        self.stop_training = False
        self.saved = []

    def get_weights(self):
        return [self.weight]

    def set_weights(self, weights):
        self.weight[:] = weights[0]

    def save(self, path, overwrite=True):
        self.saved.append(("model", path))

    def save_weights(self, path, overwrite=True):
        self.saved.append(("weights", path))


class KerasModel(Model):
    def get_weights(self):
        return [self.weight.copy()]  # Keras's callback trusts the model to copy


def sequence(seed, epochs=30):
    """Logs of a run, on a coarse grid of exact binary fractions, so that there are ties."""
    rng = np.random.default_rng(seed)
    slope = rng.choice([-1, 0, 1]) / 8
    for epoch in range(epochs):
        loss = rng.integers(0, 16) / 16 + slope * epoch
        yield {"loss": float(loss) + 1, "val_loss": float(loss), "accuracy": float(-loss)}


def drive(callback, model, logs, batches=0):
    """Call what fit would call; returns the state after every epoch."""
    callback.set_model(model)
    callback.set_params({"epochs": 30, "steps": batches})
    trace = []
    callback.on_train_begin()
    for epoch, values in enumerate(logs):
        callback.on_epoch_begin(epoch)
        for batch in range(batches):
            callback.on_train_batch_begin(batch)
            callback.on_train_batch_begin(batch)
            callback.on_train_batch_end(batch, {name: v + batch / 4 for name, v in values.items()})
        model.weight[:] = epoch
        callback.on_epoch_end(epoch, values)
        trace.append([model.stop_training, len(model.saved), getattr(callback, "wait", 0), callback.best])
        if model.stop_training:
            break
    callback.on_train_end()
    return [*trace, model.saved, model.weight.tolist()]


EARLY = [
    dict(zip(("patience", "min_delta", "baseline", "start_from_epoch", "restore_best_weights"), values, strict=True))
    for values in itertools.product([0, 1, 4], [0, -0.125], [None, 0.25], [0, 3], [False, True])
]


@pytest.mark.parametrize("options", EARLY, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("monitor", [{"monitor": "val_loss"}, {"monitor": "accuracy", "mode": "max"}])
def test_early_stopping_decides_as_keras(options, monitor, capsys):
    for seed in range(8):
        ours = EarlyStopping(**options, **monitor, verbose=1)
        theirs = keras.callbacks.EarlyStopping(**options, **monitor, verbose=1)
        assert drive(ours, Model(), sequence(seed)) == drive(theirs, KerasModel(), sequence(seed))
        assert (ours.stopped_epoch, ours.best_epoch) == (theirs.stopped_epoch, theirs.best_epoch)
        first, second = np.array_split(capsys.readouterr().out.splitlines(), 2)
        assert list(first) == list(second)


def test_early_stopping_begins_anew_with_every_training():
    callback = EarlyStopping(monitor="loss", patience=1)
    logs = [{"loss": value} for value in (1.0, 2.0, 3.0)]
    assert drive(callback, Model(), logs) == drive(callback, Model(), logs)


def test_a_first_nan_does_not_stay_the_best():
    callback = EarlyStopping(monitor="loss", patience=5)
    drive(callback, Model(), [{"loss": value} for value in (float("nan"), 2.0, 1.0, float("nan"))])
    assert (callback.best, callback.best_epoch) == (1.0, 2)


def test_early_stopping_resumes_from_its_state():
    logs = list(sequence(3))
    options = {"patience": 6, "restore_best_weights": True}
    whole, model = EarlyStopping(**options), Model()
    expected = drive(whole, model, logs)
    assert 4 < whole.stopped_epoch < 29
    cut = whole.stopped_epoch - 2
    killed, dying = EarlyStopping(**options), Model()
    drive(killed, dying, logs[:cut])
    state = json.loads(json.dumps({k: v for k, v in killed.state_dict().items() if k != "best_weights"}))
    resumed, model = EarlyStopping(**options), Model()
    resumed.set_model(model)
    resumed.on_train_begin()
    resumed.load_state_dict(state | {"best_weights": [torch.as_tensor(w) for w in killed.best_weights]})
    for epoch in range(cut, whole.stopped_epoch + 1):
        model.weight[:] = epoch
        resumed.on_epoch_end(epoch, logs[epoch])
    resumed.on_train_end()
    assert model.stop_training
    assert model.weight.tolist() == expected[-1]
    assert (resumed.stopped_epoch, resumed.best) == (whole.stopped_epoch, whole.best)


CHECKPOINTS = [
    {"filepath": "a.keras"},
    {"filepath": "{epoch:02d}-{val_loss:.2f}.keras"},
    {"filepath": "{epoch}.weights.h5", "save_weights_only": True},
    {"filepath": "{epoch}.keras", "save_best_only": True},
    {"filepath": "{epoch}.keras", "save_best_only": True, "monitor": "accuracy", "mode": "max"},
    {"filepath": "{epoch}.keras", "save_best_only": True, "initial_value_threshold": 0.25},
    {"filepath": "{epoch}-{batch}-{loss:.3f}.keras", "save_freq": 3},
    {"filepath": "{epoch}.keras", "save_freq": 1},
    {"filepath": "{epoch}.keras", "save_freq": 40},
    {"filepath": "{epoch}-{batch}.keras", "save_freq": 3, "save_best_only": True, "mode": "min"},
]


@pytest.mark.parametrize("options", CHECKPOINTS, ids=lambda options: "-".join(map(str, options.values())))
def test_model_checkpoint_decides_as_keras(options):
    for seed in range(8):
        ours, theirs = ModelCheckpoint(**options), keras.callbacks.ModelCheckpoint(**options)
        if options.get("save_freq", "epoch") != "epoch":
            theirs._set_monitor_op()  # Keras looks at the direction at the end of the first epoch only
        expected = drive(theirs, Model(), sequence(seed), batches=5)
        assert drive(ours, Model(), sequence(seed), batches=5) == expected


def test_model_checkpoint_says_what_it_does(capsys, tmp_path):
    callback = ModelCheckpoint(tmp_path / "best.safetensors", "loss", 1, True, True)
    drive(callback, Model(), [{"loss": 2.0}, {"loss": 3.0}, {"loss": 1.0}])
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch 1: loss improved from None to 2.0, saved model to {tmp_path}/best.safetensors",
        "Epoch 2: loss did not improve from 2.0",
        f"Epoch 3: loss improved from 2.0 to 1.0, saved model to {tmp_path}/best.safetensors",
    ]


def test_model_checkpoint_resumes_from_its_state():
    first = ModelCheckpoint("a.keras", "loss", save_best_only=True, save_freq="epoch")
    drive(first, Model(), [{"loss": 1.0}])
    second, model = ModelCheckpoint("a.keras", "loss", save_best_only=True), Model()
    second.set_model(model)
    second.on_train_begin()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    second.on_epoch_end(1, {"loss": 2.0})
    assert model.saved == []
    second.on_epoch_end(2, {"loss": 0.5})
    assert len(model.saved) == 1


TABLES = {
    "plain": [{"loss": 0.5, "accuracy": 0.25}, {"loss": 0.125, "accuracy": 1e-9}],
    "validation": [{"loss": 0.5, "val_loss": 1.0}, {"loss": 0.25, "val_loss": 0.5}],
    "late validation": [{"loss": 0.5}, {"loss": 0.25, "val_loss": 0.5}],
    "late metric": [{"loss": 0.5}, {"loss": 0.25, "more": 0.5}],
    "nan": [{"loss": float("nan")}, {"loss": float("inf")}],
    "arrays": [{"loss": np.float32(0.5), "recall": np.array([0.5, 1.0])}, {"loss": "x", "recall": [1, 2]}],
    "nothing": [{}, {}],
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_logger_writes_what_keras_writes(tmp_path, table, separator):
    files = []
    for kind in (CSVLogger, keras.callbacks.CSVLogger):
        path = tmp_path / f"{len(files)}.csv"
        for append in (False, True, False, True):
            callback = kind(path, separator=separator, append=append)
            callback.on_train_begin()
            for epoch, logs in enumerate(TABLES[table]):
                callback.on_epoch_end(epoch, logs)
                files.append(path.read_bytes())  # on disk after every row
            callback.on_train_end()
    half = len(files) // 2
    assert files[:half] == files[half:]


def test_csv_logger_writes_tensors_as_numbers(tmp_path):
    with CallbackList(CSVLogger(tmp_path / "a.csv")) as callbacks:
        callbacks.on_train_begin()
        callbacks.on_epoch_end(0, {"loss": torch.tensor(0.5)})
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == "0,0.5,NA"


def csv_run(path, epochs, append=False, state=None):
    """Begin, go on from a state where there is one, write some epochs; return the logger, not ended: killed."""
    callback = CSVLogger(path, append=append)
    callback.on_train_begin()
    if state is not None:
        callback.load_state_dict(json.loads(json.dumps(state)))
    for epoch in epochs:
        callback.on_epoch_end(epoch, {"loss": epoch / 4})
    return callback


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("late", [0, 1, 2])
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_csv_logger_goes_on_from_the_rows_of_its_state(tmp_path, append, late, kept):
    """Killed `late` rows after the state was taken, the table becomes that of an unbroken run."""
    path, whole = tmp_path / "killed.csv", tmp_path / "whole.csv"
    for table in (path, whole):
        csv_run(table, range(2)).on_train_end()  # a table of an earlier training
    csv_run(whole, range(5), append)
    killed = csv_run(path, range(kept), append)
    state = killed.state_dict()
    for epoch in range(kept, kept + late):
        killed.on_epoch_end(epoch, {"loss": epoch / 4})
    csv_run(path, range(kept, 5), append, state)
    assert path.read_bytes() == whole.read_bytes()


def test_csv_logger_leaves_the_old_rows_until_an_epoch_is_done(tmp_path):
    path = tmp_path / "a.csv"
    csv_run(path, range(3))
    before = path.read_bytes()
    fresh = csv_run(path, [])
    assert path.read_bytes() == before
    fresh.on_epoch_end(0, {"loss": 0.5})
    assert path.read_text().splitlines() == ["epoch,loss,val_loss", "0,0.5,NA"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_csv_logger_refuses_to_add_to_what_is_no_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"a.csv' \('utf-8' codec .*\); it needs a file it may write to"):
        CSVLogger(tmp_path / "a.csv", append=True).on_train_begin()


def test_csv_logger_refuses_a_table_of_other_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("epoch,loss,val_loss\r\n0,1,2\r\n")
    callback = CSVLogger(path, append=True)
    callback.on_train_begin()
    text = "a.csv' with the columns epoch, loss, val_loss; it needs columns for epoch, accuracy, loss, val_acc"
    with pytest.raises(UserError, match=text):
        callback.on_epoch_end(0, {"loss": 1, "accuracy": 1})
    assert path.read_text().splitlines() == ["epoch,loss,val_loss", "0,1,2"]


REFUSED = [
    (lambda: EarlyStopping(mode="up"), "EarlyStopping got mode='up'; it needs one of 'auto', 'min', 'max'"),
    (lambda: EarlyStopping(patience=-1), "EarlyStopping got patience=-1; it needs a whole number of at least 0"),
    (lambda: EarlyStopping(patience=1.5), "EarlyStopping got patience=1.5"),
    (lambda: EarlyStopping(start_from_epoch=-1), "EarlyStopping got start_from_epoch=-1"),
    (lambda: EarlyStopping(baseline="low"), "EarlyStopping got baseline='low'; it needs a number"),
    (lambda: EarlyStopping(min_delta=float("nan")), "EarlyStopping got min_delta=nan"),
    (
        lambda: ModelCheckpoint("a.h5"),
        r"filepath='a.h5' .*; it needs a name that ends in .keras. Add the ending .keras",
    ),
    (lambda: ModelCheckpoint("a.keras", save_weights_only=True), "ends in .weights.h5 or .safetensors"),
    (
        lambda: ModelCheckpoint("a.keras", save_freq="batch"),
        "save_freq='batch'; it needs 'epoch' or a number of batches",
    ),
    (lambda: ModelCheckpoint("a.keras", save_freq=0), "ModelCheckpoint got save_freq=0"),
    (lambda: CSVLogger("a.csv", separator="--"), "CSVLogger got separator='--'; it needs one character"),
    (
        lambda: CSVLogger("no/such/folder/a.csv").on_train_begin(),
        r"a.csv' \(No such file or directory\); it needs a fi",
    ),
    (lambda: CSVLogger("a.csv").on_epoch_end(0, {}), "CSVLogger got an epoch before training began; it needs on_train"),
]


@pytest.mark.parametrize(("call", "text"), REFUSED, ids=[text[:40] for _, text in REFUSED])
def test_refused_arguments(call, text):
    with pytest.raises(UserError, match=text):
        call()


PATHS = [
    ("{val_los}.keras", r"filepath='{val_los}.keras' with an unknown field; it needs fields of epoch, loss, val_loss"),
    ("{val_los}.keras", r"Did you mean 'val_loss'\?"),
    ("{}.keras", "positional fields"),
    ("{loss:02d}.keras", r"\(Unknown format code 'd' for object of type 'float'\); it needs a Python format string"),
    ("{loss.keras", "it needs a Python format string. Write for example {epoch:02d} or {loss:.2f}"),
    ("{loss.wrong}.keras", "it needs a Python format string"),
]


@pytest.mark.parametrize(("path", "text"), PATHS)
def test_refused_file_names(path, text):
    with pytest.raises(UserError, match=text):
        drive(ModelCheckpoint(path), Model(), [{"loss": 0.5, "val_loss": 1.0}])


@pytest.mark.parametrize("callback", [EarlyStopping(), ModelCheckpoint("a.keras", save_best_only=True)])
def test_a_monitor_that_is_not_logged_is_refused_at_the_first_epoch(callback):
    with pytest.raises(UserError, match=r"monitor='val_loss'; it needs a logged quantity \('loss'\)"):
        drive(callback, Model(), [{"loss": 0.5}])


def test_a_checkpoint_of_every_epoch_needs_no_monitor():
    model = Model()
    drive(ModelCheckpoint("a.keras"), model, [{"loss": 0.5}])
    assert len(model.saved) == 1
