"""The convolution by windows of one cell is its definition, for every size and instruction set."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import LANES, LAYOUTS, check, check_falls_back, normal, whole

from striate.kernels import pointwise as module
from striate.kernels import reference
from striate.kernels.pointwise import pointwise

FLAG = st.booleans()


def arguments(shape, filters, bias=True, relu=False, values=whole):
    return values(*shape), values(1, 1, shape[-1], filters), values(filters) if bias else None, relu


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.sampled_from(LANES)),
    st.sampled_from([*LANES, 65]),
    FLAG,
    FLAG,
)
def test_any_size(shape, filters, bias, relu):
    check(pointwise, arguments(shape, filters, bias, relu))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("shape", "filters"), [((4, 16, 16, 33), 130), ((2, 3, 5, 300), 129), ((1, 1, 1, 2000), 70)])
def test_sizes_at_which_threads_share_the_work(shape, filters, relu):
    check(pointwise, arguments(shape, filters, relu=relu))


def test_rounding():
    check(pointwise, arguments((2, 9, 9, 150), 40, values=normal), depth=2 * 81)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_of_any_layout(layout):
    check(pointwise, arguments((2, 3, 4, 9), 17, relu=True), layout=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_of_gradients(layout):
    check(pointwise, arguments((2, 3, 4, 9), 17, relu=True), layout=layout, second=True)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (1, 2), (0, 2)])
def test_gradients_that_nobody_asks_for(frozen):
    check(pointwise, arguments((2, 3, 4, 9), 17, relu=True), frozen=frozen)


def test_the_gradient_lies_as_the_layer_lays_weights_out():
    x, kernel, bias, relu = arguments((2, 3, 4, 9), 17)
    kernel = kernel.movedim(-1, 0).contiguous().movedim(0, -1).requires_grad_()
    pointwise(x, kernel, bias, relu).sum().backward()
    assert kernel.grad.stride() == kernel.stride()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.0, 1e-45])
def test_numbers_out_of_the_ordinary(value):
    x, *rest = arguments((1, 3, 4, 9), 17, relu=True)
    x[0, 1, 2, 4] = value
    check(pointwise, (x, *rest), depth=1, frozen=(1,))


@pytest.mark.parametrize(
    ("x", "kernel", "bias"),
    [
        ((0, 6, 6, 3), (1, 1, 3, 4), None),
        ((1, 6, 6, 3), (1, 1, 3, 4), (1,)),
        ((1, 6, 6, 3), (1, 1, 2, 4), None),
        ((6, 6, 3), (1, 1, 3, 4), None),
    ],
)
def test_what_it_leaves_to_torch(x, kernel, bias):
    values = whole(*x), whole(*kernel).requires_grad_(), None if bias is None else whole(*bias)
    check_falls_back(pointwise, values)


def test_it_is_left_alone_where_it_gains_nothing():
    kernel, few, many = torch.ones(1, 1, 3, 4), torch.ones(1, 64, 64, 3), torch.ones(1, 64, 65, 3)
    assert not module.can_pointwise(few, kernel, None)
    kernel.requires_grad_()
    assert module.can_pointwise(few, kernel, None)
    assert not module.can_pointwise(many, kernel, None)
    assert torch.equal(pointwise(many, kernel, None), reference.pointwise(many, kernel, None))
