"""`PyDataset`: data that a class of the user's own gives batch by batch; Keras's older name is `Sequence`."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

from striate.data.order import epoch_seed
from striate.data.streams import Read, StreamFeed
from striate.data.threads import side_by_side
from striate.foundation.checks import UnsupportedError, UserError, check_flag, check_int


class PyDataset:
    """Base of classes that give whole batches: `fit`, `evaluate` and `predict` take their objects.

    A subclass writes `__getitem__(index)`, which returns x, (x, y) or (x, y, sample_weight), and `__len__`, how many
    batches an epoch has; without it, or with a `num_batches` of None, there is no end. `on_epoch_begin()` and
    `on_epoch_end()` are called around every pass.

    Args:
        workers: Threads that read ahead.
        use_multiprocessing: False; processes would need the object pickled.
        max_queue_size: Accepted as Keras does; each thread is one batch ahead.

    Raises:
        UserError: An argument is out of range.

    Example:
        >>> class Numbers(PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         return [[float(index)]], [index]
        >>> [y for x, y in Numbers()]
        [[0], [1], [2]]
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        where = type(self).__name__
        self.workers = check_int(where, "workers", workers, minimum=0)
        self.max_queue_size = check_int(where, "max_queue_size", max_queue_size)
        self.use_multiprocessing = check_flag(where, "use_multiprocessing", use_multiprocessing)
        if use_multiprocessing:
            needs = "use_multiprocessing=False: striate reads ahead in threads"
            raise UnsupportedError(where, "use_multiprocessing=True", needs, "Pass workers=4 alone.")

    def __getitem__(self, index: int) -> Any:
        """The batch of this number."""
        where = type(self).__name__
        raise UserError(where, "no __getitem__", "a method that returns the batch of a number", "Write it.")

    @property
    def num_batches(self) -> int | None:
        """How many batches an epoch has; None where there is no end."""
        return len(self) if hasattr(self, "__len__") else None

    def __iter__(self) -> Iterator[Any]:
        numbers = itertools.count() if self.num_batches is None else range(self.num_batches)
        return (self[number] for number in numbers)

    def on_epoch_begin(self) -> None:
        """Called before every pass."""

    def on_epoch_end(self) -> None:
        """Called after every pass."""


def is_py_dataset(x: Any) -> bool:
    """Whether it is a `PyDataset`, or one of Keras's: classes need not be ours to give batches by number."""
    return isinstance(x, PyDataset) or (hasattr(x, "on_epoch_end") and hasattr(x, "__getitem__"))


def py_dataset_feed(
    where: str,
    dataset: Any,
    shuffle: bool,
    seed: int,
    steps: int | None = None,
    class_weight: dict[int, float] | None = None,
) -> StreamFeed:
    """A feed over a `PyDataset`.

    Args:
        where: Who asks, for errors.
        dataset: The object.
        shuffle: Whether the batches come in a new order every epoch, as Keras's `fit` wants it.
        seed: With the epoch's number it decides that order. What the object does in `on_epoch_end` is its own affair:
            a resumed training begins with the object as it is then.
        steps: Batches that an epoch takes out of a dataset without end, which needs it.
        class_weight: As `check_class_weight` returns it.

    Raises:
        UserError: It has no end, and nobody says how many steps an epoch has.
    """
    count = dataset.num_batches if hasattr(dataset, "num_batches") else len(dataset)
    if count is None and steps is None:
        fix = "Write __len__, or pass steps_per_epoch to fit, steps to evaluate and predict."
        raise UserError(where, f"a {type(dataset).__name__} without end", "to know how many batches make an epoch", fix)
    return StreamFeed(where, _read(dataset, count, steps, shuffle, seed), count or steps, class_weight)


def _read(dataset: Any, count: int | None, steps: int | None, shuffle: bool, seed: int) -> Read:
    def read(number: int, start: int) -> Iterator[Any]:
        if count is None:
            first = number * (steps or 0)
            order = list(range(first, first + (steps or 0)))
        else:
            order = list(range(count))
            if shuffle:
                random.Random(epoch_seed(seed, number)).shuffle(order)
        workers = getattr(dataset, "workers", 1)
        _tell(dataset, "on_epoch_begin")
        try:
            if workers > 1:
                yield from side_by_side(dataset.__getitem__, order[start:], workers)
            else:
                yield from (dataset[place] for place in order[start:])
        finally:  # also of a pass that is cut short by a number of steps
            _tell(dataset, "on_epoch_end")

    return read


def _tell(dataset: Any, event: str) -> None:
    """Call a hook; classes written for Keras 2 have only some of them."""
    getattr(dataset, event, lambda: None)()
