"""Batches whose order and changes follow from the seed alone."""

import itertools

import pytest
import torch

from striate.data.arrays import make_feed
from striate.tasks.augmentation import jitter
from striate.tasks.batches import batches

ROWS = torch.arange(10)


def made(**options):
    return make_feed(batches(lambda rows: (ROWS[rows].float(), ROWS[rows]), 10, 3, **options))


def contents(feed, epoch, start=0):
    return [batch.x.tolist() for batch in feed.epoch(epoch, start)]


def test_in_order_and_whole():
    feed = made()
    assert contents(feed, 0) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert feed.steps == 4


def test_orders_follow_from_seed_and_epoch():
    assert contents(made(shuffle=True, seed=1), 2) == contents(made(shuffle=True, seed=1), 2)
    assert contents(made(shuffle=True, seed=1), 2) != contents(made(shuffle=True, seed=1), 3)
    assert contents(made(shuffle=True, seed=1), 2) != contents(made(shuffle=True, seed=2), 2)
    assert sorted(itertools.chain(*contents(made(shuffle=True), 0))) == list(range(10))


def test_an_epoch_begun_in_its_middle_goes_on_alike():
    change = lambda x, chance: x + torch.rand(len(x), generator=chance)  # noqa: E731
    feed = made(shuffle=True, seed=4, change=change)
    assert contents(feed, 5)[2:] == contents(feed, 5, start=2)


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    contents(made(shuffle=True, change=jitter_of_nothing), 0)
    assert torch.equal(before, torch.get_rng_state())


def jitter_of_nothing(x, chance):
    return x + 0 * torch.rand(1, generator=chance)


PICTURES = torch.randint(0, 256, (6, 12, 10, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_jitter_of_nothing_changes_nothing(dtype):
    pictures = PICTURES.to(dtype)
    same = jitter(0, 0, 0, flip=False)(pictures, torch.Generator())
    assert same.dtype == dtype
    torch.testing.assert_close(same, pictures, atol=1e-4, rtol=1e-5)


def test_jitter_takes_its_chance_from_the_generator_alone():
    change = jitter(0.1, 10, 0.1, flip=True)
    before = torch.get_rng_state()
    first, again, other = (change(PICTURES, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_flip_mirrors_about_half():
    pictures = PICTURES[:1].repeat(400, 1, 1, 1)
    flipped = jitter(0, 0, 0, flip=True)(pictures, torch.Generator().manual_seed(0))
    mirrored = torch.stack([torch.equal(one, PICTURES[0].flip(1)) * torch.ones(()) for one in flipped])
    plain = torch.stack([torch.equal(one, PICTURES[0]) * torch.ones(()) for one in flipped])
    assert torch.equal(mirrored + plain, torch.ones(400))
    assert 150 < mirrored.sum() < 250


def test_jitter_moves_by_at_most_the_shift():
    spot = torch.zeros(200, 21, 21, 1)
    spot[:, 10, 10] = 1
    moved = jitter(0.1, 0, 0, flip=False)(spot, torch.Generator().manual_seed(0))
    places = (moved[..., 0] > 0.05).nonzero()[:, 1:]
    assert (places - 10).abs().max() <= 3  # 0.1 * 21, and one for the blur
    assert (places - 10).abs().max() >= 2


def test_jitter_turns_by_at_most_the_angle():
    line = torch.zeros(100, 41, 41, 1)
    line[:, 20, :] = 1
    turned = jitter(0, 10, 0, flip=False)(line, torch.Generator().manual_seed(0))
    left, right = ([(one[:, column, 0] > 0.3).nonzero().float().mean() for one in turned] for column in (4, 36))
    angles = torch.rad2deg(torch.atan((torch.stack(right) - torch.stack(left)) / 32))
    assert angles.abs().max() < 11
    assert angles.abs().max() > 8
