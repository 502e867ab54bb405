import itertools
import random

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

import striate.data
from striate.data import make_feed
from striate.foundation.checks import UserError

X = torch.arange(10 * 3, dtype=torch.float32).reshape(10, 3)
Y = torch.arange(10)


class Pictures(Dataset):
    """Samples by number, counting how often one is read."""

    def __init__(self, length=10):
        self.length, self.read = length, 0

    def __len__(self):
        return self.length

    def __getitem__(self, row):
        self.read += 1
        return X[row].numpy(), int(Y[row])


class Many(Pictures):
    def __getitems__(self, rows):
        return [self[row] for row in rows]


class Stream(IterableDataset):
    def __iter__(self):
        yield from zip(X, Y, strict=True)


def labels(feed, number=0, start=0):
    return [label for batch in feed.epoch(number, start) for label in batch.y.tolist()]


@pytest.mark.parametrize("source", [Pictures(), Many(), TensorDataset(X, Y)])
def test_torch_datasets_are_shuffled_like_arrays(source):
    feed = make_feed(source, batch_size=4, shuffle=True, seed=3)
    array = make_feed(X, Y, batch_size=4, shuffle=True, seed=3)
    assert (feed.steps, feed.size, feed.batch_size) == (3, 10, 4)
    for number in range(3):
        assert labels(feed, number) == labels(array, number)
        assert feed.rows(number, 1).tolist() == array.rows(number, 1).tolist()
    assert labels(feed, 1, start=2) == labels(array, 1)[8:]


def test_skipped_batches_of_a_torch_dataset_are_not_read():
    source = Pictures()
    assert labels(make_feed(source, batch_size=4), start=2) == [8, 9]
    assert source.read == 2


def test_iterable_datasets_keep_their_order():
    feed = make_feed(Stream(), batch_size=4, shuffle=True)
    assert (feed.steps, feed.size, feed.batch_size) == (None, None, 4)
    assert labels(feed) == labels(feed, 1) == list(range(10))
    assert labels(feed, start=2) == [8, 9]


def test_loaders_keep_their_batches():
    feed = make_feed(DataLoader(TensorDataset(X, Y), batch_size=4))
    assert (feed.steps, feed.batch_size) == (3, 4)
    assert labels(feed) == list(range(10))
    assert labels(feed, start=1) == list(range(4, 10))
    assert make_feed(DataLoader(Stream(), batch_size=4)).steps is None


def test_a_distributed_sampler_is_told_the_epoch():
    sampler = DistributedSampler(TensorDataset(X, Y), num_replicas=2, rank=0, seed=1)
    feed = make_feed(DataLoader(TensorDataset(X, Y), batch_size=5, sampler=sampler))
    assert labels(feed, 0) != labels(feed, 1)
    sampler.set_epoch(1)
    assert labels(feed, 1) == [int(Y[row]) for row in sampler]


SAMPLERS = {
    "shuffle": {"shuffle": True},
    "replacement": {"sampler": RandomSampler(Y, replacement=True)},
    "subset": {"sampler": SubsetRandomSampler(range(10))},
    "weighted": {"sampler": WeightedRandomSampler([1.0] * 10, 10)},
    "in a batch sampler": {"batch_sampler": BatchSampler(RandomSampler(Y), 3, False), "batch_size": 1},
    "own generator": {"shuffle": True, "generator": torch.Generator()},
    "a worker": {"shuffle": True, "num_workers": 1},
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_order_of_a_loader_depends_on_seed_and_epoch_alone(name):
    def read(number, seed, start=0):
        loader = DataLoader(TensorDataset(X, Y), **{"batch_size": 3} | SAMPLERS[name])
        given = loader.generator, getattr(loader.sampler, "generator", None)
        order = labels(make_feed(loader, seed=seed), number, start)
        assert (loader.generator, getattr(loader.sampler, "generator", None)) == given
        return order

    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    order = read(2, 5)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    assert read(2, 5) == order
    assert read(2, 5, 2) == order[6:]
    assert read(1, 5) != order
    assert (read(2, 6) == order) == (name == "own generator")


def test_a_generator_given_to_a_loader_decides_its_order():
    def read(seed):
        generator = torch.Generator().manual_seed(seed)
        state = generator.get_state()
        order = labels(make_feed(DataLoader(TensorDataset(X, Y), shuffle=True, generator=generator), seed=5))
        assert torch.equal(generator.get_state(), state)
        return order

    assert read(1) == read(1) != read(2)


class Noisy(Pictures):
    """Samples with a random change, drawn from the global generators."""

    def __getitem__(self, row):
        x, y = super().__getitem__(row)
        return x + np.random.rand() + random.random() + float(torch.rand(())), y


def test_skipped_batches_of_a_loader_leave_chance_as_it_was():
    """The resumed epoch is given the random state of the unbroken one at that batch, and goes on from there."""
    feed = make_feed(DataLoader(Noisy(), batch_size=4, shuffle=True), seed=5)
    unbroken = feed.epoch(1)
    next(unbroken)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    expected = [batch.x for batch in unbroken]
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    assert torch.equal(torch.cat([batch.x for batch in feed.epoch(1, 1)]), torch.cat(expected))


def test_the_sampler_of_the_user_is_left_alone():
    class Backwards(torch.utils.data.Sampler):
        generator = None

        def __iter__(self):
            assert self.generator is None
            return iter(range(9, -1, -1))

    assert labels(make_feed(DataLoader(TensorDataset(X, Y), sampler=Backwards()), seed=5)) == list(range(9, -1, -1))


@pytest.mark.parametrize("endless", [False, True])
def test_a_shuffle_without_a_seed_follows_the_feed_s(endless):
    """Also in a dataset that is built anew in the same process."""

    def read(seed, number, start=0):
        dataset = striate.data.Dataset.from_tensor_slices((X, Y)).shuffle(10)
        dataset = dataset.repeat().batch(5) if endless else dataset.batch(5)
        return labels(make_feed(dataset, seed=seed, steps=2 if endless else None), number, start)

    assert read(5, 1) == read(5, 1)
    assert read(5, 1, 1) == read(5, 1)[5:]
    assert len({tuple(read(seed, number)) for seed in (5, 6) for number in (0, 1)}) == 4


def test_without_the_feed_s_seed_a_dataset_keeps_its_order():
    dataset = striate.data.Dataset.from_tensor_slices((X, Y)).shuffle(10).batch(4)
    assert labels(make_feed(dataset), 1) == [int(label) for _, y in dataset.epoch(1) for label in y]


def test_our_dataset():
    dataset = striate.data.Dataset.from_tensor_slices((X, Y)).shuffle(10, seed=1).batch(4)
    feed = make_feed(dataset)
    assert (feed.steps, feed.size, feed.batch_size) == (3, None, None)
    first = labels(feed, 0)
    assert labels(feed, 1) != first
    assert labels(feed, 0) == first
    assert labels(feed, 0, start=1) == first[4:]


def test_an_endless_dataset_goes_on_from_epoch_to_epoch():
    read = []
    dataset = striate.data.Dataset.from_tensor_slices((X, Y)).shuffle(10, seed=1).repeat()
    dataset = dataset.map(lambda x, y: read.append(int(y)) or (x, y)).batch(4)
    feed = make_feed(dataset, steps=3)
    assert feed.steps == 3
    epochs = [labels(feed, number) for number in range(4)]
    assert read == sum(epochs, [])  # noqa: RUF017
    assert len(read) == 48
    assert sorted(read[:10]) == sorted(read[10:20]) == list(range(10))
    resumed = make_feed(dataset, steps=3)
    assert labels(resumed, 2, start=1) == epochs[2][4:]
    assert labels(resumed, 3) == epochs[3]
    assert labels(resumed, 0) == epochs[0]
    assert next(resumed.epoch(1)).y.tolist() == epochs[1][:4]
    assert labels(resumed, 2) == epochs[2]


def test_an_endless_dataset_is_not_read_again_for_the_next_epoch():
    read = []
    source = striate.data.Dataset.from_generator(lambda: iter(range(5))).map(lambda x: read.append(int(x)) or x)
    feed = make_feed(source.repeat().batch(2), steps=3)
    for number in range(5):
        list(feed.epoch(number))
    assert len(read) == 30


@pytest.mark.parametrize(
    ("element", "x", "y", "weight"),
    [
        (X, X, None, None),
        ((X,), X, None, None),
        ([X, Y], X, Y, None),
        ((X, Y, np.ones(10)), X, Y, torch.ones(10)),
        ((X.numpy().astype("float64"), Y.tolist()), X, Y, None),
    ],
)
def test_what_a_generator_may_yield(element, x, y, weight):
    batch = next(make_feed(iter([element])).epoch(0))
    for got, expected in zip(batch, (x, y, weight), strict=True):
        assert got is expected is None or torch.equal(got, expected)


def test_several_inputs_from_a_generator():
    batch = next(make_feed(iter([({"a": X, "b": (X, Y)}, Y)])).epoch(0))
    assert batch.x["b"][1].tolist() == Y.tolist()


def test_a_generator_goes_on_where_the_epoch_before_stopped():
    feed = make_feed((X[i : i + 2], Y[i : i + 2]) for i in range(0, 10, 2))
    first = list(itertools.islice(feed.epoch(0), 3))
    assert first[-1].y.tolist() == [4, 5]
    assert labels(feed, 1) == [6, 7, 8, 9]
    with pytest.raises(UserError, match=r"generator that is exhausted after 5 batches; .* Pass steps_per_epoch with"):
        list(feed.epoch(2))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (iter([]), r"fit got a dataset without a single batch"),
        (striate.data.Dataset.from_tensor_slices(X).batch(2).filter(lambda x: False), r"without a single batch"),
        (iter([(X, Y, Y, Y)]), r"a batch that is a tuple of 4; it needs x, \(x, y\) or \(x, y, sample_weight\)"),
        (iter([()]), r"a batch that is a tuple of 0"),
        (iter([(None, Y)]), r"batch 0 without x"),
        (iter([(X, Y), (X, Y[:3])]), r"batch 1 with 10 in x, 3 in y samples; it needs equally many"),
        (iter([(X, 3)]), r"batch 0 with a single number as y; .* dataset.batch\(32\)"),
        (iter([(X, ["cat"] * 10)]), r"y of dtype <U3; it needs numbers"),
        (striate.data.Dataset.from_tensor_slices((X, Y)), r"batch 0 with a single number as y; .* Batch the dataset"),
    ],
)
def test_batches_that_are_refused(source, text):
    with pytest.raises(UserError, match=text):
        list(make_feed(source).epoch(0))


ENDLESS = striate.data.Dataset.from_tensor_slices((X, Y)).repeat().batch(2)


class Endless(Dataset):
    def __getitem__(self, row):
        return X[0]


@pytest.mark.parametrize(
    ("source", "arguments", "text"),
    [
        (Pictures(0), {}, r"an empty torch Dataset; it needs at least one sample"),
        (Endless(), {}, r"x of type Endless without __len__; it needs a dataset of known length"),
        (striate.data.Dataset.from_tensor_slices(X).take(0), {}, r"an empty Dataset; it needs at least one batch"),
        (ENDLESS, {}, r"a Dataset without end; it needs to know how many batches make an epoch\. Pass steps_per_epoch"),
        (ENDLESS, {"steps": 0}, r"steps=0; it needs a whole number of at least 1"),
        (iter([X]), {"batch_size": 3}, r"batch_size=3; it needs a source that makes no batches itself"),
        (DataLoader(TensorDataset(X)), {"batch_size": 3}, r"batch_size=3; .* give the source that batch size"),
        (TensorDataset(X, X, X, X), {}, r"a batch that is a tuple of 4"),
    ],
)
def test_sources_that_are_refused(source, arguments, text):
    with pytest.raises(UserError, match=text):
        make_feed(source, **arguments)
