import math

import numpy as np
import pytest
import torch
from keras.src.trainers.data_adapters import array_slicing

from striate.data import Dataset, make_feed, train_validation_split
from striate.foundation.checks import UserError

X = np.arange(10 * 3, dtype="float32").reshape(10, 3)
Y = np.arange(10)


def read(feed, number=0, start=0):
    return torch.cat([batch.x for batch in feed.epoch(number, start)])


@pytest.mark.parametrize("batch_size", [1, 3, 5, 9, 10, 11])
def test_batches_cover_the_data_once_in_order(batch_size):
    feed = make_feed(X, Y, np.ones(10), batch_size=batch_size)
    batches = list(feed.epoch(0))
    assert len(batches) == feed.steps == math.ceil(10 / batch_size)
    assert (feed.size, feed.batch_size) == (10, batch_size)
    assert torch.cat([b.x for b in batches]).numpy().tolist() == X.tolist()
    assert torch.cat([b.y for b in batches]).tolist() == Y.tolist()
    assert all(len(b.x) == len(b.y) == len(b.sample_weight) for b in batches)


def test_default_batch_size_is_keras_s():
    assert make_feed(np.zeros((100, 1))).batch_size == 32


def test_inputs_and_targets_are_shuffled_together():
    feed = make_feed({"a": X, "b": [X, X]}, Y, batch_size=4, shuffle=True, seed=3)
    for batch in feed.epoch(2):
        assert torch.equal(batch.x["a"][:, 0] / 3, batch.y.float())
        assert torch.equal(batch.x["b"][1], batch.x["a"])
    assert sorted(read_rows(feed, 2)) == list(range(10))


def read_rows(feed, number):
    return [int(row) for batch in range(feed.steps) for row in feed.rows(number, batch)]


def test_the_order_depends_on_seed_and_epoch_alone():
    feed, again = (make_feed(X, batch_size=4, shuffle=True, seed=3) for _ in range(2))
    list(feed.epoch(0))
    assert torch.equal(read(feed, 5), read(again, 5))
    orders = {tuple(read(make_feed(X, shuffle=True, seed=seed), e)[:, 0].tolist()) for seed in (0, 1) for e in range(4)}
    assert len(orders) == 8


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    read(make_feed(X, shuffle=True), 1)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_an_epoch_can_begin_in_the_middle(start):
    feed = make_feed(X, batch_size=4, shuffle=True, seed=3)
    rest = [batch.x for batch in feed.epoch(1, start)]
    expected = [batch.x for batch in feed.epoch(1)][start:]
    assert len(rest) == len(expected)
    assert all(torch.equal(a, b) for a, b in zip(rest, expected, strict=True))


def test_a_model_that_writes_into_its_batch_leaves_the_data_as_it_was():
    x = X.copy()
    for batch in make_feed(x, batch_size=10).epoch(0):
        batch.x.zero_()
    assert np.array_equal(x, X)


def test_pictures_stay_uint8():
    assert next(make_feed(np.zeros((2, 4, 4, 3), "uint8")).epoch(0)).x.dtype == torch.uint8


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"x": None}, r"fit got x=None; it needs NumPy arrays"),
        ({"x": []}, r"fit got x of shape \(0,\), which is empty; it needs at least one sample"),
        ({"x": np.zeros((0, 3))}, r"x of shape \(0, 3\), which is empty"),
        ({"x": {}}, r"x without a single array"),
        ({"x": X, "y": []}, r"y of shape \(0,\), which is empty"),
        ({"x": 5}, r"x as a single number; it needs an array whose first axis counts samples"),
        ({"x": np.float32(5)}, r"x of type float32"),
        ({"x": np.array(5.0)}, r"x as a single number"),
        ({"x": [torch.tensor(1.0), torch.tensor(2.0)]}, r"x\[0\] as a single number; .* numpy.stack"),
        ({"x": X, "y": Y[:9]}, r"10 samples in x, 9 samples in y; it needs equally many in all of them"),
        (
            {"x": X, "y": Y, "sample_weight": np.ones(3)},
            r"10 samples in x, 10 samples in y, 3 samples in sample_weight",
        ),
        ({"x": (X, X[:5])}, r"10 samples in x\[0\], 5 samples in x\[1\]"),
        ({"x": [X[:4]] * 10, "y": Y}, r"A list of 10 arrays means 10 inputs; for one input pass numpy.stack\(x\)"),
        ({"x": X, "batch_size": 0}, r"batch_size=0; it needs a whole number of at least 1"),
        ({"x": X, "batch_size": 2.5}, r"batch_size=2.5"),
        ({"x": lambda: X}, r"x of type function; it needs .* Call it and pass what it returns: <lambda>\(\)"),
        ({"x": "pictures/"}, r"x of type str; it needs NumPy arrays, torch tensors"),
        ({"x": {1, 2}}, r"x of type set"),
        ({"x": object()}, r"x of type object"),
    ],
)
def test_refusals(arguments, text):
    with pytest.raises(UserError, match=text):
        make_feed(**arguments)


@pytest.mark.parametrize(
    "source",
    [
        Dataset.from_tensor_slices((X, Y)).batch(2),
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(4, 1))),
        torch.utils.data.TensorDataset(torch.zeros(4, 1)),
        iter([(X, Y)]),
    ],
)
@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_targets_beside_a_dataset_are_refused(source, name):
    with pytest.raises(UserError, match=rf"predict got {name} beside a \w+; it needs no {name} there"):
        make_feed(source, **{name: Y}, where="predict")


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.3, 0.5, 0.8])
def test_validation_split_is_keras_s(fraction):
    train, validation = train_validation_split({"a": X}, Y, None, fraction)
    expected, expected_validation = array_slicing.train_validation_split((X, Y), fraction)
    assert train.y.tolist() == np.asarray(expected[1][:]).tolist()
    assert validation.y.tolist() == np.asarray(expected_validation[1][:]).tolist()
    assert validation.x["a"].numpy().tolist() == X[len(train.y) :].tolist()
    assert validation.sample_weight is None


@pytest.mark.parametrize(
    ("x", "fraction", "text"),
    [
        (X, 0.0, r"fit got validation_split=0.0; it needs a fraction above 0 and below 1"),
        (X, 1, r"validation_split=1; it needs a fraction"),
        (X, "half", r"validation_split='half'"),
        (X, 0.95, r"validation_split=0.95 of 10 samples; it needs at least one sample on either side"),
        (X[:1], 0.5, r"validation_split=0.5 of 1 samples"),
        (Dataset.from_tensor_slices(X), 0.5, r"validation_split with x of type Dataset; .* Split the dataset yourself"),
        (iter([X]), 0.5, r"validation_split with x of type list_iterator"),
    ],
)
def test_validation_splits_that_are_refused(x, fraction, text):
    with pytest.raises(UserError, match=text):
        train_validation_split(x, None, None, fraction)
