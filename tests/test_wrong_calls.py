"""Calls without their arguments, and shapes that are none: one sentence, and no words of Python's."""

import numpy as np
import pytest
import torch

import striate
from striate import layers
from striate.foundation.checks import UserError

X = torch.ones(2, 3)


class Own(striate.Model):
    def call(self, x):
        return x


MODELS = {
    "sequential": lambda: striate.Sequential([layers.Input((3,)), layers.Dense(1)], name="m"),
    "functional": lambda: striate.Model(*2 * [layers.Input((3,))], name="m"),
    "subclass": lambda: Own(name="m"),
}
CALLS = {
    "compute_mask": "inputs, mask",
    "forward": "inputs",
    "save": "filepath, overwrite, include_optimizer",
    "save_weights": "filepath, overwrite",
    "load_weights": "filepath",
    "predict": "x, batch_size, verbose, steps, callbacks",
    "predict_on_batch": "x",
    "train_on_batch": "x, y, sample_weight, class_weight, return_dict",
    "test_on_batch": "x, y, sample_weight, return_dict",
    "set_weights": "weights",
    "compute_output_shape": "input_shape",
    "add_loss": "loss",
    "train_step": "data",
    "test_step": "data",
    "compute_metrics": "x, y, y_pred, sample_weight",
}


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("kind", MODELS)
def test_methods_of_models(kind, method):
    model = MODELS[kind]()
    name = model.where if method == "forward" else f"{model.where}.{method}"
    first = CALLS[method].partition(",")[0]
    text = f"{name} got a wrong call (missing a required argument: '{first}'); it needs the arguments {CALLS[method]}. "
    with pytest.raises(UserError) as caught:
        getattr(model, method)()
    assert str(caught.value) == f"{text}Call it so."


def test_add_without_a_layer():
    with pytest.raises(
        UserError, match=r"Sequential 'm'\.add got a wrong call \(missing a required argument: 'layer'\)"
    ):
        MODELS["sequential"]().add()


def test_type_errors_from_inside_are_passed_on():
    class Failing(striate.Model):
        def call(self, x):
            return x + None

    with pytest.raises(TypeError, match="unsupported operand"):
        Failing().predict(X.numpy(), verbose=0)


@pytest.mark.parametrize(
    "make", [lambda: layers.LSTMCell(4, name="c"), lambda: layers.StackedRNNCells([layers.LSTMCell(4)], name="c")]
)
def test_cells_need_their_states(make):
    text = (
        r"Cells? 'c' got a wrong call \(missing a required argument: 'states'\); it needs the arguments inputs, states"
    )
    for value in (layers.Input((3,)), X):
        with pytest.raises(UserError, match=text.replace("Cells?", "Cell(s)?")):
            make()(value)


def test_cells_on_symbols_of_inputs_and_states():
    cells = layers.StackedRNNCells([layers.LSTMCell(4), layers.GRUCell(2)])
    x, states = layers.Input((3,)), [[layers.Input((4,)), layers.Input((4,))], layers.Input((2,))]
    output, new = cells(x, states)
    assert output.shape == (None, 2)
    assert [new[0][0].shape, new[0][1].shape, new[1].shape] == [(None, 4), (None, 4), (None, 2)]
    model = striate.Model([x, *states[0], states[1]], [output, new[0][1], new[1]])
    arrays = [torch.randn(2, size) for size in (3, 4, 4, 2)]
    expected, after = cells(arrays[0], [arrays[1:3], arrays[3]])
    for got, want in zip(model(arrays), [expected, after[0][1], after[1]], strict=True):
        torch.testing.assert_close(got, want)


MASKED = [np.ma.array([4, 3], mask=[0, 1]), np.ma.masked, (np.ma.masked, 3), [3, np.ma.masked]]
MASKED += [np.ma.array([4, 3], mask=True), np.ma.array([4.0, 3.0], mask=[0, 1])]
USES = {
    "Input": lambda shape: layers.Input(shape),
    "batch_shape": lambda shape: layers.Input(batch_shape=shape),
    "input_shape": lambda shape: layers.Dense(1, input_shape=shape),
    "Reshape": lambda shape: layers.Reshape(shape)(layers.Input((6, 2))),
    "build": lambda shape: layers.Dense(1).build(shape),
    "build of a model": lambda shape: MODELS["functional"]().build(shape),
    "build of layers": lambda shape: striate.Sequential([layers.Dense(1)]).build(shape),
    "compute_output_shape": lambda shape: layers.Conv2D(1, 3).compute_output_shape(shape),
    "add_weight": lambda shape: layers.Layer().add_weight(shape=shape),
    "ops.zeros": lambda shape: striate.ops.zeros(shape),
    "ops.reshape": lambda shape: striate.ops.reshape(X, shape),
    "random": lambda shape: striate.random.normal(shape),
    "initializer": lambda shape: striate.initializers.GlorotUniform()(shape),
}


@pytest.mark.parametrize("shape", MASKED, ids=repr)
@pytest.mark.parametrize("name", USES)
def test_masked_arrays_as_shapes(name, shape):
    if name.startswith("build") and not isinstance(shape, np.ndarray):
        return  # sizes that these do not look at
    with pytest.raises(UserError, match=r"(?s) got .*; it needs "):
        USES[name](shape)


@pytest.mark.parametrize("shape", [3, 2.5, (2, -1), (2, 1.5), "x", np.array(3), None], ids=repr)
def test_weights_need_whole_numbers_as_shape(shape):
    text = r"^Layer 'w'\.add_weight got shape=.*; it needs whole numbers\. Pass for example shape=\(3, 4\)\.$"
    with pytest.raises(UserError, match=text):
        layers.Layer(name="w").add_weight(shape=shape)
