"""The kernels of batch normalisation are their definition, for every size and instruction set."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import ENGINES, EPSILON, LANES, LAYOUTS, check, check_falls_back, normal, running, whole

from striate.kernels import reference
from striate.kernels.batch_norm import batch_norm, fold_norm, scale_channels
from striate.kernels.reference import Moving, Rectifier

RECTIFIERS = [None, Rectifier(), Rectifier(1.0)]
FLAG = st.booleans()


def arguments(shape, gamma=True, beta=True, rectifier=None, values=normal, epsilon=1e-3):
    channels = shape[-1]
    weights = [values(channels, seed=seed) if there else None for seed, there in ((1, gamma), (2, beta))]
    return values(*shape), *weights, epsilon, rectifier


def by_means(x, gamma, beta, epsilon, rectifier):
    """The definition, whose mean of infinity is infinity; torch.var_mean makes NaN of it."""
    y, (_, variance) = reference.batch_norm(x, gamma, beta, epsilon, rectifier)
    return y, torch.stack([x.detach().flatten(0, -2).mean(0), variance])


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
    check(batch_norm, values, depth=100)


@pytest.mark.parametrize("rectifier", RECTIFIERS)
@pytest.mark.parametrize("shape", [(1030, 17), (4, 30, 30, 16), (2, 130, 65)])
def test_sizes_at_which_threads_share_the_work(shape, rectifier):
    check(batch_norm, arguments(shape, rectifier=rectifier), depth=300)


@pytest.mark.parametrize("rectifier", RECTIFIERS)
@pytest.mark.parametrize("shape", [(1030, 17), (4, 5, 6, 16), (2, 33), (1, 9)])
@pytest.mark.parametrize("second", [False, True])
def test_a_sum_after_it(shape, rectifier, second):
    values = (*arguments(shape, rectifier=rectifier), None, normal(*shape, seed=7))
    check(batch_norm, values, depth=300, second=second)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "expanded"])
@pytest.mark.parametrize("second", [False, True])
def test_a_sum_of_memory_of_any_layout(layout, second):
    values = (*arguments((3, 4, 5, 9), rectifier=Rectifier()), None, normal(3, 4, 5, 9, seed=7))
    check(batch_norm, values, depth=300, layout=layout, second=second)


@pytest.mark.parametrize("frozen", [(0,), (6,), (1, 2), (0, 1, 2), (1, 2, 6)])
@pytest.mark.parametrize("rectifier", RECTIFIERS)
def test_gradients_of_a_sum_that_nobody_asks_for(frozen, rectifier):
    values = (*arguments((3, 4, 5, 9), rectifier=rectifier), None, normal(3, 4, 5, 9, seed=7))
    check(batch_norm, values, depth=100, frozen=frozen)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("rectifier", [None, Rectifier()])
def test_a_number_that_is_none_in_what_is_added_spoils_itself_alone(value, rectifier):
    values = (*arguments((3, 4, 9), rectifier=rectifier), None, normal(3, 4, 9, seed=7))
    values[-1][1, 2, 3] = value
    check(batch_norm, values, depth=100)


def test_a_sum_of_other_shapes_is_left_to_torch():
    x, *rest = arguments((3, 4, 9))
    for added in (normal(9), normal(3, 4, 9).double()):
        found = batch_norm(x, *rest, None, added)
        expected = reference.batch_norm(x, *rest, None, added)
        assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("offset", [0.0, 100.0, -1e4])
def test_channels_far_from_zero_lose_no_digits(offset):
    x, *rest = arguments((500, 9))
    check(batch_norm, (x + offset, *rest), depth=10 + abs(offset))


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "expanded"])
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(layout, second):
    check(batch_norm, arguments((3, 4, 5, 9), rectifier=Rectifier()), depth=300, layout=layout, second=second)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_gradients_that_nobody_asks_for(frozen):
    check(batch_norm, arguments((3, 4, 5, 9), rectifier=Rectifier()), depth=100, frozen=frozen)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_spoils_its_channel_alone(value):
    values = arguments((3, 4, 9), rectifier=Rectifier())
    values[0][1, 2, 3] = value
    check(batch_norm, values, depth=100, definition=by_means)


def test_one_row_has_no_variance():
    check(batch_norm, arguments((1, 9)), depth=100)


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("rows", [1, 7, 2000])
def test_moving_statistics_follow(rows, momentum):
    x = 3 * normal(rows, 9) + 1
    expected = Moving(normal(9).double(), normal(9, seed=1).abs().double(), momentum)
    reference.batch_norm(x.double(), None, None, 1e-3, None, expected)
    for unit, threads in ENGINES:
        moving = Moving(normal(9), normal(9, seed=1).abs(), momentum)
        versions = [one._version for one in moving[:2]]
        with running(unit, threads):
            _, moments = batch_norm(x, None, None, 1e-3, None, moving)
        for found, wanted in zip(moving[:2], expected[:2], strict=True):
            torch.testing.assert_close(found.double(), wanted, rtol=100 * EPSILON, atol=10 * EPSILON)
        assert [one._version for one in moving[:2]] == [version + 1 for version in versions]
        if momentum == 0:
            assert torch.equal(torch.stack(moving[:2]), moments)


@pytest.mark.parametrize(
    "change", [lambda one: one.double(), lambda one: one[:4], lambda one: one.repeat_interleave(2)[::2]]
)
def test_moving_statistics_out_of_the_ordinary_are_left_to_torch(change):
    moving = [Moving(change(torch.zeros(9)), change(torch.ones(9)), 0.9) for _ in range(2)]
    found = []
    for op, one in zip((reference.batch_norm, batch_norm), moving, strict=True):
        try:
            found.append([*op(normal(20, 9), None, None, 1e-3, None, one), *one[:2]])
        except RuntimeError as error:
            found.append(str(error))
    assert found[0] == found[1] if isinstance(found[0], str) else all(map(torch.equal, *found))


def test_a_backward_pass_through_older_statistics_is_refused():
    moving, x = Moving(torch.zeros(9), torch.ones(9), 0.9), normal(20, 9).requires_grad_()
    y = torch.batch_norm(x, None, None, *moving[:2], False, 0.0, 1e-3, False)
    batch_norm(x, None, None, 1e-3, None, moving)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("gamma", [False, True])
@pytest.mark.parametrize("beta", [False, True])
@pytest.mark.parametrize("channels", LANES)
def test_folding(channels, gamma, beta):
    weights = [normal(channels, seed=seed) if there else None for seed, there in ((1, gamma), (2, beta))]
    values = (normal(channels), normal(channels, seed=3).square(), *weights, 1e-3)
    for layout in ("misaligned", "strided"):
        check(fold_norm, values, depth=10, frozen=range(4), layout=layout)


@pytest.mark.parametrize("sizes", [(3, 4), (4, 3)])
def test_folding_of_other_sizes_is_left_to_torch(sizes):
    def first(*arguments):
        return fold_norm(*arguments)[0]

    def definition(*arguments):
        return reference.fold_norm(*arguments)[0]

    check_falls_back(first, (torch.ones(4), torch.ones(sizes[0]), torch.ones(sizes[1]), None, 1e-3), definition)


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
