"""Models as Keras's JSON: what is written, what is understood, and what is refused."""

import json

import keras
import numpy as np
import pytest
import torch
from model_files import assert_same_outputs, flat, keras_predict, open_in_keras, stir

from striate import layers, models
from striate.foundation.checks import UserError
from striate.layers import Add, Concatenate, Dense, Input
from striate.layers.forms import serialize
from striate.layers.options import KERAS_DEFAULTS
from striate.models import Model, Sequential, load_model
from striate.models.layer_config import deserialize

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

HERE = type("striate", (), {"layers": layers, "models": models})
RNG = np.random.default_rng(3)
A, B = RNG.normal(size=(2, 3, 4)).astype("float32")


def single(k):
    x = k.layers.Input((4,), name="a")
    return k.models.Model(x, k.layers.Dense(2)(x))


def lists_of_one(k):
    x = k.layers.Input((4,), name="a")
    return k.models.Model([x], [k.layers.Dense(2)(x)])


def two_and_two(k):
    a, b = k.layers.Input((4,), name="a"), k.layers.Input((4,), name="b")
    joined = k.layers.Concatenate()([k.layers.Dense(3, activation="relu")(a), b])
    return k.models.Model([a, b], [k.layers.Dense(2, name="one")(joined), k.layers.Add(name="two")([a, b])])


def named(k):
    a, b = k.layers.Input((4,), name="a"), k.layers.Input((4,), name="b")
    return k.models.Model(
        {"a": a, "b": b}, {"first": k.layers.Add()([a, b]), "second": [k.layers.Dense(2)(a), k.layers.Dense(2)(b)]}
    )


def shared(k):
    a, b = k.layers.Input((4,), name="a"), k.layers.Input((4,), name="b")
    twice, other = k.layers.Dense(4, name="twice"), k.layers.Dense(4, name="other")
    return k.models.Model([a, b], [twice(other(twice(a))), other(twice(b)), twice(b)])


def nested(k):
    a, b = k.layers.Input((4,), name="a"), k.layers.Input((4,), name="b")
    inner_input = k.layers.Input((4,), name="inside")
    inner = k.models.Model(inner_input, k.layers.Dense(4, name="hidden")(inner_input), name="inner")
    stack = k.models.Sequential([k.layers.Dense(4), k.layers.BatchNormalization()], name="stack")
    return k.models.Model([a, b], [inner(stack(inner(a))), stack(b), k.layers.Add()([inner(a), b])])


def nested_several(k):
    a, b = k.layers.Input((4,), name="a"), k.layers.Input((4,), name="b")
    c, d = k.layers.Input((4,)), k.layers.Input((4,))
    inner = k.models.Model([c, d], [k.layers.Dense(4)(c), k.layers.Add()([c, d])], name="inner")
    one, two = inner([a, b])
    three, four = inner([two, one])
    return k.models.Model([a, b], [three, k.layers.Dense(2)(four)])


def from_the_middle(k):
    x = k.layers.Input((4,), name="a")
    hidden = k.layers.Dense(4, name="hidden")(x)
    return k.models.Model(hidden, k.layers.Dense(2, name="last")(hidden))


def deep(k):
    """A model in a model in a model, which is the output itself."""
    x = k.layers.Input((4,), name="a")
    model = k.models.Model(x, k.layers.Dense(4)(x), name="level_0")
    for level in range(1, 4):
        x = k.layers.Input((4,), name=f"a_{level}")
        model = k.models.Model(x, model(x), name=f"level_{level}")
    return model


def training_said(k):
    """As transfer learning and Monte Carlo dropout write it."""
    x = k.layers.Input((4,), name="a")
    base = k.models.Sequential([k.layers.Input((4,)), k.layers.BatchNormalization()], name="base")
    hidden = k.layers.BatchNormalization(name="norm")(base(x, training=False), training=True)
    return k.models.Model(x, k.layers.Dropout(0.5)(hidden, training=True))


CASES = [
    single,
    lists_of_one,
    two_and_two,
    named,
    shared,
    nested,
    nested_several,
    from_the_middle,
    deep,
    training_said,
]


def inputs_of(build):
    if build is named:
        return {"a": A, "b": B}
    return [A, B] if build in (two_and_two, shared, nested, nested_several) else A


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_written_here_and_read_in_keras(build, tmp_path):
    model = stir(build(HERE))
    expected = model.predict(inputs_of(build), verbose=0)
    model.save(tmp_path / "model.keras")
    assert_same_outputs(keras_predict(open_in_keras(tmp_path / "model.keras"), inputs_of(build)), expected)
    twin = load_model(tmp_path / "model.keras")
    assert_same_outputs(twin.predict(inputs_of(build), verbose=0), expected, tolerance=0)
    assert twin.name == model.name


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_written_by_keras_and_read_here(build, tmp_path):
    theirs = stir(build(keras))
    theirs.save(tmp_path / "model.keras")
    ours = load_model(tmp_path / "model.keras")
    got, expected = ours.predict(inputs_of(build), verbose=0), keras_predict(theirs, inputs_of(build))
    assert_same_outputs(got, expected)
    assert type(got) is type(expected)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [weight.shape for weight in ours.weights] == [tuple(weight.shape) for weight in theirs.weights]


# What Keras writes beside what is written here: options at their defaults, and what it finds out for itself.
FOUND_OUT = {"shared_object_id", "build_config", "compile_config", "mask"}
LEFT_OUT = {*KERAS_DEFAULTS, *FOUND_OUT, "input_axes", "output_axes", "activity_regularizer"}


def assert_part_of(ours, theirs, place=""):
    """All of `ours` is in `theirs`, which has nothing beside but `LEFT_OUT`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert set(ours) <= set(theirs), place
        assert set(theirs) - set(ours) <= LEFT_OUT, place
        for key, value in ours.items():
            assert_part_of(value, theirs[key], f"{place}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        assert len(ours) == len(theirs), place
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_part_of(one, other, f"{place}/{index}")
    else:
        assert ours == theirs, place


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_the_config_is_word_for_word_what_keras_writes(kind):
    def build(k):
        start = k.layers.Input((8, 8, 3), name="picture")
        conv = k.layers.Conv2D(4, (3, 2), padding="same", activation="relu", kernel_regularizer="l2", name="conv")
        rest = [
            k.layers.BatchNormalization(name="norm"),
            k.layers.ZeroPadding2D(((1, 0), (2, 3)), name="zeros"),
            k.layers.MaxPooling2D(name="pool"),
            k.layers.Dropout(0.5, seed=3, name="drop"),
            k.layers.ReLU(max_value=6.0, name="relu"),
            k.layers.Flatten(name="flat"),
            k.layers.Dense(3, kernel_initializer="he_normal", name="last"),
        ]
        stack = k.models.Sequential([start, conv, *rest], name="stack")
        if kind == "sequential":
            return stack
        inner = k.models.Model(start, conv(start), name="inner")
        x = k.layers.Concatenate(name="both")([inner(start), conv(start)])
        return k.models.Model(start, [x, inner(start), stack(start)], name="outer")

    ours = json.loads(json.dumps(serialize(build(HERE))))
    assert_part_of(ours, json.loads(build(keras).to_json()))


def test_a_graph_from_the_middle_gets_an_input_of_its_own():
    config = serialize(from_the_middle(HERE))["config"]
    assert [layer["class_name"] for layer in config["layers"]] == ["InputLayer", "Dense"]
    assert config["input_layers"] == [config["layers"][0]["name"], 0, 0]


def test_outputs_of_an_inner_dict_keep_their_places(tmp_path):
    """Keras counts the outputs of a model inside by sorted keys, whatever order they were given in."""

    def build(k):
        x, y = k.layers.Input((4,), name="a"), k.layers.Input((4,))
        inner = k.models.Model(y, {"z": k.layers.ReLU()(y), "a": k.layers.Activation("tanh")(y)}, name="inner")
        made = inner(x)
        z, a = (made["z"], made["a"]) if isinstance(made, dict) else made
        return k.models.Model(x, k.layers.Concatenate()([z, a]))

    expected = build(HERE).predict(A, verbose=0)
    build(HERE).save(tmp_path / "ours.keras")
    build(keras).save(tmp_path / "theirs.keras")
    assert_same_outputs(keras_predict(open_in_keras(tmp_path / "ours.keras"), A), expected)
    assert_same_outputs(load_model(tmp_path / "theirs.keras").predict(A, verbose=0), expected)
    assert_same_outputs(load_model(tmp_path / "ours.keras").predict(A, verbose=0), expected)


def test_inputs_that_lead_nowhere_stay(tmp_path):
    a, b = Input((4,), name="a"), Input((2,), name="b")
    Model([a, b], Dense(2)(a)).save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").input_shape == [(None, 4), (None, 2)]


# Sequential ---------------------------------------------------------------------------------------


def test_sequential_names_its_input_first_as_keras_does():
    ours = Sequential([Dense(3, input_shape=(4,), name="one")], name="stack")
    theirs = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, name="one")], name="stack")
    config, expected = serialize(ours), keras.saving.serialize_keras_object(theirs)
    assert [layer["class_name"] for layer in config["config"]["layers"]] == ["InputLayer", "Dense"]
    assert config["config"]["build_input_shape"] == list(expected["config"]["build_input_shape"])
    assert list(config["config"]) == list(expected["config"])
    assert (config["module"], config["class_name"]) == (expected["module"], expected["class_name"])


def test_sequential_that_waits_for_its_input():
    waiting = deserialize(serialize(Sequential([Dense(3)])))
    assert not waiting.built
    assert waiting(torch.zeros(1, 2)).shape == (1, 3)


def test_sequential_built_later_or_by_keras_without_an_input_layer():
    model = Sequential([Dense(3)])
    model.build((None, 4))
    assert deserialize(serialize(model)).input_shape == (None, 4)
    config = serialize(Sequential([Dense(3)]))
    config["config"]["build_input_shape"] = [None, 4]
    assert deserialize(config).input_shape == (None, 4)


# What is refused ----------------------------------------------------------------------------------


def change(*path, value):
    def apply(config):
        for key in path[:-1]:
            config = config[key]
        config[path[-1]] = value

    return apply


def call(name, index=0, output=0):
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, index, output]}}


def loop(config):
    config["layers"][1]["inbound_nodes"][0]["args"] = [call("two")]


BROKEN = {
    "layers that are a dict": (change("layers", value={}), r"^Functional got layers=\{\}; it needs a list\."),
    "a layer that is a number": (
        change("layers", 1, value=4),
        "^A model's config got 4; it needs a layer's class_name",
    ),
    "two layers of a name": (
        change("layers", 2, "name", value="one"),
        r"got a layer with the name 'one'; it needs the",
    ),
    "no calls": (change("layers", 1, "inbound_nodes", value=3), r"^Dense 'one' got inbound_nodes=3; it needs a list"),
    "calls of Keras 2": (
        change("layers", 1, "inbound_nodes", value=[[["a", 0, 0, {}]]]),
        r"^Dense 'one' got inbound_nodes as Keras 2 wrote them; it needs a file of Keras 3\. Open the file",
    ),
    "a call that is a text": (
        change("layers", 1, "inbound_nodes", value=["a"]),
        r"^Dense 'one' got a call 'a'; it needs a dict of args and kwargs",
    ),
    "a call of nobody": (
        change("layers", 1, "inbound_nodes", 0, "args", value=[call("nobody")]),
        r"^A functional model's config got a call of 'nobody', which is not there; it needs only layers of the list\.",
    ),
    "a call that never comes": (
        change("layers", 1, "inbound_nodes", 0, "args", value=[call("a", 7)]),
        r"got calls of \['one', 'two'\] that wait for each other; it needs a graph without loops",
    ),
    "a loop": (loop, r"got calls of \['one', 'two'\] that wait for each other"),
    "a third output": (
        change("layers", 1, "inbound_nodes", 0, "args", value=[call("a", 0, 3)]),
        r"got output 3 of call 0 of 'a'; it needs only calls and outputs that there are",
    ),
    "a history of texts": (
        change("layers", 1, "inbound_nodes", 0, "args", value=[call("a", "0")]),
        r"got keras_history=\['a', '0', 0\]; it needs a layer's name and two whole numbers",
    ),
    "a negative call": (change("output_layers", value=["two", -1, 0]), r"got keras_history=\['two', -1, 0\]"),
    "a true call": (change("output_layers", value=["two", True, 0]), r"got keras_history=\['two', True, 0\]"),
    "no arguments": (
        change("layers", 1, "inbound_nodes", 0, "args", value=[]),
        r"^Dense 'one' got a call with the arguments .*; it needs one input \(or a list of them\) and nothing else",
    ),
    "training fixed": (
        change("layers", 1, "inbound_nodes", 0, "kwargs", value={"training": "yes"}),
        r"^Dense 'one' got a call with training='yes'; it needs true, false or null",
    ),
    "a number instead of an input": (
        change("layers", 1, "inbound_nodes", 0, "args", value=[3]),
        r"got a call of Dense 'one' on \{'args': \[3\].*; it needs calls on what other layers give",
    ),
    "an input that is called": (
        change("layers", 0, "inbound_nodes", value=[{"args": [call("a")], "kwargs": {}}]),
        r"got a call of InputLayer 'a' on",
    ),
    "outputs that are a text": (
        change("output_layers", value="two"),
        r"got inputs or outputs 'two'; it needs lists of a layer's name and two numbers",
    ),
    "no outputs": (change("output_layers", value=[]), r"^Model got outputs=\[\]; it needs symbols"),
    "outputs of nobody": (change("output_layers", value=["nobody", 0, 0]), "got a call of 'nobody'"),
    "an argument of nobody": (change("speed", value=3), r"^Model got an unknown argument speed=3"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_graphs_are_refused(case):
    a = Input((4,), name="a")
    form = serialize(Model(a, Dense(2, name="two")(Dense(4, name="one")(a)), name="broken"))
    form = json.loads(json.dumps(form))
    apply, text = BROKEN[case]
    apply(form["config"])
    with pytest.raises(UserError, match=text):
        deserialize(form)


def test_shapes_that_do_not_fit_are_refused_as_in_code():
    a = Input((4,), name="a")
    form = serialize(Model(a, Add(name="sum")([Dense(2, name="one")(a), Dense(2, name="two")(a)])))
    form["config"]["layers"][1]["config"]["units"] = 3
    with pytest.raises(
        UserError, match=r"^Add 'sum' got shape .* from Dense '(one|two)'; it needs inputs of equal shape"
    ):
        deserialize(form)


def test_long_chains_need_no_deep_stack(tmp_path):
    x = y = Input((2,))
    for index in range(400):
        y = Add(name=f"add_{index}")([y, x])
    Model(x, y).save(tmp_path / "model.keras")
    ours = load_model(tmp_path / "model.keras")
    assert flat(ours(torch.ones(1, 2)))[0].tolist() == [[401.0, 401.0]]


def test_layers_are_found_in_any_order():
    a = Input((4,), name="a")
    form = serialize(Model(a, Concatenate()([Dense(2, name="two")(Dense(4, name="one")(a)), a])))
    form["config"]["layers"].reverse()
    assert deserialize(form).output_shape == (None, 6)
