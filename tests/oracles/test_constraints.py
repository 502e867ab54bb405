"""What constraints make of weights, and their names, arguments and configs, beside Keras's."""

import inspect
from typing import Any

import keras
import pytest
import torch

import striate.constraints
from oracles.compare import double_precision
from striate.foundation.checks import UserError
from striate.layers import Conv2D, Dense, constraints

CASES: list[tuple[str, dict[str, Any]]] = [
    ("Constraint", {}),
    ("NonNeg", {}),
    *((name, {}) for name in ("MaxNorm", "UnitNorm", "MinMaxNorm")),
    *(
        (name, {"axis": axis})
        for name in ("MaxNorm", "UnitNorm", "MinMaxNorm")
        for axis in (1, -1, [0, 1], (0, 2), None)
    ),
    ("MaxNorm", {"max_value": 0.5}),
    ("MaxNorm", {"max_value": 0}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.5, "rate": 0.25}),
    ("MinMaxNorm", {"min_value": 3, "max_value": 3, "axis": 1}),
    ("MinMaxNorm", {"rate": 0.0}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_values_are_those_of_keras(name: str, arguments: dict[str, Any]):
    weight = torch.randn(4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight[0], weight[:, 1, 0] = 0, 1e-9
    ours = getattr(constraints, name)(**arguments)(weight)
    with double_precision():
        theirs = getattr(keras.constraints, name)(**arguments)(weight)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", constraints.registry.classes)
def test_arguments_and_configs_are_those_of_keras(name: str):
    ours, theirs = constraints.registry.classes[name], getattr(keras.constraints, name)
    parameters = [[(p.name, p.default) for p in inspect.signature(cls).parameters.values()] for cls in (ours, theirs)]
    assert parameters[0] == parameters[1]
    assert ours().get_config() == theirs().get_config()
    assert constraints.serialize(ours()) == keras.constraints.serialize(theirs())
    assert ours.from_config(ours().config()).config() == ours().config()


@pytest.mark.parametrize("name", ["max_norm", "min_max_norm", "non_neg", "unit_norm", "MaxNorm", "constraint"])
def test_names_lead_to_the_same_class_as_in_keras(name: str):
    assert type(constraints.get(name)).__name__ == type(keras.constraints.get(name)).__name__
    assert constraints.get(name).get_config() == keras.constraints.get(name).get_config()


def test_the_address_holds_what_kerass_does():
    assert set(striate.constraints.__all__) == {name for name in dir(keras.constraints) if not name.startswith("_")}
    assert striate.constraints.max_norm is constraints.MaxNorm
    assert constraints.get(None) is constraints.serialize(None) is keras.constraints.get(None) is None


def test_half_precision_stays():
    assert constraints.MaxNorm()(torch.ones(2, 2, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: constraints.MaxNorm(-1), r"^MaxNorm got max_value=-1; it needs a number of at least 0\. Change max_v"),
        (lambda: constraints.MaxNorm("2"), r"^MaxNorm got max_value='2'; it needs a number of at least 0"),
        (lambda: constraints.MaxNorm(axis=0.5), r"^MaxNorm got axis=0\.5; it needs a whole number, a list of them, or"),
        (lambda: constraints.UnitNorm([]), r"^UnitNorm got axis=\[\]; .* Pass for example axis=\[0, 1, 2\]\.$"),
        (lambda: constraints.UnitNorm(True), r"^UnitNorm got axis=True; it needs a whole number"),
        (
            lambda: constraints.MinMaxNorm(2, 1),
            r"^MinMaxNorm got min_value=2 above max_value=1; it needs bounds in rising order\. Change one of them\.$",
        ),
        (lambda: constraints.MinMaxNorm(rate=1.5), r"^MinMaxNorm got rate=1\.5; it needs a number from 0 to 1"),
        (
            lambda: constraints.MaxNorm(axis=[0, 3])(torch.ones(2, 2)),
            r"^MaxNorm got axis=\[0, 3\] for a weight of shape \(2, 2\); it needs axes that the weight has, each once",
        ),
        (lambda: constraints.UnitNorm([0, -2])(torch.ones(2, 2)), r"^UnitNorm got axis=\[0, -2\] for .* each once"),
        (lambda: Dense(2, kernel_constraint="max"), r"^Dense '.*' got constraint 'max'; it needs a known constraint\."),
        (lambda: Dense(2, kernel_constraint=3), r"^Dense '.*' got constraint 3; it needs the name of a known constrai"),
        (lambda: Conv2D(2, 3, bias_constraint="nonneg2"), r"Did you mean 'NonNeg'\?$"),
        (
            lambda: Dense(2, bias_constraint=constraints.MaxNorm(axis=1))(torch.ones(1, 2)),
            r"^MaxNorm got axis=1 for a weight of shape \(2,\); .* Take axis=0 for a bias or Dense, axis=\[0, 1, 2\] f",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()
