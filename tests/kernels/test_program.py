"""Instructions compute what torch's operations do, for every size and instruction set."""

import ctypes
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_check import ENGINES, LANES, check, normal, running, whole

from striate.kernels import reference
from striate.kernels.conv_lines import sizes_of
from striate.kernels.library import address
from striate.kernels.program import (
    Apart,
    Instruction,
    Operation,
    contiguous_strides,
    filled_up,
    for_lines,
    for_winograd,
    in_panels,
    numbers,
    run_in_groups,
    run_program,
)
from striate.kernels.reference import Rectifier

FLAG = st.booleans()
CHANNELS = st.sampled_from([*LANES, 65])
RUN = {"functions": ["run_program"]}


def run(operation, sizes, given, shape, rectifier=None, flag=None, y=None):
    """What an instruction writes."""
    y = torch.empty(shape, dtype=torch.float32) if y is None else y
    sizes = numbers(*sizes)
    addresses = (ctypes.c_void_p * 4)(*map(address, given))
    cap, flag = (math.nan if rectifier is None else rectifier.cap), int(rectifier is not None) if flag is None else flag
    one = (Instruction * 1)(Instruction(operation, ctypes.addressof(sizes), addresses, y.data_ptr(), cap, flag))
    run_program(one, 0, 1)
    return y


def rectified(y, rectifier):
    return y if rectifier is None else rectifier(y)


# Convolutions ------------------------------------------------------------------------------------


def convolve(x, kernel, bias, added, window, rectifier=None):
    """Of (N, D, H, W, C); the window is steps, gaps, cells before and the output's cells."""
    x, filters = x.contiguous(), kernel.shape[-1]
    steps, gaps, before, cells = window
    shape = (x.shape[0], *cells, filters)
    geometry = *cells, filters, *kernel.shape[:3], *steps, *gaps, *before, x.shape[-1]
    given = x, in_panels(kernel.flatten(0, -2)), filled_up(bias, filters), None if added is None else added.contiguous()
    return run(Operation.CONVOLVE, (*x.shape, *geometry, *contiguous_strides(shape)), given, shape, rectifier)


def torchs_convolve(x, kernel, bias, added, window, rectifier=None):
    steps, gaps, before, cells = window
    sides = [
        (b, max(0, (c - 1) * s + (k - 1) * g + 1 - n - b))
        for n, k, s, g, b, c in zip(x.shape[1:], kernel.shape, steps, gaps, before, cells, strict=False)
    ]
    padded = F.pad(x, (0, 0, *(cell for side in sides[::-1] for cell in side))).movedim(-1, 1)
    y = F.conv3d(padded, kernel.movedim((-1, -2), (0, 1)), bias, steps, dilation=gaps)
    y = y[:, :, : cells[0], : cells[1], : cells[2]].movedim(1, -1)
    return rectified(y if added is None else y + added, rectifier)


def arguments(items, cells, channels, filters, axes, bias=True, added=False, values=whole):
    """The axes: of each, the window's cells, steps, gaps, cells before and after."""
    window, steps, gaps, before, after = zip(*axes, strict=True)
    cells = [max(n, (k - 1) * g + 1 - b - a) for n, k, g, b, a in zip(cells, window, gaps, before, after, strict=True)]
    out = [
        (n + b + a - (k - 1) * g - 1) // s + 1
        for n, k, s, g, b, a in zip(cells, window, steps, gaps, before, after, strict=True)
    ]
    x, kernel = values(items, *cells, channels), values(*window, channels, filters)
    more = values(items, *out, filters, seed=1) if added else None
    return x, kernel, values(filters) if bias else None, more, (steps, gaps, before, tuple(out))


def compare_convolve(values, rectifier=None, **options):
    values = (*values, rectifier)
    check(convolve, values, frozen=range(4), definition=torchs_convolve, **RUN, **options)


AXIS = st.tuples(*(st.integers(1, 3) for _ in range(3)), st.integers(0, 2), st.integers(0, 2))
ONE = st.just((1, 1, 1, 0, 0))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.integers(1, 3),
    st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 9)),
    CHANNELS,
    CHANNELS,
    st.tuples(ONE | AXIS, ONE | AXIS, AXIS),
    FLAG,
    FLAG,
    st.sampled_from([None, Rectifier(), Rectifier(6.0)]),
)
def test_any_convolution(items, cells, channels, filters, axes, bias, added, rectifier):
    compare_convolve(arguments(items, cells, channels, filters, axes, bias, added), rectifier)


@pytest.mark.parametrize("cells", [(1, 1, 500), (1, 20, 30), (9, 9, 9)])
@pytest.mark.parametrize("before", [0, 1])
def test_any_number_of_blocks(cells, before):
    """More pixels than are done at a time, in rows that are longer and shorter than a block."""
    axes = [(1, 1, 1, 0, 0) if n == 1 else (3, 1, 1, before, before) for n in cells]
    compare_convolve(arguments(2, cells, 5, 20, axes, added=True), Rectifier())


@pytest.mark.parametrize(("channels", "filters"), [(150, 16), (300, 130)])
@pytest.mark.parametrize("pixels", [1, 3, 40])
def test_any_few_pixels_of_many_channels(channels, filters, pixels):
    """Filters are shared out among threads then; sums wait between parts of the window."""
    compare_convolve(arguments(1, (1, 1, pixels), channels, filters, [(1, 1, 1, 0, 0)] * 2 + [(3, 1, 1, 1, 1)]))


def test_any_rounding():
    values = arguments(1, (1, 9, 9), 70, 33, [(1, 1, 1, 0, 0)] + [(3, 1, 1, 1, 1)] * 2, values=normal)
    compare_convolve(values, depth=9 * 70)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e-42])
def test_any_odd_number(bad):
    x, *rest = arguments(1, (1, 6, 6), 3, 5, [(1, 1, 1, 0, 0)] + [(3, 1, 1, 1, 1)] * 2)
    x[0, 0, 3, 3, 1] = bad
    compare_convolve((x, *rest), Rectifier())


def convolve_by_tiles(x, kernel, bias, added, sides, rectifier):
    x, filters = x.contiguous(), kernel.shape[-1]
    n, height, width, channels = x.shape
    cells = [size + sum(side) - 2 for size, side in zip((height, width), sides, strict=True)]
    sizes = n, height, width, channels, *cells, filters, sides[0][0], sides[1][0]
    given = x, for_winograd(kernel), filled_up(bias, filters), None if added is None else added.contiguous()
    return run(Operation.WINOGRAD, sizes, given, (n, *cells, filters), rectifier)


def torchs_three(x, kernel, bias, added, sides, rectifier):
    y = F.conv2d(F.pad(x, (0, 0, *sides[1], *sides[0])).movedim(-1, 1), kernel.movedim((-1, -2), (0, 1)), bias)
    y = y.movedim(1, -1)
    return rectified(y if added is None else y + added, rectifier)


@pytest.mark.parametrize("rectifier", [None, Rectifier(), Rectifier(2.0)])
@pytest.mark.parametrize(("channels", "filters"), [(3, 5), (33, 65), (130, 128)])
@pytest.mark.parametrize("sides", [((1, 1), (1, 1)), ((0, 1), (0, 0))])
def test_any_convolution_by_tiles(channels, filters, sides, rectifier):
    x, kernel = whole(2, 7, 6, channels), whole(3, 3, channels, filters)
    cells = [size + sum(side) - 2 for size, side in zip((7, 6), sides, strict=True)]
    values = x, kernel, whole(filters), whole(2, *cells, filters, seed=1), sides, rectifier
    check(convolve_by_tiles, values, frozen=range(4), definition=torchs_three, **RUN)


def convolve_lines(x, kernel, bias, added, before, cells, rectifier):
    x, (*window, _, filters) = x.contiguous(), kernel.shape
    sizes = sizes_of(x.shape, cells, filters, window, before)
    given = x, for_lines(kernel, sizes), filled_up(bias, filters), None if added is None else added.contiguous()
    return run(Operation.LINES, sizes, given, (len(x), *cells, filters), rectifier)


def torchs_lines(x, kernel, bias, added, before, cells, rectifier):
    around = zip(x.shape[1:], kernel.shape, before, cells, strict=False)
    sides = [(first, out + size - 1 - first - n) for n, size, first, out in around]
    y = reference.conv_lines(x, kernel, bias, sides)
    return rectified(y if added is None else y + added, rectifier)


@pytest.mark.parametrize("rectifier", [None, Rectifier(), Rectifier(2.0)])
@pytest.mark.parametrize(("channels", "filters"), [(3, 5), (33, 65)])
@pytest.mark.parametrize(
    ("cells", "window", "before"), [((1, 1, 21), (1, 1, 3), (0, 0, 1)), ((3, 4, 9), (2, 1, 6), (1, 2, 5))]
)
def test_any_convolution_by_lines(channels, filters, cells, window, before, rectifier):
    """Zeros may lie around axes that the window has one cell of, too: layers before put them there."""
    x, kernel = normal(2, *cells, channels), normal(*window, channels, filters) / 16  # sums of about the cap
    cells = [n + 2 * first - size + 1 for n, size, first in zip(cells, window, before, strict=True)]
    values = x, kernel, normal(filters), normal(2, *cells, filters, seed=1), before, cells, rectifier
    check(convolve_lines, values, depth=128, frozen=range(4), definition=torchs_lines, **RUN)


def conv_pool(x, kernel, bias):
    x, filters = x.contiguous(), kernel.shape[-1]
    rows, columns = kernel.shape[:2]
    shape = x.shape[0], (x.shape[1] - rows + 1) // 2, (x.shape[2] - columns + 1) // 2, filters
    given = x, filled_up(kernel.flatten(0, -2), filters, to_panels=False), filled_up(bias, filters, to_panels=False)
    return run(Operation.CONV_POOL, (*x.shape, filters, rows, columns), given, shape)


@pytest.mark.parametrize(("channels", "filters"), [(1, 4), (3, 33), (5, 16)])
def test_any_convolution_with_its_pool(channels, filters):
    values = whole(2, 8, 7, channels), whole(3, 2, channels, filters), whole(filters)
    check(conv_pool, values, frozen=range(3), **RUN)


def conv_global_max(x, kernel, bias, relu):
    x, filters = x.contiguous(), kernel.shape[-1]
    given = x, in_panels(kernel.flatten(0, -2)), bias
    sizes = *x.shape, filters, kernel.shape[0]
    return run(Operation.CONV_GLOBAL_MAX, sizes, given, (x.shape[0], filters), Rectifier() if relu else None)


@pytest.mark.parametrize("relu", [False, True])
def test_any_convolution_with_the_greatest(relu):
    check(conv_global_max, (whole(3, 9, 5), whole(3, 5, 17), whole(17), relu), frozen=range(3), **RUN)


# Windows -----------------------------------------------------------------------------------------


def pool_windows(x, greatest, window):
    x = x.contiguous()
    size, steps, before, cells = window
    geometry = *x.shape, *cells, *size, *steps, *before
    return run(Operation.POOL_WINDOWS, geometry, (x,), (x.shape[0], *cells, x.shape[-1]), flag=int(greatest))


def window_by_window(x, greatest, window):
    """One loop for each axis; only the cells inside."""
    size, steps, before, cells = window
    y = x.new_empty(x.shape[0], *cells, x.shape[-1])
    for place in torch.cartesian_prod(*map(torch.arange, cells)).view(-1, 3).tolist():
        first = [p * s - b for p, s, b in zip(place, steps, before, strict=True)]
        seen = x[:, *(slice(max(0, f), max(0, f) + k + min(0, f)) for f, k in zip(first, size, strict=True))]
        seen = seen.flatten(1, 3)
        y[:, *place] = seen.amax(1) if greatest else seen.mean(1)
    return y


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(1, 2),
    st.tuples(*[st.integers(1, 5)] * 3),
    CHANNELS,
    st.tuples(*[st.integers(1, 3)] * 3),
    st.tuples(*[st.integers(1, 3)] * 3),
    FLAG,
    FLAG,
)
def test_any_window(items, cells, channels, size, steps, greatest, outside):
    size = tuple(min(k, n) for k, n in zip(size, cells, strict=True))
    before = tuple(k // 2 * outside for k in size)
    out = tuple((n + b - k) // s + 1 for n, k, s, b in zip(cells, size, steps, before, strict=True))
    values = whole(items, *cells, channels), greatest, (size, steps, before, out)
    check(pool_windows, values, frozen=[0], depth=0 if greatest else 30, definition=window_by_window, **RUN)


def test_any_large_window():
    cells = (3, 40, 50)
    for greatest in (True, False):
        values = normal(2, *cells, 37), greatest, (cells, (1, 1, 1), (0, 0, 0), (1, 1, 1))
        check(pool_windows, values, frozen=[0], depth=6000, definition=window_by_window, **RUN)


# Number by number --------------------------------------------------------------------------------


def combine(a, b, which, rectifier):
    flag = 2 * which + (rectifier is not None)
    return run(Operation.COMBINE, (a.numel(),), (a.contiguous(), b.contiguous()), a.shape, rectifier, flag)


def torchs_combine(a, b, which, rectifier):
    return rectified((torch.add, torch.sub, torch.mul)[which](a, b), rectifier)


@pytest.mark.parametrize("rectifier", [None, Rectifier(), Rectifier(2.0)])
@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("count", [1, 17, 20_000])
def test_any_combination(which, count, rectifier):
    values = whole(count), whole(count, seed=1), which, rectifier
    check(combine, values, frozen=[0, 1], definition=torchs_combine, **RUN)


def scale(x, factor, offset, rectifier):
    sizes = x.numel() // x.shape[-1], x.shape[-1]
    given = x.contiguous(), factor.contiguous(), offset.contiguous()
    return run(Operation.SCALE, sizes, given, x.shape, rectifier)


def test_any_scale():
    values = whole(5, 33), whole(33), whole(33, seed=1), Rectifier(6.0)
    check(scale, values, frozen=range(3), definition=lambda x, a, b, r: r(x * a + b), **RUN)


def activate(x, which):
    sizes = x.numel() // x.shape[-1], x.shape[-1]
    return run(Operation.ACTIVATE, sizes, (x.contiguous(),), x.shape, flag=which)


def torchs_activate(x, which):
    return (torch.sigmoid, F.silu, lambda x: x.softmax(-1))[which](x)


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("shape", [(1, 1), (5, 10), (3, 33), (40, 700)])
def test_any_activation(shape, which):
    check(activate, (10 * normal(*shape), which), frozen=[0], depth=4, definition=torchs_activate, **RUN)


@pytest.mark.parametrize("which", range(3))
def test_activations_of_extreme_numbers(which):
    extreme = torch.tensor([[0.0, -0.0, 87.5, -87.5, 1e30, -1e30, 1e-40, 88.1], [3.0, -math.inf, -2.0, *[-200.0] * 5]])
    check(activate, (extreme, which), frozen=[0], depth=4, definition=torchs_activate, **RUN)
    for bad in (math.nan, math.inf):
        x = torch.tensor([[0.5, bad, -0.5], [1.0, 2.0, 3.0]])
        check(activate, (x, which), frozen=[0], depth=4, definition=torchs_activate, **RUN)


def test_any_relative_error_is_small():
    """Of sigmoid from where it is 1e-30 on."""
    x = torch.linspace(-69, 69, 20_001)
    found, expected = activate(x[None], 0)[0].double(), torch.sigmoid(x.double())
    assert ((found - expected).abs() / expected).max() < 1e-6


def copy(x, factors, before):
    """Every cell several times, in the middle of zeros."""
    x = x.contiguous()
    n, *cells, channels = x.shape
    written = [size * factor for size, factor in zip(cells, factors, strict=True)]
    whole_shape = n, *(size + 2 * b for size, b in zip(written, before, strict=True)), channels
    y = torch.empty(whole_shape, dtype=torch.float32).zero_()
    to = contiguous_strides(whole_shape)
    start = sum(b * step for b, step in zip(before, to[1:], strict=True))
    sizes = n, *written, channels, *factors, *contiguous_strides(x.shape), *to
    run(Operation.COPY, sizes, (x,), None, y=y.view(-1)[start:])
    return y


def torchs_copy(x, factors, before):
    for axis, factor in enumerate(factors, 1):
        x = x.repeat_interleave(factor, axis)
    return F.pad(x, (0, 0, *(b for side in before[::-1] for b in (side, side))))


@pytest.mark.parametrize("factors", [(1, 1, 1), (2, 1, 3)])
@pytest.mark.parametrize("before", [(0, 0, 0), (0, 2, 1)])
@pytest.mark.parametrize("channels", [1, 17])
def test_any_copy(factors, before, channels):
    check(copy, (whole(2, 3, 4, 5, channels), factors, before), frozen=[0], definition=torchs_copy, **RUN)


@pytest.mark.parametrize("damage", [torch.zeros_like, lambda y: y.flip(-1), lambda y: y + 1e-6])
def test_the_check_can_fail(damage):
    values = arguments(1, (1, 4, 4), 3, 5, [(1, 1, 1, 0, 0)] + [(3, 1, 1, 1, 1)] * 2)
    with pytest.raises(AssertionError):
        check(lambda *given: damage(convolve(*given)), values, frozen=range(4), definition=torchs_convolve, **RUN)


# Some items at a time ------------------------------------------------------------------------------


def pointers(*tensors):
    return (ctypes.c_void_p * 4)(*map(address, tensors))


@pytest.mark.parametrize("group", [1, 2, 3, 7, 9])
@pytest.mark.parametrize("memories", [1, 2, 5])
@pytest.mark.parametrize(("unit", "threads"), ENGINES)
def test_some_items_at_a_time(unit, threads, group, memories):
    """A sum and a product with weights; every thread has memory of its own in between, and touches nothing beyond."""
    items, cells, channels, filters = 7, 5, 9, 17
    a, b, kernel, bias = (
        normal(items, cells, channels),
        normal(items, cells, channels, seed=1),
        normal(9, 17),
        normal(17),
    )
    own = group * cells * channels + 3
    between, y = torch.full((memories * own + 8,), 7.0), torch.full((items * cells * filters + 8,), 7.0)
    with running(unit, threads):
        panels, biases = in_panels(kernel), filled_up(bias, filters)
        convolve = numbers(
            *(items, 1, 1, cells, channels, 1, 1, cells, filters, *(1,) * 9, 0, 0, 0, channels),
            *contiguous_strides((items, 1, 1, cells, filters)),
        )
        combine = numbers(items * cells * channels)
        instructions = (Instruction * 2)(
            Instruction(Operation.COMBINE, ctypes.addressof(combine), pointers(a, b), between.data_ptr(), math.nan, 0),
            Instruction(
                Operation.CONVOLVE,
                ctypes.addressof(convolve),
                pointers(between, panels, biases, None),
                y.data_ptr(),
                math.nan,
                1,
            ),
        )
        apart = (Apart * 2)()
        apart[0].by_item[0] = apart[0].by_item[1] = cells * channels
        apart[0].by_thread[4] = apart[1].by_thread[0] = own
        apart[1].by_item[4] = cells * filters
        run_in_groups(instructions, 0, apart, items, group, memories)
    torch.testing.assert_close(y[:-8].view(items, cells, filters), ((a + b) @ kernel + bias).relu())
    assert y[-8:].tolist() == between[-8:].tolist() == [7.0] * 8
    assert all(between[part * own + own - 3 : part * own + own].tolist() == [7.0] * 3 for part in range(memories))
