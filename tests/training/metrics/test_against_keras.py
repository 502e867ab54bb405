"""Every metric but AUC against real Keras, over several batches. One row of `TABLE` per metric."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from striate.foundation.checks import UserError
from striate.training import metrics

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

Batch = tuple[torch.Tensor, torch.Tensor]


def scores(shape: tuple[int, ...]) -> torch.Tensor:
    """Probabilities in steps of 0.05, so that ties and values at thresholds are common."""
    return torch.from_numpy(np.asarray(np.random.default_rng(1).integers(0, 21, shape) / 20, "float32"))


def integers(shape: tuple[int, ...], classes: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(2).integers(0, classes, shape))


def equal() -> dict[str, Batch]:
    return {
        "(N,)": (integers((6,), 3), integers((6,), 3).flip(0)),
        "(N,) beside (N,1)": (integers((6,), 3), integers((6, 1), 3).flip(0)),
        "(N,L)": (integers((6, 4), 3).float(), integers((6, 4), 3).flip(0)),
        "(N,H,W,C)": (integers((2, 3, 4, 2), 3), integers((2, 3, 4, 2), 3).flip(0)),
    }


def binary() -> dict[str, Batch]:
    return {
        "(N,)": (integers((6,), 2), scores((6,))),
        "(N,) beside (N,1)": (integers((6,), 2).float(), scores((6, 1))),
        "(N,1) beside (N,)": (integers((6, 1), 2), scores((6,))),
        "(N,L) booleans": (integers((6, 4), 2).bool(), scores((6, 4))),
        "(N,H,W,C)": (integers((2, 3, 4, 2), 2).byte(), scores((2, 3, 4, 2))),
        "soft labels": (scores((6, 1)).flip(0), scores((6, 1))),
        "all right": (torch.ones(4, 1), torch.ones(4, 1)),
        "all zeros": (torch.zeros(4, 1), torch.zeros(4, 1)),
    }


def one_hot() -> dict[str, Batch]:
    hot = torch.nn.functional.one_hot
    return {
        "(N,C)": (hot(integers((7,), 6), 6).float(), scores((7, 6))),
        "(N,C) integers": (hot(integers((7,), 6), 6), scores((7, 6))),
        "(N,H,W,C)": (hot(integers((2, 3, 4), 6), 6), scores((2, 3, 4, 6))),
        "all right": (torch.eye(6), torch.eye(6)),
    }


def whole() -> dict[str, Batch]:
    return {
        "(N,)": (integers((7,), 6), scores((7, 6))),
        "(N,1)": (integers((7, 1), 6), scores((7, 6))),
        "(N,) floats": (integers((7,), 6).float(), scores((7, 6))),
        "(N,) bytes": (integers((7,), 6).byte(), scores((7, 6))),
        "(N,H,W)": (integers((2, 3, 4), 6), scores((2, 3, 4, 6))),
        "all right": (torch.arange(6), torch.eye(6)),
    }


def sorted_ids() -> dict[str, Batch]:
    return {"(N,)": (integers((7,), 6), scores((7, 6)).argsort(-1, descending=True))}


@dataclass
class Row:
    """A metric, the batches it is tried on and the options it has."""

    name: str
    batches: Callable[[], dict[str, Batch]]
    options: list[dict[str, Any]] = field(default_factory=lambda: [{}])


CROSSENTROPY = [{}, {"from_logits": True}, {"label_smoothing": 0.2}]
TABLE = [
    Row("Accuracy", equal),
    Row("BinaryAccuracy", binary, [{}, {"threshold": 0.25}, {"threshold": 0}]),
    Row("CategoricalAccuracy", one_hot),
    Row("SparseCategoricalAccuracy", whole),
    Row("TopKCategoricalAccuracy", one_hot, [{}, {"k": 1}, {"k": 3}, {"k": 6}]),
    Row("SparseTopKCategoricalAccuracy", whole, [{}, {"k": 1}, {"k": 3}, {"k": 6}]),
    Row("SparseTopKCategoricalAccuracy", sorted_ids, [{"k": 2, "from_sorted_ids": True}]),
    Row("BinaryCrossentropy", binary, CROSSENTROPY),
    Row("CategoricalCrossentropy", one_hot, CROSSENTROPY),
    Row("SparseCategoricalCrossentropy", whole, [{}, {"from_logits": True}, {"ignore_class": 1}]),
    Row("MeanSquaredError", binary),
]
CASES = [
    pytest.param(row.name, options, *batch, id=f"{row.name} {options} {name}")
    for row in TABLE
    for options in row.options
    for name, batch in row.batches().items()
    # Keras refuses these shapes for want of aligning them
    if not (row.name == "BinaryCrossentropy" and "beside" in name)
]


def agree(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == ()
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def has_one_value(name: str, options: dict[str, Any], y_true: torch.Tensor, y_pred: torch.Tensor) -> bool:
    """Whether the last axis, over which these take the mean, is the only one."""
    return name in ("BinaryCrossentropy", "MeanSquaredError") and y_true.ndim == y_pred.ndim == 1


WEIGHED = [case for case in CASES if not has_one_value(*case.values)]
ONE_VALUE = [case for case in CASES if has_one_value(*case.values)]


@pytest.mark.parametrize(("name", "options", "y_true", "y_pred"), CASES)
def test_results(name, options, y_true, y_pred):
    check_results(name, options, y_true, y_pred, weighted=())


@pytest.mark.parametrize("weighted", [(0, 1, 2), (1,)], ids=["all", "some"])
@pytest.mark.parametrize(("name", "options", "y_true", "y_pred"), WEIGHED)
def test_weighted_results(name, options, y_true, y_pred, weighted):
    check_results(name, options, y_true, y_pred, weighted)


@pytest.mark.parametrize(("name", "options", "y_true", "y_pred"), ONE_VALUE)
def test_one_value_for_the_whole_batch_takes_no_weights(name, options, y_true, y_pred):
    with pytest.raises(RuntimeError):
        getattr(keras.metrics, name)(**options).update_state(y_true, y_pred, scores((6,)))
    text = r"got sample_weight of shape \(6,\) for values of shape \(\); .* Give predictions a last axis, \(N, 1\)"
    with pytest.raises(UserError, match=text):
        getattr(metrics, name)(**options).update_state(y_true, y_pred, scores((6,)))


def check_results(name, options, y_true, y_pred, weighted):
    """Over three batches, whose weights are given where `weighted` has their index."""
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    before = y_true.clone(), y_pred.clone()
    for index, size in enumerate((len(y_true), len(y_true) // 2, 1)):
        weight = keras_weight = scores((size,)) if index in weighted else None
        if weight is not None and "ignore_class" in options and y_true.ndim > 2:
            # Keras needs the weights of a masked map pixel by pixel, and writes into them.
            keras_weight = weight[:, None, None].repeat(1, *y_true.shape[1:])
        ours.update_state(y_true[:size], y_pred[:size], weight)
        theirs.update_state(y_true[:size], y_pred[:size], keras_weight)
        agree(ours.result(), theirs.result())
    for metric in (ours, theirs):
        metric.reset_state()
    agree(ours.result(), theirs.result())
    agree(ours(y_true, y_pred), theirs(y_true, y_pred))
    assert torch.equal(y_true, before[0])
    assert torch.equal(y_pred, before[1])


@pytest.mark.parametrize("weight", [None, (6,), (6, 1), (6, 4)])
def test_weights_of_several_values(weight):
    ours, theirs = metrics.BinaryAccuracy(), keras.metrics.BinaryAccuracy()
    weight = None if weight is None else scores(weight)
    agree(ours(*binary()["(N,L) booleans"], weight), theirs(*binary()["(N,L) booleans"], weight))


@pytest.mark.parametrize("weight", [None, (2,), (2, 1, 1), (2, 3, 1), (2, 3, 4)])
@pytest.mark.parametrize("name", ["SparseCategoricalAccuracy", "SparseCategoricalCrossentropy"])
def test_weights_of_maps(name, weight):
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    weight = None if weight is None else scores(weight)
    agree(ours(*whole()["(N,H,W)"], weight), theirs(*whole()["(N,H,W)"], weight))


@pytest.mark.parametrize("weight", [None, 0.0, 3.0, "samples"])
@pytest.mark.parametrize("shape", [(), (5,), (5, 3), (5, 2, 2)])
def test_mean(shape, weight):
    ours, theirs = metrics.Mean(), keras.metrics.Mean()
    if weight == "samples":
        weight = scores(shape[:1])
    elif weight is not None and shape:
        weight = torch.full(shape[:1], weight)
    for factor in (1.0, 0.5):
        ours.update_state(scores(shape) * factor, weight)
        theirs.update_state(scores(shape) * factor, weight)
    agree(ours.result(), theirs.result())


@pytest.mark.parametrize(
    ("name", "options"), [(row.name, options) for row in TABLE for options in row.options] + [("Mean", {})]
)
def test_files(name, options):
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    assert metrics.serialize(ours) == keras.metrics.serialize(theirs)
    assert keras.metrics.deserialize(metrics.serialize(ours)).get_config() == theirs.get_config()
    again = metrics.get(keras.metrics.serialize(theirs))
    assert type(again) is type(ours)
    assert again.get_config() == ours.config()
    renamed = type(ours)(name="other", **options)
    assert renamed.config()["name"] == renamed.name == "other"
