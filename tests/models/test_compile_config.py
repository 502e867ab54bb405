"""How a model was compiled goes to Keras and back: every optimizer, loss and metric."""

import json

import keras
import pytest
import torch
from model_files import open_in_keras

from striate import layers, models
from striate.foundation.checks import UnsupportedError, UserError
from striate.foundation.custom_objects import custom_object_scope
from striate.layers import Dense, Input
from striate.models import Model, Sequential, load_model
from striate.models.compile_config import compile_from, serialize_compile
from striate.training import losses, metrics, optimizers, schedules

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    # Keras says so about its own files, too, when a model was compiled and not trained.
    pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer:UserWarning"),
]

HERE = type("striate", (), {"layers": layers, "models": models})


def small(k=HERE):
    return k.models.Sequential([k.layers.Input((3,)), k.layers.Dense(2, activation="softmax", name="d")])


def both_ways(tmp_path, **options):
    """What a model here is compiled with after it went to a file, to Keras, to another file and back."""
    model = small()
    model.compile(**options)
    model.save(tmp_path / "one.keras")
    theirs = open_in_keras(tmp_path / "one.keras")
    theirs.save(tmp_path / "two.keras")
    return model, load_model(tmp_path / "one.keras"), theirs, load_model(tmp_path / "two.keras")


OPTIMIZERS = [
    optimizers.SGD(0.5, momentum=0.25, nesterov=True),
    optimizers.Adam(0.25, beta_1=0.5, amsgrad=True),
    optimizers.AdamW(0.25, weight_decay=0.125),
    optimizers.RMSprop(0.25, rho=0.5, centered=True, momentum=0.5),
    optimizers.Adagrad(0.25, initial_accumulator_value=0.5, clipvalue=0.5),
    optimizers.Adadelta(0.25, rho=0.5, global_clipnorm=2.0),
    optimizers.Adamax(0.25, beta_2=0.5, clipnorm=1.0),
    optimizers.Nadam(0.25, beta_1=0.5),
    optimizers.Lion(0.25, weight_decay=0.125, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    optimizers.Ftrl(0.25, learning_rate_power=-0.25),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: type(one).__name__)
def test_optimizers(optimizer, tmp_path):
    ours, twin, theirs, back = both_ways(tmp_path, optimizer=optimizer, loss="categorical_crossentropy")
    config = ours.optimizer.get_config()
    assert twin.optimizer.get_config() == config
    assert back.optimizer.get_config() == config
    assert type(theirs.optimizer).__name__ == type(optimizer).__name__
    assert {key: theirs.optimizer.get_config()[key] for key in config} == config


def test_every_optimizer_is_there():
    found = {type(optimizer).__name__ for optimizer in OPTIMIZERS}
    assert found | {"LossScaleOptimizer"} == set(optimizers.registry.classes)


def test_an_optimizer_inside_another(tmp_path):
    given = optimizers.LossScaleOptimizer(optimizers.SGD(0.5, momentum=0.25), 8.0, 3)
    _, twin, theirs, back = both_ways(tmp_path, optimizer=given, loss="categorical_crossentropy")
    assert twin.optimizer.config() == back.optimizer.config() == given.config()
    assert (theirs.optimizer.initial_scale, theirs.optimizer.dynamic_growth_steps) == (8.0, 3)
    assert theirs.optimizer.inner_optimizer.momentum == 0.25


SCHEDULES = [
    schedules.CosineDecay(0.5, 10, alpha=0.25, warmup_target=0.75, warmup_steps=3),
    schedules.CosineDecayRestarts(0.5, 10, t_mul=1.5),
    schedules.ExponentialDecay(0.5, 10, 0.25, staircase=True),
    schedules.InverseTimeDecay(0.5, 10, 0.25),
    schedules.PiecewiseConstantDecay([2, 4], [0.5, 0.25, 0.125]),
    schedules.PolynomialDecay(0.5, 10, power=2.0, cycle=True),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: type(one).__name__)
def test_schedules(schedule, tmp_path):
    _, twin, theirs, back = both_ways(tmp_path, optimizer=optimizers.SGD(schedule), loss="mse")
    for step in range(15):
        expected = float(theirs.optimizer._learning_rate(step))
        for one in (schedule, *(model.optimizer.get_config()["learning_rate"] for model in (twin, back))):
            one = one if callable(one) else schedules.deserialize(one)
            assert float(one(step)) == pytest.approx(expected, rel=1e-6)


LOSSES = [
    losses.BinaryCrossentropy(label_smoothing=0.25),
    losses.CategoricalCrossentropy(from_logits=True, reduction="sum"),
    losses.SparseCategoricalCrossentropy(ignore_class=1),
    losses.MeanSquaredError(name="mine"),
    losses.Huber(),
    losses.CosineSimilarity(),
    losses.BinaryFocalCrossentropy(apply_class_balancing=True, gamma=1.0),
    losses.CategoricalFocalCrossentropy(alpha=[0.5, 1.0]),
    losses.Dice(axis=[1]),
    losses.Tversky(alpha=0.25),
    losses.KLDivergence(),
    losses.Hinge(),
    "mae",
    "categorical_hinge",
    losses.huber,
    "mse",
    "binary_crossentropy",
    losses.mean_squared_error,
    losses.MeanSquaredError,
]


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss, tmp_path):
    ours, twin, theirs, back = both_ways(tmp_path, optimizer="sgd", loss=loss)
    for model in (twin, back):
        assert losses.serialize(losses.get(model.compile_config["loss"])) == losses.serialize(losses.get(loss))
    if isinstance(loss, losses.Loss):
        assert theirs.loss.get_config()["name"] == loss.name
    assert ours.compile_config["loss"] is loss


METRICS = [
    ["accuracy"],
    ["acc", "mse"],
    [metrics.AUC(num_thresholds=7, name="area")],
    [metrics.BinaryAccuracy(threshold=0.25), metrics.TopKCategoricalAccuracy(k=2)],
    [metrics.SparseCategoricalAccuracy(), metrics.CategoricalAccuracy(), metrics.Accuracy()],
    [metrics.MeanSquaredError(), metrics.BinaryCrossentropy(from_logits=True)],
    [metrics.CategoricalAccuracy],
    [metrics.Precision(thresholds=[0.25, 0.75], name="p"), metrics.Recall(top_k=1, class_id=0, name="r")],
    [metrics.F1Score("macro", 0.5), metrics.FBetaScore(beta=2.0), metrics.R2Score(num_regressors=1)],
    [metrics.MeanIoU(2, name="m", ignore_class=1), metrics.BinaryIoU([0], 0.25, name="b", dtype="float32")],
    [metrics.PrecisionAtRecall(0.5, name="at"), metrics.TruePositives(0.25, name="tp")],
    [metrics.CosineSimilarity(), metrics.LogCoshError(), metrics.RootMeanSquaredError(), "mae"],
]


@pytest.mark.parametrize("given", METRICS)
def test_metrics(given, tmp_path):
    _, twin, _, back = both_ways(tmp_path, optimizer="sgd", loss="mse", metrics=given, weighted_metrics=given[:1])

    def described(entries):
        return [
            one if isinstance(one, str) else metrics.get(one() if isinstance(one, type) else one).get_config()
            for one in entries
        ]

    for model in (twin, back):
        assert described(model.compile_config["metrics"]) == described(given)
        assert described(model.compile_config["weighted_metrics"]) == described(given[:1])


def test_several_outputs(tmp_path):
    def build(k):
        x = k.layers.Input((3,))
        return k.models.Model(x, [k.layers.Dense(1, name="one")(x), k.layers.Dense(1, name="two")(x)])

    ours = build(HERE)
    options = {
        "loss": {"one": "mse", "two": losses.BinaryCrossentropy(from_logits=True)},
        "loss_weights": {"one": 0.5, "two": 2.0},
        "metrics": {"one": ["mse"], "two": [metrics.BinaryAccuracy()]},
    }
    ours.compile("adam", **options)
    ours.save(tmp_path / "one.keras")
    theirs = open_in_keras(tmp_path / "one.keras")
    theirs.save(tmp_path / "two.keras")
    for path in ("one.keras", "two.keras"):
        found = load_model(tmp_path / path).compile_config
        assert found["loss_weights"] == options["loss_weights"]
        assert found["loss"]["one"] == "mse"
        assert found["loss"]["two"].config()["from_logits"] is True
        assert found["metrics"]["one"] == ["mse"]
        assert isinstance(found["metrics"]["two"][0], metrics.BinaryAccuracy)


def test_what_keras_compiles_with_names(tmp_path):
    theirs = small(keras)
    theirs.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    theirs.save(tmp_path / "model.keras")
    ours = load_model(tmp_path / "model.keras")
    assert ours.optimizer.learning_rate == pytest.approx(0.001)
    assert ours.compile_config["loss"] == "sparse_categorical_crossentropy"
    assert ours.compile_config["metrics"] == ["accuracy"]
    assert load_model(tmp_path / "model.keras", compile=False).compile_config is None


def test_functions_of_ones_own(tmp_path):
    def off(y_true, y_pred):
        return (y_true - y_pred).abs().mean(-1)

    model = small()
    model.compile("sgd", loss=off, metrics=[off])
    model.save(tmp_path / "model.keras")
    with pytest.raises(
        UserError, match=r"The saved loss 'off' got only a function's name; .* Or pass compile=False\.$"
    ):
        load_model(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras", custom_objects={"off": off}).compile_config["loss"] is off
    assert open_in_keras(tmp_path / "model.keras", custom_objects={"off": off}).loss is off


def good():
    model = small()
    model.compile("adam", "mse", metrics=["accuracy"])
    return json.loads(json.dumps(serialize_compile(model.compile_config)))


REFUSED = {
    "a list": (lambda c: [1], UserError, r"^compile_config got \[1\]; it needs a dict of compile's arguments"),
    "no optimizer": (lambda c: c.pop("optimizer"), UserError, r"^compile_config got no optimizer; it needs one"),
    "os.system": (
        lambda c: c.update(optimizer={"module": "os", "class_name": "system", "config": {}}),
        UserError,
        r"got optimizer 'system'; it needs a known optimizer",
    ),
    "an optimizer of Keras alone": (
        lambda c: c["optimizer"].update(class_name="Muon"),
        UnsupportedError,
        r"got optimizer 'Muon'; it needs one of .*: striate does not have this Keras optimizer",
    ),
    "half a schedule": (
        lambda c: c["optimizer"]["config"].update(learning_rate={"class_name": "CosineDecay", "config": {}}),
        UserError,
        r"got CosineDecay with {}; it needs arguments it knows\. Python says: .*'initial_learning_rate'",
    ),
    "another optimizer's argument": (
        lambda c: c["optimizer"].update(class_name="Lion"),
        UserError,
        r"^Lion got an unknown argument epsilon=1e-07",
    ),
    "clipping twice": (
        lambda c: c["optimizer"]["config"].update(clipnorm=1.0, clipvalue=1.0),
        UserError,
        "clipnorm",
    ),
    "a schedule that Keras does not have": (
        lambda c: c["optimizer"]["config"].update(learning_rate={"class_name": "CosineDecayy", "config": {}}),
        UserError,
        "Did you mean 'CosineDecay'",
    ),
    "clipping by less than nothing": (
        lambda c: c["optimizer"]["config"].update(clipnorm=-1.0),
        UserError,
        "got clipnorm=-1.0; it needs a number above 0",
    ),
    "an unknown loss": (lambda c: c.update(loss="off"), UserError, "loss 'off'"),
    "a lambda": (
        lambda c: c.update(loss={"class_name": "__lambda__", "config": {"value": ["x"]}}),
        UnsupportedError,
        r"^compile_config got a lambda, which is Python code",
    ),
    "an unknown metric": (
        lambda c: c.update(metrics=[{"class_name": "eval", "config": {}}]),
        UserError,
        "metric 'eval'",
    ),
    "running eagerly": (lambda c: c.update(run_eagerly=3), UserError, "got run_eagerly=3; it needs True or False"),
    "an unknown argument": (lambda c: c.update(speed=1), UserError, "got an unknown argument speed=1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    change, error, text = REFUSED[case]
    form = good()
    result = change(form)
    with pytest.raises(error, match=text):
        compile_from(small(), result if isinstance(result, list) else form)


def test_a_torch_optimizer_cannot_be_written(tmp_path):
    model = small()
    model.compile(torch.optim.NAdam(model.parameters()), "mse")
    with pytest.raises(UserError, match=r"Or pass include_optimizer=False\.$"):
        model.save(tmp_path / "model.keras")
    assert not (tmp_path / "model.keras").exists()
    model.save(tmp_path / "model.keras", include_optimizer=False)
    assert load_model(tmp_path / "model.keras").compile_config is None


def test_custom_optimizer_classes():
    class Mine(optimizers.SGD):
        pass

    form = good()
    form["optimizer"] = {
        "module": None,
        "class_name": "Mine",
        "config": {"learning_rate": 2.0},
        "registered_name": "Mine",
    }
    model = small()
    with custom_object_scope({"Mine": Mine}):
        compile_from(model, form)
    assert isinstance(model.optimizer, Mine)
    assert model.optimizer.learning_rate == 2.0


def test_models_inside_are_not_compiled(tmp_path):
    inner = Sequential([Input((3,)), Dense(3)], name="inner")
    inner.compile("adam", "mse")
    x = Input((3,))
    model = Model(x, inner(x))
    model.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").compile_config is None
    assert not open_in_keras(tmp_path / "model.keras").compiled
