import copy
from typing import Any

import keras
import pytest
import torch

from striate import layers
from striate.foundation.checks import UserError
from striate.layers import AlphaDropout, Dropout, GaussianDropout, GaussianNoise, SpatialDropout2D
from striate.layers.symbol import ShapeError


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
    layer, x = Dropout(0.5, seed=7), torch.ones(50)
    layer(x, training=True)
    twin = copy.deepcopy(layer)
    assert torch.equal(layer(x, training=True), twin(x, training=True))


NOISY: list[tuple[str, dict[str, Any]]] = [
    *[("GaussianNoise", {"stddev": stddev}) for stddev in (0.1, 1.0)],
    *[("GaussianDropout", {"rate": rate}) for rate in (0.1, 0.5, 0.8)],
    *[("AlphaDropout", {"rate": rate}) for rate in (0.1, 0.5, 0.8)],
    ("AlphaDropout", {"rate": 0.5, "noise_shape": (None, 400)}),
    *[("SpatialDropout1D", {"rate": rate}) for rate in (0.1, 0.5)],
    ("SpatialDropout2D", {"rate": 0.5}),
    ("SpatialDropout2D", {"rate": 0.5, "data_format": "channels_first"}),
    ("SpatialDropout3D", {"rate": 0.5}),
    ("SpatialDropout3D", {"rate": 0.3, "data_format": "channels_first"}),
]


def shape_for(name: str, arguments: dict[str, Any]) -> tuple[int, ...]:
    """160,000 cells; where whole channels are dropped, as many of them, with few cells each."""
    axes = {"1D": 1, "2D": 2, "3D": 3}.get(name[-2:])
    if axes is None:
        return (400, 400)
    cells = (2,) * axes
    return (400, 400, *cells) if "data_format" in arguments else (400, *cells, 400)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(("name", "arguments"), NOISY, ids=str)
def test_noise_has_mean_and_variance_of_that_of_keras(name: str, arguments: dict[str, Any], seed: int | None):
    torch.manual_seed(1)
    x = torch.full(shape_for(name, arguments), 2.0)
    ours = getattr(layers, name)(**arguments, seed=seed)(x, training=True)
    theirs = getattr(keras.layers, name)(**arguments, seed=1)(x, training=True)
    assert ours.shape == theirs.shape
    assert ours.mean().item() == pytest.approx(theirs.mean().item(), rel=0.02, abs=0.02)
    assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.02)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(rate: float):
    x = torch.randn(400, 400, generator=torch.Generator().manual_seed(0))
    y = AlphaDropout(rate, seed=0)(x, training=True)
    assert y.mean().item() == pytest.approx(0, abs=0.02)
    assert y.std().item() == pytest.approx(1, rel=0.02)
    dropped = y[(y - y.mode().values.mode().values).abs() < 1e-6]
    assert len(dropped) / y.numel() == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize(("name", "arguments"), [case for case in NOISY if case[0].startswith("Spatial")], ids=str)
def test_spatial_dropout_drops_whole_channels(name: str, arguments: dict[str, Any]):
    shape = shape_for(name, arguments)
    y = getattr(layers, name)(**arguments, seed=0)(torch.ones(shape), training=True)
    cells = tuple(range(2, len(shape))) if "data_format" in arguments else tuple(range(1, len(shape) - 1))
    assert torch.equal(y.amin(cells), y.amax(cells))
    assert sorted(y.unique().tolist()) == pytest.approx([0, 1 / (1 - arguments["rate"])])
    assert (y == 0).float().mean().item() == pytest.approx(arguments["rate"], abs=0.005)


@pytest.mark.parametrize(("name", "arguments"), NOISY, ids=str)
def test_noise_is_for_training_only_and_seeds_repeat_it(name: str, arguments: dict[str, Any]):
    cls, x = getattr(layers, name), torch.ones(shape_for(name, arguments))
    one, two, other = cls(**arguments, seed=7), cls(**arguments, seed=7), cls(**arguments, seed=8)
    assert one(x) is x
    before = torch.get_rng_state()
    first, second = one(x, training=True), one(x, training=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(two(x, training=True), first)
    assert torch.equal(two(x, training=True), second)
    assert not torch.equal(first, second)
    assert not torch.equal(other(x, training=True), first)


@pytest.mark.parametrize(("name", "arguments"), NOISY, ids=str)
def test_gradients_of_noise_are_the_factors(name: str, arguments: dict[str, Any]):
    x = torch.ones(shape_for(name, arguments), requires_grad=True)
    y = getattr(layers, name)(**arguments, seed=1)(x, training=True)
    y.sum().backward()
    zero = getattr(layers, name)(**arguments, seed=1)(torch.zeros_like(x), training=True)  # what is added, whatever x
    torch.testing.assert_close(x.grad, (y - zero).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: GaussianNoise(-0.1), r"GaussianNoise '\w+' got stddev=-0.1; it needs a number from 0 to 1\."),
        (lambda: GaussianNoise(1.5), r"stddev=1.5; it needs a number from 0 to 1"),
        (lambda: GaussianDropout(1), r"GaussianDropout '\w+' got rate=1; it needs a rate from 0 up to but not includi"),
        (lambda: AlphaDropout(-1), r"AlphaDropout '\w+' got rate=-1; it needs a rate from 0 up to but not including 1"),
        (lambda: AlphaDropout(0.5, noise_shape=2), r"noise_shape=2; it needs one whole number or None for every axis"),
        (lambda: SpatialDropout2D(1.0), r"SpatialDropout2D '\w+' got rate=1.0; it needs a rate from 0 up to"),
        (lambda: SpatialDropout2D(0.5, "first"), r"data_format='first'; it needs one of 'channels_last', 'channels_fi"),
        (lambda: GaussianNoise(0.1, seed=1.5), r"seed=1.5; it needs a whole number of at least 0"),
    ],
)  # fmt: skip
def test_bad_arguments_of_noise_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()


def test_spatial_dropout_wants_its_axes():
    with pytest.raises(ShapeError, match=r"^SpatialDropout2D 's' got shape \(2, 3\); it needs \(N, H, W, C\)\."):
        SpatialDropout2D(0.5, name="s")(torch.ones(2, 3))
