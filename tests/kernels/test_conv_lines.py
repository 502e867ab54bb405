"""Toom's and Cook's convolution is a convolution, for every size and instruction set."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import LANES, LAYOUTS, check, check_falls_back, normal, whole

from striate.kernels import conv_lines as module
from striate.kernels.conv_lines import conv_lines

FLAG = st.booleans()
SIDE = st.tuples(st.integers(0, 2), st.integers(0, 2))
# Transforms divide and multiply by numbers up to 30: what they round is more than the sums do.
ROUNDING = 64


@pytest.fixture(autouse=True)
def _whatever_it_gains(monkeypatch):
    monkeypatch.setattr(module, "FEWEST_CHANNELS", 1)
    monkeypatch.setattr(module, "FEWEST_CELLS", 1)
    monkeypatch.setattr(module, "FEWEST_TOGETHER", 1)
    monkeypatch.setattr(module, "GAIN", 0)


def arguments(items, cells, channels, filters, window, sides, bias=True, relu=False):
    """Arrays that give so many cells; sides are cut to what a window can have outside."""
    sides = tuple((min(a, size - 1), min(b, size - 1)) for (a, b), size in zip(sides, window, strict=True))
    inside = [max(n + size - 1 - sum(side), 1) for n, size, side in zip(cells, window, sides, strict=True)]
    x, kernel = normal(items, *inside, channels), normal(*window, channels, filters)
    return x, kernel, normal(filters) if bias else None, sides, relu


def compare(values, **options):
    frozen = options.get("frozen", ())
    functions = ["conv_lines", *(["conv_lines_backward"] if 1 not in frozen else [])]
    check(conv_lines, values, **{"depth": ROUNDING, "functions": functions} | options)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 14)),
    st.sampled_from(LANES),
    st.sampled_from([*LANES, 65]),
    st.integers(3, 13),
    st.tuples(st.integers(0, 12), st.integers(0, 12)),
    FLAG,
    FLAG,
)
def test_series_of_any_size(sizes, channels, filters, window, sides, bias, second):
    items, steps = sizes
    compare(arguments(items, (steps,), channels, filters, (window,), (sides,), bias), second=second)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3), SIDE), min_size=1, max_size=2),
    st.tuples(st.integers(1, 9), st.integers(3, 6), SIDE),
    st.integers(1, 2),
    st.sampled_from([1, 4, 9, 17]),
    st.sampled_from([1, 4, 9, 17]),
    FLAG,
)
def test_pictures_and_volumes_of_any_size(outer, last, items, channels, filters, second):
    cells, window, sides = zip(*outer, last, strict=True)
    compare(arguments(items, cells, channels, filters, window, sides), second=second)


@pytest.mark.parametrize("window", [3, 4, 5, 8, 17])
@pytest.mark.parametrize("second", [False, True])
def test_with_relu(window, second):
    """Sums of whole numbers and a half: none is so near to zero that rounding carries it over."""
    x, kernel = whole(2, 21, 5), whole(window, 5, 9)
    bias = torch.full((9,), 0.5)
    compare((x, kernel, bias, ((window // 2, 1),), True), second=second, depth=2 * ROUNDING)


@pytest.mark.parametrize(("channels", "filters"), [(33, 65), (150, 16), (16, 150)])
@pytest.mark.parametrize("window", [3, 5, 9])
def test_more_tiles_than_are_done_at_a_time(channels, filters, window):
    compare(arguments(3, (400,), channels, filters, (window,), ((1, 1),)))


def test_more_lines_or_planes_than_are_done_at_a_time():
    for cells in ((2, 43, 11), (41, 3, 6)):
        compare(arguments(1, cells, 33, 65, (2, 3, 3), ((0, 1), (1, 1), (1, 1))))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(layout, second):
    compare(arguments(2, (3, 11), 5, 9, (2, 6), ((1, 0), (3, 2))), layout=layout, second=second)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (1, 2), (0, 1), (0, 2), (0, 1, 2)])
def test_gradients_that_nobody_asks_for(frozen):
    compare(arguments(2, (11,), 5, 9, (5,), ((2, 2),)), frozen=frozen)


@pytest.mark.parametrize("window", [3, 5, 6])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_makes_its_tiles_none(window, number):
    x, kernel = normal(2, 40, 3), normal(window, 3, 4)
    x[0, 13, 1] = number
    y = conv_lines(x, kernel, None, ((window - 1, 0),))
    assert not y[0, 13 : 13 + window].isfinite().any(), "as in any convolution"
    assert y[0, :8].isfinite().all()
    assert y[0, 13 + window + 4 :].isfinite().all()
    assert y[1].isfinite().all()


@pytest.mark.parametrize(
    ("x", "kernel", "bias", "sides"),
    [
        ((0, 6, 3), (3, 3, 8), None, ((1, 1),)),
        ((1, 6, 3), (2, 3, 8), None, ((0, 0),)),
        ((1, 6, 3), (3, 2, 8), None, ((1, 1),)),
        ((1, 2, 3), (3, 3, 8), None, ((0, 0),)),
        ((1, 6, 3), (3, 3, 8), None, ((0, 3),)),
        ((1, 6, 3), (3, 3, 8), (7,), ((1, 1),)),
        ((1, 6, 6, 3), (1, 3, 3, 8), None, ((1, 0), (1, 1))),
    ],
)
def test_what_it_leaves_to_torch(x, kernel, bias, sides):
    values = (normal(*x), normal(*kernel), None if bias is None else normal(*bias), sides)
    check_falls_back(conv_lines, values)


@pytest.mark.parametrize(
    ("channels", "cells", "gains"),
    [
        *[(15, (512,), False), (16, (512,), True), (32, (512,), True)],
        *[(32, (511,), False), (32, (11, 12, 4), True), (32, (11, 10, 5), False)],
    ],
)
def test_it_is_left_alone_where_it_gains_nothing(monkeypatch, channels, cells, gains):
    monkeypatch.undo()
    x = torch.zeros(1, *cells, channels)
    for filters in (16, 32):
        kernel = torch.zeros(*[3] * len(cells), channels, filters)
        expected = gains and channels + filters >= 48
        assert module.can_conv_lines(x, kernel, None, ((1, 1),) * len(cells)) == expected
