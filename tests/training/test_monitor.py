import inspect
import os

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from striate.foundation.checks import UserError
from striate.training.monitor import MonitorCallback


def keras_metrics():
    """Keras's metrics that know their direction, by default name."""
    needed = {
        "PrecisionAtRecall": {"recall": 0.5},
        "RecallAtPrecision": {"precision": 0.5},
        "SensitivityAtSpecificity": {"specificity": 0.5},
        "SpecificityAtSensitivity": {"sensitivity": 0.5},
        "MeanIoU": {"num_classes": 2},
        "OneHotIoU": {"num_classes": 2, "target_class_ids": [0]},
        "OneHotMeanIoU": {"num_classes": 2},
        "IoU": {"num_classes": 2, "target_class_ids": [0]},
    }
    for name, cls in inspect.getmembers(keras.metrics, inspect.isclass):
        if name not in ("Metric", "MeanMetricWrapper"):
            metric = cls(**needed.get(name, {}))
            if hasattr(metric, "_direction"):
                yield metric.name, metric._direction


@pytest.mark.parametrize(("name", "direction"), sorted(set(keras_metrics())))
@pytest.mark.parametrize("form", ["{}", "val_{}", "val_head_{}", "{}_2"])
def test_auto_knows_the_direction_of_keras_metrics(name, direction, form):
    name = form.format(name)
    monitor = MonitorCallback(name, "auto")
    monitor.value({name: 0.5})
    assert monitor.improves(0.6, 0.5) == (direction == "up")
    assert monitor.improves(0.4, 0.5) == (direction == "down")


def test_there_are_many_such_metrics():
    assert len(set(keras_metrics())) > 25


def test_nothing_and_nan_are_easy_to_beat_but_nan_beats_nothing_else():
    monitor = MonitorCallback("loss", "auto")
    monitor.value({"loss": 1.0})
    nan = float("nan")
    assert monitor.improves(5.0, None)
    assert monitor.improves(5.0, nan)
    assert not monitor.improves(nan, 5.0)


@pytest.mark.parametrize("value", [np.float32(0.5), torch.tensor(0.5), np.array(0.5), 0.5])
def test_scalars_of_every_kind(value):
    assert MonitorCallback("loss", "min").value({"loss": value}) == 0.5


def test_a_value_that_comes_and_goes():
    monitor = MonitorCallback("val_loss", "auto")
    monitor.params = {"validation_freq": 3}
    assert monitor.value({"loss": 1}) is None
    assert monitor.value({"loss": 1}) is None
    assert monitor.value({"loss": 1, "val_loss": 2}) == 2
    assert monitor.value({"loss": 1}) is None
    monitor.on_train_begin()
    monitor.params = {}
    with pytest.raises(UserError, match="val_loss"):
        monitor.value({"loss": 1})


LOGS = {"loss": 0.5, "accuracy": 0.9}
REFUSED = [
    (
        "val_loss",
        LOGS,
        r"monitor='val_loss'; it needs a logged quantity \('loss', 'accuracy'\). Give fit validation da",
    ),
    ("acuracy", LOGS, r"monitor='acuracy'; .* Did you mean 'accuracy'\?"),
    ("val_acc", LOGS | {"val_accuracy": 1}, r"monitor='val_acc'; .* Did you mean 'val_accuracy'\?"),
    ("loss", {}, r"monitor='loss'; it needs a logged quantity \(there is none\). Compile the model with a loss"),
    (
        "wobble",
        {"wobble": 1},
        r"monitor='wobble' with mode='auto'; it needs a name that .* Pass mode='max' or mode='min'",
    ),
    ("loss", {"loss": [1, 2]}, "monitor='loss' with 2 values; it needs a single number. Monitor another one"),
]


@pytest.mark.parametrize(("monitor", "logs", "text"), REFUSED)
def test_refusals(monitor, logs, text):
    with pytest.raises(UserError, match="MonitorCallback got " + text):
        MonitorCallback(monitor, "auto").value(logs)


def test_refused_arguments():
    with pytest.raises(UserError, match=r"MonitorCallback got mode='mini'; .* Did you mean 'min'\?"):
        MonitorCallback("loss", "mini")
    with pytest.raises(UserError, match="MonitorCallback got min_delta='a'; it needs a number"):
        MonitorCallback("loss", "min", min_delta="a")
    with pytest.raises(UserError, match="MonitorCallback got the value to beat='a'; it needs a number, or None"):
        MonitorCallback("loss", "min", best="a")
