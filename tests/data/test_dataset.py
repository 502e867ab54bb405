import itertools
import threading

import numpy as np
import pytest
import torch

from striate.data import AUTOTUNE, Dataset
from striate.data.dataset import INFINITE, UNKNOWN
from striate.foundation.checks import UnsupportedError, UserError


def numbers(count=10):
    return Dataset.from_tensor_slices(np.arange(count))


def endless():
    return numbers(3).repeat()


def unknown(count=10):
    return Dataset.from_generator(lambda: iter(range(count)))


def values(dataset):
    return [element.tolist() for element in dataset]


CHAINS = {
    "slices": (lambda: numbers(), 10, list(range(10))),
    "map": (lambda: numbers().map(lambda x: x * 2), 10, list(range(0, 20, 2))),
    "parallel map": (lambda: numbers().map(lambda x: x * 2, AUTOTUNE), 10, list(range(0, 20, 2))),
    "three threads": (lambda: numbers().map(lambda x: x * 2, num_parallel_calls=3), 10, list(range(0, 20, 2))),
    "filter": (lambda: numbers().filter(lambda x: x % 2 == 0), UNKNOWN, [0, 2, 4, 6, 8]),
    "batch": (lambda: numbers().batch(4), 3, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]),
    "batch without rest": (lambda: numbers().batch(4, drop_remainder=True), 2, [[0, 1, 2, 3], [4, 5, 6, 7]]),
    "unbatch": (lambda: numbers().batch(4).unbatch(), UNKNOWN, list(range(10))),
    "take": (lambda: numbers().take(3), 3, [0, 1, 2]),
    "take more": (lambda: numbers(3).take(9), 3, [0, 1, 2]),
    "take all": (lambda: numbers(3).take(-1), 3, [0, 1, 2]),
    "take none": (lambda: numbers().take(0), 0, []),
    "take of endless": (lambda: endless().take(4), 4, [0, 1, 2, 0]),
    "take of unknown": (lambda: unknown().take(2), UNKNOWN, [0, 1]),
    "skip": (lambda: numbers().skip(8), 2, [8, 9]),
    "skip more": (lambda: numbers().skip(12), 0, []),
    "skip all": (lambda: numbers().skip(-1), 0, []),
    "cache": (lambda: numbers(3).cache(), 3, [0, 1, 2]),
    "prefetch": (lambda: numbers().prefetch(2), 10, list(range(10))),
    "prefetch some": (lambda: numbers().prefetch(AUTOTUNE), 10, list(range(10))),
    "prefetch none": (lambda: numbers().prefetch(0), 10, list(range(10))),
    "repeat": (lambda: numbers(3).repeat(3), 9, [0, 1, 2] * 3),
    "repeat once": (lambda: numbers(3).repeat(1), 3, [0, 1, 2]),
    "repeat never": (lambda: numbers(3).repeat(0), 0, []),
    "repeat unknown": (lambda: unknown(2).repeat(2), UNKNOWN, [0, 1, 0, 1]),
    "repeat nothing": (lambda: numbers(3).take(0).repeat(), 0, []),
    "repeat nothing unknown": (lambda: unknown(0).repeat().take(5), 5, []),
    "concatenate": (lambda: numbers(3).concatenate(numbers(2)), 5, [0, 1, 2, 0, 1]),
    "concatenate unknown": (lambda: unknown(2).concatenate(numbers(2)), UNKNOWN, [0, 1, 0, 1]),
    "generator": (lambda: unknown(3), UNKNOWN, [0, 1, 2]),
    "generator with arguments": (lambda: Dataset.from_generator(range, (2, 5)), UNKNOWN, [2, 3, 4]),
    "shuffle": (lambda: numbers().shuffle(1, seed=0), 10, list(range(10))),
    "zip": (lambda: Dataset.zip(numbers(3), endless()).map(lambda a, b: a * 10 + b), 3, [0, 11, 22]),
    "zip of unknown": (lambda: Dataset.zip((numbers(3), unknown())).map(lambda a, b: a * 10 + b), UNKNOWN, [0, 11, 22]),
    "enumerate": (lambda: numbers(3).enumerate(5).map(lambda i, x: i * 10 + x), 3, [50, 61, 72]),
    "long": (
        lambda: numbers().shuffle(1).map(lambda x: x + 1, 2).batch(2).prefetch(2).skip(1).take(2).cache(),
        2,
        [[3, 4], [5, 6]],
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_elements_count_and_second_pass(name):
    make, count, expected = CHAINS[name]
    dataset = make()
    assert dataset.cardinality() == count
    assert values(dataset) == expected
    assert values(dataset) == expected
    if count >= 0:
        assert len(dataset) == count
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("striate-")]


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("start", [0, 1, 2, 5, 20])
def test_a_pass_can_begin_in_the_middle(name, start):
    make, _, expected = CHAINS[name]
    assert [element.tolist() for element in make().epoch(0, start)] == expected[start:]


def test_what_is_left_out_is_not_mapped():
    seen = []
    dataset = numbers().shuffle(10, seed=1).map(lambda x: seen.append(int(x)) or x).batch(2).prefetch(1)
    assert len(list(dataset.epoch(0, start=4))) == 1
    assert len(seen) == 2


def test_endless():
    dataset = endless()
    assert dataset.cardinality() == INFINITE
    assert [int(x) for x in itertools.islice(dataset, 7)] == [0, 1, 2, 0, 1, 2, 0]
    for chain in (
        dataset.map(abs),
        dataset.batch(2),
        dataset.skip(1),
        dataset.prefetch(1),
        dataset.concatenate(numbers()),
    ):
        assert chain.cardinality() == INFINITE
    assert Dataset.zip(dataset, dataset).cardinality() == INFINITE


@pytest.mark.parametrize(("dataset", "text"), [(endless(), "an endless dataset"), (unknown(), "a dataset of unknown")])
def test_a_length_that_nobody_knows(dataset, text):
    with pytest.raises(UserError, match=rf"len got {text}.*; it needs a known length\. Ask cardinality"):
        len(dataset)
    with pytest.raises(TypeError):
        len(dataset)
    assert dataset
    assert repr(dataset) in ("<Dataset of endless length>", "<Dataset of unknown length>")


def test_elements_may_be_tuples_and_dicts():
    slices = {"a": np.zeros((4, 2)), "b": ([1, 2, 3, 4], ["p", "q", "r", "s"])}
    first = next(iter(Dataset.from_tensor_slices(slices)))
    assert first["a"].dtype == torch.float32
    assert (first["b"][0].item(), first["b"][1]) == (1, "p")
    batch = next(iter(Dataset.from_tensor_slices(slices).batch(3)))
    assert batch["a"].shape == (3, 2)
    assert batch["b"][1] == ["p", "q", "r"]
    again = list(Dataset.from_tensor_slices(slices).batch(3).unbatch())
    assert [element["b"][1] for element in again] == ["p", "q", "r", "s"]


def test_functions_get_the_tuple_unpacked():
    pairs = Dataset.from_tensor_slices(([1, 2, 3], [10, 20, 30]))
    assert values(pairs.map(lambda x, y: x + y)) == [11, 22, 33]
    assert [x.tolist() for x, _ in pairs.filter(lambda x, y: y > 10)] == [2, 3]
    wrapped = Dataset.from_tensor_slices({"x": [1, 2]})
    assert values(wrapped.map(lambda element: element["x"])) == [1, 2]


@pytest.mark.parametrize("result", [5, 5.0, True, np.float32(5), np.ones(3), [1, 2], (1, [2.0]), "text", {"a": 1}])
def test_functions_may_return_what_becomes_tensors(result):
    element = next(iter(numbers(1).map(lambda x: result)))
    leaf = element[1] if isinstance(element, tuple) else element["a"] if isinstance(element, dict) else element
    assert isinstance(leaf, str if isinstance(result, str) else torch.Tensor)


def test_a_stop_iteration_in_a_function_is_no_end():
    with pytest.raises(RuntimeError):
        list(numbers().map(lambda x: next(iter([]))))


def test_shuffle_draws_from_seed_and_pass():
    first, second = values(dataset := numbers(50).shuffle(50, seed=3)), values(dataset)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    again = numbers(50).shuffle(50, seed=3)
    assert [values(again), values(again)] == [first, second]
    assert [element.tolist() for element in dataset.epoch(1)] == second
    fixed = numbers(50).shuffle(50, seed=3, reshuffle_each_iteration=False)
    assert values(fixed) == values(fixed) == first


def test_shuffle_without_a_seed_follows_torchs():
    def orders(seed):
        torch.manual_seed(seed)
        state = torch.random.get_rng_state()
        result = values(numbers(30).shuffle(30)), values(numbers(30).shuffle(30))
        assert torch.equal(torch.random.get_rng_state(), state)
        return result

    first, second = orders(1)
    assert first != second
    assert orders(2)[0] != first


def test_repetitions_are_shuffled_anew():
    dataset = numbers(20).shuffle(20, seed=1).repeat(2)
    seen = values(dataset) + values(dataset)
    orders = [tuple(seen[start : start + 20]) for start in range(0, 80, 20)]
    assert len(set(orders)) == 4
    assert all(sorted(order) == list(range(20)) for order in orders)


def test_cache_keeps_a_whole_pass_only():
    calls = []
    dataset = numbers(5).map(lambda x: calls.append(int(x)) or x).cache()
    list(itertools.islice(dataset, 3))
    assert values(dataset) == values(dataset) == list(range(5))
    assert calls == [0, 1, 2, 0, 1, 2, 3, 4]


def test_cache_after_shuffle_keeps_the_order():
    dataset = numbers(20).shuffle(20, seed=1).cache()
    assert values(dataset) == values(dataset)
    assert values(dataset.shuffle(20, seed=1)) != values(dataset)


def test_errors_pass_through_prefetch():
    def broken(x):
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(numbers().map(broken, AUTOTUNE).batch(2).prefetch(2))


def test_threads_end_when_the_consumer_stops():
    for element in endless().map(lambda x: x, AUTOTUNE).batch(2).prefetch(3):
        if int(element[0]) >= 0:
            break
    del element
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("striate-")]


def test_names_and_files_are_carried_along():
    dataset = numbers(4)
    dataset.class_names, dataset.file_paths = ["cat", "dog"], ["a", "b", "c", "d"]
    same = dataset.shuffle(4).map(abs).batch(2).cache().prefetch(1).take(-1)
    assert same.class_names == ["cat", "dog"]
    assert same.file_paths == ["a", "b", "c", "d"]
    for other in (dataset.take(2), dataset.skip(1), dataset.filter(bool), dataset.repeat()):
        assert other.class_names == ["cat", "dog"]
        assert other.file_paths is None
    joined = dataset.concatenate(dataset)
    assert joined.file_paths == ["a", "b", "c", "d"] * 2
    assert dataset.concatenate(numbers()).class_names is None
    assert Dataset.zip(dataset, dataset).class_names is None


def test_numpy_iterator():
    (x, name), *_ = Dataset.from_tensor_slices(([1, 2], ["a", "b"])).as_numpy_iterator()
    assert isinstance(x, np.ndarray)
    assert name == "a"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: numbers().batch(0), r"Dataset.batch got batch_size=0; it needs a whole number of at least 1"),
        (lambda: numbers().take(-2), r"Dataset.take got count=-2; it needs a whole number of at least -1"),
        (lambda: numbers().skip(1.5), r"Dataset.skip got count=1.5"),
        (lambda: numbers().repeat("x"), r"Dataset.repeat got count='x'"),
        (lambda: numbers().shuffle(0), r"Dataset.shuffle got buffer_size=0"),
        (lambda: numbers().prefetch(-2), r"Dataset.prefetch got buffer_size=-2"),
        (lambda: numbers().map(abs, 0), r"Dataset.map got num_parallel_calls=0"),
        (lambda: numbers().enumerate(-1), r"Dataset.enumerate got start=-1"),
        (lambda: Dataset.from_generator(iter([1])), r"from_generator got a list_iterator; it needs a function"),
        (lambda: Dataset.zip(numbers(), [1]), r"Dataset.zip got a list; it needs datasets"),
        (lambda: Dataset.zip(), r"Dataset.zip got nothing; it needs at least one dataset"),
        (lambda: Dataset.from_tensor_slices(5), r"from_tensor_slices got a single number or text"),
        (lambda: Dataset.from_tensor_slices("abc"), r"from_tensor_slices got a single number or text"),
        (lambda: Dataset.from_tensor_slices(()), r"from_tensor_slices got nothing to cut"),
        (lambda: Dataset.from_tensor_slices(([1, 2], [1])), r"from_tensor_slices got parts of 2, 1; .* one length"),
        (lambda: Dataset.from_tensor_slices({1, 2}), r"an element of type set"),
        (lambda: list(unknown().unbatch()), r"Dataset.unbatch got a single number or text"),
        (
            lambda: list(Dataset.from_generator(lambda: iter([np.zeros(2), np.zeros(3)])).batch(2)),
            r"Dataset.batch got elements of shapes \[\(2,\), \(3,\)\]; it needs one shape\. Resize or pad",
        ),
        (
            lambda: list(Dataset.from_generator(lambda: iter([(1, 2), (1,)])).batch(2)),
            r"Dataset.batch got elements that differ in structure",
        ),
    ],
)
def test_refusals(make, text):
    with pytest.raises(UserError, match=text):
        make()


def test_caching_in_a_file_is_refused():
    with pytest.raises(UnsupportedError, match=r"Dataset.cache got filename='x'; it needs no file name"):
        numbers().cache("x")


SHUFFLED = {
    "shuffle": lambda: numbers(30).shuffle(30),
    "shuffle twice": lambda: numbers(30).shuffle(5).map(abs).shuffle(5),
    "batches": lambda: numbers(30).shuffle(30).batch(1).prefetch(2).unbatch(),
    "repeat": lambda: numbers(10).shuffle(10).repeat(3),
    "endless": lambda: numbers(10).shuffle(10).repeat().take(30),
    "concatenate": lambda: numbers(15).shuffle(15).concatenate(numbers(15).shuffle(15)),
    "zip": lambda: Dataset.zip(numbers(30).shuffle(30), numbers(30).shuffle(30)).map(lambda a, b: a * 100 + b),
}


@pytest.mark.parametrize("name", SHUFFLED)
def test_shuffles_without_a_seed_follow_that_of_the_epoch(name):
    """Also where the chain is built anew in the same process, as a training that is begun again does."""

    def order(number, seed, start=0):
        return [int(element) for element in SHUFFLED[name]().epoch(number, start, seed)]

    assert order(1, 5) == order(1, 5)
    assert order(1, 5, 12) == order(1, 5)[12:]
    assert len({tuple(order(number, seed)) for number in range(3) for seed in range(3)}) == 9
    assert order(1, None) != order(1, None)


def test_shuffles_of_one_chain_differ():
    pairs = list(Dataset.zip(numbers(30).shuffle(30), numbers(30).shuffle(30)).epoch(0, 0, 5))
    assert [int(a) for a, _ in pairs] != [int(b) for _, b in pairs]
    both = [int(element) for element in numbers(15).shuffle(15).concatenate(numbers(15).shuffle(15)).epoch(0, 0, 5)]
    assert both[:15] != both[15:]


def test_a_shuffle_with_a_seed_keeps_it():
    dataset = numbers(30).shuffle(30, seed=1)
    assert list(dataset.epoch(1, 0, 5)) == list(dataset.epoch(1))


@pytest.mark.parametrize(
    "lasting",
    [lambda: numbers(30).shuffle(30, reshuffle_each_iteration=False), lambda: numbers(30).shuffle(30).cache()],
)
def test_parts_of_a_lasting_order_do_not_overlap(lasting):
    """Training and validation cut from one shuffled dataset are read with different seeds."""
    whole = lasting()
    validation = {int(element) for element in whole.take(10).epoch(0)}
    training = {int(element) for element in whole.skip(10).epoch(3, 0, 5)}
    assert training | validation == set(range(30))
