"""Resizing and cropping against Keras."""

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import CenterCrop, RandomCrop, Resizing

RNG = np.random.default_rng(5)


def pictures(height, width, data_format="channels_last"):
    x = RNG.uniform(0, 255, (2, height, width, 3)).astype("float32")
    return x.transpose(0, 3, 1, 2).copy() if data_format == "channels_first" else x


@pytest.mark.parametrize("size", [(9, 12), (5, 5), (20, 7), (1, 1)])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize(
    "options", [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 9}]
)
def test_resizing_is_that_of_keras(size, interpolation, options):
    for data_format in ("channels_last", "channels_first"):
        x = pictures(9, 13, data_format)
        theirs = keras.layers.Resizing(*size, interpolation=interpolation, data_format=data_format, **options)
        ours = Resizing(*size, interpolation=interpolation, data_format=data_format, **options)
        np.testing.assert_allclose(ours(x), theirs(x).cpu(), rtol=1e-5, atol=1e-4)
        assert ours.compute_output_shape(x.shape) == tuple(theirs.compute_output_shape(x.shape))
        np.testing.assert_allclose(ours(x[0]), theirs(x[0]).cpu(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_antialiasing_is_that_of_keras(interpolation):
    x = pictures(19, 23)
    theirs = keras.layers.Resizing(5, 6, interpolation=interpolation, antialias=True)
    ours = Resizing(5, 6, interpolation=interpolation, antialias=True)
    np.testing.assert_allclose(ours(x), theirs(x).cpu(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", [(9, 12), (5, 5), (6, 3), (20, 7), (4, 30)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_the_middle_is_that_of_keras(size, data_format):
    x = pictures(9, 13, data_format)
    theirs = keras.layers.CenterCrop(*size, data_format=data_format)
    ours = CenterCrop(*size, data_format=data_format)
    np.testing.assert_allclose(ours(x), theirs(x).cpu(), rtol=1e-5, atol=1e-4)
    assert ours.compute_output_shape(x.shape) == tuple(theirs.compute_output_shape(x.shape))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_random_crops_are_parts_of_the_picture_and_reach_every_corner(data_format):
    x = torch.arange(5 * 6.0).reshape(1, 5, 6, 1)
    layer = RandomCrop(3, 4, seed=0, data_format=data_format)
    fed = x.permute(0, 3, 1, 2) if data_format == "channels_first" else x
    corners = set()
    for _ in range(200):
        out = layer(fed, training=True).reshape(3, 4)
        top, left = divmod(int(out[0, 0]), 6)
        assert torch.equal(out, x[0, top : top + 3, left : left + 4, 0])
        corners.add((top, left))
    assert corners == {(top, left) for top in range(3) for left in range(3)}


def test_crops_of_what_is_too_small_and_in_inference_are_those_of_keras_smart_resize():
    for x, training in ((pictures(9, 13), False), (pictures(4, 13), True)):
        expected = keras.preprocessing.image.smart_resize(torch.from_numpy(x), (6, 5))
        np.testing.assert_allclose(RandomCrop(6, 5)(x, training=training), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("layer", [Resizing(4, 4), CenterCrop(4, 4), RandomCrop(4, 4)], ids=lambda one: one.name)
def test_whole_numbers_become_floats(layer):
    assert layer(np.full((1, 8, 8, 3), 7, "uint8")).dtype == torch.float32
    assert torch.equal(layer(np.full((8, 8, 3), 7, "uint8")), torch.full((4, 4, 3), 7.0))


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Resizing(0, 4), UserError, r"Resizing '.*' got height=0; it needs a whole number of at least 1"),
        (lambda: Resizing(4, 4, "linear"), UserError, "got interpolation='linear'; .*Did you mean 'bilinear'"),
        (lambda: Resizing(4, 4, "lanczos3"), UnsupportedError, "got interpolation='lanczos3'; .*Take 'bicubic'"),
        (
            lambda: Resizing(4, 4, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            UserError,
            "got crop_to_aspect_ratio=True and pad_to_aspect_ratio=True; it needs one of them",
        ),
        (lambda: Resizing(4, 4, fill_mode="reflect"), UserError, "got fill_mode='reflect'; it needs .*'constant'"),
        (lambda: CenterCrop(4, 2.5), UserError, r"CenterCrop '.*' got width=2\.5; it needs a whole number"),
    ],
)
def test_bad_arguments_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()
