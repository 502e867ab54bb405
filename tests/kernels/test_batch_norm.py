"""The kernels of batch normalisation are their definition, for every size and instruction set."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import LANES, LAYOUTS, check, check_falls_back, normal, whole

from striate.kernels import reference
from striate.kernels.batch_norm import batch_norm, scale_channels
from striate.kernels.reference import Rectifier

RECTIFIERS = [None, Rectifier(), Rectifier(1.0)]
FLAG = st.booleans()
FUNCTIONS = ["moments", "scale_channels", "batch_norm_backward"]


def arguments(shape, gamma=True, beta=True, rectifier=None, values=normal, epsilon=1e-3):
    channels = shape[-1]
    weights = [values(channels, seed=seed) if there else None for seed, there in ((1, gamma), (2, beta))]
    return values(*shape), *weights, epsilon, rectifier


def by_means(x, gamma, beta, epsilon, rectifier):
    """The definition, whose mean of infinity is infinity; torch.var_mean makes NaN of it."""
    y, _, variance = reference.batch_norm(x, gamma, beta, epsilon, rectifier)
    return y, x.detach().flatten(0, -2).mean(0), variance


def check_norm(values, depth, **options):
    check(batch_norm, values, depth, functions=FUNCTIONS, **options)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.sampled_from(LANES),
    FLAG,
    FLAG,
    st.sampled_from(RECTIFIERS),
)
def test_any_size(rows, channels, gamma, beta, rectifier):
    values = arguments((2, *rows, channels), gamma, beta, rectifier)
    check_norm(values, depth=100)


@pytest.mark.parametrize("rectifier", RECTIFIERS)
@pytest.mark.parametrize("shape", [(1030, 17), (4, 30, 30, 16), (2, 130, 65)])
def test_sizes_at_which_threads_share_the_work(shape, rectifier):
    check_norm(arguments(shape, rectifier=rectifier), depth=300)


@pytest.mark.parametrize("offset", [0.0, 100.0, -1e4])
def test_channels_far_from_zero_lose_no_digits(offset):
    x, *rest = arguments((500, 9))
    check_norm((x + offset, *rest), depth=10 + abs(offset))


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "expanded"])
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(layout, second):
    check_norm(arguments((3, 4, 5, 9), rectifier=Rectifier()), depth=300, layout=layout, second=second)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_gradients_that_nobody_asks_for(frozen):
    check_norm(arguments((3, 4, 5, 9), rectifier=Rectifier()), depth=100, frozen=frozen)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_spoils_its_channel_alone(value):
    values = arguments((3, 4, 9), rectifier=Rectifier())
    values[0][1, 2, 3] = value
    check_norm(values, depth=100, definition=by_means)


def test_one_row_has_no_variance():
    check_norm(arguments((1, 9)), depth=100)


@pytest.mark.parametrize("rectifier", RECTIFIERS)
@pytest.mark.parametrize("channels", LANES)
def test_scaling(channels, rectifier):
    values = whole(3, 5, channels), whole(channels, seed=1), whole(channels, seed=2), rectifier
    for layout in LAYOUTS:
        check(scale_channels, values, frozen=[0, 1, 2], layout=layout)


@pytest.mark.parametrize("rectifier", RECTIFIERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.0, 1e-45])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_scaling_numbers_out_of_the_ordinary(which, value, rectifier):
    values = [whole(3, 5, 9), whole(9, seed=1), whole(9, seed=2), rectifier]
    values[which].view(-1)[4] = value
    check(scale_channels, values, depth=1, frozen=[0, 1, 2])


@pytest.mark.parametrize(
    "values",
    [
        (torch.ones(0, 3), None, None, 1e-3),
        (torch.ones(2, 3).double(), None, None, 1e-3),
        (torch.ones(2, 3), torch.ones(4), None, 1e-3),
        (torch.ones(2, 3), None, torch.ones(4), 1e-3),
        (torch.ones(2, 3), torch.ones(1), None, 1e-3),
        (torch.ones(3), None, None, 1e-3),
    ],
)
@pytest.mark.filterwarnings("ignore:var_mean:UserWarning")
def test_what_it_leaves_to_torch(values):
    def first(*arguments):
        return batch_norm(*arguments)[0]

    def definition(*arguments):
        return reference.batch_norm(*arguments)[0]

    check_falls_back(first, values, definition)


@pytest.mark.parametrize("sizes", [(4, 3), (3, 4), (1, 3)])
def test_scaling_of_other_sizes_is_left_to_torch(sizes):
    check_falls_back(scale_channels, (torch.ones(2, 3), *map(torch.ones, sizes)))
