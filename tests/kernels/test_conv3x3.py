"""Winograd's convolution is a convolution, for every size and instruction set."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import LANES, LAYOUTS, check, check_falls_back, normal, whole

from striate.kernels import conv3x3 as module
from striate.kernels.conv3x3 import conv3x3

FLAG = st.booleans()
SIDE = st.tuples(st.integers(0, 2), st.integers(0, 2))


@pytest.fixture(autouse=True)
def _whatever_it_gains(monkeypatch):
    monkeypatch.setattr(module, "FEWEST_CHANNELS", 1)
    monkeypatch.setattr(module, "FEWEST_TILES", {True: 1, False: 1})


def arguments(items, height, width, channels, filters, sides, bias=True, relu=False, values=whole):
    """Pictures of that many cells with their zeros; at least the window's three."""
    sizes = [max(cells - sum(side), 1, 3 - sum(side)) for cells, side in zip((height, width), sides, strict=True)]
    x, kernel = values(items, *sizes, channels), values(3, 3, channels, filters)
    return x, kernel, values(filters) if bias else None, sides, relu


def compare(values, **options):
    frozen = options.get("frozen", ())
    functions = ["winograd", *(["winograd_backward"] if 1 not in frozen else [])]
    check(conv3x3, values, functions=functions, **options)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 3), st.integers(3, 9), st.integers(3, 9)),
    st.sampled_from(LANES),
    st.sampled_from([*LANES, 65]),
    st.tuples(SIDE, SIDE),
    FLAG,
    FLAG,
    FLAG,
)
def test_any_size(sizes, channels, filters, sides, bias, relu, second):
    compare(arguments(*sizes, channels, filters, sides, bias, relu), second=second)


@pytest.mark.parametrize(("channels", "filters"), [(33, 65), (150, 16), (16, 150)])
def test_rounding(channels, filters):
    """Transforms add a few numbers each; what products sum up is longer. 140 tiles: more than are done at a time."""
    values = arguments(2, 21, 14, channels, filters, ((1, 1), (1, 1)), values=normal)
    compare(values, depth=4 * max(channels, 2 * 21 * 14 / 4))


@pytest.mark.parametrize(("height", "width"), [(3, 3), (5, 6), (33, 31)])
def test_many_weights_for_any_few_tiles(height, width):
    """Threads share out the places of a tile then, 128 filters at a time, and for more than 1,024 tiles the tiles."""
    for items in (1, 5):
        compare(arguments(items, height, width, 140, 270, ((1, 1), (0, 2)), relu=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(layout, second):
    compare(arguments(2, 5, 6, 5, 9, ((1, 1), (1, 1)), relu=True), layout=layout, second=second)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (1, 2), (0, 1), (0, 2), (0, 1, 2)])
def test_gradients_that_nobody_asks_for(frozen):
    compare(arguments(2, 5, 6, 5, 9, ((1, 1), (1, 1)), relu=True), frozen=frozen)


def test_a_number_that_is_none_makes_its_tile_none():
    x, kernel, _, sides, _ = arguments(1, 8, 8, 3, 4, ((1, 1), (1, 1)))
    x[0, 3, 3, 1] = float("nan")
    y = conv3x3(x, kernel, None, sides)
    assert y[0, 2:5, 2:5].isnan().all(), "as in any convolution"
    assert y[0, 6:].isfinite().all()
    assert y[0, :, 6:].isfinite().all()


@pytest.mark.parametrize(
    ("x", "kernel", "bias", "sides"),
    [
        ((0, 6, 6, 3), (3, 3, 3, 8), None, ((1, 1), (1, 1))),
        ((1, 6, 6, 3), (5, 5, 3, 8), None, ((0, 0), (0, 0))),
        ((1, 6, 6, 3), (3, 3, 2, 8), None, ((1, 1), (1, 1))),
        ((1, 2, 6, 3), (3, 3, 3, 8), None, ((0, 0), (0, 0))),
        ((1, 6, 6, 3), (3, 3, 3, 8), (7,), ((1, 1), (1, 1))),
    ],
)
def test_what_it_leaves_to_torch(x, kernel, bias, sides):
    values = (whole(*x), whole(*kernel), None if bias is None else whole(*bias), sides)
    check_falls_back(conv3x3, values)


@pytest.mark.parametrize(
    ("channels", "size", "trained"), [(31, 32, True), (32, 15, True), (32, 16, True), (32, 31, False)]
)
def test_it_is_left_alone_where_it_gains_nothing(monkeypatch, channels, size, trained):
    monkeypatch.undo()
    x, kernel = torch.zeros(1, size, size, channels), torch.zeros(3, 3, channels, 32, requires_grad=trained)
    expected = channels >= 32 and ((size + 1) // 2) ** 2 >= (64 if trained else 256)
    assert module.can_conv3x3(x, kernel, None, ((1, 1), (1, 1))) == expected
