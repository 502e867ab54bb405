import contextlib
import random

import numpy as np
import pytest
import torch

from striate.data.order import Order, chance_unmoved, epoch_seed, shuffled


def test_seeds_differ_over_a_grid():
    seeds = {epoch_seed(seed, number) for seed in range(50) for number in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_order_is_the_same_on_every_machine():
    rows = [int(row) for batch in Order(6, 4, True, 7)(2) for row in batch]
    assert rows == [4, 5, 2, 1, 3, 0]


@pytest.mark.parametrize("buffer", [1, 3, 10, 30])
def test_a_buffered_shuffle_loses_nothing(buffer):
    seen = list(shuffled(iter(range(20)), buffer, random.Random(0)))
    assert sorted(seen) == list(range(20))
    assert (seen == list(range(20))) == (buffer == 1)
    assert all(number < place + buffer for place, number in enumerate(seen))  # none comes before it is buffered


def test_every_order_is_as_likely():
    counts = {}
    for seed in range(6000):
        order = tuple(shuffled(iter(range(3)), 3, random.Random(seed)))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert all(850 < count < 1150 for count in counts.values())


def test_every_place_of_the_buffer_is_as_likely():
    first = [next(shuffled(iter(range(9)), 4, random.Random(seed))) for seed in range(4000)]
    assert all(850 < first.count(number) < 1150 for number in range(4))


def test_chance_is_left_where_it_was():
    def draw():
        return random.random(), np.random.rand(), float(torch.rand(()))

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    expected = draw()
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    with contextlib.suppress(OSError), chance_unmoved():
        draw()
        raise OSError
    assert draw() == expected
