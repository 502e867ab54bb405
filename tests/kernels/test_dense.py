"""The fully connected kernel is its definition, for every size and instruction set."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import LANES, LAYOUTS, check, check_falls_back, normal, whole

from striate.kernels.dense import MOST_ROWS, dense

SIZES = st.sampled_from([*LANES, 63, 64, 65])
FLAG = st.booleans()


def arguments(rows, channels, units, bias=True, relu=False, values=whole):
    return values(rows, channels), values(channels, units), values(units) if bias else None, relu


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 12, 13, MOST_ROWS]), SIZES, SIZES, FLAG, FLAG)
def test_any_size(rows, channels, units, bias, relu):
    check(dense, arguments(rows, channels, units, bias, relu))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(8, 520, 37), (6, 129, 170), (65, 128, 64), (128, 300, 5)])
def test_sizes_at_which_threads_share_the_work(shape, relu):
    check(dense, arguments(*shape, relu=relu))


@pytest.mark.parametrize("shape", [(32, 300, 70), (7, 33, 17), (1, 1000, 9)])
def test_rounding(shape):
    check(dense, arguments(*shape, values=normal), depth=max(shape))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(layout, second):
    check(dense, arguments(5, 9, 17, relu=True), layout=layout, second=second)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("second", [False, True])
def test_gradients_that_nobody_asks_for(frozen, second):
    check(dense, arguments(3, 8, 9, relu=True), frozen=frozen, second=second and len(frozen) < 3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.0, 1e-45, 2.0**100])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_numbers_out_of_the_ordinary(which, value, relu):
    values = arguments(3, 9, 17, relu=relu)
    values[which].view(-1)[3] = value
    check(dense, values, depth=1)


@pytest.mark.parametrize(
    "values",
    [
        (torch.ones(0, 3), torch.ones(3, 2), None),
        (torch.ones(2, 0), torch.ones(0, 2), torch.ones(2)),
        (torch.ones(2, 3), torch.ones(3, 0), None),
        (torch.ones(2, 4, 3), torch.ones(3, 2), None),
        (torch.ones(MOST_ROWS + 1, 3), torch.ones(3, 2), None),
        (torch.ones(2, 3).double(), torch.ones(3, 2).double(), None),
        (torch.ones(2, 3), torch.ones(4, 2), None),
        (torch.ones(2, 3), torch.ones(3, 2), torch.ones(5)),
        (torch.ones(2, 3), torch.ones(3, 2), torch.ones(1)),
        (torch.ones(2, 3), torch.ones(3), None),
    ],
)
def test_what_it_leaves_to_torch(values):
    check_falls_back(dense, values)
