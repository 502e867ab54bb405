"""The order in which samples are seen: drawn from a seed and the epoch's number, and from nothing else."""

import contextlib
import hashlib
import itertools
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch


def epoch_seed(seed: int, number: int) -> int:
    """Mix a seed and an epoch's number into 63 bits; seed 1, epoch 0 is unlike seed 0, epoch 1.

    Example:
        >>> epoch_seed(1, 0) == epoch_seed(0, 1)
        False
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:8], "big") >> 1


class Order:
    """The row numbers of each batch of an epoch.

    A resumed run sees the order of the unbroken one, and the global random state is neither read nor moved.

    Args:
        size: Samples in the data.
        batch_size: Samples in a batch; the last one may hold fewer.
        shuffle: Whether every epoch has its own order; else it is that of the data.
        seed: Decides the orders.
    """

    def __init__(self, size: int, batch_size: int, shuffle: bool, seed: int) -> None:
        self._size, self._batch_size, self._shuffle, self._seed = size, batch_size, shuffle, seed

    def __call__(self, number: int) -> tuple[torch.Tensor, ...]:
        if not self._shuffle:
            return torch.arange(self._size).split(self._batch_size)
        generator = torch.Generator().manual_seed(epoch_seed(self._seed, number))
        return torch.randperm(self._size, generator=generator).split(self._batch_size)


def shuffled(elements: Iterator[Any], buffer_size: int, draw: random.Random) -> Iterator[Any]:
    """Yield `elements` out of a buffer that is filled up in order and drawn from at random."""
    buffer = list(itertools.islice(elements, buffer_size))
    for element in elements:
        place = draw.randrange(len(buffer))
        taken, buffer[place] = buffer[place], element
        yield taken
    draw.shuffle(buffer)
    yield from buffer


@contextlib.contextmanager
def chance_unmoved() -> Iterator[None]:
    """Leave the global random generators of torch (on the CPU), NumPy and Python as they were before the block."""
    drawn, numbers = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(drawn)
        np.random.set_state(numbers)


class Pass(NamedTuple):
    """One reading of a dataset: its number, and the seed that shuffles without one of their own follow, if any."""

    number: int
    seed: int | None = None

    def branch(self, place: int) -> "Pass":
        """The pass for one of several datasets, so that their shuffles differ."""
        return self if self.seed is None else self._replace(seed=epoch_seed(self.seed, place))
