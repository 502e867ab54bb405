"""Masks travel with the tensors, as in Keras, through layers that support them."""

import keras
import numpy as np
import pytest
import torch

from striate.layers import Conv2D, Dense, Dropout, Flatten, Input, Layer
from striate.layers.masks import mask_of, put_mask
from striate.models import Model, Sequential

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
MASK = torch.tensor([[True, True, False], [True, False, False]])


def masked(value=X):
    x = torch.from_numpy(value.copy())
    put_mask(x, MASK)
    return x


class FirstStepsLayer(Layer):
    """Makes a mask."""

    supports_masking = True

    def forward(self, x):
        return 2 * x

    def compute_mask(self, inputs, mask):
        return MASK


class CountedSum(Layer):
    """Uses a mask, and ends it."""

    def forward(self, x, mask=None):
        return x.sum(1) if mask is None else (x * mask[..., None]).sum(1)


class CountedSumInKerasWords(Layer):
    def call(self, x, mask=None, training=None):
        assert training is False
        return x.sum(1) if mask is None else (x * mask[..., None]).sum(1)


@pytest.mark.parametrize("layer", [Dense(4), Dropout(0.5), Sequential([Dense(4)])], ids=lambda layer: layer.name)
def test_a_mask_goes_through_layers_that_support_it(layer):
    assert mask_of(layer(masked())) is MASK
    assert mask_of(layer(torch.from_numpy(X))) is None


def test_a_mask_ends_with_a_warning_where_a_layer_does_not_support_it():
    with pytest.warns(UserWarning, match=r"Flatten '.*' got a mask .* and neither uses it nor hands it on"):
        assert mask_of(Flatten()(masked())) is None


@pytest.mark.parametrize("counted", [CountedSum, CountedSumInKerasWords])
def test_a_mask_reaches_what_takes_it(counted):
    x = Input((3, 4))
    model = Model(x, counted()(Dropout(0.5)(FirstStepsLayer()(x))))
    expected = (2 * X * MASK.numpy()[..., None]).sum(1)
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(counted()(torch.from_numpy(2 * X), mask=MASK), expected, rtol=1e-6)
    np.testing.assert_allclose(counted()(torch.from_numpy(X)), X.sum(1), rtol=1e-6)


def test_masks_are_found_under_keras_s_name():
    x = torch.ones(2, 3, 4)
    keras.src.backend.set_keras_mask(x, MASK)
    assert mask_of(x) is MASK
    assert mask_of([x, torch.ones(1)])[1] is None
    assert mask_of(Conv2D(2, 1)(torch.ones(1, 2, 2, 1))) is None
