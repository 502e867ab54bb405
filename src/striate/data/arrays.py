"""What `fit`, `evaluate` and `predict` take, made one thing: a `Feed`."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from striate.data.dataset import INFINITE, Dataset
from striate.data.feed import Batch, Feed
from striate.data.order import Order
from striate.data.py_dataset import is_py_dataset, py_dataset_feed
from striate.data.streams import (
    StreamFeed,
    read_dataset,
    read_endless,
    read_indexed,
    read_iterable,
    read_loader,
    read_once,
    unpack,
)
from striate.data.tensors import as_tensors, is_array, map_leaves, named_leaves
from striate.data.weights import check_class_weight, weigh_by_class, weights_like
from striate.foundation.checks import UserError, check_int, check_number

_SOURCES = (
    "NumPy arrays, torch tensors, lists of numbers, a Dataset, a torch Dataset or DataLoader, a PyDataset, "
    "or a generator"
)


def make_feed(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    class_weight: dict[int, float] | None = None,
    steps: int | None = None,
    where: str = "fit",
) -> Feed:
    """Make a feed of anything Keras's `fit` takes.

    Args:
        x: Arrays, tensors, lists of numbers (or lists, tuples, dicts of arrays for several inputs), a `Dataset`, a
            torch `Dataset` or `DataLoader`, a `PyDataset`, or a generator; the latter yield x, (x, y) or (x, y,
            sample_weight).
        y: Targets, where x is arrays.
        sample_weight: Weights (N,), or one array per output, where x is arrays.
        batch_size: Samples in a batch, for arrays and torch Datasets; 32 where left out.
        shuffle: Whether arrays, torch Datasets and the batches of a `PyDataset` are read in a new order every epoch;
            other sources have their own.
        seed: With the epoch's number it alone decides that order, a DataLoader's, and that of a `Dataset`'s shuffles
            without a seed of their own. Left out: 0, and such shuffles keep the order they have.
        class_weight: {class: weight}, multiplied into the sample weights.
        steps: Batches that an epoch takes out of a `Dataset` without end, which needs it; others know their own end.
        where: Who asks, for errors.

    Returns:
        The feed; nothing has been read from a stream yet.

    Raises:
        UserError: Names the argument that cannot be used.

    Example:
        >>> import numpy as np
        >>> feed = make_feed(np.zeros((100, 8)), np.zeros(100, "int64"))
        >>> feed.steps, next(feed.epoch(0)).x.shape
        (4, torch.Size([32, 8]))
    """
    weights = check_class_weight(where, class_weight)
    if batch_size is not None:
        check_int(where, "batch_size", batch_size)
    order_seed = 0 if seed is None else seed
    if _is_arrays(x):
        return ArrayFeed(x, y, sample_weight, batch_size or 32, shuffle, order_seed, weights, where)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            fix = "Let the dataset yield (x, y) or (x, y, sample_weight)."
            got = f"{name} beside a {type(x).__name__}"
            raise UserError(where, got, f"no {name} there, since a dataset has its own", fix)
    if isinstance(x, TensorDataset):
        x, y, sample_weight = unpack(where, x.tensors)
        return ArrayFeed(x, y, sample_weight, batch_size or 32, shuffle, order_seed, weights, where)
    if isinstance(x, TorchDataset):
        return _torch_feed(x, batch_size or 32, shuffle, order_seed, weights, where)
    if batch_size is not None:
        fix = "Leave batch_size out, or give the source that batch size."
        raise UserError(where, f"batch_size={batch_size}", "a source that makes no batches itself", fix)
    if is_py_dataset(x):
        return py_dataset_feed(where, x, shuffle, order_seed, steps, weights)
    return _stream_feed(x, weights, steps, seed, where)


class ArrayFeed(Feed):
    """Batches out of arrays in memory: one `index_select` an array.

    Args:
        x: As for `make_feed`.
        y: As for `make_feed`.
        sample_weight: As for `make_feed`.
        batch_size: Samples in a batch; the last one may hold fewer.
        shuffle: Whether every epoch has its own order.
        seed: Decides the orders.
        class_weight: As `check_class_weight` returns it.
        where: Who asks, for errors.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int,
        shuffle: bool,
        seed: int,
        class_weight: dict[int, float] | None,
        where: str,
    ) -> None:
        self.data = check_arrays(where, x, y, sample_weight)
        if class_weight is not None:
            weights = weigh_by_class(where, self.data.y, self.data.sample_weight, class_weight)
            self.data = self.data._replace(sample_weight=weights)
        self.size = count_samples(self.data)
        self.batch_size, self.steps = batch_size, math.ceil(self.size / batch_size)
        self._order = Order(self.size, batch_size, shuffle, seed)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of epoch `number`, from batch `start` on."""
        for rows in self._order(number)[start:]:
            yield take_rows(self.data, rows)

    def rows(self, number: int, batch: int) -> torch.Tensor:
        """Where the samples of a batch stand in the arrays."""
        return self._order(number)[batch]


def check_arrays(where: str, x: Any, y: Any = None, sample_weight: Any = None) -> Batch:
    """Return all of the arrays as one big batch of tensors.

    Raises:
        UserError: An array is empty, a single number, of a dtype that is no number, or longer than the others.
    """
    if x is None:
        raise UserError(where, "x=None", _SOURCES, "Pass the inputs as x.")
    parts = {"x": x, "y": y, "sample_weight": sample_weight}
    data = Batch(**{name: as_tensors(where, name, part) for name, part in parts.items()})
    leaves = [leaf for name, part in data._asdict().items() for leaf in named_leaves(name, part)]
    if not any(name.startswith("x") for name, _ in leaves):
        raise UserError(where, "x without a single array", _SOURCES, "Pass at least one input.")
    for name, leaf in leaves:
        if leaf.ndim == 0:
            fix = f"Add the axis that counts samples: {name}[None]; for a list of them, numpy.stack."
            raise UserError(where, f"{name} as a single number", "an array whose first axis counts samples", fix)
        if not len(leaf):
            fix = "Check the path and the filters the data came through."
            raise UserError(where, f"{name} of shape {tuple(leaf.shape)}, which is empty", "at least one sample", fix)
    if len({len(leaf) for _, leaf in leaves}) > 1:
        got = ", ".join(f"{len(leaf)} samples in {name}" for name, leaf in leaves[:6])
        raise UserError(where, got, "equally many in all of them", _unequal_fix(x, leaves))
    return data._replace(sample_weight=weights_like(where, data.sample_weight, data.y))


def count_samples(data: Batch) -> int:
    """Count the samples in a batch."""
    return len(next(named_leaves("x", data.x))[1])


def take_rows(data: Batch, rows: torch.Tensor) -> Batch:
    """Copy some rows of all the arrays, in the order given."""

    def take(array: Any) -> Any:
        return array.index_select(0, rows.to(array.device)) if isinstance(array, torch.Tensor) else array[rows.numpy()]

    return Batch(*(map_leaves(take, part) for part in data))


def train_validation_split(
    x: Any, y: Any, sample_weight: Any, fraction: float, where: str = "fit"
) -> tuple[Batch, Batch]:
    """Set the last `fraction` of the samples aside, before any shuffling, as Keras's `validation_split` does.

    Args:
        x: Arrays as for `make_feed`; no dataset and no generator.
        y: Targets or None.
        sample_weight: Weights or None.
        fraction: Above 0 and below 1.
        where: Who asks, for errors.

    Returns:
        Training and validation samples, views of the same memory.

    Raises:
        UserError: The data is no array, or one side would be empty.

    Example:
        >>> train, validation = train_validation_split([[1], [2], [3], [4]], None, None, 0.25)
        >>> validation.x
        tensor([[4]])
    """
    needs = "a fraction above 0 and below 1"
    fraction = check_number(where, "validation_split", fraction, needs, lambda value: 0 < value < 1)
    if not _is_arrays(x):
        fix = "Split the dataset yourself and pass validation_data=."
        raise UserError(where, f"validation_split with x of type {type(x).__name__}", "arrays, which can be cut", fix)
    data = check_arrays(where, x, y, sample_weight)
    size = count_samples(data)
    cut = math.floor(size * (1.0 - fraction))
    if cut in (0, size):
        fix = "Pass more samples or another fraction."
        got = f"validation_split={fraction} of {size} samples"
        raise UserError(where, got, "at least one sample on either side", fix)
    first = Batch(*(map_leaves(lambda leaf: leaf[:cut], part) for part in data))
    last = Batch(*(map_leaves(lambda leaf: leaf[cut:], part) for part in data))
    return first, last


def _is_arrays(x: Any) -> bool:
    return x is None or isinstance(x, list | tuple | dict | int | float) or is_array(x)


def _unequal_fix(x: Any, leaves: list[tuple[str, torch.Tensor]]) -> str:
    """A list of pictures means as many inputs, which is seldom what was wanted."""
    others = [len(leaf) for name, leaf in leaves if not name.startswith("x")]
    if isinstance(x, list | tuple) and len(x) in others:
        return f"A list of {len(x)} arrays means {len(x)} inputs; for one input pass numpy.stack(x)."
    return "Check which rows were left out of one of them."


def _torch_feed(
    dataset: TorchDataset, batch_size: int, shuffle: bool, seed: int, weights: dict[int, float] | None, where: str
) -> Feed:
    """A feed over a torch Dataset of single samples."""
    if isinstance(dataset, IterableDataset):
        return StreamFeed(where, read_iterable(dataset, batch_size), None, weights, None, batch_size)
    if not hasattr(dataset, "__len__"):
        fix = "Add __len__, or make it a torch IterableDataset."
        raise UserError(where, f"x of type {type(dataset).__name__} without __len__", "a dataset of known length", fix)
    size = len(dataset)
    if not size:
        raise UserError(where, "an empty torch Dataset", "at least one sample", "Check what the dataset reads.")
    order = Order(size, batch_size, shuffle, seed)
    steps = math.ceil(size / batch_size)
    read = read_indexed(dataset, order)
    return StreamFeed(where, read, steps, weights, size, batch_size, lambda number, batch: order(number)[batch])


def _stream_feed(x: Any, weights: dict[int, float] | None, steps: int | None, seed: int | None, where: str) -> Feed:
    """A feed over a source that makes its own batches."""
    if isinstance(x, Dataset):
        count = x.cardinality()
        if count == 0:
            raise UserError(where, "an empty Dataset", "at least one batch", "Check what the dataset reads.")
        if count == INFINITE:
            return StreamFeed(where, read_endless(x, _need_steps(where, steps), seed), steps, weights)
        return StreamFeed(where, read_dataset(x, seed), count if count > 0 else None, weights)
    if isinstance(x, DataLoader):
        try:
            known: int | None = len(x)
        except TypeError:  # an IterableDataset without __len__
            known = None
        return StreamFeed(where, read_loader(x, 0 if seed is None else seed), known, weights, None, x.batch_size)
    if hasattr(x, "__next__"):
        return StreamFeed(where, read_once(where, x), None, weights)
    fix = f"Call it and pass what it returns: {getattr(x, '__name__', 'x')}()." if callable(x) else "Convert it to one."
    raise UserError(where, f"x of type {type(x).__name__}", _SOURCES, fix)


def _need_steps(where: str, steps: int | None) -> int:
    if steps is None:
        fix = "Pass steps_per_epoch to fit, steps to evaluate and predict, or leave repeat() out."
        raise UserError(where, "a Dataset without end", "to know how many batches make an epoch", fix)
    return check_int(where, "steps", steps)
