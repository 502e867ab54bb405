"""Every activation at the values where formulas break: zero, kinks, very large, infinite, not a number."""

import inspect
from typing import Any

import keras
import numpy as np
import pytest
import torch

import striate.layers
import striate.models
from striate import activations
from striate.foundation.checks import UserError
from striate.layers import (
    ELU,
    Activation,
    Conv2D,
    Dense,
    Input,
    LeakyReLU,
    PReLU,
    ReLU,
    Softmax,
    activation,
    activation_names,
)
from striate.layers.symbol import ShapeError

SPECIAL = [0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 1e-8, -1e-8, 20.0, -20.0, 90.0, -90.0, 1e4, -1e4, 1e30, -1e30]
BROKEN = [float("nan"), float("inf"), float("-inf")]
NAMES = [*activation.FUNCTIONS, *activation.ALIASES]


def value_and_gradient(function, values: list[float], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    # One row for each value, so that softmax over the row stays about that value.
    x = torch.tensor([[value, 0.5] for value in values], dtype=getattr(torch, dtype), requires_grad=True)
    y = function(x)
    y[:, 0].sum().backward()
    gradient = torch.zeros_like(x) if x.grad is None else x.grad
    return y.detach().numpy(), gradient.numpy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("values", [SPECIAL, BROKEN], ids=["special", "broken"])
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_are_those_of_keras(name: str, values: list[float], dtype: str):
    ours = value_and_gradient(Activation(name, dtype=dtype), values, dtype)
    theirs = value_and_gradient(keras.activations.get(name), values, dtype)
    for got, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6 if dtype == "float32" else 1e-13, atol=1e-30)


@pytest.mark.parametrize("arguments", [{}, {"max_value": 1.0}, {"negative_slope": 0.1}, {"threshold": 0.5}], ids=str)
def test_relu_passes_infinities_as_keras(arguments: dict[str, float]):
    x = torch.tensor(SPECIAL + BROKEN)
    expected = keras.layers.ReLU(**arguments)(x)
    np.testing.assert_allclose(ReLU(**arguments)(x).numpy(), expected.numpy(), rtol=1e-6)


def test_softmax_of_large_values_is_that_of_keras():
    x = torch.tensor([[1e4, 1e4, -1e4], [float("-inf"), 0.0, 0.0]])
    np.testing.assert_allclose(Softmax()(x).numpy(), keras.layers.Softmax()(x).numpy())


@pytest.mark.parametrize("name", NAMES)
def test_names_survive_files(name: str):
    function = activation_names.get(name)
    assert activation_names.get(activation_names.serialize(function)) is function
    assert activation_names.get({"class_name": "function", "config": name}) is function
    assert keras.activations.get(activation_names.serialize(function)) is not None


def test_none_is_the_identity_and_functions_are_themselves():
    assert activation_names.get(None) is activation.linear
    assert activation_names.get(torch.sin) is torch.sin


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"activation='rellu'; it needs the name of a known .* Did you mean 'relu'\?"):
        activation_names.get("rellu")


def test_own_function_is_not_saved():
    with pytest.raises(UserError, match=r"the function 'sin'; it needs one known by name, since files carry no code"):
        activation_names.serialize(torch.sin)


FUNCTIONS = [name for name in activations.__all__ if name not in ("deserialize", "get", "serialize")]
ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    *[
        ("relu", {"negative_slope": slope, "max_value": top, "threshold": threshold})
        for slope in (0.0, 0.1)
        for top in (None, 1.0, 6)
        for threshold in (0.0, 1.0, -1.0)
    ],
    ("leaky_relu", {"negative_slope": 0.4}),
    ("elu", {"alpha": 0.5}),
    ("celu", {"alpha": 0.5}),
    ("gelu", {"approximate": True}),
    ("squareplus", {"b": 1.0}),
    ("soft_shrink", {"threshold": 1.0}),
    ("hard_shrink", {"threshold": 1.0}),
    ("threshold", {"threshold": 1.0, "default_value": -7.0}),
    *[(name, {"axis": axis}) for name in ("softmax", "log_softmax", "sparsemax", "glu") for axis in (-1, 0, 1, 2)],
    ("glu", {}),
]


def test_every_function_of_keras_is_there_with_its_arguments():
    theirs = {name for name in dir(keras.activations) if not name.startswith("_")}
    assert set(activations.__all__) == theirs
    for name in FUNCTIONS:
        pair = [
            inspect.signature(getattr(module, name)).parameters.values() for module in (activations, keras.activations)
        ]
        assert [(p.name, p.default) for p in pair[0]] == [(p.name, p.default) for p in pair[1]], name


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS, ids=str)
def test_arguments_do_what_they_do_in_keras(name: str, arguments: dict[str, Any]):
    values = np.concatenate([np.random.default_rng(0).normal(size=86), SPECIAL[:10]])
    found = []
    for module in (activations, keras.activations):
        x = torch.tensor(values.reshape(2, 6, 8), requires_grad=True)
        y = getattr(module, name)(x, **arguments)
        found.append((y.detach(), *torch.autograd.grad((y * torch.linspace(-1, 2, y.shape[-1])).sum(), x)))
    for got, expected in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_and_lists_are_taken(name: str):
    arguments = {"threshold": {"threshold": 0.0, "default_value": 1.0}}.get(name, {})
    rows = [[-1.5, 0.5, 2.0, 3.0]]
    ours, theirs = getattr(activations, name), getattr(keras.activations, name)
    expected = theirs(torch.tensor(rows), **arguments).numpy()
    np.testing.assert_allclose(ours(rows, **arguments).numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(ours(np.array(rows), **arguments).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_get_serialize_and_deserialize_lead_back(name: str):
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert activations.serialize(function) == keras.activations.serialize(keras.activations.get(name))
    assert activations.deserialize(activations.serialize(function)) is function


def test_glu_as_a_layer_halves_the_channels_and_says_so():
    x = torch.randn(2, 3, 6)
    layer = Activation("glu", name="gate")
    torch.testing.assert_close(layer(x), keras.layers.Activation("glu")(x))
    assert layer(Input((3, 6))).shape == (None, 3, 3)
    assert Activation("glu").compute_output_shape((None, 3, None)) == (None, 3, None)
    with pytest.raises(ShapeError, match=r"^Activation 'gate' got .*; it needs an even last axis, which glu halves\."):
        layer(torch.ones(2, 5))


@pytest.mark.parametrize("make", [lambda name: Dense(4, activation=name), lambda name: Conv2D(4, 3, activation=name)])
def test_what_changes_the_shape_or_needs_numbers_is_no_end_of_a_layer(make):
    with pytest.raises(
        UserError, match=r"got activation='glu'; it needs a function that keeps the shape\. Put Activation"
    ):
        make("glu")
    with pytest.raises(
        UserError, match=r"got activation='threshold'; it needs a function that takes a tensor and nothing"
    ):
        make("threshold")


def test_threshold_as_a_layer_needs_its_numbers():
    with pytest.raises(
        UserError, match=r"^Activation 'a' got activation='threshold'; .* Pass a function of one tensor"
    ):
        Activation("threshold", name="a")


@pytest.mark.parametrize("name", sorted([*activation.FUNCTIONS, "glu"]))
def test_on_symbols(name):
    x = Input((4,), name="x")
    outcome = getattr(activations, name)(x)
    model = striate.models.Model(x, outcome)
    data = torch.linspace(-2, 3, 12).reshape(3, 4)
    torch.testing.assert_close(model(data), getattr(activations, name)(data))
    assert outcome.shape == ((None, 2) if name == "glu" else (None, 4))


@pytest.mark.parametrize("value", [-0.1, None, "steep", float("nan")])
def test_negative_slopes_are_refused(value: Any):
    for cls in (ReLU, LeakyReLU):
        with pytest.raises(
            UserError, match=rf"^{cls.__name__} 'r' got negative_slope=.*; it needs a number of at least 0\."
        ):
            cls(negative_slope=value, name="r")


def test_the_older_name_of_the_slope_is_known():
    with pytest.warns(UserWarning, match="LeakyReLU's alpha is called negative_slope since Keras 3"):
        layer = LeakyReLU(alpha=0.5)
    with pytest.warns(UserWarning, match="alpha"):
        assert keras.layers.LeakyReLU(alpha=0.5).negative_slope == layer.negative_slope


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ELU("one"), r"ELU '\w+' got alpha='one'; it needs a number"),
        (lambda: PReLU(shared_axes=[0]), r"PReLU '\w+' got shared_axes=\[0\]; it needs a list of whole numbers from 1"),
        (lambda: PReLU(shared_axes="all"), r"shared_axes='all'; it needs a list of whole numbers from 1"),
        (lambda: PReLU("ero"), r"got initializer 'ero'; .* Did you mean"),
        (lambda: Softmax([]), r"Softmax '\w+' got axis=\[\]; it needs a whole number, or a list of them"),
        (lambda: Softmax([1, "2"]), r"axis=\[1, '2'\]; it needs a whole number, or a list of them"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()


def test_a_slope_for_every_cell_needs_known_sizes():
    with pytest.raises(
        ShapeError, match=r"^PReLU 'p' got .*; it needs a known size on axis 1, which has a slope for every"
    ):
        PReLU(name="p")(Input((None, 3)))
    assert PReLU(shared_axes=[1])(Input((None, 3))).shape == (None, None, 3)


MASKS = [(2, 3, 4), (1, 3, 4), (2, 1, 1), (4,), (3, 1)]


@pytest.mark.parametrize("axis", [-1, 1, [1, 2], [2]], ids=str)
@pytest.mark.parametrize("shape", MASKS, ids=str)
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.int32], ids=str)
def test_masks_of_softmax_do_what_they_do_in_keras(shape: tuple[int, ...], axis: Any, dtype: torch.dtype):
    random = np.random.default_rng(1)
    x = torch.from_numpy(random.normal(size=(2, 3, 4)).astype("float32"))
    mask = torch.from_numpy(random.random(shape) < 0.6).to(dtype)
    torch.testing.assert_close(Softmax(axis)(x, mask=mask), keras.layers.Softmax(axis)(x, mask=mask), rtol=1e-6, atol=0)


@pytest.mark.parametrize("shape", [(5, 2, 3, 4), (3,), (2, 2, 4), (4, 3, 4)], ids=str)
def test_masks_of_softmax_that_do_not_stretch_are_refused(shape: tuple[int, ...]):
    with pytest.raises(
        UserError, match=r"^Softmax 's' got a mask of shape .*; it needs one that stretches to \(2, 3, 4\)\."
    ):
        Softmax(name="s")(torch.ones(2, 3, 4), mask=torch.ones(shape))


def test_prelu_and_its_gradients_at_zero_are_those_of_keras():
    found = []
    for cls in (PReLU, keras.layers.PReLU):
        layer = cls(shared_axes=[1])
        x = torch.tensor([[[-2.0], [-0.0], [0.0], [3.0], [-1e30]]], requires_grad=True)
        layer(x)
        layer.set_weights([np.array([[0.25]], "float32")])
        y = layer(x)
        alpha = layer.alpha if cls is PReLU else layer.alpha.value
        gradients = torch.autograd.grad((y * torch.arange(1.0, 6.0)[:, None]).sum(), (x, alpha))
        found.append((y.detach(), *gradients))
    for got, expected in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=0)
