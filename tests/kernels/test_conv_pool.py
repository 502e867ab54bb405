"""Convolution, ReLU and max-pooling in one kernel are their definition, for every size and instruction set."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import ENGINES, LANES, LAYOUTS, check, check_falls_back, normal, running, whole

from striate.kernels import reference
from striate.kernels.conv_pool import MOST_CHANNELS, conv_pool

FLAG = st.booleans()
PICTURE = [0]  # an input that needs no gradient
FROZEN = st.sampled_from([[], PICTURE])


def arguments(items, height, width, channels, filters, rows=3, columns=3, bias=True, values=whole):
    """The input just large enough for that many cells of output."""
    x = values(items, 2 * height + rows - 1, 2 * width + columns - 1, channels)
    return x, values(rows, columns, channels, filters), values(filters) if bias else None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.tuples(
        st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 2, 3, 4, 5, 8, 17, MOST_CHANNELS])
    ),
    st.sampled_from([*LANES, 48, 49]),
    st.integers(1, 4),
    st.integers(1, 8),
    FLAG,
    FROZEN,
    FLAG,
)
def test_any_size(sizes, filters, rows, columns, bias, frozen, second):
    check(conv_pool, arguments(*sizes, filters, rows, columns, bias), frozen=frozen, second=second)


@pytest.mark.parametrize("extra", [(1, 0), (0, 1), (1, 1)])
def test_a_last_row_or_column_that_no_window_takes(extra):
    x, kernel, bias = arguments(2, 3, 3, 3, 17)
    x = whole(2, x.shape[1] + extra[0], x.shape[2] + extra[1], 3)
    check(conv_pool, (x, kernel, bias))


@pytest.mark.parametrize("rows", [3, 5])
def test_rounding(rows):
    check(conv_pool, arguments(4, 9, 10, 3, 33, rows, rows, values=normal), depth=4 * 9 * 10)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(layout, second):
    check(conv_pool, arguments(2, 2, 3, 3, 9), layout=layout, second=second)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (1, 2), (0, 1), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("second", [False, True])
def test_gradients_that_nobody_asks_for(frozen, second):
    functions = ["conv_pool", "conv_pool_backward" if {1, 2} - {*frozen} else "max_pool_backward"]
    second = second and len(frozen) < 3
    check(conv_pool, arguments(2, 2, 3, 3, 9), frozen=frozen, second=second, functions=functions)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.0, 1e-45, 2.0**100])
@pytest.mark.parametrize("which", [1, 2])
def test_weights_out_of_the_ordinary(which, value):
    values = arguments(2, 2, 3, 3, 9)
    values[which].view(-1)[7] = value
    check(conv_pool, values, frozen=PICTURE, depth=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("unit", "threads"), ENGINES)
def test_pixels_that_are_no_numbers(value, unit, threads):
    """Torch multiplies them by the gradient of every pixel, 0 for those that lost; here only winners count."""
    x, kernel, bias = arguments(2, 2, 3, 3, 9)
    x[0, 2, 3, 1] = value
    kernel.requires_grad_()
    with running(unit, threads):
        y = conv_pool(x, kernel, bias)
        (found,) = torch.autograd.grad(y.sum(), kernel)
    theirs = reference.conv_pool(x, kernel, bias)
    (expected,) = torch.autograd.grad(theirs.sum(), kernel)
    torch.testing.assert_close(y, theirs, rtol=0, atol=0, equal_nan=True)
    assert bool((~found.isfinite()).any()) == bool((~y.isfinite()).any())
    finite = expected.isfinite()
    assert torch.equal(found[finite], expected[finite])


@pytest.mark.parametrize(
    ("x", "kernel", "bias"),
    [
        ((0, 6, 6, 3), (3, 3, 3, 8), None),
        ((1, 6, 6, MOST_CHANNELS + 1), (3, 3, MOST_CHANNELS + 1, 8), None),
        ((1, 6, 6, 3), (3, 3, 2, 8), None),
        ((1, 3, 6, 3), (3, 3, 3, 8), None),
        ((1, 2, 6, 3), (3, 3, 3, 8), None),
        ((1, 6, 6, 3), (3, 3, 3, 0), None),
        ((1, 6, 6, 3), (3, 3, 3, 8), (7,)),
        ((1, 6, 6, 3), (3, 3, 3, 8), (1,)),
    ],
)
def test_what_it_leaves_to_torch(x, kernel, bias):
    check_falls_back(conv_pool, (whole(*x), whole(*kernel), None if bias is None else whole(*bias)))
