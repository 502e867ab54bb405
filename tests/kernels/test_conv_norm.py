"""Convolution and batch normalisation as one operation are both definitions, one after the other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import LANES, check, normal

from striate.kernels import reference
from striate.kernels.conv_norm import POINTWISE, can_conv_norm, conv_norm, each_channel
from striate.kernels.reference import Moving, Rectifier, Slide

FLAG = st.booleans()
SLIDE = Slide((2, 1), rows=(1, 1), columns=(0, 2))
CONVOLUTIONS = {"pointwise": POINTWISE, "depthwise": each_channel(SLIDE)}


def statistics(channels):
    return Moving(torch.zeros(channels, dtype=torch.float32), torch.ones(channels, dtype=torch.float32), 0.9)


def compare(kind, shape, filters, bias=True, gamma=True, rectifier=None, frozen=(), added=False, **options):
    conv = CONVOLUTIONS[kind]
    kernel = (1, 1, shape[-1], filters) if kind == "pointwise" else (2, 3, shape[-1], 1)
    channels = filters if kind == "pointwise" else shape[-1]
    weights = [normal(channels, seed=seed) if there else None for seed, there in ((1, bias), (2, gamma), (3, True))]

    def op(x, kernel, bias, gamma, beta, added):
        return conv_norm(conv, x, kernel, bias, gamma, beta, 1e-3, rectifier, statistics(channels), added)

    def definition(x, kernel, bias, gamma, beta, added):
        z = conv.definition(x, kernel, bias)
        return reference.batch_norm(z, gamma, beta, 1e-3, rectifier, None, added)[0]

    functions = [kind, "batch_norm", f"{kind}_backward", "batch_norm_backward"]
    if {0, 1, 2} <= {*frozen}:
        functions.remove(f"{kind}_backward")
    x, kernel = normal(*shape), normal(*kernel)
    other = normal(*conv.definition(x, kernel, None).shape, seed=4) if added else None
    values = (x, kernel, *weights, other)
    check(op, values, depth=300, frozen=frozen, functions=functions, definition=definition, **options)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(list(CONVOLUTIONS)),
    st.tuples(st.integers(2, 3), st.integers(2, 5), st.integers(2, 5), st.sampled_from(LANES)),
    st.sampled_from(LANES),
    FLAG,
    FLAG,
)
def test_any_size(kind, shape, filters, bias, gamma):
    compare(kind, shape, filters, bias, gamma)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("layout", ["misaligned", "transposed"])  # vectors without gaps, with rows that differ
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(kind, layout, second):
    compare(kind, (3, 5, 6, 9), 17, layout=layout, second=second)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("rectifier", [Rectifier(), Rectifier(1.0)])
def test_rectifiers(kind, rectifier):
    compare(kind, (3, 5, 6, 9), 17, rectifier=rectifier)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("rectifier", [None, Rectifier(), Rectifier(1.0)])
@pytest.mark.parametrize("layout", ["misaligned", "transposed"])
@pytest.mark.parametrize("second", [False, True])
def test_sums(kind, rectifier, layout, second):
    compare(kind, (3, 5, 6, 9), 17, rectifier=rectifier, added=True, layout=layout, second=second)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("frozen", [(5,), (0, 1, 2), (0, 1, 3, 4), (1, 2, 3, 4, 5)])
def test_gradients_of_sums_that_nobody_asks_for(kind, frozen):
    compare(kind, (3, 5, 6, 9), 17, rectifier=Rectifier(), added=True, frozen=frozen)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (3, 4), (0, 1), (0, 1, 2), (1, 2, 3, 4)])
def test_gradients_that_nobody_asks_for(kind, frozen):
    compare(kind, (3, 5, 6, 9), 17, frozen=frozen)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_statistics_follow(kind):
    x, channels = normal(3, 5, 6, 9), 9
    kernel = normal(1, 1, 9, 9) if kind == "pointwise" else normal(2, 3, 9, 1)
    moving, expected = statistics(channels), statistics(channels)
    conv_norm(CONVOLUTIONS[kind], x, kernel, None, None, None, 1e-3, None, moving)
    reference.batch_norm(CONVOLUTIONS[kind].definition(x, kernel, None), None, None, 1e-3, None, expected)
    torch.testing.assert_close(moving[:2], expected[:2])
    assert (moving.mean != 0).all()


def test_what_it_can_normalise():
    ones, wide = torch.ones(4), torch.ones(8)[::2]
    assert can_conv_norm(4, ones, None, statistics(4))
    assert not can_conv_norm(5, ones, None, statistics(5))
    assert not can_conv_norm(4, ones, None, statistics(5))
    assert not can_conv_norm(4, ones, wide, statistics(4))
    assert not can_conv_norm(4, ones.double(), None, statistics(4))
