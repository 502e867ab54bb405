"""Every loss of `oracles/loss_cases.py` against real Keras: values, gradients, reductions, weights, files."""

import inspect
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
from oracles.loss_cases import TABLE, Row, binary, counts, integers, logits, one_hot, whole

from striate.foundation.checks import UnsupportedError, UserError
from striate.layers.masks import put_mask
from striate.training import losses

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In loss categorical_:SyntaxWarning"),
    pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning"),
]

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)

FUNCTIONS = {row.name: losses.get(row.name).fn.__name__ for row in TABLE}
CASES = [
    pytest.param(row.name, options, *batch, id=f"{row.name} {options} {name}")
    for row in TABLE
    for options in row.options
    for name, batch in row.batches().items()
    if name not in row.without
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
    if not values.ndim:  # one loss for the whole batch: what weighs samples is refused
        agree(ours(y_true, y_pred), theirs(y_true, y_pred))
        return
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


def has_kinks(row: Row, name: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> bool:
    """Whether predictions lie where values are clipped or bend, or are too large for differences."""
    if row.batches in (binary, one_hot, whole):
        return bool(y_pred.min() < 0.001 or y_pred.max() > 0.999)
    if row.name == "MeanAbsolutePercentageError":
        return bool((y_true == 0).any())
    return name == "margins of 1" or (row.batches is counts and name == "all zeros")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_gradients_by_finite_differences(row):
    batches = [
        batch for name, batch in row.batches().items() if batch[1].numel() < 40 and not has_kinks(row, name, *batch)
    ]
    assert len(batches) >= 3
    for options in row.options:
        for y_true, y_pred in batches:
            given = y_pred.double().requires_grad_()
            assert torch.autograd.gradcheck(getattr(losses, row.name)(**options), (y_true, given))


# Keras leaves these out of files, and so forgets them.
FORGOTTEN = [
    ("SparseCategoricalCrossentropy", {"axis": 1}),
    ("CosineSimilarity", {"axis": 1}),
    ("Huber", {"delta": 0.25}),
    ("Huber", {"delta": 2.0}),
]


@pytest.mark.parametrize(
    ("name", "options"),
    [(row.name, options) for row in TABLE for options in row.options if (row.name, options) not in FORGOTTEN],
)
def test_files(name, options):
    ours, theirs = getattr(losses, name)(**options), getattr(keras.losses, name)(**options)
    assert losses.serialize(ours) == keras.losses.serialize(theirs)
    assert keras.saving.deserialize_keras_object(losses.serialize(ours)).get_config() == theirs.get_config()
    again = losses.get(keras.losses.serialize(theirs))
    assert type(again) is type(ours)
    assert again.get_config() == ours.config()


@pytest.mark.parametrize(("name", "options"), FORGOTTEN)
def test_unusual_options_survive_files(name, options):
    form = losses.serialize(getattr(losses, name)(**options))
    assert form["config"].items() >= options.items()
    assert losses.get(form).config() == form["config"]
    assert keras.losses.deserialize(form)._fn_kwargs.items() >= options.items()


@pytest.mark.parametrize(("name", "function"), FUNCTIONS.items())
def test_names(name, function):
    for identifier in (name, function, name.upper(), getattr(losses, name), getattr(losses, function)):
        assert type(losses.get(identifier)) is getattr(losses, name)
    loss = getattr(losses, name)()
    assert losses.get(loss) is loss
    assert loss.name == getattr(keras.losses, name)().name


@pytest.mark.parametrize("name", [row.name for row in TABLE])
def test_arguments_are_those_of_keras(name):
    def arguments(signature: inspect.Signature) -> dict[str, Any]:
        return {p.name: p.default for p in signature.parameters.values() if p.name != "name"}

    ours: Any = getattr(losses, name)
    theirs: Any = getattr(keras.losses, name)
    assert arguments(inspect.signature(ours)) == arguments(inspect.signature(theirs))
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    ours, theirs = getattr(losses, FUNCTIONS[name]), getattr(keras.losses, FUNCTIONS[name])
    assert list(arguments(inspect.signature(ours)).items()) == list(arguments(inspect.signature(theirs)).items())


@pytest.mark.parametrize(
    "alias", ["bce", "BCE", "mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "kld", "KLD"]
)
def test_short_names(alias):
    assert losses.get(alias).fn.__name__ == keras.losses.get(alias).__name__


def test_every_loss_of_keras_is_there_or_refused_by_name():
    for name in filter(str.isidentifier, dir(keras.losses)):
        if name[0] != "_" and name.lower() not in ("ctc", "circle"):
            assert name in losses.__all__
    for name in ("CTC", "ctc", "Circle", "circle"):
        with pytest.raises(UnsupportedError, match=f"Loss got loss {name!r}; .* striate does not have this Keras loss"):
            losses.get(name)


@pytest.mark.parametrize("axis", [(1, 2, 3), [1, 2], (0, 1, 2), 3])
@pytest.mark.parametrize("name", ["Dice", "Tversky"])
def test_regions(name, axis):
    y_true, y_pred = integers((2, 3, 4, 2), 2), logits((2, 3, 4, 2)).sigmoid()
    ours, theirs = getattr(losses, name)(axis=axis), getattr(keras.losses, name)(axis=axis)
    agree(ours(y_true, y_pred), theirs(y_true, y_pred))
    agree(gradient(ours, y_true, y_pred), gradient(theirs, y_true, y_pred))
    weight = torch.tensor([1.0, 3.0])
    if axis == (1, 2, 3):
        agree(ours(y_true, y_pred, weight), theirs(y_true, y_pred, weight))


def test_a_focal_weight_for_each_class():
    y_true, y_pred = torch.eye(3), logits((3, 3)).softmax(-1)
    alpha = [0.5, 1.0, 2.0]
    function = losses.categorical_focal_crossentropy
    agree(function(y_true, y_pred, alpha), keras.losses.categorical_focal_crossentropy(y_true, y_pred, alpha))


def test_directions_of_length_0_have_a_gradient():
    """Keras's is NaN, which would end a training."""
    zeros = torch.zeros(2, 3)
    agree(losses.cosine_similarity(torch.ones(2, 3), zeros), keras.losses.cosine_similarity(torch.ones(2, 3), zeros))
    assert torch.isfinite(gradient(losses.CosineSimilarity(), torch.ones(2, 3), zeros)).all()


MASKS = {
    "(N,)": (torch.tensor([True, False, True, False, True, True]), (6, 4)),
    "(N,T)": (torch.tensor([[True, True, False], [True, False, False]]), (2, 3, 4)),
    "nothing": (torch.zeros(2, 3, dtype=torch.bool), (2, 3, 4)),
    "numbers": (torch.tensor([[1, 1, 0], [1, 0, 0]]), (2, 3, 4)),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("mask", "shape"), MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryFocalCrossentropy", "CategoricalCrossentropy"])
def test_masks_of_predictions(name, mask, shape, reduction):
    y_pred = logits(shape).softmax(-1)
    y_true = torch.nn.functional.one_hot(integers(shape[:-1], shape[-1]), shape[-1])
    ours, theirs = getattr(losses, name)(reduction=reduction), getattr(keras.losses, name)(reduction=reduction)
    for weight in (None, logits(shape[:-1]).abs()):
        one, two = y_pred.clone().requires_grad_(), y_pred.clone().requires_grad_()
        put_mask(one, mask)
        keras.src.backend.set_keras_mask(two, mask)
        mine, other = ours(y_true, one, weight), theirs(y_true, two, weight)
        agree(mine, other)
        mine.sum().backward()
        other.sum().backward()
        agree(one.grad, two.grad)


def test_a_mask_beside_an_ignored_class():
    y_true, y_pred = integers((2, 3), 4), logits((2, 3, 4)).softmax(-1)
    mask = MASKS["(N,T)"][0]
    ours, theirs = (kinds.SparseCategoricalCrossentropy(ignore_class=1) for kinds in (losses, keras.losses))
    one, two = y_pred.clone(), y_pred.clone()
    put_mask(one, mask)
    keras.src.backend.set_keras_mask(two, mask)
    agree(ours(y_true, one), theirs(y_true, two))


def test_a_mask_that_does_not_fit():
    y_pred = torch.zeros(2, 3)
    put_mask(y_pred, torch.ones(2, 3, dtype=torch.bool))
    text = r"Loss 'mean_squared_error' got a mask of shape \(2, 3\) for values of shape \(2,\); .* End the mask before"
    with pytest.raises(UserError, match=text):
        losses.MeanSquaredError()(torch.zeros(2, 3), y_pred)


def test_one_sample_of_a_mask_weighs_all_its_values():
    """A mask of fewer axes than the values stands for all values of a sample."""
    y_pred = logits((2, 3, 4))
    put_mask(y_pred, torch.tensor([True, False]))
    agree(losses.MeanSquaredError()(torch.zeros(2, 3, 4), y_pred), y_pred[0].square().mean())
