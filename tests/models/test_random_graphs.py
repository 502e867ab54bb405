"""Random networks: whatever graph they have, real Keras gives each layer the weights that it has here."""

import random

import numpy as np
import pytest
import torch
from model_files import assert_same_outputs, keras_predict, open_in_keras, stir

from striate.layers import Add, BatchNormalization, Dense, Input
from striate.layers.symbol import symbols_in
from striate.models import Model, Sequential, load_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

WIDTH = 4


class Builder:
    """Grows a network: every size is the same, so that layers in the wrong order would fit and go unnoticed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = 0

    def name(self):
        """A new name, in no order of the alphabet."""
        self.names += 1
        return f"{self.random.choice('abxyz')}{self.random.randrange(10**6)}_{self.names}"

    def model(self, depth=0):
        inputs = [Input((WIDTH,), name=self.name()) for _ in range(self.random.choice([1, 1, 2, 3]))]
        pool, shared = list(inputs), []
        for _ in range(self.random.randrange(2, 9)):
            self.grow(pool, shared, depth)
        ends = [symbol for symbol in pool if symbol.node.inputs] or [Dense(WIDTH)(pool[0])]
        ends = self.random.sample(ends, min(len(ends), self.random.choice([1, 1, 2, 3])))
        return Model(self.arrange(inputs, lambda symbol: symbol.name), self.arrange(ends, lambda _: self.name()))

    def grow(self, pool, shared, depth):
        """Call one layer, new or known, on what is there."""
        kind = self.random.choice(["dense", "dense", "norm", "shared", "add", "model", "stack"])
        one = self.random.choice(pool)
        if kind == "shared" and shared:
            pool.append(self.random.choice(shared)(one))
        elif kind == "add" and len(pool) > 1:
            pool.append(Add()(self.random.sample(pool, 2)))
        elif kind == "model" and depth < 2:
            inner = self.model(depth + 1)
            for _ in range(self.random.choice([1, 2])):
                pool.extend(symbols_in(inner(self.arguments(inner.input, pool))))
        elif kind == "norm":
            pool.append(BatchNormalization()(one))
        else:
            layer = Sequential([Dense(WIDTH), BatchNormalization()]) if kind == "stack" else Dense(WIDTH)
            shared.append(layer)
            pool.append(layer(one))

    def arrange(self, symbols, name):
        """One symbol as it is, several as a list or a dict."""
        if len(symbols) == 1:
            return symbols[0]
        return self.random.choice([symbols, {name(symbol): symbol for symbol in symbols}])

    def arguments(self, structure, pool):
        if isinstance(structure, dict):
            return {key: self.random.choice(pool) for key in structure}
        return (
            [self.random.choice(pool) for _ in structure] if isinstance(structure, list) else self.random.choice(pool)
        )


def arrays(structure, numbers):
    if isinstance(structure, dict):
        return {key: arrays(item, numbers) for key, item in structure.items()}
    if isinstance(structure, list):
        return [arrays(item, numbers) for item in structure]
    return numbers.random((3, WIDTH)).astype("float32")


@pytest.mark.parametrize("seed", range(16))
def test_weights_find_their_layers(seed, tmp_path):
    torch.manual_seed(seed)
    model = stir(Builder(seed).model(), seed)
    x = arrays(model.input, np.random.default_rng(seed))
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "ours.keras")
    assert_same_outputs(load_model(tmp_path / "ours.keras").predict(x, verbose=0), expected, tolerance=0)
    theirs = open_in_keras(tmp_path / "ours.keras")
    assert_same_outputs(keras_predict(theirs, x), expected)
    assert [layer.name for layer in theirs.layers if layer.weights] == [
        layer.name for layer in model.layers if layer.weights
    ]
    theirs.save(tmp_path / "theirs.keras")
    assert_same_outputs(load_model(tmp_path / "theirs.keras").predict(x, verbose=0), expected)
