from typing import Any

import keras
import pytest
import torch

from striate.foundation.checks import UserError
from striate.layers import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("arguments", [{}, {"seed": 3}, {"noise_shape": (None, 400)}], ids=str)
def test_training_keeps_a_share_and_the_mean(rate: float, arguments: dict[str, Any]):
    torch.manual_seed(0)
    x = torch.full((400, 400), 2.0)
    ours = Dropout(rate, **arguments)(x, training=True)
    theirs = keras.layers.Dropout(rate, seed=1)(x, training=True)
    kept = (ours != 0).float().mean()
    # 160,000 cells: the share is within 0.005 but once in thousands of draws, and the seed is fixed.
    assert kept.item() == pytest.approx(1 - rate, abs=0.005)
    assert ours.mean().item() == pytest.approx(2.0, rel=0.04)
    assert ours.var().item() == pytest.approx(theirs.var().item(), rel=0.05)
    torch.testing.assert_close(ours.unique(), torch.tensor([0.0, 2 / (1 - rate)]))


@pytest.mark.parametrize("arguments", [{"rate": 0.5}, {"rate": 0.0}, {"rate": 0.5, "seed": 1}], ids=str)
def test_inference_is_the_identity(arguments: dict[str, Any]):
    x = torch.randn(3, 4)
    assert Dropout(**arguments)(x) is x


def test_rate_zero_is_the_identity_in_training():
    x = torch.randn(3, 4)
    assert Dropout(0.0)(x, training=True) is x


@pytest.mark.parametrize("shape", [(None, 1, 1, None), (None, 1, 1, 5), (1, None, None, None)], ids=str)
def test_noise_shape_is_shared_along_axes_of_one(shape: tuple[int | None, ...]):
    x = torch.ones(6, 8, 8, 5)
    y = Dropout(0.5, noise_shape=shape, seed=0)(x, training=True)
    mask = torch.ones_like(y) * (y != 0)
    axes = [axis for axis, size in enumerate(shape) if size == 1]
    assert torch.equal(mask.amin(axes), mask.amax(axes))
    assert 0 < mask.mean() < 1


def test_a_seed_repeats_the_sequence_and_leaves_torch_alone():
    x = torch.ones(50)
    one, two = Dropout(0.5, seed=7), Dropout(0.5, seed=7)
    before = torch.get_rng_state()
    first, second = one(x, training=True), one(x, training=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(two(x, training=True), first)
    assert torch.equal(two(x, training=True), second)
    assert not torch.equal(first, second)


def test_without_a_seed_torch_decides():
    x, layer = torch.ones(50), Dropout(0.5)
    torch.manual_seed(3)
    first = layer(x, training=True)
    torch.manual_seed(3)
    assert torch.equal(layer(x, training=True), first)


def test_gradient_goes_where_the_input_went():
    x = torch.ones(100, requires_grad=True)
    y = Dropout(0.25, seed=1)(x, training=True)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan"), "half", None])
def test_bad_rates_are_refused(rate: Any):
    with pytest.raises(UserError, match=r"Dropout 'd' got rate=.*; it needs a rate from 0 up to but not including 1\."):
        Dropout(rate, name="d")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"seed": -1}, r"seed=-1; it needs a whole number of at least 0"),
        ({"noise_shape": 3}, r"noise_shape=3; it needs one whole number or None for every axis"),
        ({"noise_shape": (None, "a")}, r"noise_shape=\(None, 'a'\); it needs one whole number or None for every axis"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], text: str):
    with pytest.raises(UserError, match=text):
        Dropout(0.5, **arguments)


def test_a_noise_shape_that_does_not_broadcast_is_refused():
    text = r"Dropout 'd' got shape \(2, 4, 3\); it needs axes that noise_shape=\(None, 2, 3\) broadcasts to"
    with pytest.raises(UserError, match=text):
        Dropout(0.5, noise_shape=(None, 2, 3), name="d")(torch.ones(2, 4, 3), training=True)


def test_an_older_seeded_run_can_go_on():
    """What a seeded layer draws next is part of a run's state: it survives copies of the layer."""
    import copy

    layer, x = Dropout(0.5, seed=7), torch.ones(50)
    layer(x, training=True)
    twin = copy.deepcopy(layer)
    assert torch.equal(layer(x, training=True), twin(x, training=True))
