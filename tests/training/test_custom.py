"""Losses and metrics that users write as for Keras: computed, trained with, saved, resumed."""

import os

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from striate.foundation.custom_objects import register_keras_serializable
from striate.layers import Dense, Input
from striate.models import Sequential, load_model
from striate.training import losses, metrics
from striate.training.objective import Objective

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def metric_class(base):
    class Bias(base):
        """The mean signed error, by the recipe of Keras's guide."""

        def __init__(self, name="bias", dtype=None):
            super().__init__(name=name, dtype=dtype)
            self.total = self.add_variable(shape=(), initializer="zeros", name="total")
            self.count = self.add_weight(name="count", initializer="zeros")
            self.columns = self.add_variable(shape=(2,), initializer="ones")

        def update_state(self, y_true, y_pred, sample_weight=None):
            error = y_pred - y_true
            if sample_weight is not None:
                error = error * sample_weight[:, None]
            self.total.assign_add(error.sum())
            self.total.assign_sub(0.0)
            self.count.assign(self.count + error.numel())
            self.columns.assign(torch.maximum(self.columns + 0, error.amax(0)))

        def result(self):
            return self.total / self.count + (self.columns + 0).sum()

    return Bias


OURS, THEIRS = metric_class(metrics.Metric), metric_class(keras.metrics.Metric)
Y = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.5, 0.5]])
PREDICTED = torch.tensor([[2.0, 2.5], [3.0, 4.0], [0.0, 0.0]])


def test_variables_are_those_of_keras():
    ours, theirs = OURS(), THEIRS()
    assert [tuple(v.shape) for v in ours.variables] == [tuple(v.shape) for v in theirs.variables]
    for weight in (None, torch.tensor([1.0, 0.0, 2.0])):
        assert float(ours(Y, PREDICTED, weight)) == pytest.approx(float(theirs(Y, PREDICTED, weight)))
    for metric in (ours, theirs):
        metric.reset_state()
    assert [v.tolist() for v in ours.variables] == [np.asarray(v).tolist() for v in theirs.variables] == [0, 0, [0, 0]]
    assert ours.get_config() == theirs.get_config()
    assert ours.dtype == theirs.dtype == "float32"


def test_results_do_not_change_later():
    class Total(metrics.Metric):
        def __init__(self):
            super().__init__()
            self.total = self.add_variable()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(y_pred.sum())

        def result(self):
            return self.total

    metric = Total()
    first = metric(None, torch.ones(2))
    metric.update_state(None, torch.ones(2))
    assert (float(first), float(metric.result())) == (2.0, 4.0)


def test_metrics_inside_metrics():
    class Both(metrics.Metric):
        def __init__(self):
            super().__init__(name="both")
            self.one, self.other = OURS(), metrics.MeanSquaredError()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.one.update_state(y_true, y_pred)
            self.other.update_state(y_true, y_pred)

        def result(self):
            return self.one.result() + self.other.result()

    metric, again = Both(), Both()
    value = metric(Y, PREDICTED)
    again.load_state_dict(metric.state_dict())
    assert again.result() == value
    metric.reset_state()
    assert again.result() == value
    assert metric.other.result() == 0
    assert metric(Y, PREDICTED) == value


def test_an_epoch_resumed_counts_on():
    kinds = [OURS, metrics.F1Score, metrics.R2Score, metrics.RootMeanSquaredError, metrics.Recall, metrics.BinaryIoU]
    whole, broken, resumed = (Objective("mse", metrics=[kind() for kind in kinds]) for _ in range(3))
    y, prediction = (torch.rand(8, 2) > 0.5).float(), torch.rand(8, 2)
    for objective in (whole, broken):
        objective.bind(y, prediction)
        objective.update(y[:4], prediction[:4], torch.tensor(1.0))
    resumed.load_state_dict(broken.state_dict())
    resumed.bind(y, prediction)
    for objective in (whole, resumed):
        objective.update(y[4:], prediction[4:], torch.tensor(2.0))
    expected = list(whole.results().values())
    assert all(torch.equal(one, two) for one, two in zip(resumed.results().values(), expected, strict=True))


def test_results_of_several_numbers_in_histories():
    def history(k):
        model = k.models.Sequential([k.layers.Input((3,)), k.layers.Dense(2, activation="sigmoid", name="d")])
        model.layers[0].set_weights([np.array([[1.0, -1.0], [0.5, 0.0], [0.0, 2.0]]), np.zeros(2)])
        kinds = metrics if k is not keras else keras.metrics
        model.compile("sgd", "mse", metrics=[kinds.F1Score(name="f1"), kinds.Precision([0.25, 0.75], name="p")])
        x, y = np.eye(3, dtype="float32"), np.array([[1, 0], [0, 1], [0, 1]], "float32")
        return model.fit(x, y, epochs=2, verbose=0, batch_size=3).history, model.evaluate(x, y, verbose=0)

    ours = type("striate", (), {"layers": __import__("striate.layers").layers, "models": __import__("striate").models})
    (mine, evaluated), (theirs, theirs_evaluated) = history(ours), history(keras)
    assert set(mine) == set(theirs)
    for name, values in theirs.items():
        for one, two in zip(mine[name], values, strict=True):
            np.testing.assert_allclose(one, np.asarray(two), rtol=1e-5)
    for one, two in zip(evaluated, theirs_evaluated, strict=True):
        np.testing.assert_allclose(one, np.asarray(two), rtol=1e-5)
    assert isinstance(mine["f1"][0], np.ndarray)
    assert isinstance(mine["loss"][0], float)


class Scaled(losses.Loss):
    """A user's own loss."""

    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * (y_true - y_pred).abs().mean(-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Worst(metrics.MeanMetricWrapper):
    """A user's own metric, made of a function."""

    def __init__(self, name="worst", dtype=None):
        super().__init__(lambda y_true, y_pred: (y_true - y_pred).abs().amax(-1), name, dtype)


@pytest.mark.parametrize("way", ["registered", "custom_objects"])
def test_saving_what_users_write(tmp_path, way):
    loss_class, metric, custom = Scaled, Worst, {"Scaled": Scaled, "Worst": Worst}
    if way == "registered":
        loss_class = register_keras_serializable("mine")(type("Registered", (Scaled,), {}))
        metric, custom = register_keras_serializable("mine")(type("Largest", (Worst,), {})), None
    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", loss_class(factor=3.0), metrics=[metric(name="m")])
    model.save(tmp_path / "model.keras")
    found = load_model(tmp_path / "model.keras", custom_objects=custom).compile_config
    assert type(found["loss"]) is loss_class
    assert found["loss"].factor == 3.0
    assert type(found["metrics"][0]) is metric
    assert found["metrics"][0].name == "m"


def test_registered_names_are_those_of_keras():
    def build(kinds, register):
        return register("pack")(type("Mine", (kinds,), {"call": lambda self, y_true, y_pred: y_pred}))

    ours = losses.serialize(build(losses.Loss, register_keras_serializable)())
    theirs = keras.losses.serialize(build(keras.losses.Loss, keras.saving.register_keras_serializable)())
    assert ours["registered_name"] == theirs["registered_name"] == "pack>Mine"
    assert type(losses.get(ours)).__name__ == "Mine"
    form = losses.serialize(Scaled(factor=5.0))
    assert losses.deserialize(form, {"Scaled": Scaled}).factor == 5.0
    assert metrics.deserialize(metrics.serialize(Worst(name="w")), {"Worst": Worst}).name == "w"


def test_registered_functions():
    def half(y_true, y_pred):
        return (y_pred - y_true).abs().mean(-1) / 2

    register_keras_serializable("pack")(half)
    keras.saving.register_keras_serializable("pack")(half)
    assert losses.serialize(half) == keras.losses.serialize(half)
    assert losses.get(losses.serialize(half)).fn is half
    assert metrics.get(metrics.serialize(half)).fn is half


class Last(metrics.Metric):
    """Its variable as it is is the result."""

    def __init__(self):
        super().__init__(name="last")
        self.seen = self.add_variable((), "zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.seen.assign(y_true.max())

    def result(self):
        return self.seen


def test_a_variable_as_result_is_of_the_data_evaluated():
    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse", metrics=[Last()])
    x = np.ones((4, 1), "float32")
    history = model.fit(x, x, validation_data=(x, 5 * x), verbose=0).history
    assert (history["last"], history["val_last"]) == ([1.0], [5.0])
    assert model.evaluate(x, 3 * x, verbose=0, return_dict=True)["last"] == 3.0
