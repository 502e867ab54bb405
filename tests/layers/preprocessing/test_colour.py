"""Random contrast and brightness against Keras's, which are given the same draws."""

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.layers import RandomBrightness, RandomContrast

PICTURES = np.random.default_rng(5).uniform(0, 255, (6, 5, 4, 3)).astype("float32")
DRAWS = torch.tensor([0.5, 0.8, 1.0, 1.1, 1.4, 1.5])[:, None, None, None]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("value_range", [(0, 255), (50, 200)])
def test_contrast_is_that_of_keras(data_format, value_range, monkeypatch):
    monkeypatch.setattr(RandomContrast, "draw", lambda *_: DRAWS)
    x = torch.from_numpy(PICTURES)
    x = x.permute(0, 3, 1, 2) if data_format == "channels_first" else x
    options = {"value_range": value_range, "data_format": data_format}
    expected = keras.layers.RandomContrast(0.5, **options).transform_images(x, {"contrast_factor": DRAWS})
    np.testing.assert_allclose(RandomContrast(0.5, **options)(x, training=True), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("value_range", [(0, 255), (50, 200)])
def test_brightness_is_that_of_keras(value_range, monkeypatch):
    monkeypatch.setattr(RandomBrightness, "draw", lambda *_: 100 * (DRAWS - 1))
    x = torch.from_numpy(PICTURES)
    theirs = keras.layers.RandomBrightness(0.5, value_range=value_range)
    expected = theirs.transform_images(x.clone(), {"rgb_delta": 100 * (DRAWS - 1)})
    got = RandomBrightness(0.5, value_range=value_range)(x, training=True)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_draws_keep_to_their_range():
    x = torch.full((4000, 1, 2, 1), 100.0)
    x[:, :, 1] = 120.0
    contrast = RandomContrast(0.3)(x, training=True)
    factor = (contrast[:, 0, 1] - contrast[:, 0, 0]) / 20
    assert 0.7 <= factor.min() < 0.72 < 1.28 < factor.max() < 1.3 + 1e-5
    shift = RandomBrightness((-0.1, 0.2))(x, training=True)[:, 0, 0] - 100
    assert -25.5 <= shift.min() < -24 < 49 < shift.max() <= 51


@pytest.mark.parametrize("layer", [RandomContrast(0.5), RandomBrightness(0.5)], ids=["contrast", "brightness"])
def test_inference_changes_nothing_but_the_dtype(layer):
    x = torch.full((2, 3, 3, 1), 255, dtype=torch.uint8)
    assert torch.equal(layer(x), x.float())
    assert layer(x[0], training=True).shape == (3, 3, 1)


@pytest.mark.parametrize("layer", [RandomContrast((0.1, 0.4), seed=1), RandomBrightness((-0.1, 0.4), (0, 1), seed=1)])
def test_keras_reads_the_same_range_out_of_the_config(layer):
    theirs = getattr(keras.layers, type(layer).__name__).from_config(layer.get_config())
    wanted = getattr(keras.layers, type(layer).__name__)((0.1, 0.4) if "contrast" in layer.name else (-0.1, 0.4))
    assert tuple(theirs.factor) == tuple(wanted.factor)
    assert theirs.seed == 1


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RandomContrast(1.5), r"RandomContrast '.*' got factor=1\.5; it needs a number from 0 to 1"),
        (lambda: RandomContrast((0.1, 0.2, 0.3)), r"got factor=\(0\.1, 0\.2, 0\.3\); it needs a number from 0 to 1"),
        (lambda: RandomBrightness(-2), "got factor=-2; it needs a number from -1 to 1"),
        (lambda: RandomBrightness(0.1, 255), "got value_range=255; it needs two numbers"),
        (lambda: RandomBrightness(0.1, (1, 1)), r"got value_range=\(1, 1\); it needs two numbers"),
    ],
)
def test_bad_arguments_are_refused(make, text):
    with pytest.raises(UserError, match=text):
        make()
