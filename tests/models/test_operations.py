"""Networks with operations on symbols, beside Keras's: numbers, files, and all that can be asked of models."""

import copy
import json

import keras
import numpy as np
import pytest
import torch
from model_files import assert_same_outputs, edit_config, keras_predict, open_in_keras

import striate.layers
import striate.models
import striate.ops
from striate.foundation.checks import UnsupportedError, UserError
from striate.models import clone_model, load_model
from striate.models.summary import Summary
from striate.utils import plot_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, 3, 4, 4, 2)).astype("float32")
PLUS = RNG.normal(size=(4, 2)).astype("float32")
EXPRESSIONS = {
    "a + b": lambda lib, a, b: a + b,
    "a - b": lambda lib, a, b: a - b,
    "a * b": lambda lib, a, b: a * b,
    "a / b": lambda lib, a, b: a / (b * b + 1),
    "a + 2": lambda lib, a, b: a + 2,
    "2 + a": lambda lib, a, b: 2 + a,
    "0.5 - a": lambda lib, a, b: 0.5 - a,
    "1 / a": lambda lib, a, b: 1 / (a * a + 1),
    "a / 4": lambda lib, a, b: a / 4,
    "a // 2": lambda lib, a, b: a // 2,
    "a % 2": lambda lib, a, b: a % 2,
    "a ** 2": lambda lib, a, b: a**2,
    "2 ** a": lambda lib, a, b: 2**a,
    "a @ b": lambda lib, a, b: a @ b[:, :, :2],
    "-a": lambda lib, a, b: -a,
    "abs": lambda lib, a, b: abs(a),
    "a NumPy number": lambda lib, a, b: a * np.float32(3),
    "an array": lambda lib, a, b: a + PLUS,
    "comparisons": lambda lib, a, b: lib.ops.where((a > b) & ~(a >= 1), a, b),
    "sum of a list": lambda lib, a, b: sum([a, b]),
    "one that is stretched": lambda lib, a, b: a * lib.layers.GlobalAveragePooling2D(keepdims=True)(b),
    "fewer axes": lambda lib, a, b: a * lib.layers.GlobalAveragePooling2D()(b)[:, None, None],
    "parts": lambda lib, a, b: a[:, 1:, ::2] + b[:, :3, -2:],
    "flipped": lambda lib, a, b: a[:, ::1, 0],
    "activations": lambda lib, a, b: lib.activations.relu(a) + lib.activations.softmax(b),
    "activations with options": lambda lib, a, b: lib.activations.relu(a, negative_slope=0.1, max_value=1.0),
    "more activations": lambda lib, a, b: lib.activations.exponential(lib.activations.gelu(a, approximate=True)),
    "operations": lambda lib, a, b: lib.ops.concatenate([lib.ops.mean(a, axis=-1), lib.ops.max(b, axis=-1)], axis=-1),
    "a twin in an output": lambda lib, a, b: lib.ops.split(a, 2, axis=1)[1] + lib.ops.split(a, 2, axis=1)[0],
    "squeeze and excite": lambda lib, a, b: (
        a * lib.ops.reshape(lib.layers.Dense(2, "sigmoid", name="gate")(lib.ops.mean(a, axis=(1, 2))), (-1, 1, 1, 2))
    ),
    "one after the other": lambda lib, a, b: lib.layers.ReLU(6.0)(a + 3.0) * (1.0 / 6.0) * b,
    "infinity": lambda lib, a, b: lib.ops.minimum(a + float("inf"), b),
}


def both(name):
    """The network here and in Keras, with the same weights."""
    found = []
    for lib in (striate, keras):
        inputs = [lib.layers.Input((4, 4, 2), name=letter) for letter in "ab"]
        output = lib.layers.Dense(3, name="last")(lib.layers.Flatten()(EXPRESSIONS[name](lib, *inputs)))
        found.append(lib.models.Model(inputs, output, name="net"))
    ours, theirs = found
    theirs.set_weights(ours.get_weights())
    return ours, theirs


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_numbers_and_files_are_those_of_keras(name, tmp_path):
    ours, theirs = both(name)
    expected = keras_predict(theirs, [A, B])
    assert_same_outputs(ours.predict([A, B], verbose=0), expected)
    assert [type(layer).__name__ for layer in ours.layers] == [type(layer).__name__ for layer in theirs.layers]
    if name == "infinity":  # which JSON does not know
        with pytest.raises(UserError):
            ours.save(tmp_path / "ours.keras")
        return
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    assert_same_outputs(keras_predict(open_in_keras(tmp_path / "ours.keras"), [A, B]), expected)
    assert_same_outputs(load_model(tmp_path / "ours.keras").predict([A, B], verbose=0), expected)
    assert_same_outputs(load_model(tmp_path / "theirs.keras").predict([A, B], verbose=0), expected)


@pytest.mark.parametrize("name", sorted(set(EXPRESSIONS) - {"an array", "infinity"}))
def test_configs_say_what_keras_s_say(name):
    def said(model):
        forms = [form for form in model.get_config()["layers"] if ".src." in form["module"]]
        options = [{key: value for key, value in form["config"].items() if key != "name"} for form in forms]
        calls = [[len(call["args"]) for call in form["inbound_nodes"]] for form in forms]
        kinds = [(form["module"], form["class_name"], form["registered_name"]) for form in forms]
        return json.loads(json.dumps([options, calls, kinds]))

    ours, theirs = both(name)
    assert said(ours) == said(theirs)


@pytest.mark.parametrize("name", ["squeeze and excite", "operations", "parts"])
def test_all_that_can_be_asked_of_models(name, capsys):
    ours, _ = both(name)
    expected = ours.predict([A, B], verbose=0)
    clone = clone_model(ours)
    clone.set_weights(ours.get_weights())
    assert_same_outputs(clone.predict([A, B], verbose=0), expected)
    ours.summary(line_length=140)
    shown = capsys.readouterr().out
    kinds = [layer.kind for layer in ours.operations]
    assert len(kinds) > len(ours.layers)
    assert all(f"({kind})" in shown for kind in kinds)
    drawing = plot_model(ours, None, show_shapes=True, show_layer_names=True).svg
    assert all(f"({kind})" in drawing for kind in kinds)
    assert ours.compute_output_shape([(7, 4, 4, 2)] * 2) == (7, 3)
    operation = next(layer for layer in ours.operations if layer not in ours.layers)
    with pytest.raises(UserError, match="needs the name of one of its layers"):
        ours.get_layer(operation.name)


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace")
@pytest.mark.parametrize("name", ["squeeze and excite", "operations", "an array"])
def test_copies_and_traces(name):
    ours, _ = both(name)
    data = [torch.from_numpy(A), torch.from_numpy(B)]
    expected = ours(data)
    copied = copy.deepcopy(ours)
    torch.testing.assert_close(copied(data), expected)
    record = next(layer for layer in copied.operations if layer not in copied.layers).record
    assert copy.copy(record) is record
    traced = torch.jit.trace(ours, ([2 * array for array in data],))
    torch.testing.assert_close(traced(data), expected)


def test_the_summary_follows_operations_that_treat_each_number_alone():
    x = striate.layers.Input((8, 8, 3))
    y = striate.activations.relu(striate.layers.Conv2D(4, 3)(x)) * 2
    rows = Summary(striate.models.Model(x, striate.ops.reshape(striate.ops.exp(y), (-1, 144)))).rows
    assert [row.kind for row in rows] == ["InputLayer", "Conv2D", "ReLU", "Multiply", "Exp", "Reshape"]
    assert [row.receptive_field for row in rows] == [(1, 1), *4 * [(3, 3)], None]
    assert [row.flops for row in rows][2:] == [144, 144, 144, 0]


def test_other_sizes_are_followed_through():
    x = striate.layers.Input((None, None, 3))
    model = striate.models.Model(x, striate.ops.mean(x[:, 1:-1] * 2, axis=-1))
    assert model.compute_output_shape((None, 10, 12, 3)) == (None, 8, 12)
    assert model(torch.ones(2, 10, 12, 3)).shape == (2, 8, 12)


def test_models_inside_models(tmp_path):
    found = []
    for lib in (striate, keras):
        inner_input = lib.layers.Input((4, 4, 2))
        inner = lib.models.Model(inner_input, lib.ops.mean(inner_input, axis=1) * 2, name="inner")
        x = lib.layers.Input((4, 4, 2))
        found.append(lib.models.Model(x, inner(x + 1) - inner(x)))
    ours, theirs = found
    expected = keras_predict(theirs, A)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    for model in (ours, load_model(tmp_path / "ours.keras"), load_model(tmp_path / "theirs.keras")):
        assert_same_outputs(model.predict(A, verbose=0), expected)
    assert_same_outputs(keras_predict(open_in_keras(tmp_path / "ours.keras"), A), expected)


def test_training_follows_keras():
    ours, theirs = both("squeeze and excite")
    y = RNG.normal(size=(3, 3)).astype("float32")
    histories = []
    for lib, model in ((striate, ours), (keras, theirs)):
        model.compile(lib.optimizers.SGD(0.1, momentum=0.9), "mse")
        histories.append(model.fit([A, B], y, epochs=4, verbose=0, shuffle=False).history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-5)
    for one, two in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("relu", [striate.ops.relu, striate.activations.relu, striate.ops.relu6])
def test_a_block_takes_the_relu_of_an_operation(relu):
    x = striate.layers.Input((8, 8, 3))
    conv = striate.layers.Conv2D(4, 3, name="conv")
    model = striate.models.Model(x, relu(striate.layers.BatchNormalization(name="norm")(conv(x))))
    if "normalization" in model.plan.describe():  # there are kernels
        assert "+ Re" in model.plan.describe()
        assert "as it is" not in model.plan.describe()
    data = torch.randn(2, 8, 8, 3)
    expected = relu(model.get_layer("norm")(model.get_layer("conv")(data)))
    torch.testing.assert_close(model(data), expected)


def test_operations_that_are_not_known_are_refused(tmp_path):
    x = keras.Input((4,))
    keras.Model(x, keras.ops.cbrt(x)).save(tmp_path / "model.keras")
    with pytest.raises(
        UnsupportedError, match=r"Cbrt 'cbrt.*' got Keras's operation keras.src.ops.numpy.Cbrt; it needs"
    ):
        load_model(tmp_path / "model.keras")


JUNK = [None, [], {}, "x", 10**400, [[1]], {"class_name": "__keras_tensor__", "config": {"keras_history": 1}}]
JUNK += [{"class_name": "__slice__", "config": {"start": "x"}}, {"class_name": "__numpy__", "config": {"value": "x"}}]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: json.dumps(junk)[:30])
@pytest.mark.parametrize(
    "key", ["module", "class_name", "name", "config", "inbound_nodes", "args", "kwargs", 0, 1, "axis", "shape", "dtype"]
)
@pytest.mark.parametrize("kind", ["Add", "Mean", "GetItem"])
def test_damaged_ones_are_refused(kind, key, junk, tmp_path):
    inputs = [keras.layers.Input((4, 4, 2), name=name) for name in "ab"]
    keras.models.Model(inputs, keras.ops.mean((inputs[0] + inputs[1])[:, 1:], axis=1)).save(tmp_path / "model.keras")

    def damage(config):
        form = next(form for form in config["config"]["layers"] if form["class_name"] == kind)
        call = form["inbound_nodes"][0]
        inside = {"args": call, "kwargs": call, 0: call["args"], 1: call["args"], "axis": form["config"]}.get(key, form)
        if key in ("dtype", "shape"):
            inside = call["args"][0]["config"]
        if key == 1 and len(call["args"]) == 1:
            call["args"].append(junk)
        else:
            inside[key] = junk

    edit_config(tmp_path / "model.keras", damage)
    try:
        load_model(tmp_path / "model.keras")
    except UserError as error:
        assert "model.keras" in str(error)  # noqa: PT017
