"""The max-pooling kernel is its definition, for every window, size and instruction set."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kernel_check import LANES, LAYOUTS, check, check_falls_back, normal, running, whole

from striate.kernels.library import units
from striate.kernels.pooling import max_pool
from striate.kernels.reference import Pool

ODD = torch.tensor([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, float("inf"), float("-inf"), float("nan")])
FLAG = st.booleans()
HALVES = Pool((2, 2), (2, 2))


@st.composite
def pools(draw, sides=True, axes=2):
    size = draw(st.tuples(*[st.integers(1, 3)] * axes))
    strides = draw(st.tuples(*[st.integers(1, 4)] * axes))
    side = st.tuples(*[st.integers(0, k - 1) for k in size]) if sides else st.just((0,) * axes)
    return Pool(size, strides, draw(side), draw(side))


def odd(*shape, seed=0):
    """Zeros of both signs, the smallest numbers, infinities and NaN among a few others."""
    index = torch.randint(0, len(ODD), shape, generator=torch.Generator().manual_seed(seed))
    return ODD[index]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(pools(), st.integers(1, 3), st.integers(1, 7), st.integers(1, 7), st.sampled_from(LANES), FLAG, FLAG)
def test_any_window(pool, items, height, width, channels, relu, second):
    assume(min(pool.output_size(height, width)) > 0)
    check(max_pool, (whole(items, height, width, channels), pool, relu), second=second)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from([1, 3]), st.integers(1, 2), st.sampled_from(LANES), FLAG, FLAG)
def test_any_window_over_series_and_volumes(data, axes, items, channels, relu, second):
    pool = data.draw(pools(axes=axes))
    cells = data.draw(st.tuples(*[st.integers(1, 6)] * axes))
    assume(min(pool.output_size(*cells)) > 0)
    check(max_pool, (whole(items, *cells, channels), pool, relu), second=second)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(pools(sides=False), st.integers(3, 6), st.integers(3, 6), st.sampled_from(LANES), FLAG, st.integers(0, 99))
def test_numbers_out_of_the_ordinary(pool, height, width, channels, relu, seed):
    check(max_pool, (odd(2, height, width, channels, seed=seed), pool, relu))


@pytest.mark.parametrize("value", [float("-inf"), float("nan"), -0.0])
@pytest.mark.parametrize("unit", units())
def test_a_cell_outside_never_wins(value, unit):
    x = torch.full((1, 4, 4, 5), value, requires_grad=True)
    pool = Pool((2, 2), (2, 2), (1, 1), (1, 1))
    with running(unit):
        y = max_pool(x, pool)
        (found,) = torch.autograd.grad(y.sum(), x)
    with torch.enable_grad():
        theirs = F.max_pool2d(x.movedim(-1, 1), 2, 2, padding=1).movedim(1, -1)
        (expected,) = torch.autograd.grad(theirs.sum(), x)
    assert torch.equal(found, expected)
    torch.testing.assert_close(y, theirs, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("pool", [HALVES, Pool((3, 3), (2, 2), (1, 1), (1, 1)), Pool((16, 16), (16, 16))])
@pytest.mark.parametrize("relu", [False, True])
def test_large_arrays(pool, relu):
    check(max_pool, (normal(3, 34, 35, 20), pool, relu))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(layout, second):
    check(max_pool, (whole(2, 5, 6, 9), HALVES, True), layout=layout, second=second)


def test_no_gradient():
    check(max_pool, (whole(2, 5, 6, 9), HALVES, True), frozen=[0])


@pytest.mark.parametrize(
    ("shape", "pool"),
    [
        ((0, 4, 4, 3), HALVES),
        ((2, 4, 4, 0), HALVES),
        ((2, 1, 4, 3), HALVES),
        ((2, 40, 40, 3), Pool((17, 16), (1, 1))),
        ((1, 4, 4, 3), Pool((2, 2), (2, 2), (2, 2), (2, 2))),
    ],
)
def test_what_it_leaves_to_torch(shape, pool):
    check_falls_back(max_pool, (whole(*shape), pool))


def test_other_numbers_are_left_to_torch():
    check_falls_back(max_pool, (whole(1, 4, 4, 3).double(), HALVES))
