import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_sample_weight

from striate.data import make_feed
from striate.foundation.checks import UserError

LABELS = np.array([0, 2, 1, 1, 2, 0])
WEIGHTS = {0: 1.0, 1: 2.5, 2: 0.25}


@pytest.mark.parametrize(
    "y",
    [
        LABELS,
        LABELS[:, None],
        LABELS.astype("uint8"),
        LABELS.astype("float32"),
        np.eye(3, dtype="float32")[LABELS],
        np.eye(3, dtype="int64")[LABELS],
        LABELS.tolist(),
    ],
)
def test_agrees_with_scikit_learn(y):
    batch = next(make_feed(np.zeros((6, 2)), y, class_weight=WEIGHTS).epoch(0))
    assert batch.sample_weight.tolist() == compute_sample_weight(WEIGHTS, LABELS).tolist()


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 4)])
def test_multiplies_into_sample_weights(shape):
    given = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    batch = next(make_feed(np.zeros((6, 2)), LABELS, given, class_weight=WEIGHTS).epoch(0))
    expected = given * compute_sample_weight(WEIGHTS, LABELS).reshape(-1, *[1] * (len(shape) - 1))
    assert batch.sample_weight.dtype == torch.float32
    assert batch.sample_weight.numpy() == pytest.approx(expected)


def test_streams_are_weighed_batch_by_batch():
    batches = [(np.zeros((3, 2)), LABELS[:3]), (np.zeros((3, 2)), LABELS[3:], np.full(3, 2.0))]
    first, second = make_feed(iter(batches), class_weight=WEIGHTS).epoch(0)
    assert first.sample_weight.tolist() == [1.0, 0.25, 2.5]
    assert second.sample_weight.tolist() == [5.0, 0.5, 2.0]


def test_one_weight_array_serves_all_outputs():
    x, w = np.zeros((6, 2)), np.arange(6)
    batch = next(make_feed(x, {"a": LABELS, "b": LABELS}, w).epoch(0))
    assert batch.sample_weight["a"].tolist() == batch.sample_weight["b"].tolist() == list(range(6))


@pytest.mark.parametrize(
    ("class_weight", "y", "text"),
    [
        ({0: 1.0, 1: 1.0}, LABELS, r"class_weight for \[0, 1\], y with \[2\]; it needs a weight for every class in y"),
        ([1.0, 2.0], LABELS, r"class_weight=\[1.0, 2.0\]; it needs a dict \{class number: weight\}"),
        ({}, LABELS, r"class_weight=\{\}; it needs a dict"),
        ({"cat": 1.0}, LABELS, r"class_weight with 'cat': 1.0; it needs class numbers from 0"),
        ({0: -1.0}, LABELS, r"class_weight with 0: -1.0; .* finite weights of at least 0"),
        ({0: float("nan")}, LABELS, r"class_weight with 0: nan"),
        ({0: "much"}, LABELS, r"class_weight with 0: 'much'"),
        (WEIGHTS, None, r"class_weight without y; it needs one y with class numbers"),
        (WEIGHTS, {"a": LABELS, "b": LABELS}, r"class_weight with several outputs"),
        (WEIGHTS, np.linspace(0, 1, 6), r"class_weight with y that holds fractions; it needs whole class numbers"),
        (WEIGHTS, np.full((6, 3), 1 / 3), r"class_weight with y of shape \(6, 3\) that is not one-hot"),
        (WEIGHTS, np.ones((6, 3), int), r"class_weight with y of shape \(6, 3\) that is not one-hot"),
        (WEIGHTS, np.zeros((6, 4, 4), int), r"class_weight with y of shape \(6, 4, 4\); it needs whole class numbers"),
    ],
)
def test_class_weights_that_are_refused(class_weight, y, text):
    with pytest.raises(UserError, match=text):
        make_feed(np.zeros((6, 2)), y, class_weight=class_weight)


@pytest.mark.parametrize(
    ("sample_weight", "y", "text"),
    [
        (np.array([1, np.nan, 1, 1, 1, 1]), LABELS, r"NaN or infinity in sample_weight; it needs finite weights"),
        ({"a": np.ones(6)}, {"a": LABELS, "b": LABELS}, r"sample_weight for \[\"\['a'\]\"\] with y for"),
        (np.ones((6, 2)), {"a": LABELS, "b": LABELS}, r"sample_weight of shape \(6, 2\) for several outputs"),
    ],
)
def test_sample_weights_that_are_refused(sample_weight, y, text):
    with pytest.raises(UserError, match=text):
        make_feed(np.zeros((6, 2)), y, sample_weight)
