"""Feeds over sources that make batches themselves: datasets, loaders, generators."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    default_collate,
)
from torch.utils.data import Dataset as TorchDataset

from striate.data.dataset import Dataset
from striate.data.feed import Batch, Feed
from striate.data.order import chance_unmoved, epoch_seed
from striate.data.tensors import as_tensors, named_leaves
from striate.data.weights import weigh_by_class
from striate.foundation.checks import UserError

Read = Callable[[int, int], Iterator[Any]]
"""Given the epoch's number and the batches to leave out, gives the batches of that epoch."""


class StreamFeed(Feed):
    """Batches as a source gives them, checked and turned into tensors.

    Args:
        where: Who asks, for errors.
        read: Starts an epoch.
        steps: Batches in an epoch, where known.
        class_weight: As `check_class_weight` returns it.
        size: Samples in an epoch, where known.
        batch_size: Samples in a full batch, where known.
        rows: Gives the row numbers of an epoch's batch, where known.
    """

    def __init__(
        self,
        where: str,
        read: Read,
        steps: int | None = None,
        class_weight: dict[int, float] | None = None,
        size: int | None = None,
        batch_size: int | None = None,
        rows: Callable[[int, int], torch.Tensor] | None = None,
    ) -> None:
        self._where, self._read, self._class_weight, self._rows = where, read, class_weight, rows
        self.steps, self.size, self.batch_size = steps, size, batch_size

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of epoch `number`, from batch `start` on.

        Raises:
            UserError: The source gives no batch at all, or one that cannot be used.
        """
        given = start
        for element in self._read(number, start):
            yield self._batch(element, given)
            given += 1
        if not given:
            needs, fix = "at least one batch", "Look at what feeds it: an empty folder, a filter that drops all?"
            raise UserError(self._where, "a dataset without a single batch", needs, fix)

    def rows(self, number: int, batch: int) -> torch.Tensor | None:
        """Where the samples of a batch stand in the user's data, where the source knows."""
        return None if self._rows is None else self._rows(number, batch)

    def _batch(self, element: Any, number: int) -> Batch:
        x, y, sample_weight = unpack(self._where, element)
        if x is None:
            fix = "Yield x, (x, y) or (x, y, sample_weight)."
            raise UserError(self._where, f"batch {number} without x", "inputs", fix)
        parts = {"x": x, "y": y, "sample_weight": sample_weight}
        tensors = {name: as_tensors(self._where, name, part) for name, part in parts.items()}
        leaves = [leaf for name, part in tensors.items() for leaf in named_leaves(name, part)]
        for name, leaf in leaves:
            if leaf.ndim == 0:
                needs, fix = "batches of samples", "Batch the dataset first: dataset.batch(32)."
                raise UserError(self._where, f"batch {number} with a single number as {name}", needs, fix)
        if len({len(leaf) for _, leaf in leaves}) > 1:
            got = ", ".join(f"{len(leaf)} in {name}" for name, leaf in leaves)
            fix = "If the dataset yields single samples, batch it first: dataset.batch(32)."
            raise UserError(self._where, f"batch {number} with {got} samples", "equally many samples", fix)
        if self._class_weight is not None:
            weights = tensors["sample_weight"]
            tensors["sample_weight"] = weigh_by_class(self._where, tensors["y"], weights, self._class_weight)
        return Batch(**tensors)


def unpack(where: str, element: Any) -> tuple[Any, Any, Any]:
    """Tell x, y and sample_weight in what a source yields: x, (x,), (x, y) or (x, y, sample_weight).

    Raises:
        UserError: The source yields a longer or an empty tuple.

    Example:
        >>> unpack("fit", ([1.0], [0]))
        ([1.0], [0], None)
    """
    if not isinstance(element, tuple | list):
        return element, None, None
    if not 1 <= len(element) <= 3:
        needs = "x, (x, y) or (x, y, sample_weight)"
        fix = "Put several inputs into one tuple or dict: ((a, b), y)."
        raise UserError(where, f"a batch that is a {type(element).__name__} of {len(element)}", needs, fix)
    x, y, sample_weight = (*element, None, None)[:3]
    return x, y, sample_weight


def read_once(where: str, iterator: Iterator[Any]) -> Read:
    """Read an iterator, which has one pass only; every epoch goes on where the one before stopped.

    Nothing can be read again: a resumed training must be given a generator that stands where the epoch begins.
    """
    given = 0

    def read(number: int, start: int) -> Iterator[Any]:
        nonlocal given
        before = given
        for element in itertools.islice(iterator, start, None):
            given += 1
            yield element
        if given == before and given:
            fix = "Pass steps_per_epoch with an endless generator, or Dataset.from_generator(function)."
            got = f"a generator that is exhausted after {given} batches"
            raise UserError(where, got, "a batch for every step of every epoch", fix)

    return read


def read_dataset(dataset: Dataset, seed: int | None) -> Read:
    """Read a Dataset; shuffles in it that have no seed of their own follow this one."""
    return lambda number, start: dataset.epoch(number, start, seed)


def read_endless(dataset: Dataset, steps: int, seed: int | None = None) -> Read:
    """Read a Dataset without end, `steps` batches an epoch; every epoch goes on where the one before stopped."""
    running: Iterator[Any] = iter(())
    place = -1  # how many batches of the endless row have been read

    def read(number: int, start: int) -> Iterator[Any]:
        nonlocal running, place
        if place != number * steps + start:  # a resumed run, or one that has been broken off
            place = number * steps + start
            running = dataset.epoch(0, place, seed)
        for element in itertools.islice(running, steps - start):
            place += 1
            yield element

    return read


def read_loader(loader: DataLoader, seed: int) -> Read:
    """Read a torch DataLoader in an order that follows from the seed and the epoch's number alone.

    That goes for torch's own samplers. A generator that the loader was given decides by its seed instead; it is
    not drawn from. A sampler of the user's own is left alone, but told the epoch where it has `set_epoch`: unless
    its order follows from that, a resumed epoch differs. Batches left out are loaded, yet move no global random
    state, so that what a dataset without workers draws from there is as in an unbroken epoch; what workers that
    outlive the epoch (`persistent_workers`) draw is not.
    """

    def read(number: int, start: int) -> Iterator[Any]:
        if hasattr(loader.sampler, "set_epoch"):
            loader.sampler.set_epoch(number)
        with _seeded(loader, seed, number):  # the samplers have taken their generator once a batch is drawn
            batches = iter(loader)
            with chance_unmoved() if start else contextlib.nullcontext():
                for _ in itertools.islice(batches, start):
                    pass
            first = list(itertools.islice(batches, 1))
        yield from first
        yield from batches

    return read


@contextlib.contextmanager
def _seeded(loader: DataLoader, seed: int, number: int) -> Iterator[None]:
    """Let the loader's order and its workers' seeds follow from (seed, number) while an epoch is begun."""
    samplers = [loader.sampler, getattr(loader.batch_sampler, "sampler", None)]
    known = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
    owners: list[Any] = [loader, *(sampler for sampler in samplers if isinstance(sampler, known))]
    given = [owner.generator for owner in owners]
    seeds = [generator.initial_seed() for generator in reversed(given) if generator is not None]
    drawn = epoch_seed(seeds[0] if seeds else seed, number)
    try:
        for owner in owners:  # the workers' seed is drawn before or after the order, so each has its own
            owner.generator = torch.Generator().manual_seed(drawn)
        yield
    finally:
        for owner, generator in zip(owners, given, strict=True):
            owner.generator = generator


def read_iterable(dataset: IterableDataset, batch_size: int) -> Read:
    """Read a torch IterableDataset of single samples, in its own order."""

    def read(number: int, start: int) -> Iterator[Any]:
        samples = itertools.islice(iter(dataset), start * batch_size, None)
        while group := list(itertools.islice(samples, batch_size)):
            yield default_collate(group)

    return read


def read_indexed(dataset: TorchDataset, batches: Callable[[int], tuple[torch.Tensor, ...]]) -> Read:
    """Read a torch Dataset of single samples by their numbers, in the order that `batches` gives for an epoch."""
    fetch_many = getattr(dataset, "__getitems__", None)

    def read(number: int, start: int) -> Iterator[Any]:
        for rows in batches(number)[start:]:
            numbers = rows.tolist()
            yield default_collate(fetch_many(numbers) if fetch_many else [dataset[row] for row in numbers])

    return read
