"""Every loss against real Keras: values, gradients, reductions, weights, files. One row of `TABLE` per loss."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from striate.training import losses

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In loss categorical_crossentropy:SyntaxWarning"),
]

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)
Batch = tuple[torch.Tensor, torch.Tensor]


def logits(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(0, 3, shape).astype("float32"))


def integers(shape: tuple[int, ...], classes: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(2).integers(0, classes, shape))


def binary() -> dict[str, Batch]:
    extremes = torch.tensor([[0.0], [1.0], [0.0], [1.0], [1e-7], [1 - 1e-7], [1e-9], [0.5]])
    labels = torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0], [1.0], [0.25]])
    return {
        "(N,)": (integers((6,), 2).float(), logits((6,)).sigmoid()),
        "(N,1)": (integers((6, 1), 2).float(), logits((6, 1)).sigmoid()),
        "(N,) beside (N,1)": (integers((6,), 2), logits((6, 1)).sigmoid()),
        "(N,1) beside (N,)": (integers((6, 1), 2), logits((6,)).sigmoid()),
        "(N,L) booleans": (integers((6, 4), 2).bool(), logits((6, 4)).sigmoid()),
        "(N,H,W,C) bytes": (integers((2, 3, 5, 2), 2).byte(), logits((2, 3, 5, 2)).sigmoid()),
        "(N,H,W) beside (N,H,W,1)": (integers((2, 3, 5), 2), logits((2, 3, 5, 1)).sigmoid()),
        "soft labels": (logits((6, 1)).sigmoid().flip(0), logits((6, 1)).sigmoid()),
        "probabilities 0 and 1": (labels, extremes),
        "all zeros": (torch.zeros(4, 1), torch.zeros(4, 1)),
        "one sample": (torch.ones(1, 1), torch.full((1, 1), 0.25)),
    }


def one_hot() -> dict[str, Batch]:
    hot = torch.nn.functional.one_hot
    extremes = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1e-7, 1.0]])
    return {
        "(N,C)": (hot(integers((6,), 5), 5).float(), logits((6, 5)).softmax(-1)),
        "(N,C) integers": (hot(integers((6,), 5), 5), logits((6, 5)).softmax(-1)),
        "(N,C) not normalised": (hot(integers((6,), 5), 5).bool(), logits((6, 5)).sigmoid()),
        "(N,H,W,C)": (hot(integers((2, 3, 4), 3), 3), logits((2, 3, 4, 3)).softmax(-1)),
        "soft labels": (logits((6, 5)).flip(0).softmax(-1), logits((6, 5)).softmax(-1)),
        "probabilities 0 and 1": (torch.eye(3), extremes),
        "labels all zeros": (torch.zeros(4, 3), logits((4, 3)).softmax(-1)),
        "one class": (torch.ones(4, 1), logits((4, 1)).sigmoid()),
        "one sample": (torch.eye(3)[:1], logits((1, 3)).softmax(-1)),
    }


def whole() -> dict[str, Batch]:
    extremes = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1e-7, 1.0]])
    return {
        "(N,)": (integers((6,), 5), logits((6, 5)).softmax(-1)),
        "(N,1)": (integers((6, 1), 5), logits((6, 5)).softmax(-1)),
        "(N,) floats": (integers((6,), 5).float(), logits((6, 5)).softmax(-1)),
        "(N,) bytes, not normalised": (integers((6,), 5).byte(), logits((6, 5)).sigmoid()),
        "(N,H,W) beside (N,H,W,C)": (integers((2, 3, 4), 3), logits((2, 3, 4, 3)).softmax(-1)),
        "(N,H,W,1) beside (N,H,W,C)": (integers((2, 3, 4, 1), 3), logits((2, 3, 4, 3)).softmax(-1)),
        "probabilities 0 and 1": (torch.tensor([1, 2, 1]), extremes),
        "all zeros": (torch.zeros(4, dtype=torch.int64), logits((4, 3)).softmax(-1)),
        "one class": (torch.zeros(4, dtype=torch.int64), logits((4, 1)).sigmoid()),
        "one sample": (torch.tensor([2]), logits((1, 3)).softmax(-1)),
    }


def numbers() -> dict[str, Batch]:
    return {
        "(N,)": (logits((6,)).flip(0), logits((6,))),
        "(N,) beside (N,1)": (logits((6,)).flip(0), logits((6, 1))),
        "(N,1) beside (N,)": (logits((6, 1)).flip(0), logits((6,))),
        "(N,L) integers": (integers((6, 4), 9), logits((6, 4))),
        "(N,L) booleans": (integers((6, 4), 2).bool(), logits((6, 4))),
        "(N,H,W,C)": (logits((2, 3, 4, 2)).flip(0), logits((2, 3, 4, 2))),
        "(N,H,W) beside (N,H,W,1)": (logits((2, 3, 5)).flip(0), logits((2, 3, 5, 1))),
        "all zeros": (torch.zeros(4, 2), torch.zeros(4, 2)),
    }


@dataclass
class Row:
    """A loss, the batches it is tried on and the options it has."""

    name: str
    batches: Callable[[], dict[str, Batch]]
    options: list[dict[str, Any]] = field(default_factory=lambda: [{}])


CROSSENTROPY = [
    {},
    {"from_logits": True},
    {"label_smoothing": 0.1},
    {"from_logits": True, "label_smoothing": 0.5},
    {"label_smoothing": 1.0},
]
TABLE = [
    Row("BinaryCrossentropy", binary, CROSSENTROPY),
    Row("CategoricalCrossentropy", one_hot, CROSSENTROPY),
    Row(
        "SparseCategoricalCrossentropy",
        whole,
        [{}, {"from_logits": True}, {"ignore_class": 1}, {"ignore_class": 0, "from_logits": True}],
    ),
    Row("MeanSquaredError", numbers),
]
FUNCTIONS = {row.name: losses.get(row.name).name for row in TABLE}
CASES = [
    pytest.param(row.name, options, *batch, id=f"{row.name} {options} {name}")
    for row in TABLE
    for options in row.options
    for name, batch in row.batches().items()
]


def agree(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7, equal_nan=True)


def flat(theirs: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Keras's loss over rows (pixels, C): its sparse one has no gradient over maps (N, H, W, C) on torch."""

    def loss(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        return theirs(y_true.flatten(), y_pred.reshape(-1, y_pred.shape[-1]))

    return loss


def gradient(loss: Callable[..., torch.Tensor], y_true: torch.Tensor, y_pred: torch.Tensor, *rest: Any) -> torch.Tensor:
    y_pred = y_pred.clone().requires_grad_()
    loss(y_true, y_pred, *rest).sum().backward()
    return y_pred.grad


@pytest.mark.parametrize(("name", "options", "y_true", "y_pred"), CASES)
def test_values_and_gradients(name, options, y_true, y_pred):
    ours, theirs = getattr(losses, name)(**options), getattr(keras.losses, name)(**options)
    before = y_true.clone(), y_pred.clone()
    agree(ours(y_true, y_pred), theirs(y_true, y_pred))
    maps = "Sparse" in name and y_pred.ndim > 2
    agree(gradient(ours, y_true, y_pred), gradient(flat(theirs) if maps else theirs, y_true, y_pred))
    assert torch.equal(y_true, before[0])
    assert torch.equal(y_pred, before[1])


@pytest.mark.parametrize(("name", "options", "y_true", "y_pred"), CASES)
def test_functions(name, options, y_true, y_pred):
    theirs = getattr(keras.losses, name)(reduction=None, **options)(y_true, y_pred)
    agree(getattr(losses, FUNCTIONS[name])(y_true, y_pred, **options), theirs)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("name", "options", "y_true", "y_pred"),
    [case for case in CASES if any(shape in case.id for shape in ("(N,1) beside (N,C)", "(N,L)", "(N,C)", "(N,H,W"))],
)
def test_reductions_and_weights(name, options, y_true, y_pred, reduction):
    ours = getattr(losses, name)(reduction=reduction, **options)
    theirs = getattr(keras.losses, name)(reduction=reduction, **options)
    values = getattr(losses, name)(reduction=None, **options)(y_true, y_pred)
    weights = [None, logits(values.shape).abs()]
    if "ignore_class" not in options:  # Keras stumbles over a mask (N, H, W) with weights (N, 1, 1)
        weights.append(logits((len(values), *[1] * (values.ndim - 1))).abs())
    if values.ndim == 1:
        weights += [logits((len(values), 1)).abs(), integers((len(values),), 2)]
    weights.append(torch.zeros(values.shape))
    for weight in weights:
        # Keras answers weights (N, 1) with unreduced values (N, 1); here their shape does not depend on the weights.
        agree(ours(y_true, y_pred, weight).flatten(), theirs(y_true, y_pred, weight).flatten())
        if "Sparse" not in name or y_pred.ndim == 2:
            agree(gradient(ours, y_true, y_pred, weight), gradient(theirs, y_true, y_pred, weight))


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("axis", [1, 2, -1, -2])
def test_axis(axis, from_logits):
    y_pred = logits((2, 3, 4)).softmax(axis)
    sparse = integers(tuple(np.delete((2, 3, 4), axis)), 3)
    cases = {
        "BinaryCrossentropy": integers((2, 3, 4), 2),
        "CategoricalCrossentropy": y_pred.flip(0),
        "SparseCategoricalCrossentropy": sparse,
    }
    for name, y_true in cases.items():
        options = {"axis": axis, "from_logits": from_logits, "reduction": None}
        agree(getattr(losses, name)(**options)(y_true, y_pred), getattr(keras.losses, name)(**options)(y_true, y_pred))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_by_finite_differences(name):
    row = next(row for row in TABLE if row.name == name)
    batches = [batch for batch in row.batches().values() if batch[1].numel() < 40]
    if row.batches is not numbers:  # where clipping has no kink
        batches = [batch for batch in batches if batch[1].min() > 0.001 and batch[1].max() < 0.999]
    assert len(batches) >= 3
    for options in row.options:
        for y_true, y_pred in batches:
            given = y_pred.double().requires_grad_()
            assert torch.autograd.gradcheck(getattr(losses, name)(**options), (y_true, given))


@pytest.mark.parametrize(("name", "options"), [(row.name, options) for row in TABLE for options in row.options])
def test_files(name, options):
    ours, theirs = getattr(losses, name)(**options), getattr(keras.losses, name)(**options)
    assert losses.serialize(ours) == keras.losses.serialize(theirs)
    assert keras.losses.deserialize(losses.serialize(ours)).get_config() == theirs.get_config()
    again = losses.get(keras.losses.serialize(theirs))
    assert type(again) is type(ours)
    assert again.get_config() == ours.config()


def test_an_unusual_axis_survives_files():
    form = losses.serialize(losses.SparseCategoricalCrossentropy(axis=1))
    assert form["config"]["axis"] == 1
    assert losses.get(form).config() == form["config"]
    assert keras.losses.deserialize(form)._fn_kwargs["axis"] == 1


@pytest.mark.parametrize(("name", "function"), FUNCTIONS.items())
def test_names(name, function):
    for identifier in (name, function, name.upper(), getattr(losses, name), getattr(losses, function)):
        assert type(losses.get(identifier)) is getattr(losses, name)
    loss = getattr(losses, name)()
    assert losses.get(loss) is loss
    assert loss.name == function
