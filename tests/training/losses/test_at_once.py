"""Means that are computed at once are those of the values, and only where these would be what is averaged."""

import keras
import pytest
import torch

from striate import losses, metrics
from striate.foundation.checks import UserError
from striate.layers.masks import put_mask
from striate.training.losses.at_once import AT_ONCE
from striate.training.losses.base import LossFunctionWrapper

CHANCE = torch.Generator().manual_seed(0)
SCORES = torch.randn(6, 3, generator=CHANCE)
NUMBERS = torch.randn(6, 3, generator=CHANCE)
CLASSES = torch.tensor([0, 2, 1, 1, 0, 2])
ONE_HOT = torch.nn.functional.one_hot(CLASSES, 3).float()
CASES = [
    ("MeanSquaredError", {}, NUMBERS),
    ("Huber", {}, NUMBERS),
    ("Huber", {"delta": 0.3}, NUMBERS),
    ("BinaryCrossentropy", {"from_logits": True}, ONE_HOT),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, ONE_HOT),
    ("CategoricalCrossentropy", {"from_logits": True}, ONE_HOT),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, ONE_HOT),
    ("CategoricalCrossentropy", {"from_logits": True, "axis": 0}, ONE_HOT),
    ("CategoricalCrossentropy", {"from_logits": True, "axis": 1}, ONE_HOT),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, CLASSES),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, CLASSES[:, None]),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 1}, CLASSES),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": -1}, CLASSES - 1),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 255}, CLASSES.where(CLASSES > 0, 255)),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("name", "options", "labels"), CASES, ids=str)
def test_means_and_gradients_are_those_of_the_values(
    name: str, options: dict, labels: torch.Tensor, dtype: torch.dtype
):
    x = SCORES.to(dtype).requires_grad_()
    mean = getattr(losses, name)(**options)(labels, x)
    values = getattr(losses, name)(**options, reduction="none")(labels, x)
    counted = (labels.squeeze() != options["ignore_class"]) if "ignore_class" in options else torch.ones(len(values))
    expected = values.sum() / counted.sum()
    assert mean.dtype == values.dtype
    torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(torch.autograd.grad(mean, x), torch.autograd.grad(expected, x))


@pytest.mark.parametrize("function", AT_ONCE, ids=lambda function: function.__name__)
def test_defaults_are_those_of_the_function(function):
    labels = CLASSES if function.__name__.startswith("sparse") else ONE_HOT
    given = SCORES.softmax(-1)
    torch.testing.assert_close(LossFunctionWrapper(function)(labels, given), function(labels, given).mean())


def test_a_subclass_with_a_call_of_its_own_is_heard():
    class Doubled(losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return 2 * super().call(y_true, y_pred)

    torch.testing.assert_close(Doubled()(NUMBERS, SCORES), 2 * losses.MeanSquaredError()(NUMBERS, SCORES))


def test_what_is_masked_does_not_count():
    class FirstThree(losses.MeanSquaredError):
        def mask(self, y_true, y_pred):
            return torch.arange(len(y_true)) < 3

    brought = SCORES.clone()
    put_mask(brought, torch.arange(6) < 3)
    expected = losses.MeanSquaredError()(NUMBERS[:3], SCORES[:3])
    torch.testing.assert_close(FirstThree()(NUMBERS, SCORES), expected)
    torch.testing.assert_close(losses.MeanSquaredError()(NUMBERS, brought), expected)
    metric = metrics.MeanSquaredError()
    torch.testing.assert_close(metric(NUMBERS, brought), expected)


@pytest.mark.parametrize("name", ["MeanSquaredError", "Huber"])
def test_of_nothing_the_mean_is_nothing(name: str):
    nothing = torch.zeros(0, 3)
    assert getattr(losses, name)()(nothing, nothing) == 0


def test_weights_and_sums_are_of_the_values():
    weights = torch.arange(6.0)
    values = losses.mean_squared_error(NUMBERS, SCORES)
    torch.testing.assert_close(losses.MeanSquaredError()(NUMBERS, SCORES, weights), (values * weights).mean())
    torch.testing.assert_close(losses.MeanSquaredError("sum")(NUMBERS, SCORES), values.sum())
    torch.testing.assert_close(losses.MeanSquaredError("none")(NUMBERS, SCORES), values)


def test_functions_that_cannot_be_looked_up_serve_as_well():
    class Unhashable:
        __hash__ = None

        def __call__(self, y_true, y_pred):
            return (y_true - y_pred).square().mean(-1)

    for made in (LossFunctionWrapper(Unhashable(), name="own"), metrics.MeanMetricWrapper(Unhashable(), name="own")):
        torch.testing.assert_close(made(NUMBERS, SCORES), losses.MeanSquaredError()(NUMBERS, SCORES))


def test_wrong_classes_are_refused_by_the_loss_itself():
    with pytest.raises(UserError, match="labels from 0 to 3; it needs class numbers from 0 to 2"):
        losses.SparseCategoricalCrossentropy(from_logits=True)(torch.tensor([0, 3]), SCORES[:2])


@pytest.mark.parametrize("name", ["hinge", "squared_hinge", "categorical_hinge"])
@pytest.mark.parametrize("labels", [[[1.0, 1.0, -1.0]], [[1.0, 1.0, 0.0]], [[0.0, 1.0, 0.0]]], ids=str)
def test_gradients_at_the_margin_are_those_of_keras(name: str, labels: list):
    found = []
    for library in (losses, keras.losses):
        x = torch.tensor([[1.0, 2.0, -1.0]], requires_grad=True)
        value = getattr(library, name)(torch.tensor(labels), x).sum()
        found.append((value.detach(), *torch.autograd.grad(value, x)))
    for got, expected in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_hinge_of_predictions_that_are_no_numbers():
    broken = torch.tensor([[float("inf")], [float("-inf")], [float("nan")]])
    ones = torch.ones(3, 1)
    got, expected = losses.hinge(-ones, broken), keras.losses.hinge(-ones, broken)
    torch.testing.assert_close(got, expected, equal_nan=True)
