"""Reshape, Permute and RepeatVector: what they refuse, and whole numbers. Outputs are in the oracle's table."""

from typing import Any

import pytest
import torch

from striate.foundation.checks import UserError
from striate.layers import Input, Permute, RepeatVector, Reshape
from striate.layers.symbol import ShapeError


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Reshape((2, -2)), r"Reshape '\w+' got target_shape=\(2, -2\); it needs whole numbers of at least 1"),
        (lambda: Reshape((-1, -1)), r"target_shape=\(-1, -1\); it needs whole numbers of at least 1, of which one may"),
        (lambda: Reshape((2.0, 3)), r"target_shape=\(2.0, 3\); it needs whole numbers"),
        (lambda: Reshape(6), r"target_shape=6; it needs whole numbers .* Pass for example \(-1, 3\)\."),
        (lambda: Reshape((0, 3)), r"target_shape=\(0, 3\); it needs whole numbers of at least 1"),
        (lambda: Permute((0, 1)), r"Permute '\w+' got dims=\(0, 1\); it needs the numbers of the axes from 1, each on"),
        (lambda: Permute((1, 3)), r"dims=\(1, 3\); it needs the numbers of the axes from 1, each once"),
        (lambda: Permute((1, 1)), r"dims=\(1, 1\); .* Pass for example \(2, 1\) to swap two axes\."),
        (lambda: Permute(1), r"dims=1; it needs the numbers of the axes from 1"),
        (lambda: RepeatVector(0), r"RepeatVector '\w+' got n=0; it needs a whole number of at least 1"),
        (lambda: RepeatVector(1.5), r"n=1.5; it needs a whole number of at least 1"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (Reshape((3, 5), name="r"), (None, 4, 4),
         r"^Reshape 'r' got shape \(None, 4, 4\); it needs 15 numbers for each item, to make \(3, 5\) of; these are 1"),
        (Reshape((3, -1), name="r"), (None, 4, 4), r"it needs a multiple of 3 numbers for each item, .* these are 16"),
        (Reshape((3, -1), name="r"), [(2, 3), (2, 3)], r"it needs \(N, ...\)\. Pass one array with a batch axis\."),
        (Permute((2, 1), name="p"), (None, 4), r"^Permute 'p' got .*; it needs 3 axes, N and those of dims=\(2, 1\)"),
        (RepeatVector(2, name="v"), (None, 4, 4), r"^RepeatVector 'v' got shape \(None, 4, 4\); it needs \(N, F\)\."),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(layer: Any, shape: Any, text: str):
    with pytest.raises(ShapeError, match=text):
        layer.compute_output_shape(shape)


def test_the_size_of_an_array_is_checked_where_the_symbol_left_it_open():
    layer = Reshape((2, 2), name="r")
    assert layer(Input((None,))).shape == (None, 2, 2)
    with pytest.raises(ShapeError, match=r"^Reshape 'r' got shape \(1, 5\); it needs 4 numbers for each item"):
        layer(torch.ones(1, 5))


@pytest.mark.parametrize(
    "layer", [Reshape((2, 2)), Permute((1,)), RepeatVector(2)], ids=lambda layer: type(layer).__name__
)
def test_whole_numbers_stay_whole(layer: Any):
    assert layer(torch.ones(3, 4, dtype=torch.int32)).dtype == torch.int32
    assert layer(Input((4,), dtype="int32")).dtype == "int32"


def test_repeated_rows_do_not_share_memory():
    y = RepeatVector(2)(torch.ones(1, 3))
    y[0, 0] = 5
    assert y[0, 1].tolist() == [1, 1, 1]


def test_no_items_are_no_problem():
    assert Reshape((-1, 2))(torch.ones(0, 6)).shape == (0, 3, 2)
