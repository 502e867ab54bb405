"""The depthwise convolution is its definition, for every size and instruction set."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import LANES, LAYOUTS, check, check_falls_back, normal, whole

from striate.kernels import reference
from striate.kernels.depthwise import depthwise
from striate.kernels.reference import Rectifier, Slide

RECTIFIERS = [None, Rectifier(), Rectifier(6.0)]
FLAG = st.booleans()
TWO = st.tuples(st.integers(1, 3), st.integers(1, 3))
SIDE = st.tuples(st.integers(0, 3), st.integers(0, 3))


def arguments(shape, kernel, slide=None, bias=True, rectifier=None, values=whole):
    """Pictures of that shape, or larger, so that something comes out."""
    slide = slide or Slide(rows=(1, 1), columns=(1, 1))
    spans = [apart * (size - 1) + 1 for apart, size in zip(slide.dilation, kernel, strict=True)]
    sides = sum(slide.rows), sum(slide.columns)
    sizes = [max(size, span - side) for size, span, side in zip(shape[1:3], spans, sides, strict=True)]
    channels = shape[-1]
    x, weights = values(shape[0], *sizes, channels), values(*kernel, channels, 1)
    return x, weights, values(channels) if bias else None, slide, rectifier


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from(LANES)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.builds(Slide, TWO, TWO, SIDE, SIDE),
    FLAG,
    st.sampled_from(RECTIFIERS),
    FLAG,
)
def test_any_size(shape, kernel, slide, bias, rectifier, second):
    check(depthwise, arguments(shape, kernel, slide, bias, rectifier), second=second)


@pytest.mark.parametrize("rectifier", RECTIFIERS)
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 1)])
@pytest.mark.parametrize("shape", [(3, 20, 41, 33), (40, 2, 2, 130), (1, 64, 64, 9)])
def test_sizes_at_which_threads_share_the_work(shape, strides, rectifier):
    slide = Slide(strides, rows=(1, 1), columns=(1, 1))
    check(depthwise, arguments(shape, (3, 3), slide, rectifier=rectifier))


@pytest.mark.parametrize("kernel", [(1, 1), (5, 5), (7, 7), (1, 11), (13, 1)])
def test_other_windows(kernel):
    for strides in ((1, 1), (2, 2)):
        slide = Slide(strides, rows=(2, 3), columns=(0, 4))
        check(depthwise, arguments((2, 12, 10, 20), kernel, slide))


def test_strides_beyond_the_window_leave_cells_out():
    check(depthwise, arguments((2, 11, 13, 9), (2, 2), Slide((4, 5))))


def test_rounding():
    x, *rest = arguments((4, 16, 16, 17), (3, 3), values=normal)
    check(depthwise, (x, *rest), depth=4 * 16 * 16)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("rectifier", RECTIFIERS)
def test_memory_of_any_layout(layout, second, rectifier):
    values = arguments((2, 5, 6, 9), (3, 3), Slide((2, 1), rows=(1, 1)), rectifier=rectifier)
    check(depthwise, values, layout=layout, second=second)


def test_weights_as_the_layer_lays_them_out():
    """By channel, as torch wants them; so do their gradients lie."""
    x, kernel, *rest = arguments((2, 5, 6, 9), (3, 2))
    kernel = kernel.movedim((2, 3), (0, 1)).contiguous().movedim((0, 1), (2, 3)).requires_grad_()
    depthwise(x, kernel, *rest).sum().backward()
    assert kernel.grad.stride() == kernel.stride()
    (expected,) = torch.autograd.grad(reference.depthwise(x, kernel, *rest).sum(), kernel)
    assert torch.equal(kernel.grad, expected)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (1, 2), (0, 1), (0, 2), (0, 1, 2)])
def test_gradients_that_nobody_asks_for(frozen):
    check(depthwise, arguments((2, 5, 6, 9), (3, 3), rectifier=Rectifier()), frozen=frozen)


@pytest.mark.parametrize("rectifier", RECTIFIERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.0, 1e-45])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_numbers_out_of_the_ordinary(value, rectifier, strides):
    x, *rest = arguments((1, 6, 7, 9), (3, 3), Slide(strides, rows=(1, 1), columns=(1, 1)), rectifier=rectifier)
    x[0, 2, 3, 4] = value
    # What torch's hardtanh hands on where NaN came out depends on where in a vector the number lies.
    check(depthwise, (x, *rest), depth=1, frozen=[0, 1, 2] if rectifier == Rectifier(6.0) else [1])


def test_a_number_that_is_none_stays_in_its_channel_and_windows():
    x, *rest = arguments((1, 8, 8, 5), (3, 3))
    x[0, 3, 3, 1] = float("nan")
    y = depthwise(x, *rest)
    assert y[0, 2:5, 2:5, 1].isnan().all()
    assert y.isnan().sum() == 9


@pytest.mark.parametrize(
    ("x", "kernel", "bias"),
    [
        ((0, 6, 6, 3), (3, 3, 3, 1), None),
        ((1, 6, 6, 3), (3, 3, 3, 2), None),
        ((1, 6, 6, 3), (3, 3, 2, 1), None),
        ((1, 0, 6, 3), (3, 3, 3, 1), None),
        ((1, 6, 6, 3), (9, 3, 3, 1), None),
        ((1, 6, 6, 3), (3, 3, 3, 1), (4,)),
        ((1, 6, 6, 3), (3, 3, 3, 1), (1,)),
    ],
)
def test_what_it_leaves_to_torch(x, kernel, bias):
    values = (whole(*x), whole(*kernel), None if bias is None else whole(*bias))
    check_falls_back(depthwise, (*values, Slide(rows=(1, 1), columns=(1, 1))))
