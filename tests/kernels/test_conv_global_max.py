"""Convolution of a series and its greatest value in one kernel are their definition, for any size and processor."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import ENGINES, LANES, LAYOUTS, check, check_falls_back, normal, running, whole

from striate.kernels import reference
from striate.kernels.conv_global_max import conv_global_max

FLAG = st.booleans()
DEPTH = 10  # places that share the greatest value get a part of its gradient each, which may be no whole number


def arguments(items, length, channels, filters, k=3, bias=True, relu=True, values=whole):
    x, kernel = values(items, length + k - 1, channels), values(k, channels, filters)
    return x, kernel, values(filters) if bias else None, relu


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 9), st.sampled_from(LANES)),
    st.sampled_from([*LANES, 48, 49]),
    st.integers(1, 5),
    FLAG,
    FLAG,
    FLAG,
)
def test_any_size(sizes, filters, k, bias, relu, second):
    check(conv_global_max, arguments(*sizes, filters, k, bias, relu), DEPTH, second=second)


@pytest.mark.parametrize("shape", [(8, 50, 100, 30), (3, 20, 300, 64)])
def test_rounding(shape):
    check(conv_global_max, arguments(*shape, values=normal), depth=3 * shape[2])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(layout, second):
    check(conv_global_max, arguments(3, 5, 7, 9), DEPTH, layout=layout, second=second)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (1, 2), (0, 1), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("second", [False, True])
def test_gradients_that_nobody_asks_for(frozen, second):
    check(conv_global_max, arguments(3, 5, 7, 9), DEPTH, frozen, second=second and len(frozen) < 3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.0, 1e-45, 2.0**100])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize(("unit", "threads"), ENGINES)
def test_numbers_out_of_the_ordinary(which, value, relu, unit, threads):
    """Values as torch's; gradients where both are numbers, since torch multiplies by those of losers, too: by 0."""
    values = list(arguments(2, 5, 3, 9, relu=relu))
    values[which].view(-1)[4] = value
    inputs = [tensor.requires_grad_() for tensor in values[:3]]
    with running(unit, threads):
        y = conv_global_max(*values)
        found = torch.autograd.grad(y.sum(), inputs)
    theirs = reference.conv_global_max(*values)
    expected = torch.autograd.grad(theirs.sum(), inputs)
    torch.testing.assert_close(y, theirs, rtol=1e-6, atol=1e-6, equal_nan=True)
    if which == 2:  # all places are equal beside it in torch, which adds it before it looks for the greatest
        return
    for one, two in zip(found, expected, strict=True):
        finite = two.isfinite()
        torch.testing.assert_close(one[finite], two[finite], rtol=1e-6, atol=1e-6)
    if y.isnan().any():
        assert found[0].isnan().any()
        assert found[1].isnan().any()


@pytest.mark.parametrize(
    ("x", "kernel", "bias"),
    [
        ((0, 6, 3), (3, 3, 8), None),
        ((1, 2, 3), (3, 3, 8), None),
        ((1, 6, 2), (3, 3, 8), None),
        ((1, 6, 3), (3, 3, 0), None),
        ((1, 6, 3), (3, 3, 8), (7,)),
        ((1, 6, 3), (3, 3, 8), (1,)),
        ((1, 2, 6, 3), (3, 3, 8), None),
    ],
)
def test_what_it_leaves_to_torch(x, kernel, bias):
    values = whole(*x), whole(*kernel), None if bias is None else whole(*bias), True
    check_falls_back(conv_global_max, values)
