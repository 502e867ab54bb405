"""Every operation computes what Keras's does, in its dtype."""

import inspect

import keras
import numpy as np
import pytest
import torch
from ops.op_cases import CALLS, ELSEWHERE

from striate.ops.table import TABLE

TOLERANCE = 2e-6  # of the largest value; float32 keeps 6e-8 of each number, and sums of a few dozen lose some

# Arguments of Keras's that are read out of **kwargs, for names of old.
MORE = {"einsum": {"kwargs"}, "layer_normalization": {"kwargs"}, "multi_hot": {"kwargs"}}


def of_keras(name):
    place = keras.ops
    for part in name.split("."):
        place = getattr(place, part)
    return place


def leaves(value):
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=[name for name, _, _ in CALLS])
def test_values_and_dtypes(name, args, kwargs):
    ours = leaves(TABLE[name](*args, **kwargs))
    theirs = leaves(of_keras(name)(*_as_keras_wants(args), **kwargs))
    assert len(ours) == len(theirs)
    for own, other in zip(ours, theirs, strict=True):
        assert type(own) is type(other)
        if not isinstance(own, torch.Tensor | np.ndarray):
            assert own == other
            continue
        assert own.dtype == other.dtype
        own, other = np.asarray(own), np.asarray(other)
        assert own.shape == other.shape
        scale = np.abs(other[np.isfinite(other)]).max(initial=1.0) if other.dtype.kind == "f" else 0
        np.testing.assert_allclose(own, other, rtol=0, atol=TOLERANCE * scale)


def _as_keras_wants(args):
    """Tensors, since not all of Keras's functions take arrays; copies, since its affine_transform writes into them."""
    return [torch.tensor(arg) if isinstance(arg, np.ndarray) else arg for arg in args]


def test_every_operation_is_compared():
    assert set(TABLE) == {name for name, _, _ in CALLS} | ELSEWHERE


@pytest.mark.parametrize("name", TABLE)
def test_arguments_and_defaults(name):
    def listed(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters if p.name not in MORE.get(name, ())]

    assert listed(TABLE[name]) == listed(of_keras(name))
    assert TABLE[name].__doc__
