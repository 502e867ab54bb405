"""padding="same" of the average pools leaves padded cells out of the mean.

So do Keras's TensorFlow, JAX and NumPy backends; its torch backend repeats the border instead where the padding is
uneven, so that a loop in NumPy is the oracle here, and Keras where the padding is even.
"""

from itertools import product
from math import ceil
from typing import Any

import numpy as np
import pytest
import torch

from oracles.compare import TOLERANCE, Case, assert_close, compare_arrays, compare_shapes
from oracles.spatial_cases import average_pooling_same
from striate import layers


def spans(case: Case) -> list[list[tuple[int, int]]]:
    """For each spatial axis the windows: where they begin, which may be before the input, and where they end."""
    sizes = case.shapes[0][2:] if "data_format" in case.arguments else case.shapes[0][1:-1]
    pools, strides = case.arguments["pool_size"], case.arguments["strides"]
    found = []
    for axis, size in enumerate(sizes):
        pool = pools if isinstance(pools, int) else pools[axis]
        stride = strides or pool
        count = ceil(size / stride)
        before = max((count - 1) * stride + pool - size, 0) // 2
        found.append([(index * stride - before, index * stride - before + pool) for index in range(count)])
    return found


def average_by_loop(x: np.ndarray, case: Case) -> np.ndarray:
    """The mean of what lies inside each window."""
    first = "data_format" in case.arguments
    x = x if first else np.moveaxis(x, -1, 1)
    windows = spans(case)
    y = np.zeros((*x.shape[:2], *map(len, windows)), x.dtype)
    for cell in product(*(range(len(axis)) for axis in windows)):
        here = tuple(slice(max(axis[i][0], 0), axis[i][1]) for axis, i in zip(windows, cell, strict=True))
        inside = x[(slice(None), slice(None), *here)]
        y[(slice(None), slice(None), *cell)] = inside.mean(tuple(range(2, x.ndim)))
    return y if first else np.moveaxis(y, 1, -1)


def is_even(case: Case) -> bool:
    """Whether as many cells are padded before as after."""
    sizes = case.shapes[0][2:] if "data_format" in case.arguments else case.shapes[0][1:-1]
    ends = zip(sizes, spans(case), strict=True)
    return all(max(-windows[0][0], 0) == max(windows[-1][1] - size, 0) for size, windows in ends)


def is_too_small(case: Case) -> bool:
    """Whether torch refuses it, and with it Keras: a volume smaller than the window."""
    smallest = min(case.shapes[0][2:] if "data_format" in case.arguments else case.shapes[0][1:-1])
    return case.layer == "AveragePooling3D" and smallest < case.arguments["pool_size"]


KERAS_CASES = [case for case in average_pooling_same() if not is_too_small(case)]


def make(case: Case, dtype: str) -> Any:
    return getattr(layers, case.layer)(**case.arguments, dtype=dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", average_pooling_same(), ids=str)
def test_output_is_the_mean_of_the_cells_inside(case: Case, dtype: str):
    x = np.random.default_rng(3).normal(size=case.shapes[0]).astype(dtype)
    assert_close(make(case, dtype)(torch.from_numpy(x)).numpy(), average_by_loop(x, case), TOLERANCE[dtype])


@pytest.mark.parametrize("case", average_pooling_same(), ids=str)
def test_gradient_is_the_transpose_of_the_loop(case: Case):
    random = np.random.default_rng(4)
    x, other = random.normal(size=(2, *case.shapes[0]))
    tensor = torch.tensor(x, requires_grad=True)
    y = make(case, "float64")(tensor)
    direction = random.normal(size=tuple(y.shape))
    y.backward(torch.from_numpy(direction))
    # The loop is linear: <gradient, v> = <direction, loop(v)> for any v.
    expected = (direction * average_by_loop(other, case)).sum()
    assert (tensor.grad.numpy() * other).sum() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("case", [case for case in KERAS_CASES if is_even(case)], ids=str)
def test_even_padding_is_that_of_keras(case: Case):
    compare_arrays(case, "float64", training=False)


@pytest.mark.parametrize("case", KERAS_CASES, ids=str)
def test_shapes_are_those_of_keras(case: Case):
    compare_shapes(case)
