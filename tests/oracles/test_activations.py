"""Every activation at the values where formulas break: zero, kinks, very large, infinite, not a number."""

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.layers import Activation, ReLU, Softmax, activation

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
    function = activation.get(name)
    assert activation.get(activation.serialize(function)) is function
    assert activation.get({"class_name": "function", "config": name}) is function
    assert keras.activations.get(activation.serialize(function)) is not None


def test_none_is_the_identity_and_functions_are_themselves():
    assert activation.get(None) is activation.linear
    assert activation.get(torch.sin) is torch.sin


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"activation='rellu'; it needs the name of a known .* Did you mean 'relu'\?"):
        activation.get("rellu")


def test_own_function_is_not_saved():
    with pytest.raises(UserError, match=r"the function 'sin'; it needs one known by name, since files carry no code"):
        activation.serialize(torch.sin)
