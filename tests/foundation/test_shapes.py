"""Shape arithmetic against counting by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.foundation.shapes import ReceptiveField, describe, extent, product, same_padding, window_count

SIZES = {
    "length": st.integers(1, 40),
    "kernel": st.integers(1, 7),
    "stride": st.integers(1, 5),
    "dilation": st.integers(1, 3),
}


def positions(length: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> list[list[int]]:
    """The cells under the window at each place it can take, from before the input to behind it."""
    cells = [
        range(start, start + (kernel - 1) * dilation + 1, dilation) for start in range(-before, length + after, stride)
    ]
    return [list(window) for window in cells if window[-1] < length + after]


@settings(max_examples=300, derandomize=True)
@given(**SIZES)
def test_valid_windows_stay_inside(length: int, kernel: int, stride: int, dilation: int):
    windows = positions(length, kernel, stride, dilation, 0, 0)
    count = window_count(length, kernel, stride, "valid", dilation)
    assert max(count, 0) == len(windows)
    assert (count < 1) == (extent(kernel, dilation) > length)


@settings(max_examples=300, derandomize=True)
@given(**SIZES)
def test_same_padding_is_the_least_that_gives_ceil(length: int, kernel: int, stride: int, dilation: int):
    before, after = same_padding(length, kernel, stride, dilation)
    windows = positions(length, kernel, stride, dilation, before, after)
    assert len(windows) == window_count(length, kernel, stride, "same", dilation) == -(-length // stride)
    assert after - before in (0, 1)
    if before + after:
        assert len(positions(length, kernel, stride, dilation, before, after - 1)) < len(windows)


@settings(max_examples=100, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)), min_size=1, max_size=4))
def test_receptive_fields_are_the_cells_that_are_reached(windows: list[tuple[int, int, int]]):
    field = ReceptiveField()
    for window in windows:
        field = field.through(*window)

    def reached(position: int, level: int) -> set[int]:
        if level == 0:
            return {position}
        kernel, stride, dilation = windows[level - 1]
        below = [position * stride + step * dilation for step in range(kernel)]
        return set().union(*(reached(cell, level - 1) for cell in below))

    first, second = reached(0, len(windows)), reached(1, len(windows))
    assert max(first) - min(first) + 1 == field.size
    assert min(second) - min(first) == field.jump


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_unknown_sizes_stay_unknown(padding: str):
    assert window_count(None, 3, 2, padding) is None
    assert product((None, 3)) is None
    assert product(()) == 1
    assert describe([None, 3]) == "(None, 3)"
