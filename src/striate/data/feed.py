"""The one thing that training, evaluation and prediction draw batches from."""

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from striate.data.tensors import named_leaves
from striate.foundation.checks import UserError


class Batch(NamedTuple):
    """Some samples: tensors whose first axis counts them (NumPy arrays of texts in x), or lists and dicts of them."""

    x: Any
    y: Any = None
    sample_weight: Any = None


class Feed:
    """Batches, epoch after epoch.

    Attributes:
        steps: Batches in an epoch, or None where that is not known beforehand.
        size: Samples in an epoch, or None.
        batch_size: Samples in a full batch, or None where the source has made its own batches.
    """

    steps: int | None = None
    size: int | None = None
    batch_size: int | None = None

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of epoch `number`.

        Args:
            number: Counts from 0; the same number gives the same order, whatever ran before.
            start: Batches to leave out at the front, so that an interrupted epoch can go on.
        """
        raise NotImplementedError

    def rows(self, number: int, batch: int) -> torch.Tensor | None:
        """Where the samples of a batch stand in the user's data, or None where that is not known."""
        return None


class BegunFeed(Feed):
    """A feed one of whose epochs has been begun to look at its first batch, which is not lost.

    Args:
        feed: The feed.
        number: The epoch that is begun.
        start: The batch it is begun at.
    """

    def __init__(self, feed: Feed, number: int, start: int) -> None:
        self.feed, self.place = feed, (number, start)
        self.steps, self.size, self.batch_size = feed.steps, feed.size, feed.batch_size
        batches = feed.epoch(number, start)
        self.first = next(batches)
        self._begun = itertools.chain([self.first], batches)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        return self._begun if (number, start) == self.place else self.feed.epoch(number, start)

    def rows(self, number: int, batch: int) -> torch.Tensor | None:
        return self.feed.rows(number, batch)


def check_finite(batch: Batch, number: int, where: str = "fit", feed: Feed | None = None, epoch: int = 0) -> None:
    """Refuse a batch whose inputs hold NaN or infinity.

    One sum per input is enough to pass; only where it is not finite is the culprit looked for.

    Args:
        batch: What to look at; integer inputs are always fine.
        number: The batch's number within its epoch, from 0.
        where: Who asks, for the error.
        feed: Where the batch comes from, so that the error can name the row of the user's data.
        epoch: The epoch the batch belongs to.

    Raises:
        UserError: Names the input, the batch and the first sample.

    Example:
        >>> check_finite(Batch(torch.tensor([[1.0], [float("nan")]])), 3)
        Traceback (most recent call last):
            ...
        striate.foundation.checks.UserError: fit got NaN in x, sample 1 of batch 3; it needs finite numbers. ...
    """
    for name, tensor in named_leaves("x", batch.x):
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point() or math.isfinite(tensor.sum()):
            continue
        bad = ~torch.isfinite(tensor).reshape(len(tensor), -1).all(dim=1)
        if not bad.any():  # the sum of finite numbers overflowed
            continue
        sample = int(bad.nonzero()[0])
        kind = "NaN" if torch.isnan(tensor[sample]).any() else "infinity"
        rows = feed.rows(epoch, number) if feed is not None else None
        row = "" if rows is None else f" (row {int(rows[sample])} of the data)"
        raise UserError(
            where,
            f"{kind} in {name}, sample {sample} of batch {number}{row}",
            "finite numbers",
            "Look at that sample; replace what is missing or leave it out before training.",
        )
