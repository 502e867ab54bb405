"""Random flips, turns, zooms and shifts against Keras's, which are given the same draws."""

import copy
import itertools

import keras
import numpy as np
import pytest
import torch
from oracles.compare import double_precision

from striate import layers
from striate.foundation.checks import UserError
from striate.layers import Dense, Flatten, Input, RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from striate.layers.preprocessing.resample import resample
from striate.layers.symbol import ShapeError
from striate.models import Model, Sequential, load_model

PICTURES = np.random.default_rng(5).uniform(0, 255, (6, 9, 12, 3))


def keras_affine(maps, pictures=PICTURES, **options):
    """What Keras finds at these maps."""
    flat = maps.reshape(len(maps), 9)[:, :8].numpy().astype("float64")
    with double_precision():
        return keras.ops.convert_to_numpy(keras.ops.image.affine_transform(pictures.copy(), flat.copy(), **options))


@pytest.mark.parametrize("fill_mode", ["reflect", "nearest", "constant", "wrap"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_pictures_are_looked_up_as_in_keras(fill_mode, interpolation):
    chance = torch.Generator().manual_seed(1)
    maps = torch.eye(3, dtype=torch.float64) + 0.4 * torch.randn(6, 3, 3, generator=chance, dtype=torch.float64)
    maps[:, 2] = torch.tensor([0.0, 0, 1])
    maps[:, :2, 2] += 3 * torch.randn(6, 2, generator=chance, dtype=torch.float64)
    got = resample(torch.from_numpy(PICTURES), maps, fill_mode, interpolation, fill_value=50.0)
    expected = keras_affine(maps, fill_mode=fill_mode, interpolation=interpolation, fill_value=50.0)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-7)


def keras_flip(layer, x, draws):
    """Keras's layer, told which pictures to mirror."""
    chosen = torch.tensor(draws)[:, None, None, None] <= 0.5
    return layer.transform_images(x, {"flips": chosen, "input_shape": x.shape}, training=True)


@pytest.mark.parametrize("mode", ["horizontal", "vertical", "horizontal_and_vertical"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_flips_are_those_of_keras(mode, data_format, monkeypatch):
    ours, theirs = RandomFlip(mode, data_format=data_format), keras.layers.RandomFlip(mode, data_format=data_format)
    draws = [0.1, 0.9, 0.5, 0.6, 0.2, 0.8]
    monkeypatch.setattr(RandomFlip, "draw", lambda self, *_: torch.tensor(draws))
    x = torch.from_numpy(PICTURES).float()
    x = x.permute(0, 3, 1, 2) if data_format == "channels_first" else x
    np.testing.assert_array_equal(ours(x, training=True), keras_flip(theirs, x, draws))
    # Beside another layer they are looked up with it.
    moved = resample(torch.from_numpy(PICTURES), ours.maps(6, 9, 12, x.device))
    moved = moved.permute(0, 3, 1, 2) if data_format == "channels_first" else moved
    np.testing.assert_allclose(moved, keras_flip(theirs, x, draws), rtol=1e-5)


def turned(theirs, part):
    angle = part * 360
    matrix = theirs._compute_affine_matrix(
        0.5, 0.5, angle, 0 * angle, 0 * angle, 1 + 0 * angle, 0 * angle, 0 * angle, 9, 12
    )
    return {"rotation_matrix": matrix}


DRAWS = torch.tensor([-0.7, -0.2, 0.0, 0.1, 0.4, 0.5], dtype=torch.float64)
MOVERS = {
    "rotation": (RandomRotation, {"factor": 0.5}, turned),
    "zoom": (
        RandomZoom,
        {"height_factor": 0.5},
        lambda theirs, part: {"height_zoom": 1 + part[:, None], "width_zoom": 1 + part[:, None]},
    ),
    "zoom both": (
        RandomZoom,
        {"height_factor": 0.5, "width_factor": 0.3},
        lambda theirs, part: {"height_zoom": 1 + part[:, None], "width_zoom": 1 + part[:, None]},
    ),
    "translation": (
        RandomTranslation,
        {"height_factor": 0.5, "width_factor": 0.3},
        lambda theirs, part: {"translations": torch.stack([part * 12, part * 9], 1)},
    ),
}


@pytest.mark.parametrize("kind", MOVERS)
@pytest.mark.parametrize("fill_mode", ["reflect", "constant"])
def test_moves_are_those_of_keras(kind, fill_mode, monkeypatch):
    layer, options, transformation = MOVERS[kind]
    options = {**options, "fill_mode": fill_mode, "fill_value": 7.0}
    monkeypatch.setattr(layer, "draw", lambda self, *_: DRAWS)
    x = torch.from_numpy(PICTURES).float()
    theirs = getattr(keras.layers, layer.__name__)(**options)
    expected = theirs.transform_images(x, transformation(theirs, DRAWS.float()), training=True)
    np.testing.assert_allclose(layer(**options)(x, training=True), expected, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("layer", [RandomRotation(0.2), RandomZoom(0.2), RandomTranslation(0.2, 0.1), RandomFlip()])
def test_draws_keep_to_their_range_and_differ_between_pictures(layer):
    maps = layer.maps(2000, 10, 10, torch.device("cpu"))
    assert len(torch.unique(maps, dim=0)) > (1000 if layer.name.startswith("random_r") else 1)
    if isinstance(layer, RandomRotation):
        angles = torch.atan2(maps[:, 1, 0], maps[:, 0, 0]) / (2 * np.pi)
        assert -0.2 <= angles.min() < -0.19 < 0.19 < angles.max() <= 0.2
    elif isinstance(layer, RandomZoom):
        assert 0.8 <= maps[:, 0, 0].min() < 0.81 < 1.19 < maps[:, 0, 0].max() <= 1.2
        assert torch.equal(maps[:, 0, 0], maps[:, 1, 1])
    elif isinstance(layer, RandomTranslation):
        assert maps[:, 0, 2].abs().max() <= 1 < maps[:, 1, 2].abs().max() <= 2
    else:
        assert abs((maps[:, 0, 0] < 0).double().mean() - 0.5) < 0.05


@pytest.mark.parametrize("layer", [RandomRotation(0.2), RandomZoom(0.2), RandomTranslation(0.2, 0.1), RandomFlip()])
def test_inference_changes_nothing_but_the_dtype(layer):
    x = torch.from_numpy(PICTURES).to(torch.uint8)
    assert torch.equal(layer(x), x.float())
    assert torch.equal(layer(x[0]), x[0].float())
    assert layer(x, training=True).dtype == torch.float32
    assert layer(x[0], training=True).shape == x[0].shape


def test_a_seed_makes_draws_of_the_layer_s_own():
    x = torch.from_numpy(PICTURES)
    one, other = RandomRotation(0.2, seed=3), RandomRotation(0.2, seed=3)
    torch.manual_seed(0)
    first = one(x, training=True)
    torch.manual_seed(1)
    assert torch.equal(other(x, training=True), first)
    assert not torch.equal(one(x, training=True), first)


# Several in a row ---------------------------------------------------------------------------------


class Counted(RandomRotation):
    """Counts how often pictures are looked up."""

    lookups = 0

    def move(self, chain, x):
        Counted.lookups += 1
        return super().move(chain, x)


def stack(*chain):
    return Sequential([Input((9, 12, 3)), *chain])


def test_several_in_a_row_are_one_look_up_with_the_combined_map(monkeypatch):
    chain = [RandomFlip("horizontal", seed=1), RandomRotation(0.1, seed=2), RandomZoom(0.2, seed=3)]
    x = torch.from_numpy(PICTURES)
    got = stack(*copy.deepcopy(chain)).double()(x, training=True)
    maps = [layer.maps(6, 9, 12, x.device) for layer in chain]
    np.testing.assert_allclose(got, resample(x, maps[0] @ maps[1] @ maps[2]), rtol=1e-9)
    assert torch.equal(stack(*chain)(x), x.float())


def test_whole_turns_in_a_row_are_what_one_after_the_other_gives():
    """Quarter turns and mirrorings move cells onto cells, so that nothing is lost by looking up twice."""
    x = torch.from_numpy(PICTURES[:, :, :9])
    chain = [RandomRotation((0.25, 0.25)), RandomFlip("vertical", seed=1), RandomTranslation((1 / 9, 1 / 9), 0)]
    one_by_one = x
    for layer in copy.deepcopy(chain):
        one_by_one = layer.double()(one_by_one, training=True)
    got = Sequential([Input((9, 9, 3)), *chain]).double()(x, training=True)
    np.testing.assert_allclose(got[:, 1:], one_by_one[:, 1:], rtol=1e-9)


@pytest.mark.parametrize(
    ("chain", "lookups"),
    [
        ([Counted(0.1), Counted(0.1), Counted(0.1)], 1),
        ([Counted(0.1), RandomFlip(), Counted(0.1)], 1),
        ([Counted(0.1), Counted(0.1, fill_mode="nearest"), Counted(0.1, fill_mode="nearest")], 2),
        ([Counted(0.1), layers.RandomBrightness(0.1), Counted(0.1)], 2),
    ],
)
def test_only_what_agrees_is_joined(chain, lookups):
    Counted.lookups = 0
    model = stack(*chain, Flatten(), Dense(1))
    model.compile("sgd", "mse")
    model.fit(PICTURES, np.zeros(6), batch_size=6, verbose=0)
    assert Counted.lookups == lookups
    model.predict(PICTURES, verbose=0)
    assert Counted.lookups == lookups


def test_what_others_read_is_not_joined():
    x = Input((9, 12, 3))
    turned_once = Counted(0.1)(x)
    model = Model(x, [turned_once, Counted(0.1)(turned_once)])
    Counted.lookups = 0
    model(PICTURES, training=True)
    assert Counted.lookups == 2


def test_a_copy_and_a_file_join_as_well(tmp_path):
    model = stack(RandomRotation(0.1, seed=1), RandomZoom(0.1, seed=2))
    model.save(tmp_path / "model.keras")
    found = [
        each(PICTURES, training=True) for each in (copy.deepcopy(model), load_model(tmp_path / "model.keras"), model)
    ]
    for one, other in itertools.pairwise(found):
        assert torch.equal(one, other)


# Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RandomFlip("sideways"), r"RandomFlip '.*' got mode='sideways'; it needs one of 'horizontal'"),
        (lambda: RandomRotation(1.5), r"got factor=1\.5; it needs a number from -1 to 1 \(parts of a full turn\)"),
        (lambda: RandomRotation((0.1, 0.2, 0.3)), r"got factor=\(0\.1, 0\.2, 0\.3\); it needs a number from -1 to 1"),
        (lambda: RandomRotation("much"), "got factor='much'; it needs a number from -1 to 1"),
        (lambda: RandomZoom(-1), "got height_factor=-1; it needs a number above -1, up to 1"),
        (lambda: RandomZoom(0.1, 2), "got width_factor=2; it needs a number above -1"),
        (lambda: RandomTranslation(0.1, -2), "got width_factor=-2; it needs a number from -1 to 1"),
        (lambda: RandomZoom(0.1, fill_mode="reflct"), "got fill_mode='reflct'; .*Did you mean 'reflect'"),
        (lambda: RandomZoom(0.1, interpolation="cubic"), "got interpolation='cubic'; it needs one of 'bilinear'"),
        (lambda: RandomZoom(0.1, seed=-1), "got seed=-1; it needs a whole number of at least 0"),
        (lambda: RandomFlip(data_format="last"), "got data_format='last'; it needs one of 'channels_last'"),
    ],
)
def test_bad_arguments_are_refused(make, text):
    with pytest.raises(UserError, match=text):
        make()


def test_what_is_no_picture_is_refused():
    with pytest.raises(
        ShapeError, match=r"RandomFlip '.*' got shape \(2, 3\); it needs pictures \(N, H, W, C\) or \(H"
    ):
        RandomFlip()(torch.zeros(2, 3))
