import inspect
from typing import Any

import keras
import pytest
import torch

import striate.regularizers
from oracles.compare import double_precision
from striate.foundation.checks import UserError
from striate.layers import Conv2D, Dense, regularizers

CASES: list[tuple[str, dict[str, Any]]] = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("L1L2", {"l2": 0.2}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.3, "mode": "rows"}),
    ("OrthogonalRegularizer", {"factor": 0.3, "mode": "columns"}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_values_and_gradients_are_those_of_keras(name: str, arguments: dict[str, Any]):
    weight = torch.tensor([[1.0, -2.0, 0.0], [0.5, 3.0, -0.25]], dtype=torch.float64, requires_grad=True)
    ours = getattr(regularizers, name)(**arguments)(weight)
    with double_precision():
        theirs = getattr(keras.regularizers, name)(**arguments)(weight)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-7)
    (got,) = torch.autograd.grad(ours, weight)
    (expected,) = torch.autograd.grad(theirs, weight)
    torch.testing.assert_close(got, expected, rtol=1e-7, atol=0)


def test_nothing_is_asked_for_by_default():
    assert regularizers.L1L2()(torch.ones(3)).item() == float(keras.regularizers.L1L2()(torch.ones(3))) == 0


@pytest.mark.parametrize("name", regularizers.registry.classes)
def test_arguments_and_configs_are_those_of_keras(name: str):
    ours, theirs = regularizers.registry.classes[name], getattr(keras.regularizers, name)
    parameters = [[(p.name, p.default) for p in inspect.signature(cls).parameters.values()] for cls in (ours, theirs)]
    assert parameters[0] == parameters[1]
    assert ours().config() == pytest.approx(theirs().get_config())
    assert ours.from_config(ours().config()).config() == ours().config()


@pytest.mark.parametrize("name", ["l1", "l2", "L1", "L2", "L1L2", "orthogonal_regularizer", "OrthogonalRegularizer"])
def test_names_lead_to_the_same_class_as_in_keras(name: str):
    assert type(regularizers.get(name)).__name__ == type(keras.regularizers.get(name)).__name__
    assert regularizers.get(name).config() == pytest.approx(keras.regularizers.get(name).get_config())


def test_penalties_of_a_layer_are_the_losses_of_keras():
    options = {"kernel_regularizer": regularizers.L2(0.1), "bias_regularizer": "l1"}
    theirs = keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.1), bias_regularizer="l1")
    ours = Dense(3, **options)
    x = torch.ones(2, 4)
    ours(x), theirs(x)
    values = [torch.rand(4, 3).numpy(), torch.rand(3).numpy()]
    ours.set_weights(values)
    theirs.set_weights(values)
    assert ours.penalty().item() == pytest.approx(sum(theirs.losses).item(), rel=1e-6)


def test_a_layer_without_regularizers_has_no_penalty():
    layer = Conv2D(2, 3)
    layer(torch.zeros(1, 4, 4, 1))
    assert layer.penalty() is None


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "much"])
def test_bad_factors_are_refused(value: Any):
    with pytest.raises(UserError, match=r"L2 got l2=.*; it needs a number of at least 0"):
        regularizers.L2(value)


def test_unknown_name_is_refused_with_the_layer():
    with pytest.raises(
        UserError, match=r"Dense '.*' got regularizer 'l3'; it needs a known regularizer. Choose one of"
    ):
        Dense(1, kernel_regularizer="l3")


def test_every_name_of_keras_is_there():
    assert set(striate.regularizers.__all__) == {name for name in dir(keras.regularizers) if not name.startswith("_")}
    assert striate.regularizers.orthogonal_regularizer is regularizers.OrthogonalRegularizer


def test_right_angles_cost_nothing_and_parallels_the_factor():
    penalty = regularizers.OrthogonalRegularizer(0.5)
    assert penalty(torch.eye(4)).item() == 0
    assert penalty(torch.ones(4, 3)).item() == pytest.approx(0.5)
    assert penalty(torch.ones(1, 3)).item() == 0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: regularizers.OrthogonalRegularizer(-1),
            r"OrthogonalRegularizer got factor=-1; it needs a number of at",
        ),
        (
            lambda: regularizers.OrthogonalRegularizer(mode="row"),
            r"mode='row'; it needs one of 'rows', 'columns'\. Did you",
        ),
        (
            lambda: regularizers.OrthogonalRegularizer()(torch.ones(2, 3, 4)),
            r"OrthogonalRegularizer got a weight of shape \(2, 3, 4\); it needs a matrix, of two axes\.",
        ),
    ],
)
def test_bad_arguments_of_the_orthogonal_one_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()
