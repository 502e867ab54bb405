"""What a function stumbles over is said in one sentence that names its arguments; the user's own errors are not."""

import numpy as np
import pytest
import torch

from striate import losses, ops, utils
from striate.foundation.checks import UserError
from striate.foundation.explain import explaining
from striate.foundation.wording import ExplainedError
from striate.layers import Activation, Dense


def ours(function):
    """A function as if it stood in the package, which is what decides whose an error is."""
    return explaining(type(function)(function.__code__, {**globals(), "__name__": "striate.some"}, function.__name__))


@ours
def total(x, axis):
    return x.sum(axis)


@ours
def first_of_each(*rows):
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: total(torch.ones(2, 3), 5),
            r"^total got x=a float32 Tensor of shape \(2, 3\), axis=5; it needs what it can compute with \(Dimension .*"
            r"but got 5\)\)\. Look at their types, shapes and ranges\.$",
        ),
        (
            lambda: total(torch.ones(2)),
            r"^total got a wrong call \(missing .* 'axis'\); it needs the arguments x, axis\.",
        ),
        (
            lambda: total(1, 2, 3),
            r"^total got a wrong call \(too many positional arguments\); it needs the arguments x",
        ),
        (lambda: total(np.array(["a"]), axis="b"), r"^total got x=a <U1 ndarray of shape \(1,\), axis='b'; it needs"),
        (lambda: first_of_each([1], []), r"^first_of_each got rows=\(\[1\], \[\]\); it .* \(list index out of range\)"),
        (
            lambda: total(torch.ones(2, 3).to_sparse(), "x"),
            r"x=a sparse float32 Tensor of .* Make x dense with to_dense\(\)\.$",
        ),
        (
            lambda: total(torch.ones(2, device="meta"), 3),
            r"shape \(2,\) on meta, .* Make x on another device",
        ),
        (lambda: total(torch.ones(2, dtype=torch.bool), 3), r"x=a bool Tensor .* Make numbers of x with float\(\)\.$"),
        (lambda: total(torch.ones(2).half(), 3), r"Convert x with float\(\), or compute with dtype='float32'\.$"),
    ],
)
def test_arguments_are_named(call, text):
    with pytest.raises(ExplainedError, match=text) as caught:
        call()
    assert caught.value.__cause__ is not None


def test_unknown_arguments_are_refused_by_name():
    with pytest.raises(UserError, match=r"^total got an unknown argument axes=0; .* Did you mean 'axis'\?$"):
        total(torch.ones(2), axes=0)


def test_long_reasons_of_torch_are_cut():
    with pytest.raises(UserError) as caught:
        losses.mean_squared_error(torch.ones(2, 3).to_sparse(), torch.ones(2, 3).to_sparse())
    assert len(str(caught.value)) < 400


def test_errors_of_the_users_own_code_are_passed_on():
    def mine(x):
        raise KeyError("mine")

    for call in (
        lambda: ops.map(mine, [1.0]),
        lambda: Activation(mine)(torch.ones(2)),
        lambda: Dense(1, mine)(torch.ones(2, 3)),
        lambda: losses.LossFunctionWrapper(lambda y_true, y_pred: mine(y_true))([1.0], [1.0]),
    ):
        with pytest.raises(KeyError, match="mine"):
            call()


@pytest.mark.parametrize("error", [UserError("a", "b", "c", "."), torch.OutOfMemoryError("!"), NotImplementedError()])
def test_what_is_said_or_meant_for_others_is_passed_on(error):
    @ours
    def stumble(error):
        raise error

    with pytest.raises(type(error)) as caught:
        stumble(error)
    assert caught.value is error


def test_what_goes_well_is_untouched():
    assert total(torch.ones(2, 3), 1).tolist() == [3, 3]
    assert utils.pad_sequences.__doc__.startswith("Lists of different lengths")
