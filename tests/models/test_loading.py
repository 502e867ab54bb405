"""Model files there and back between striate and real Keras, and files that nobody should trust."""

import functools
import json
import os
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

import h5py
import hypothesis
import keras
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from model_files import (
    WEIGHTS,
    assert_same_outputs,
    convnet,
    edit_config,
    edit_weights,
    entries,
    keras_predict,
    open_in_keras,
    pack,
    stir,
)
from oracles.cases import CASES
from oracles.compare import double_precision, make

from striate import layers, models
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Dense, Input, regularizers
from striate.layers.layer import Layer
from striate.models import Model, Sequential, load_model
from striate.training import optimizers

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

HERE = type("striate", (), {"layers": layers, "models": models, "regularizers": regularizers})
RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(24, 8, 8, 3)).astype("float32"), RNG.integers(0, 5, 24)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.keras"


# There and back -------------------------------------------------------------------------------------


def rows():
    """A few rows of the table of every layer's cases: the first, the last, and some between."""
    by_layer = defaultdict(list)
    for case in CASES:
        by_layer[case.layer].append(case)
    for cases in by_layer.values():
        yield from [case for index, case in enumerate(cases) if index % max(len(cases) // 4, 1) == 0][:5]
        yield cases[-1]


def around(k, case):
    """The layer of a case in a model of its own."""
    starts = [k.layers.Input(shape[1:], name=f"in_{index}") for index, shape in enumerate(case.shapes)]
    layer = make(k.layers, case, name="it")
    several = len(starts) > 1
    return k.models.Model(starts if several else starts[0], layer(starts if several else starts[0]))


ROWS = list({str(case): case for case in rows()}.values())


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_every_layer_both_ways(case, tmp_path):
    arrays = [RNG.uniform(-1, 1, shape).astype("float32") for shape in case.shapes]
    if case.layer == "Embedding":
        arrays = [RNG.integers(0, case.arguments["input_dim"], shape) for shape in case.shapes]
    x = arrays if len(arrays) > 1 else arrays[0]
    ours, theirs = stir(around(HERE, case)), stir(around(keras, case))
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    expected = ours.predict(x, verbose=0)
    # Keras's torch backend pads average pools with "same" in a way of its own; weights and config still go along.
    if not (case.layer == "AveragePooling2D" and case.arguments.get("padding") == "same"):
        assert_same_outputs(keras_predict(open_in_keras(tmp_path / "ours.keras"), x), expected)
        assert_same_outputs(load_model(tmp_path / "theirs.keras").predict(x, verbose=0), expected)
    config = load_model(tmp_path / "theirs.keras").get_layer("it").get_config()
    assert config == ours.get_layer("it").get_config()


def test_every_layer_has_rows():
    known = {name for name, cls in layers.layer.registry.classes.items() if cls.__module__.startswith("striate.layers")}
    # Cells do one step, so that a model has them inside RNN only; TextVectorization has a table of its own.
    cells = {name for name in known if name.endswith(("Cell", "Cells"))}
    assert {case.layer for case in ROWS} >= known - cells - {"TorchModule", "InputLayer", "TextVectorization"}


INITIALIZERS = [
    "zeros",
    "ones",
    "glorot_normal",
    "he_uniform",
    "lecun_normal",
    "orthogonal",
    "random_normal",
    "uniform",
]


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_and_regularizers_both_ways(name, tmp_path):
    def build(k, **options):
        options |= {"kernel_regularizer": k.regularizers.L1L2(0.25, 0.5), "bias_regularizer": k.regularizers.L2(0.75)}
        dense = k.layers.Dense(4, kernel_initializer=name, **options)
        return k.models.Sequential([k.layers.Input((3,)), dense])

    build(HERE, name="d").save(tmp_path / "ours.keras")
    build(keras, name="d").save(tmp_path / "theirs.keras")
    ours, theirs = load_model(tmp_path / "theirs.keras"), open_in_keras(tmp_path / "ours.keras")
    assert ours.layers[0].get_config() == load_model(tmp_path / "ours.keras").layers[0].get_config()
    again = keras.saving.serialize_keras_object(theirs.layers[0])["config"]
    expected = keras.saving.serialize_keras_object(open_in_keras(tmp_path / "theirs.keras").layers[0])["config"]
    assert again == expected
    penalty = load_model(tmp_path / "ours.keras").penalty()
    assert sum(theirs.losses).item() == pytest.approx(penalty.item(), rel=1e-5)


def train(model, epochs=1, **options):
    return model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, **options)


def network(k):
    return k.models.Sequential(
        [
            k.layers.Input((8, 8, 3)),
            k.layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2", name="conv"),
            k.layers.BatchNormalization(momentum=0.5, name="norm"),
            k.layers.MaxPooling2D(name="pool"),
            k.layers.Flatten(name="flat"),
            k.layers.Dense(5, activation="softmax", name="last"),
        ]
    )


@pytest.mark.parametrize("optimizer", sorted(optimizers.registry.classes.keys() - {"LossScaleOptimizer"}))
def test_training_goes_on_where_it_stood(optimizer, path):
    unbroken, broken = stir(network(HERE)), stir(network(HERE))
    for model in (unbroken, broken):
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        train(model)
    broken.save(path)
    broken = load_model(path)
    assert broken.optimizer.iterations == 3
    assert broken.optimizer.learning_rate == unbroken.optimizer.learning_rate
    histories = [train(model, 2).history for model in (unbroken, broken)]
    assert histories[0] == histories[1]
    assert all(torch.equal(*pair) for pair in zip(unbroken.weights, broken.weights, strict=True))


@pytest.fixture
def double():
    """Optimizers that divide by small numbers make more of rounding than of a mistake, but not in float64."""
    with double_precision():
        yield


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("SGD", {"momentum": 0.5}),
        ("SGD", {"momentum": 0.5, "nesterov": True, "gradient_accumulation_steps": 2}),
        ("RMSprop", {"momentum": 0.5, "centered": True}),
        ("Adam", {"amsgrad": True}),
        ("Adam", {"use_ema": True, "ema_momentum": 0.5}),
        *((name, {}) for name in ("AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "Lion", "Ftrl")),
    ],
)
def test_training_goes_over_between_the_two(optimizer, options, tmp_path, double):
    options = {"learning_rate": 2**-7, **options}  # which the float32 of files holds exactly
    theirs = stir(network(keras))
    theirs.compile(getattr(keras.optimizers, optimizer)(**options), "sparse_categorical_crossentropy")
    train(theirs)
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    assert ours.optimizer.learning_rate == 2**-7
    train(ours)
    ours.save(tmp_path / "ours.keras")
    back = open_in_keras(tmp_path / "ours.keras")
    assert len(back.optimizer.variables) == len(ours.optimizer.variables())
    train(theirs), train(ours), train(back), train(theirs)
    for one, other in zip(ours.weights, back.weights, strict=True):
        assert one.dtype == torch.float64
        assert_same_outputs(one, other.value, 1e-9)
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        assert_same_outputs(one, other.value, 1e-9)


def test_a_learning_rate_that_was_changed_stays_changed(path):
    model = network(HERE)
    model.compile("adam", "sparse_categorical_crossentropy")
    train(model)
    model.optimizer.learning_rate = 0.3
    model.save(path)
    assert load_model(path).optimizer.learning_rate == 0.3
    assert float(open_in_keras(path).optimizer.learning_rate) == pytest.approx(0.3)


def test_compiled_and_not_trained(path):
    model = network(HERE)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(path)
    twin = load_model(path)
    assert twin.optimizer.iterations == 0
    train(twin)
    assert twin.optimizer.iterations == 3


def test_moving_statistics_and_frozen_layers(path):
    model = network(HERE)
    model.compile("sgd", "sparse_categorical_crossentropy")
    train(model)
    model.get_layer("conv").trainable = False
    model.save(path)
    twin, theirs = load_model(path), open_in_keras(path, compile=False)
    assert not twin.get_layer("conv").trainable
    assert not theirs.get_layer("conv").trainable
    norm = twin.get_layer("norm")
    assert norm.moving_mean.abs().sum() > 0
    for one, other in zip(norm.weights, theirs.get_layer("norm").weights, strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), other.value.detach().numpy())


def test_mixed_dtypes(path):
    model = stir(Sequential([Input((4,)), Dense(3, dtype="float64", name="wide"), Dense(2, name="last")]))
    model.save(path)
    assert load_model(path).get_layer("wide").kernel.dtype == torch.float64
    assert open_in_keras(path).get_layer("wide").kernel.dtype == "float64"


def test_whole_numbers_as_input(path):
    def build(k):
        return k.models.Sequential(
            [k.layers.Input((3,), dtype="uint8"), k.layers.Rescaling(0.5), k.layers.Dense(2, name="d")]
        )

    stir(build(HERE)).save(path)
    x = np.array([[0, 100, 255]], "uint8")
    assert_same_outputs(keras_predict(open_in_keras(path), x), load_model(path).predict(x, verbose=0))


def test_training_is_what_the_caller_says_at_each_call(path):
    """Keras notes training=False for every call of Dropout, and overrides it when it trains; True it keeps."""

    def build(**options):
        x = keras.layers.Input((100,))
        return keras.Model(x, keras.layers.BatchNormalization()(keras.layers.Dropout(0.5)(x, **options)))

    build().save(path)
    ours = load_model(path)
    x = torch.ones(3, 100)
    assert (ours(x, training=True) < 0).any()
    assert not (ours(x) <= 0).any()
    build(training=True).save(path)
    ours = load_model(path)
    assert (ours(x) <= 0).any()
    assert not (ours(x, training=False) <= 0).any()


def test_what_older_versions_write(path):
    """Keras 3.0: dtypes as names, no DTypePolicy, metrics and generators in the weight file, lists of one."""
    a = Input((4,), name="a")
    model = stir(Model(a, Dense(2, name="d")(a)))
    model.save(path)

    def older(form):
        config = form["config"]
        dense = config["layers"][1]["config"]
        dense["dtype"] = "float32"
        dense |= {"kernel_constraint": None, "bias_constraint": None, "activity_regularizer": None}
        del config["layers"][0]["config"]["name"]
        config["layers"][0]["config"] |= {"sparse": False, "name": "a"}
        config["input_layers"], config["output_layers"] = [["a", 0, 0]], [["d", 0, 0]]

    edit_config(path, older)
    edit_weights(path, lambda file: file.create_dataset("metrics/mean/vars/0", data=[1.0]))
    x = RNG.normal(size=(2, 4)).astype("float32")
    assert_same_outputs(load_model(path).predict(x, verbose=0), model.predict(x, verbose=0), 0)


class Scale(Layer):
    def __init__(self, start=1.0, **options):
        super().__init__(**options)
        self.start = start

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones")
        # Numbers that are no weights, made in a way that needs real ones.
        self.table = torch.tensor([self.start, 0.0])
        assert self.table[0].item() == self.start

    def forward(self, x):
        return x * self.factor * self.table[0]

    def config(self):
        return {"start": self.start}


def test_layers_of_ones_own(path):
    model = Sequential([Input((4,)), Scale(2.0, name="mine"), Dense(2, name="d")])
    for weight in model.weights:
        weight.data.uniform_(0.1, 1)
    model.save(path)
    with pytest.raises(UserError, match=r"^Model file '.*': Scale 'mine' got the class 'Scale' of module None"):
        load_model(path)
    twin = load_model(path, custom_objects={"Scale": Scale})
    x = torch.rand(3, 4)
    assert torch.equal(twin(x), model(x))
    assert twin.get_layer("mine").table.device.type == "cpu"


def test_a_model_of_ones_own(path):
    class Net(Model):
        def __init__(self, width=3, **options):
            super().__init__(**options)
            self.width = width
            self.first, self.last = Dense(width), Dense(2)

        def forward(self, x):
            return self.last(self.first(x).relu())

        def config(self):
            return {"width": self.width}

    model = Net(7)
    model(torch.zeros(1, 4))
    model.save(path)
    twin = load_model(path, custom_objects={"Net": Net})
    x = torch.rand(3, 4)
    assert torch.equal(twin(x), model(x))


def test_loading_leaves_names_of_files_to_the_caller(path, monkeypatch):
    convnet().save(path)
    monkeypatch.chdir(path.parent)
    assert load_model("model.keras").name == "small"
    assert load_model(Path("model.keras")).name == "small"


@pytest.mark.parametrize("name", ["x.keras", "x.weights.h5"])
def test_weights_out_of_files_of_keras(tmp_path, name):
    theirs = stir(network(keras))
    theirs.compile("adam", "mse")
    (theirs.save if name.endswith(".keras") else theirs.save_weights)(tmp_path / name)
    ours = network(HERE)
    ours.load_weights(tmp_path / name)
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), other.value.detach().numpy())


# Files that nobody should trust ---------------------------------------------------------------------


@pytest.fixture
def model(path):
    model = stir(convnet())
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    train(model)
    model.save(path)
    return model


def refused(path, text, error=UserError, **options):
    before = {file: file.read_bytes() for file in path.parent.rglob("*")}
    with pytest.raises(error, match=text) as caught:
        load_model(path, **options)
    assert f"{str(path)!r}" in str(caught.value)
    assert {file: file.read_bytes() for file in path.parent.rglob("*")} == before


def drop(name):
    return lambda contents: contents.pop(name)


def put(name, data):
    return lambda contents: contents.update({name: data})


ENTRIES = {
    "no metadata": (drop("metadata.json"), r"got no 'metadata\.json' in it; it needs a whole \.keras file"),
    "no config": (drop("config.json"), r"got no 'config\.json' in it"),
    "no weights": (drop(WEIGHTS), r"got no 'model\.weights\.h5' in it"),
    "weights as npz": (lambda c: c.update({"model.weights.npz": c.pop(WEIGHTS)}), r"got no 'model\.weights\.h5' in it"),
    "no version": (put("metadata.json", b"{}"), r"got 'metadata\.json' without a keras_version"),
    "a version that is a number": (put("metadata.json", b'{"keras_version": 3}'), r"without a keras_version"),
    "Keras 2": (
        put("metadata.json", b'{"keras_version": "2.15.0"}'),
        r"got a file of Keras 2\.15\.0; it needs one of Keras 3 or striate\. Open it with Keras 3 and save it again\.",
    ),
    "large metadata": (put("metadata.json", b" " * 2**17), r"got 'metadata\.json' of 131,072 bytes"),
    "a large config": (
        put("config.json", b" " * 2**24),
        r"got 'config\.json' of 16,777,216 bytes .*; it needs at most",
    ),
    "a list as config": (put("config.json", b"[]"), r"got 'config\.json' with list as its JSON"),
    "an empty config": (put("config.json", b"{}"), r": A model's config got \{\}; it needs a layer's class_name"),
    "deep JSON": (put("config.json", b'{"a":' * 50_000 + b"1" + b"}" * 50_000), "with JSON nested too deep to be read"),
    "empty weights": (put(WEIGHTS, b""), r"got no whole HDF5 file"),
    "a pickle for weights": (put(WEIGHTS, b"\x80\x04\x95\x1c\x00cposix\nsystem\n(Vid\ntR."), r"got no whole HDF5 file"),
    "text for weights": (put(WEIGHTS, b"hello" * 1000), r"got no whole HDF5 file"),
    "weights far beyond need": (
        put(WEIGHTS, bytes(40 * 2**20)),
        r"got 'model\.weights\.h5' of 41,943,040 bytes \(41,943,040 in the file\); it needs at most 1,\d{3},\d{3}",
    ),
    "a path that leads out": (put("../../evil", b"x"), r"got an entry '\.\./\.\./evil', a path that leads out of it"),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_entries(path, model, case):
    change, text = ENTRIES[case]
    contents = entries(path)
    change(contents)
    pack(path, contents)
    refused(path, text)


def test_a_bomb_for_weights(path, model):
    contents = entries(path)
    contents[WEIGHTS] = bytes(50 * 2**20)
    pack(path, contents, zipfile.ZIP_DEFLATED)
    refused(path, r"got 'model\.weights\.h5' of 52,428,800 bytes \(\d+,\d{3} in the file\); it needs at most")


def layer(index, **change):
    return lambda form: form["config"]["layers"][index]["config"].update(change)


CONFIGS = {
    "a layer of terabytes": (
        layer(6, units=10**9),
        r"^Model file '.*': Dense 'last' got 'kernel' of shape \(36, 5\); it needs \(36, 1000000000\)\. Load a",
    ),
    "a layer of more than all memory": (
        layer(6, units=10**17),
        r": Dense 'last' got a weight of shape .* needs as much memory",
    ),
    "a layer beyond all numbers": (layer(6, units=10**40), r": Dense 'last' got units=10+; it needs .* below 2\*\*63"),
    "pictures beyond all numbers": (
        layer(0, batch_shape=[None, 10**12, 10**12, 3]),
        r": Dense 'last' got a weight of shape .*; it needs as much memory",
    ),
    "no channels": (layer(0, batch_shape=[None, 8, 8, 0]), r": InputLayer 'picture' got input shape \(8, 8, 0\); it"),
    "a batch shape that is empty": (layer(0, batch_shape=[]), r": InputLayer 'picture' got batch_shape=\[\]; it needs"),
    "half a filter": (layer(1, filters=0.5), r": Conv2D 'conv' got filters=0\.5; it needs a whole number of at least"),
    "true filters": (layer(1, filters=True), r": Conv2D 'conv' got filters=True; it needs a whole number"),
    "other filters": (
        layer(1, filters=5),
        r": Conv2D 'conv' got 'kernel' of shape \(3, 3, 3, 4\); it needs \(3, 3, 3,",
    ),
    "a name twice": (layer(3, name="conv"), r": Sequential 'small' got MaxPooling2D 'conv'; it needs names that are"),
    "os.system": (
        lambda form: form["config"]["layers"][1].update(module="os", class_name="system"),
        r": system 'conv' got the class 'system' of module 'os'; it needs a layer of striate's, or one that",
    ),
    "a layer as the model": (
        lambda form: form["config"]["layers"][1],
        r": The config got a Conv2D in the place of the model; it needs a model\. Save a model, not a layer\.",
    ),
    "a model in itself a thousand times": (
        lambda form: functools.reduce(lambda inner, _: {**form, "config": {"layers": [inner]}}, range(200), form),
        r"got .*; it needs",
    ),
    "a compile config that is a list": (
        lambda form: form.update(compile_config=[1]),
        r": compile_config got \[1\]; it needs a dict of compile's arguments\. .* Or pass compile=False\.",
    ),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configs(path, model, case):
    change, text = CONFIGS[case]
    edit_config(path, change)
    refused(path, text)


def test_terabytes_in_config_and_weights_together(path, model):
    """The array declares what the config wants, and stores nothing."""
    edit_config(path, layer(6, units=10**9))

    def declare(file):
        for name, shape in (("0", (36, 10**9)), ("1", (10**9,))):
            del file[f"layers/dense/vars/{name}"]
            file["layers/dense/vars"].create_dataset(name, shape, "f4", chunks=(1,) * (len(shape) - 1) + (1000,))

    edit_weights(path, declare)
    refused(path, r"got 'kernel' of Dense 'last' with 0 of its 144,000,000,000 bytes; it needs arrays that are whole")


OPTIMIZER = {
    "another number": (
        lambda file: file.pop("optimizer/vars/7"),
        r"Optimizer 'adam' got 13 weights; it needs 14 weights",
    ),
    "another shape": (
        lambda file: (file.pop("optimizer/vars/3"), file.create_dataset("optimizer/vars/3", data=np.zeros(3, "f4"))),
        r"Optimizer 'adam' got '3 0_velocity' of shape \(3,\); it needs \(3, 3, 3, 4\)\. .* Or pass compile=False\.",
    ),
    "a link": (
        lambda file: (file.pop("optimizer/vars/3"), file.__setitem__("optimizer/vars/3", h5py.SoftLink("/x"))),
        r"got a link '3' \(SoftLink\) to elsewhere",
    ),
    "an endless rate": (
        lambda file: (file.pop("optimizer/vars/1"), file.create_dataset("optimizer/vars/1", data=np.float32("inf"))),
        r"got learning_rate=inf; it needs a number of at least 0",
    ),
}


@pytest.mark.parametrize("case", OPTIMIZER)
def test_optimizer_state(path, model, case):
    change, text = OPTIMIZER[case]
    edit_weights(path, change)
    refused(path, text)
    assert load_model(path, compile=False).compile_config is None


def test_other_weights_change_nothing(path, model):
    """Whatever is wrong with the last of the weights, none of the others is taken over."""
    edit_weights(path, lambda file: file.pop("layers/dense/vars/1"))
    victim = stir(convnet(), 3)
    before = [weight.clone() for weight in victim.weights]
    with pytest.raises(UserError, match=r"^Model file '.*': Dense 'last' got 1 weight \(0\); it needs 2 weights"):
        victim.load_weights(path)
    assert all(torch.equal(*pair) for pair in zip(victim.weights, before, strict=True))


NAMES = {
    "no such file": ("nothing.keras", r"^Model file '.*nothing\.keras' got no such file; it needs a \.keras file"),
    "Keras 2's format": ("model.h5", r"^load_model got the file '.*model\.h5'; it needs a path that ends in \.keras"),
    "no path": (None, r"^load_model got the file None; it needs a path that ends in \.keras"),
}


@pytest.mark.parametrize("case", NAMES)
def test_names(tmp_path, case):
    name, text = NAMES[case]
    with pytest.raises(UserError, match=text):
        load_model(name and str(tmp_path / name))


def test_there_is_only_safe_mode(path, model):
    with pytest.raises(
        UserError, match=r"^load_model got safe_mode=False; it needs safe_mode=True: files never run code\. Leave"
    ):
        load_model(path, safe_mode=False)


def test_lambda_files_of_keras(path):
    theirs = keras.Sequential([keras.layers.Input((2,)), keras.layers.Lambda(lambda x: x + 1, output_shape=(2,))])
    theirs.save(path)
    refused(path, r"Lambda '.*' got a Lambda layer, which is Python code", UnsupportedError)


HUNGRY = """
import resource, sys
from striate.foundation.checks import UserError
from striate.models import load_model
for path in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        load_model(path)
    except UserError:
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_hostile_files_take_no_memory(tmp_path):
    paths = [tmp_path / f"{index}.keras" for index in range(4)]
    for path in paths:
        convnet().save(path)
    edit_config(paths[0], layer(6, units=10**8))  # 14 GB
    edit_config(paths[1], layer(1, filters=10**9))  # 108 GB
    for path in paths[2:]:
        contents = entries(path)
        contents["config.json" if path == paths[2] else WEIGHTS] = bytes(100 * 2**20)
        pack(path, contents, zipfile.ZIP_DEFLATED)
    command = [sys.executable, "-c", HUNGRY, *map(str, paths)]
    grown = [int(line) for line in subprocess.run(command, check=True, capture_output=True).stdout.split()]
    assert len(grown) == 4
    assert max(grown) < 60, grown


# Whatever comes, only a UserError ---------------------------------------------------------------------

QUICK = hypothesis.settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "model.keras"
    model = stir(convnet())
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    train(model)
    model.save(path)
    return path.read_bytes()


def survives(path, data):
    """A model or a UserError comes out, nothing else, and nothing is left behind."""
    path.write_bytes(data)
    try:
        loaded = load_model(path)
    except UserError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert loaded.predict(X[:1], verbose=0).shape == (1, 5)
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


@QUICK
@hypothesis.given(st.data())
def test_any_byte_may_change(path, good, data):
    changed = bytearray(good)
    # Small edits: the structure of the zip is at the end, names and headers are at the beginning of each entry.
    ends = st.integers(len(good) - 400, len(good) - 1) | st.integers(0, 200) | st.integers(0, len(good) - 1)
    for place, value in data.draw(st.lists(st.tuples(ends, st.integers(0, 255)), min_size=1, max_size=5)):
        changed[place] = value
    survives(path, bytes(changed[: data.draw(st.just(len(changed)) | st.integers(0, len(changed)))]))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats(allow_nan=False) | st.sampled_from(["", "relu"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["config", "class_name"]), inner),
    max_leaves=4,
)


def places(value, at=()):
    """Every place in nested lists and dicts."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(item, (*at, key))


@QUICK
@hypothesis.given(st.data())
def test_anything_may_be_in_the_config(path, good, data):
    path.write_bytes(good)
    contents = entries(path)
    config = json.loads(contents["config.json"])
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(list(places(config))))
        inside = config
        for key in place[:-1]:
            inside = inside[key]
        if data.draw(st.booleans()):
            inside[place[-1]] = data.draw(JUNK)
        elif isinstance(inside, dict):
            del inside[place[-1]]
    contents["config.json"] = json.dumps(config).encode()
    path.write_bytes(pack(path, contents).read_bytes())
    try:
        loaded = load_model(path)
    except UserError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert isinstance(loaded, Model)


@QUICK
@hypothesis.given(place=st.lists(st.integers(0, 10**6), min_size=1, max_size=8), value=st.integers(0, 255))
def test_anything_may_be_in_the_weights(path, good, place, value):
    """The checksums of the zip are made to fit, so that HDF5 sees the damage."""
    path.write_bytes(good)
    contents = entries(path)
    changed = bytearray(contents[WEIGHTS])
    for index in place:
        changed[index % len(changed)] = value
    contents[WEIGHTS] = bytes(changed)
    survives(path, pack(path, contents).read_bytes())


def test_the_good_file_is_one(path, good):
    survives(path, good)
    assert load_model(path).name == "small"


def test_models_nested_deep_come_back(tmp_path):
    model = Sequential([Dense(1, input_shape=(1,))])
    for _ in range(80):
        model = Sequential([model])
    model.save(tmp_path / "deep.keras")
    for mine, other in zip(load_model(tmp_path / "deep.keras").get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
