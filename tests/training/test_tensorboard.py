"""TensorBoard: the event files are read back by tensorboard's own reader; Keras's callback says what they hold."""

import contextlib
import json
import math
import subprocess
import sys
import time
from collections import defaultdict

import keras
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.graph.keras_util import keras_model_to_graph_def
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_ndarray
from twins import X, Y, fit, twins

from striate import callbacks, layers, metrics, models
from striate.foundation.checks import UnsupportedError, UserError


class Recorder:
    """As much of `tensorflow.summary` as Keras's callback calls, keeping what would be written."""

    def __init__(self):
        self.written = defaultdict(dict)
        self.folders, self.steps, self.conditions = [], [], []

    def create_file_writer(self, folder):
        return Writer(self, folder)

    @contextlib.contextmanager
    def record_if(self, condition):
        self.conditions.append(condition)
        yield
        self.conditions.pop()

    def scalar(self, name, value, step):
        # Keras's condition, a number of batches, also loses figures of epochs that end with another batch; here it only
        # says which batches are written.
        if self.folders and (not name.startswith("batch_") or not self.conditions or self.conditions[-1]()):
            self.written[self.folders[-1]][name, int(step)] = float(value)

    def histogram(self, name, values, step):
        values = values.value.detach().numpy()
        self.written[self.folders[-1]][name, step] = (values.min(), values.max(), values.sum(), values.size)


class Writer:
    def __init__(self, recorder, folder):
        self.recorder, self.folder = recorder, folder.replace("\\", "/").rsplit("/", 1)[-1]

    @contextlib.contextmanager
    def as_default(self, step=None):
        self.recorder.folders.append(self.folder)
        yield
        self.recorder.folders.pop()

    def flush(self):
        pass

    def close(self):
        pass


def read(folder):
    """All that the event files of a folder hold, by tag and step."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0, "tensors": 0})
    events.Reload()
    found = {(tag, e.step): e.value for tag in events.Tags()["scalars"] for e in events.Scalars(tag)}
    for tag in events.Tags()["histograms"]:
        for event in events.Histograms(tag):
            h = event.histogram_value
            found[tag, event.step] = (h.min, h.max, h.sum, h.num)
    return found


def written(folder):
    return {name: read(folder / name) for name in ("train", "validation") if (folder / name).exists()}


OPTIONS = [
    {},
    {"update_freq": "batch"},
    {"update_freq": 3},
    {"write_steps_per_second": True},
    {"write_steps_per_second": True, "update_freq": 2},
]


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_files_hold_what_keras_would_write(tmp_path, options, validate):
    ours, theirs = twins("Adam", learning_rate=0.0625, metrics=["mae"])
    recorder, more = Recorder(), {} if validate else {"validation_data": None}
    kerass = keras.callbacks.TensorBoard(str(tmp_path / "other"), write_graph=False, **options)
    kerass._summary_module = recorder
    mine = callbacks.TensorBoard(tmp_path / "mine", write_graph=False, **options)
    for model, board, k in ((ours, mine, callbacks), (theirs, kerass, keras.callbacks)):
        fit(model, [k.ReduceLROnPlateau("loss", patience=0, min_delta=9), board], epochs=3, **more)
        if validate:
            model.evaluate(X[30:], Y[30:], verbose=0, callbacks=[board])
    found, expected = written(tmp_path / "mine"), recorder.written
    assert found.keys() == expected.keys()
    for folder, values in expected.items():
        assert found[folder].keys() == values.keys()
        for key, value in values.items():
            if "per_second" in key[0]:
                assert 0 < found[folder][key] < math.inf
            else:
                assert found[folder][key] == pytest.approx(value, rel=1e-4), key


def functional(kind, folder):
    inputs = kind.layers.Input((5,))
    x = kind.layers.BatchNormalization(name="norm")(kind.layers.Dense(4, name="first")(inputs))
    model = kind.models.Model(inputs, kind.layers.Dense(1, name="last")(x))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("frequency", [1, 2])
def test_histograms_are_of_keras_weights(tmp_path, frequency):
    class Ours:
        layers, models = layers, models

    theirs, ours = functional(keras, tmp_path), functional(Ours, tmp_path)
    ours.set_weights(theirs.get_weights())
    recorder, options = Recorder(), {"histogram_freq": frequency, "write_graph": False}
    kerass = keras.callbacks.TensorBoard(str(tmp_path / "other"), **options)
    kerass._summary_module = recorder
    for model, board in ((ours, callbacks.TensorBoard(tmp_path, **options)), (theirs, kerass)):
        fit(model, [board], epochs=4, validation_data=None)
    found, expected = read(tmp_path / "train"), recorder.written["train"]
    assert found.keys() == expected.keys()
    histograms = [key for key in expected if key[0].endswith("/histogram")]
    assert len(histograms) == 8 * 4 // frequency
    for key in histograms:
        np.testing.assert_allclose(found[key], expected[key], 1e-4, 1e-5, err_msg=str(key))


def board_of(model, folder):
    fit(model, [callbacks.TensorBoard(folder)], epochs=1, validation_data=None)
    events = EventAccumulator(str(folder / "train"))
    events.Reload()
    return events


def test_the_graph_is_read_by_tensorboards_plugin(tmp_path):
    class Ours:
        layers, models = layers, models

    model = functional(Ours, tmp_path)
    events = board_of(model, tmp_path)
    assert events.SummaryMetadata("keras").plugin_data.plugin_name == "graph_keras_model"
    text = make_ndarray(events.Tensors("keras")[0].tensor_proto).item()
    graph = {node.name.rsplit("/", 1)[-1]: node for node in keras_model_to_graph_def(json.loads(text)).node}
    classes = {name: node.attr["keras_class"].s for name, node in graph.items() if not name.startswith("input")}
    assert classes == {"first": b"Dense", "norm": b"BatchNormalization", "last": b"Dense"}
    assert [name.rsplit("/", 1)[-1] for name in graph["last"].input] == ["norm"]
    assert keras.models.model_from_json(text.decode()).count_params() == model.count_params()


def test_a_model_without_a_config_has_no_graph(tmp_path):
    class Own(models.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def forward(self, x):
            return self.dense(x)

    model = Own()
    model.compile("sgd", "mse")
    tags = board_of(model, tmp_path).Tags()
    assert tags["tensors"] == []
    assert "epoch_loss" in tags["scalars"]


def test_a_figure_of_several_numbers_becomes_several(tmp_path):
    model = models.Sequential([layers.Dense(3, "softmax", input_shape=(5,))])
    model.compile("sgd", "categorical_crossentropy", metrics=[metrics.F1Score(name="f1_score")])
    labels = np.eye(3, dtype="float32")[np.arange(40) % 3]
    history = model.fit(X, labels, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)]).history
    found = [read(tmp_path / "train")[f"epoch_f1_score_{index}", 0] for index in range(3)]
    np.testing.assert_allclose(found, history["f1_score"][0], 1e-6)


def test_another_training_counts_batches_anew(tmp_path):
    ours, _ = twins()
    board = callbacks.TensorBoard(tmp_path, update_freq="batch")
    for _ in range(2):
        fit(ours, [board], epochs=1)
    assert max(step for tag, step in read(tmp_path / "train") if tag == "batch_loss") == 4
    assert board._writers == {}


def test_what_a_checkpoint_counts_is_on_disk(tmp_path, monkeypatch):
    write = RecordWriter.write
    monkeypatch.setattr(RecordWriter, "write", lambda *args: (time.sleep(0.05), write(*args)))  # a disk that is late
    ours, _ = twins()
    board, seen = callbacks.TensorBoard(tmp_path, update_freq=1), []

    def look(batch, logs):
        state = board.state_dict()
        seen.append((state["batches"], max(s for tag, s in read(tmp_path / "train") if tag == "batch_loss")))

    fit(ours, [board, callbacks.LambdaCallback(on_train_batch_end=look)], epochs=1)
    assert seen == [(1, 1), (2, 2), (3, 3), (4, 4)]
    resumed = callbacks.TensorBoard(tmp_path, update_freq=1)
    resumed.load_state_dict({"batches": 7})
    resumed.on_train_batch_begin(0)
    resumed.on_train_batch_end(0, {"loss": 0.5})
    resumed.close()
    assert read(tmp_path / "train")["batch_loss", 8] == 0.5


REFUSED = [
    (
        {"write_images": True},
        "TensorBoard got write_images=True; it needs write_images=False: striate does not support",
    ),
    ({"profile_batch": 2}, r"TensorBoard got profile_batch=2; .* Leave profile_batch out\."),
    ({"profile_batch": (2, 4)}, r"TensorBoard got profile_batch=\(2, 4\)"),
    ({"embeddings_freq": 1}, "TensorBoard got embeddings_freq=1"),
    (
        {"embeddings_metadata": "names.tsv"},
        "TensorBoard got embeddings_metadata='names.tsv'; .* does not support other",
    ),
]


@pytest.mark.parametrize(("options", "text"), REFUSED, ids=[text[:40] for _, text in REFUSED])
def test_what_keras_has_and_this_does_not_is_refused(options, text):
    with pytest.raises(UnsupportedError, match=text):
        callbacks.TensorBoard("logs", **options)


WRONG = [
    ({"log_dir": ""}, "TensorBoard got log_dir=''; it needs a folder. Pass for example log_dir='logs'"),
    ({"log_dir": 3}, "TensorBoard got log_dir=3; it needs a folder"),
    ({"histogram_freq": -1}, "TensorBoard got histogram_freq=-1; it needs a whole number of at least 0"),
    ({"histogram_freq": 0.5}, "TensorBoard got histogram_freq=0.5"),
    ({"write_graph": "yes"}, "TensorBoard got write_graph='yes'; it needs True or False"),
    ({"write_steps_per_second": 1}, "TensorBoard got write_steps_per_second=1; it needs True or False"),
    (
        {"update_freq": "batches"},
        "update_freq='batches'; it needs 'epoch', 'batch' or a number of batches. Pass update_f",
    ),
    ({"update_freq": 0}, "TensorBoard got update_freq=0; it needs 'epoch', 'batch' or a number of batches"),
]


@pytest.mark.parametrize(("options", "text"), WRONG, ids=[text[:40] for _, text in WRONG])
def test_wrong_arguments(options, text):
    with pytest.raises(UserError, match=text):
        callbacks.TensorBoard(**options)


def test_a_folder_that_cannot_be_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    ours, _ = twins()
    begun = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: pytest.fail("training has begun"))
    text = (
        r"TensorBoard got log_dir='.*file' \(.*\); it needs a folder it may write to\. Choose another folder, or free"
    )
    with pytest.raises(UserError, match=text):
        fit(ours, [callbacks.TensorBoard(tmp_path / "file"), begun])


def test_what_cannot_be_drawn_is_refused(tmp_path):
    ours, _ = twins()
    note = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(note="good"))
    with pytest.raises(UserError, match=r"TensorBoard got note='good'; it needs numbers in the logs\. Log note as a n"):
        fit(ours, [note, callbacks.TensorBoard(tmp_path)])
    spoil = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ours.weights[0].data.fill_(torch.nan))
    text = r"TensorBoard got weight 'dense.*kernel' with NaN or infinity; it needs finite weights\. Lower the learning"
    with pytest.raises(UserError, match=text):
        fit(ours, [spoil, callbacks.TensorBoard(tmp_path, histogram_freq=1)])


def test_without_the_package_the_error_names_the_extra():
    program = "import sys; sys.modules['tensorboard'] = None; from striate.callbacks import TensorBoard; TensorBoard()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False)
    text = "TensorBoard got no package 'tensorboard'; it needs it to write event files. "
    assert text + "Install it: pip install 'striate[tensorboard]'." in done.stderr
