"""Calls on inputs like the one before skip what found nothing to do then; what differs is seen to all the same."""

import copy

import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.layers import Add, BatchNormalization, Conv2D, Dense, Dropout, Layer, MaxPooling2D, ReLU
from striate.layers.likeness import likeness
from striate.layers.masks import mask_of, put_mask

X = torch.linspace(-1, 1, 2 * 4 * 4 * 3).reshape(2, 4, 4, 3)


def used(layer: Layer, x: object = X) -> Layer:
    """The layer after two calls on one input, so that a third can be like them."""
    layer(x)
    layer(x)
    return layer


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (X.to_sparse(), r"got a tensor of sparse_coo; it needs real numbers in a dense tensor"),
        (X.to(torch.complex64), r"got a tensor of complex64; it needs real numbers"),
        (torch.zeros(2, 4, 4, 5), r"got shape \(2, 4, 4, 5\); it needs 3 channels on the last axis"),
        (torch.zeros(2, 4, 3), r"got shape \(2, 4, 3\); it needs \(N, H, W, C\)"),
        (np.full((2, 4, 4, 3), "word"), r"got an array of dtype object; it needs numbers"),
        ([X, X], r"got shape \[\[?\(2, 4, 4, 3\)"),
    ],
)
def test_what_is_refused_at_first_is_refused_later(x: object, text: str):
    with pytest.raises(UserError, match=text):
        used(Conv2D(2, 3))(x)


def test_merged_inputs_are_looked_at_one_by_one():
    layer = used(Add(), [X, X])
    with pytest.raises(UserError, match="inputs of equal shape"):
        layer([X, X[:, :, :3]])
    with pytest.raises(UserError, match="a list of inputs"):
        layer(X)
    torch.testing.assert_close(layer([X, X, X]), 3 * X)


def test_a_mask_comes_through_and_is_forgotten():
    layer, row = used(ReLU(), X[0, 0]), X[0, 0]
    masked = row.clone()
    put_mask(masked, torch.tensor([True, False, True, True]))
    assert mask_of(layer(masked)) is mask_of(masked)
    assert mask_of(layer(row)) is None
    merge = used(Add(), [row, row])
    assert mask_of(merge([masked, masked])).tolist() == [True, False, True, True]
    layer, pictures = used(MaxPooling2D()), X.clone()
    put_mask(pictures, torch.ones(2, 4, dtype=torch.bool))
    with pytest.warns(UserWarning, match="neither uses it nor hands it on"):
        layer(pictures)


@pytest.mark.parametrize("make", [lambda: Dense(2), lambda: BatchNormalization(), lambda: ReLU()])
def test_dtypes_follow_what_happened_in_between(make):
    layer = used(make())
    assert layer.double()(X).dtype == torch.float64
    assert used(layer, X.double())(X).dtype == torch.float64
    assert used(layer.float())(X.double()).dtype == torch.float32
    used(layer).set_policy("mixed_bfloat16")
    assert layer(X).dtype == torch.bfloat16


def test_whole_numbers_become_floats_each_time():
    whole = torch.ones(2, 3, dtype=torch.int32)
    assert used(Dense(2), whole)(whole).dtype == torch.float32
    assert used(ReLU(), whole)(whole).dtype == torch.int32  # as Keras's


def test_autocast_is_asked_each_time():
    layer = used(Dense(2))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(X).dtype == torch.bfloat16
    assert layer(X).dtype == torch.float32


def test_what_a_call_says_about_training_counts_once():
    layer = used(Dropout(0.5))
    assert (layer(torch.ones(50, 50), training=True) == 0).any()
    torch.testing.assert_close(layer(X), X)
    assert not layer.training


class Own(Layer):
    """A layer whose `call` wants to hear of training."""

    def call(self, x: torch.Tensor, training: bool = False) -> torch.Tensor:
        return x + 1 if training else x


def test_layers_of_ones_own_hear_of_training_each_time():
    layer = used(Own())
    layer.train()
    torch.testing.assert_close(layer(X), X + 1)
    torch.testing.assert_close(layer.eval()(X), X)


def test_copies_work_on():
    layer = used(Dense(2))
    other = copy.deepcopy(layer)
    torch.testing.assert_close(other(X), layer(X))


def test_likeness_is_of_shape_dtype_and_layout():
    kinds = [X, X[:1], X.double(), X.to_sparse()]
    assert all((likeness(one) == likeness(two)) == (one is two) for one in kinds for two in kinds)
    assert likeness(X.numpy()) is None
