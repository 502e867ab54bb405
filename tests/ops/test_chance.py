import inspect

import keras
import numpy as np
import pytest
import torch

from striate import random, utils
from striate.foundation.checks import UserError

DRAWS = {
    "normal": lambda seed: random.normal((2000,), 3.0, 2.0, seed=seed),
    "uniform": lambda seed: random.uniform((2000,), -1.0, 3.0, seed=seed),
    "randint": lambda seed: random.randint((2000,), -1, 4, seed=seed),
    "truncated_normal": lambda seed: random.truncated_normal((2000,), 3.0, 2.0, seed=seed),
    "categorical": lambda seed: random.categorical(np.log([[0.5, 0.3, 0.2]]), 2000, seed=seed),
    "shuffle": lambda seed: random.shuffle(np.arange(2000), seed=seed),
    "dropout": lambda seed: random.dropout(np.ones(2000, "float32"), 0.25, seed=seed),
}


@pytest.mark.parametrize("name", DRAWS)
def test_seeds_decide(name):
    draw = DRAWS[name]
    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    numbers, again = random.SeedGenerator(5), random.SeedGenerator(5)
    first, second = draw(numbers), draw(numbers)
    assert not torch.equal(first, second)
    assert torch.equal(draw(again), first)
    utils.set_random_seed(4)
    free = draw(None)
    utils.set_random_seed(4)
    assert torch.equal(draw(None), free)


@pytest.mark.parametrize("name", DRAWS)
def test_arguments_are_those_of_keras(name):
    def listed(module):
        parameters = inspect.signature(getattr(module, name)).parameters.values()
        return [(parameter.name, parameter.default) for parameter in parameters]

    assert listed(random) == listed(keras.random)


def test_distributions():
    values = {name: draw(0).float() for name, draw in DRAWS.items()}
    assert values["normal"].mean() == pytest.approx(3, abs=0.2)
    assert values["normal"].std() == pytest.approx(2, abs=0.1)
    assert (values["uniform"].min() >= -1) & (values["uniform"].max() < 3)
    assert values["uniform"].mean() == pytest.approx(1, abs=0.1)
    assert sorted(set(values["randint"].tolist())) == [-1, 0, 1, 2, 3]
    assert (values["truncated_normal"] - 3).abs().max() <= 4
    assert values["truncated_normal"].std() == pytest.approx(2 * 0.88, abs=0.1)  # of a normal cut off at 2
    assert np.bincount(values["categorical"].int().flatten()) / 2000 == pytest.approx([0.5, 0.3, 0.2], abs=0.04)
    assert sorted(values["shuffle"].tolist()) == list(range(2000))
    assert sorted(set(values["dropout"].tolist())) == pytest.approx([0, 4 / 3])
    assert (values["dropout"] == 0).float().mean() == pytest.approx(0.25, abs=0.04)


def test_dropout_of_whole_channels():
    kept = random.dropout(np.ones((4, 5, 3), "float32"), 0.5, noise_shape=(None, 1, None), seed=1) > 0
    assert torch.equal(kept, kept[:, :1].expand(4, 5, 3))
    assert random.dropout(np.ones(3, "float32"), 1.0).tolist() == [0, 0, 0]


def test_refusals():
    with pytest.raises(
        UserError, match=r"random.normal got seed='a'; it needs a whole number, a SeedGenerator or None"
    ):
        random.normal((2,), seed="a")
    with pytest.raises(UserError, match="SeedGenerator got seed=-1"):
        random.SeedGenerator(-1)
    with pytest.raises(UserError, match=r"random.dropout got rate=2"):
        random.dropout([1.0], 2)
    with pytest.raises(UserError, match=r"random.uniform got dtype='float33'"):
        random.uniform((2,), dtype="float33")
