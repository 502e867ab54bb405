import random

import keras
import numpy as np
import pytest
import torch

from striate import utils
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Dense


@pytest.mark.parametrize("num_classes", [None, 4])
@pytest.mark.parametrize("x", [[0, 2, 1], [[0], [2]], [[0, 1], [2, 0]], np.float32([1, 0]), [True, False]], ids=str)
def test_to_categorical_agrees_with_keras(x, num_classes):
    ours = utils.to_categorical(x, num_classes)
    keras_rows = keras.utils.to_categorical(x, num_classes)
    assert ours.dtype == keras_rows.dtype
    np.testing.assert_array_equal(ours, keras_rows)


def test_to_categorical_takes_tensors():
    np.testing.assert_array_equal(utils.to_categorical(torch.tensor([1, 0])), [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("x", "num_classes", "text"),
    [
        ([0, -1], None, r"got .*-1.* in x; it needs class numbers, whole and from 0"),
        ([0.5], None, r"got .*0\.5.* in x; it needs class numbers"),
        ([float("nan")], None, r"got .*nan.* in x; it needs class numbers"),
        (["cat"], None, r"got x of dtype <U3; it needs numbers"),
        ([], None, r"got an empty x; it needs class numbers"),
        ([0, 5], 3, r"got class 5 with num_classes=3; it needs classes from 0 to 2. Pass num_classes=6."),
        ([0], 0, r"got num_classes=0; it needs a whole number of at least 1"),
    ],
)
def test_to_categorical_refuses(x, num_classes, text):
    with pytest.raises(UserError, match=text):
        utils.to_categorical(x, num_classes)


def test_set_random_seed_starts_every_generator():
    def draws():
        utils.set_random_seed(3)
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    assert draws() == draws()


@pytest.mark.parametrize("seed", [-1, 1.5, 2**32])
def test_set_random_seed_refuses(seed):
    with pytest.raises(UserError, match="set_random_seed got seed="):
        utils.set_random_seed(seed)


def test_clear_session_counts_names_anew():
    utils.clear_session()
    assert [Dense(1).name, Dense(1).name] == ["dense", "dense_1"]
    utils.clear_session()
    assert Dense(1).name == "dense"


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("x", [[[3.0, 4.0], [0.0, 0.0]], [[1.0, 2.0]], [[[1, 2], [3, 4]]]], ids=str)
def test_normalize_agrees_with_keras(x, order, axis):
    ours, theirs = (module.normalize(np.array(x), axis, order) for module in (utils, keras.utils))
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-6)


def test_normalize_along_the_first_axis():  # where Keras divides along the last one
    rows = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(utils.normalize(rows, axis=0), utils.normalize(rows.T).T)


def test_get_file_is_refused_with_the_reason():
    with pytest.raises(UnsupportedError, match=r"striate never uses the network. Download the file yourself"):
        utils.get_file("mnist.npz", origin="https://example.org/mnist.npz")
