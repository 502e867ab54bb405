"""A layer is built once, by hand or by its first data, and either whole or not at all."""

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.layers import GRU, Bidirectional, Dense, Layer


@pytest.mark.parametrize("library", [Dense, keras.layers.Dense])
def test_a_layer_built_by_hand_keeps_its_weights(library):
    layer = library(2, kernel_regularizer="l2")
    layer.build((None, 3))
    assert layer.built
    layer.set_weights([np.ones((3, 2)), np.ones(2)])
    assert layer(torch.ones(1, 3)).tolist() == [[4.0, 4.0]]


def test_a_layer_that_builds_those_inside_penalises_them_once():
    class Inside(Layer):
        def build(self, input_shape):
            self.dense = Dense(2, kernel_initializer="ones", kernel_regularizer="l2")
            self.dense.build(input_shape)
            super().build(input_shape)

        def forward(self, x):
            return self.dense(x)

    layer = Inside()
    layer(torch.ones(1, 3))
    first = layer.dense.kernel
    layer(torch.ones(1, 3))
    assert (layer.built, layer.dense.kernel is first) == (True, True)
    assert layer.penalty().item() == pytest.approx(0.01 * 6)


@pytest.mark.parametrize("library", [Dense, keras.layers.Dense])
def test_a_second_build_is_refused(library):
    layer = library(2, name="two")
    layer.build((None, 3))
    with pytest.raises(ValueError, match=r"Dense 'two'.build got a second call; it needs to be called once|already"):
        layer.build((None, 4))
    assert tuple(layer.kernel.shape) == (3, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dense(2, kernel_regularizer="l2", bias_initializer="identity"),
        lambda: GRU(2, kernel_regularizer="l2", bias_initializer="orthogonal", reset_after=False),
        lambda: Bidirectional(
            GRU(2), backward_layer=GRU(2, bias_initializer="orthogonal", go_backwards=True, reset_after=False)
        ),
    ],
)
def test_a_layer_that_is_refused_half_way_has_no_weights(make):
    layer = make()
    for _ in range(2):
        with pytest.raises(UserError, match=r"got shape \(\d,\); it needs"):
            layer(torch.ones(1, 3) if isinstance(layer, Dense) else torch.ones(1, 2, 3))
        assert (list(layer.parameters()), layer.penalty(), layer.built) == ([], None, False)
