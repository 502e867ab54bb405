"""The check of the kernels can fail: each way of computing something else is noticed, in each function."""

import pytest
import torch
from kernel_check import check, normal, whole

from striate.kernels import reference
from striate.kernels.batch_norm import batch_norm, fold_norm, scale_channels
from striate.kernels.conv3x3 import conv3x3
from striate.kernels.conv_global_max import conv_global_max
from striate.kernels.conv_lines import conv_lines
from striate.kernels.conv_pool import conv_pool
from striate.kernels.dense import dense
from striate.kernels.depthwise import depthwise
from striate.kernels.dropout import _Dropout
from striate.kernels.library import units
from striate.kernels.pointwise import pointwise
from striate.kernels.pooling import max_pool
from striate.kernels.reference import Pool, Rectifier, Slide

CASES = {
    "dense": (dense, (whole(3, 5), whole(5, 9), whole(9), True), {}),
    "rounded dense": (dense, (normal(3, 5), normal(5, 9), normal(9), True), {"depth": 10}),
    "max_pool": (max_pool, (whole(2, 6, 4, 9), Pool((2, 2), (2, 2)), True), {}),
    "overlapping max_pool": (max_pool, (whole(2, 6, 4, 9), Pool((3, 3), (2, 2), (1, 1)), False), {}),
    "conv_pool": (conv_pool, (whole(2, 8, 6, 3), whole(3, 3, 3, 9), whole(9)), {}),
    "conv_global_max": (
        conv_global_max,
        (whole(2, 8, 3), whole(3, 3, 9), whole(9), True),
        {"depth": 10},  # a share of the gradient for each place that has the greatest value
    ),
    "conv3x3": (
        conv3x3,
        (normal(2, 16, 16, 32), normal(3, 3, 32, 33), normal(33), ((1, 1), (1, 1)), True),
        {"depth": 512, "functions": ["winograd", "winograd_backward"]},
    ),
    "conv_lines": (
        conv_lines,
        (normal(2, 256, 32), normal(3, 32, 33), normal(33), ((1, 1),), True),
        {"depth": 512},
    ),
    "pointwise": (pointwise, (whole(2, 3, 4, 9), whole(1, 1, 9, 17), None), {}),
    "batch_norm": (
        batch_norm,
        (normal(5, 4, 9), normal(9), normal(9, seed=1), 1e-3, Rectifier()),
        {"depth": 100},
    ),
    "fold_norm": (
        fold_norm,
        (normal(9), normal(9).square(), normal(9, seed=1), normal(9, seed=2), 1e-3),
        {"depth": 10, "frozen": range(4)},
    ),
    "depthwise": (
        depthwise,
        (whole(2, 5, 6, 9), whole(3, 3, 9, 1), whole(9), Slide((1, 2), (1, 1), (1, 1), (0, 1)), Rectifier(6.0)),
        {},
    ),
    "scale_channels": (scale_channels, (whole(5, 9), whole(9), whole(9, seed=1)), {"frozen": [0, 1, 2]}),
    "dropout": (
        _Dropout.apply,
        (whole(6, 9), 1 << 30, 2.0, 1),
        {"functions": ["dropout"], "definition": reference.dropout},
    ),
}
"""An operation, its arguments, and the options of the check; one line for every kernel."""


def functions_of(case):
    op, _, options = CASES[case]
    both = [op.__name__, f"{op.__name__}_backward"]
    return options.get("functions", both[: 1 if options.get("frozen") else 2])


FUNCTIONS = [(case, function) for case in CASES for function in functions_of(case)]
EXACT = [pair for pair in FUNCTIONS if not CASES[pair[0]][2].get("depth")]


def swap_axes(array):
    array.copy_(array.flatten(1).t().contiguous().view_as(array) if array.ndim > 1 else array.flip(0))


def skip_tail(array):
    array[..., -1] = 255 if array.dtype == torch.uint8 else float("nan")


def double_one(array):
    array.view(-1)[1:].copy_(array.view(-1)[:-1].clone())


def leave_bounds(array):
    array.as_strided((1,), (1,), array.storage_offset() + array.numel()).fill_(0)


def change_last_bit(array):
    if array.dtype == torch.float32:
        array.view(-1).view(torch.uint8)[0] ^= 1


def noticed(case, function, damage):
    op, arguments, options = CASES[case]
    engines = [(unit, 1) for unit in units()]
    check(op, arguments, engines=engines, **options)
    with pytest.raises(AssertionError):
        check(op, arguments, engines=engines, damage={function: damage}, **options)


DAMAGES = [torch.Tensor.zero_, torch.Tensor.neg_, swap_axes, skip_tail, double_one, leave_bounds]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(("case", "function"), FUNCTIONS)
def test_damage_is_noticed(case, function, damage):
    noticed(case, function, damage)


@pytest.mark.parametrize(("case", "function"), EXACT)
def test_the_last_bit_counts_where_sums_are_exact(case, function):
    noticed(case, function, change_last_bit)


def test_an_operation_that_runs_as_its_definition_is_noticed():
    op, arguments, _ = CASES["dense"]
    with pytest.raises(AssertionError):
        check(op, arguments, engines=[("reference", 1)])


def test_other_bits_every_time_are_noticed():
    op, arguments, _ = CASES["rounded dense"]
    bits = iter(range(100))
    damage = {"dense": lambda array: array.view(-1)[0].add_(1e-6 * (next(bits) % 2))}
    with pytest.raises(AssertionError):
        check(op, arguments, 1000, damage=damage, engines=[(units()[0], 2)])


def test_a_changed_input_is_noticed():
    op, arguments, _ = CASES["dense"]

    def careless(*values):
        values[0].data[0, 0] += 1
        return op(*values)

    careless.__name__ = "dense"
    with pytest.raises(AssertionError):
        check(careless, arguments, engines=[(units()[0], 1)])
