import keras
import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from striate import utils
from striate.data import Dataset
from striate.foundation.checks import UnsupportedError, UserError

X, Y = np.arange(22).reshape(11, 2), np.arange(11)


@pytest.mark.parametrize("sizes", [(0.8, None), (None, 0.25), (3, 8), (None, 5), (0.3, 0.7)])
def test_the_first_go_to_the_left(sizes):
    left, right = utils.split_dataset((X, Y), *sizes)
    theirs = [len(part) for part in keras.utils.split_dataset((X, Y), *sizes)]
    assert [len(left), len(right)] == theirs
    assert [int(y) for _, y in left] == list(range(theirs[0]))
    assert [int(y) for _, y in right] == list(range(theirs[0], sum(theirs)))


def test_what_neither_side_wants_is_left_out():
    left, right = utils.split_dataset((X, Y), 3, 4)
    assert [int(y) for part in (left, right) for _, y in part] == list(range(7))


def test_shuffled_parts_are_those_of_keras():
    dataset = TensorDataset(torch.tensor(X), torch.tensor(Y))
    ours, theirs = (
        module.split_dataset(dataset, left_size=0.7, shuffle=True, seed=5) for module in (utils, keras.utils)
    )
    assert [part.indices for part in ours] == [list(part.indices) for part in theirs]
    arrays = utils.split_dataset((X, Y), left_size=0.7, shuffle=True, seed=5)
    assert [int(y) for _, y in arrays[0]] == ours[0].indices


def test_one_array_gives_elements_without_tuples():
    left, _ = utils.split_dataset(X, left_size=1)
    assert next(iter(left)).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("data", "sizes", "text"),
    [
        (X, (None, None), "got neither left_size nor right_size"),
        (X, (11, None), "got left_size=11; it needs a whole number from 1 to 10, or a share"),
        (X, (1.5, None), "got left_size=1.5"),
        (X, (8, 8), "got 8 samples left and 8 right of 11"),
        (X, (0.001, None), "got 0 samples left and 11 right"),
        ({"x": X}, (0.5, None), "got a dict; it needs an array, a list"),
        ((X, Y[:4]), (0.5, None), "split_dataset got parts of 11, 4; it needs parts of one length"),
    ],
)
def test_refusals(data, sizes, text):
    with pytest.raises(UserError, match=text):
        utils.split_dataset(data, *sizes)


def test_what_is_not_supported():
    with pytest.raises(UnsupportedError, match=r"got a Dataset, .* Use dataset.take\(count\) and dataset.skip"):
        utils.split_dataset(Dataset.from_tensor_slices(X), 0.5)
    with pytest.raises(UnsupportedError, match="got preferred_backend='tensorflow'"):
        utils.split_dataset(X, 0.5, preferred_backend="tensorflow")
