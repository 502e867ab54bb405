"""padding="same" of AveragePooling2D leaves padded cells out of the mean.

So do Keras's TensorFlow, JAX and NumPy backends; its torch backend repeats the border instead where the padding is
uneven, so that a loop in NumPy is the oracle here, and Keras where the padding is even.
"""

import numpy as np
import pytest
import torch

from oracles.cases import average_pooling_same
from oracles.compare import TOLERANCE, Case, assert_close, compare_arrays, compare_shapes
from striate.layers import AveragePooling2D


def average_by_loop(x: np.ndarray, pool: tuple[int, int], strides: tuple[int, int]) -> np.ndarray:
    starts, counts = [], []
    for size, kernel, stride in zip(x.shape[1:3], pool, strides, strict=True):
        count = int(np.ceil(size / stride))
        before = max((count - 1) * stride + kernel - size, 0) // 2
        starts.append([index * stride - before for index in range(count)])
        counts.append(count)
    y = np.zeros((x.shape[0], *counts, x.shape[3]), x.dtype)
    for i, row in enumerate(starts[0]):
        for j, column in enumerate(starts[1]):
            inside = x[:, max(row, 0) : row + pool[0], max(column, 0) : column + pool[1]]
            y[:, i, j] = inside.mean((1, 2))
    return y


def pairs(case: Case) -> tuple[tuple[int, int], tuple[int, int]]:
    pool, strides = case.arguments["pool_size"], case.arguments["strides"]
    pool = (pool, pool) if isinstance(pool, int) else pool
    strides = pool if strides is None else (strides, strides)
    return pool, strides


def is_even(case: Case) -> bool:
    pool, strides = pairs(case)
    totals = [
        max((-(-size // stride) - 1) * stride + kernel - size, 0)
        for size, kernel, stride in zip(case.shapes[0][1:3], pool, strides, strict=True)
    ]
    return all(total % 2 == 0 for total in totals)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", average_pooling_same(), ids=str)
def test_output_is_the_mean_of_the_cells_inside(case: Case, dtype: str):
    x = np.random.default_rng(3).normal(size=case.shapes[0]).astype(dtype)
    layer = AveragePooling2D(**case.arguments, dtype=dtype)
    assert_close(layer(torch.from_numpy(x)).numpy(), average_by_loop(x, *pairs(case)), TOLERANCE[dtype])


@pytest.mark.parametrize("case", average_pooling_same(), ids=str)
def test_gradient_is_the_transpose_of_the_loop(case: Case):
    random = np.random.default_rng(4)
    x, other = random.normal(size=(2, *case.shapes[0]))
    tensor = torch.tensor(x, requires_grad=True)
    y = AveragePooling2D(**case.arguments, dtype="float64")(tensor)
    direction = random.normal(size=tuple(y.shape))
    y.backward(torch.from_numpy(direction))
    # The loop is linear: <gradient, v> = <direction, loop(v)> for any v.
    expected = (direction * average_by_loop(other, *pairs(case))).sum()
    assert (tensor.grad.numpy() * other).sum() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("case", [case for case in average_pooling_same() if is_even(case)], ids=str)
def test_even_padding_is_that_of_keras(case: Case):
    compare_arrays(case, "float64", training=False)


@pytest.mark.parametrize("case", average_pooling_same(), ids=str)
def test_shapes_are_those_of_keras(case: Case):
    compare_shapes(case)
