"""Batches in an order, and with random changes, that follow from a seed alone: a resumed training sees the same."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from striate.data.dataset import Dataset
from striate.data.order import Order, epoch_seed

Fetch = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Given row numbers, gives inputs and targets."""

Change = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
"""Given inputs and a source of chance, gives altered inputs."""


def batches(
    fetch: Fetch, count: int, batch_size: int, *, shuffle: bool = False, seed: int = 0, change: Change | None = None
) -> Dataset:
    """A dataset of (inputs, targets).

    Args:
        fetch: Gives rows.
        count: How many rows there are.
        batch_size: Rows in a batch; the last one may hold fewer.
        shuffle: Whether every epoch has its own order.
        seed: With the epoch's number it decides the order, with the batch's number also the changes.
        change: Alters the inputs of a batch.

    Example:
        >>> rows = torch.arange(5)
        >>> [x.tolist() for x, y in batches(lambda i: (rows[i], rows[i]), 5, batch_size=2)]
        [[0, 1], [2, 3], [4]]
    """
    order = Order(count, batch_size, shuffle, seed)

    def read(number: int, start: int) -> Iterator[Any]:
        for batch, rows in enumerate(order(number)[start:], start):
            x, y = fetch(rows)
            if change is not None:
                chance = torch.Generator().manual_seed(epoch_seed(epoch_seed(seed, number), batch))
                x = change(x, chance)
            yield x, y

    return Dataset(read, -(-count // batch_size))
