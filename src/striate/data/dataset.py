"""`Dataset`: a lazy chain of steps that can be read again and again, as Keras code expects of tf.data."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import torch

from striate.data.elements import as_element, call, count_slices, slices, stack
from striate.data.order import Pass, epoch_seed, shuffled
from striate.data.tensors import map_leaves
from striate.data.threads import AUTOTUNE, ahead, side_by_side, worker_count
from striate.foundation.checks import UnsupportedError, UserError, check_int

INFINITE, UNKNOWN = -1, -2  # tf.data's numbers

Read = Callable[[int, int], Iterator[Any]]
"""Given the pass's number and the elements to leave out at the front, gives the elements of that pass."""


_Step = Callable[[Pass, int], Iterator[Any]]


class UnknownLengthError(UserError, TypeError):
    """`len` of a dataset that cannot know it; a TypeError too, since that is what `list` expects of `len`."""


class Dataset:
    """Elements one after another, made when asked for: tensors, or tuples and dicts of them.

    Every method returns a new dataset and leaves this one as it is. Each pass has a number, and the order of a
    shuffled pass comes from the seed and that number alone. What a mapped function or a generator draws at random
    is its own affair: a training that is resumed sees it again only if it follows from the element.

    Args:
        read: Starts a pass, given its number and how many elements to leave out at the front.
        count: Elements in a pass, or -1 (endless) or -2 (unknown).

    Attributes:
        class_names: Names of the classes in the order of the labels, where the source has them.
        file_paths: Files that the elements come from, while there is one for each, else None.

    Example:
        >>> dataset = Dataset.from_tensor_slices(([1, 2, 3], [0, 1, 0])).map(lambda x, y: (x * 10, y)).batch(2)
        >>> for x, y in dataset:
        ...     print(x, y)
        tensor([10, 20]) tensor([0, 1])
        tensor([30]) tensor([0])
    """

    class_names: list[str] | None = None
    file_paths: list[str] | None = None

    def __init__(self, read: Read, count: int = UNKNOWN) -> None:
        self._read: _Step = lambda turn, start: read(turn.number, start)
        self._count, self._passes = count, 0

    @staticmethod
    def from_tensor_slices(tensors: Any) -> "Dataset":
        """Cut arrays, or tuples and dicts of them, along their first axis.

        Raises:
            UserError: The arrays differ in length, or hold no numbers or texts.
        """
        element = as_element("Dataset.from_tensor_slices", tensors)
        count = count_slices("Dataset.from_tensor_slices", element)
        return Dataset(lambda number, start: slices(element, count, start), count)

    @staticmethod
    def from_generator(generator: Callable[..., Iterator[Any]], args: tuple[Any, ...] = ()) -> "Dataset":
        """Read what `generator(*args)` yields; it is called anew for every pass.

        Raises:
            UserError: `generator` is not a function.
        """
        where = "Dataset.from_generator"
        if not callable(generator):
            fix = "Pass the function itself, without calling it: from_generator(read)."
            raise UserError(where, f"a {type(generator).__name__}", "a function that returns an iterator", fix)

        def read(number: int, start: int) -> Iterator[Any]:
            for value in itertools.islice(iter(generator(*args)), start, None):
                yield as_element(where, value)

        return Dataset(read)

    @staticmethod
    def zip(*datasets: Any) -> "Dataset":
        """Yield tuples of one element from each dataset, until the shortest ends."""
        parts = datasets[0] if len(datasets) == 1 and isinstance(datasets[0], tuple | list) else datasets
        for part in parts:
            if not isinstance(part, Dataset):
                raise UserError("Dataset.zip", f"a {type(part).__name__}", "datasets", "Pass Dataset.zip(a, b).")
        if not parts:
            raise UserError("Dataset.zip", "nothing", "at least one dataset", "Pass Dataset.zip(a, b).")
        counts = [part._count for part in parts]
        finite = [count for count in counts if count >= 0]
        count = UNKNOWN if UNKNOWN in counts else min(finite, default=INFINITE)

        def read(turn: Pass, start: int) -> Iterator[Any]:
            turns = (turn.branch(place) for place in itertools.count())
            return zip(*(part._read(own, start) for part, own in zip(parts, turns, strict=False)), strict=False)

        return _made(read, count)

    def map(self, map_func: Callable[..., Any], num_parallel_calls: int | None = None) -> "Dataset":
        """Pass every element through `map_func`; a tuple's parts become its arguments.

        Args:
            map_func: Returns the new element.
            num_parallel_calls: Threads to call it from, AUTOTUNE for a few; the order stays.
        """
        if num_parallel_calls not in (None, AUTOTUNE):
            check_int("Dataset.map", "num_parallel_calls", num_parallel_calls)

        def one(element: Any) -> Any:
            return as_element("Dataset.map", call(map_func, element))

        def read(turn: Pass, start: int) -> Iterator[Any]:
            elements = self._read(turn, start)
            if num_parallel_calls is None:
                return (one(element) for element in elements)
            return side_by_side(one, elements, worker_count(num_parallel_calls))

        return self._then(read, self._count, paths=True)

    def filter(self, predicate: Callable[..., Any]) -> "Dataset":
        """Keep the elements for which `predicate` returns true; a tuple's parts become its arguments."""

        def read(turn: Pass, start: int) -> Iterator[Any]:
            kept = (element for element in self._read(turn, 0) if bool(call(predicate, element)))
            return itertools.islice(kept, start, None)

        return self._then(read, 0 if self._count == 0 else UNKNOWN)

    def batch(self, batch_size: int, drop_remainder: bool = False) -> "Dataset":
        """Stack `batch_size` elements at a time; the last batch may hold fewer, or is dropped.

        Raises:
            UserError: While reading: the elements differ in shape.
        """
        size = check_int("Dataset.batch", "batch_size", batch_size)

        def read(turn: Pass, start: int) -> Iterator[Any]:
            elements = self._read(turn, start * size)
            while group := list(itertools.islice(elements, size)):
                if len(group) == size or not drop_remainder:
                    yield stack("Dataset.batch", group)

        if self._count < 0:
            return self._then(read, self._count, paths=True)
        return self._then(read, self._count // size if drop_remainder else -(-self._count // size), paths=True)

    def unbatch(self) -> "Dataset":
        """Cut every element along its first axis."""

        def read(turn: Pass, start: int) -> Iterator[Any]:
            def cut() -> Iterator[Any]:
                for element in self._read(turn, 0):
                    yield from slices(element, count_slices("Dataset.unbatch", element))

            return itertools.islice(cut(), start, None)

        return self._then(read, self._count if self._count in (0, INFINITE) else UNKNOWN, paths=True)

    def take(self, count: int) -> "Dataset":
        """Keep the first `count` elements; -1 keeps all."""
        count = check_int("Dataset.take", "count", count, minimum=-1)
        if count == -1:
            return self._then(self._read, self._count, paths=True)

        def read(turn: Pass, start: int) -> Iterator[Any]:
            return itertools.islice(self._read(turn, start), max(count - start, 0))

        known = count if self._count == INFINITE or count == 0 else min(count, self._count)  # UNKNOWN stays so
        return self._then(read, known)

    def skip(self, count: int) -> "Dataset":
        """Leave out the first `count` elements; -1 leaves out all."""
        count = check_int("Dataset.skip", "count", count, minimum=-1)
        if count == -1:
            return self.take(0)
        known = max(self._count - count, 0) if self._count >= 0 else self._count
        return self._then(lambda turn, start: self._read(turn, start + count), known)

    def shuffle(self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True) -> "Dataset":
        """Draw elements at random out of a buffer that is filled up in order.

        Args:
            buffer_size: Elements in the buffer; only one as large as the dataset shuffles it thoroughly.
            seed: Decides the order; without one it follows torch's seed, in `fit` the training's, which a backup
                keeps. An order that lasts, since the passes share it or `cache` keeps it, is one for all readers,
                so that parts cut from it never overlap; for a resumed training to find it again, give it a seed.
            reshuffle_each_iteration: Whether every pass has its own order.
        """
        size = check_int("Dataset.shuffle", "buffer_size", buffer_size)
        base = next(_unseeded) ^ torch.initial_seed() if seed is None else seed

        def read(turn: Pass, start: int) -> Iterator[Any]:
            decides = base if turn.seed is None or seed is not None or not reshuffle_each_iteration else turn.seed
            draw = random.Random(epoch_seed(decides, turn.number if reshuffle_each_iteration else 0))
            return itertools.islice(shuffled(self._read(turn.branch(-1), 0), size, draw), start, None)

        return self._then(read, self._count, paths=True)

    def cache(self, filename: str = "") -> "Dataset":
        """Keep the elements of the first pass that is read to its end in memory, for all later ones.

        Raises:
            UnsupportedError: A file name: striate caches in memory only.
        """
        if filename:
            needs = "no file name: striate caches in memory"
            raise UnsupportedError("Dataset.cache", f"filename={filename!r}", needs, "Leave filename out.")
        kept: list[list[Any]] = []

        def read(turn: Pass, start: int) -> Iterator[Any]:
            if kept:
                yield from itertools.islice(kept[0], start, None)
                return
            fresh = []
            for position, element in enumerate(self._read(Pass(0), 0)):
                fresh.append(element)
                if position >= start:
                    yield element
            kept[:] = [fresh]

        return self._then(read, self._count, paths=True)

    def prefetch(self, buffer_size: int) -> "Dataset":
        """Let a background thread read `buffer_size` elements ahead; AUTOTUNE for a few, 0 for none."""
        size = check_int("Dataset.prefetch", "buffer_size", buffer_size, minimum=-1)
        if size == 0:
            return self._then(self._read, self._count, paths=True)
        ready = 2 if size == AUTOTUNE else size
        return self._then(lambda turn, start: ahead(self._read(turn, start), ready), self._count, paths=True)

    def repeat(self, count: int | None = None) -> "Dataset":
        """Read the dataset `count` times over, or without end (None or -1)."""
        times = -1 if count is None else check_int("Dataset.repeat", "count", count, minimum=-1)

        def read(turn: Pass, start: int) -> Iterator[Any]:
            skipped, rest = divmod(start, self._count) if self._count > 0 else (0, start)
            first = turn if times == -1 else turn._replace(number=turn.number * times)
            return itertools.islice(self._repeated(first, skipped, times), rest, None)

        if times == 0 or self._count == 0:
            return self._then(read, 0)
        if times == -1 or self._count < 0:
            return self._then(read, INFINITE if times == -1 else self._count)
        return self._then(read, self._count * times)

    def _repeated(self, first: Pass, skipped: int, times: int) -> Iterator[Any]:
        """Pass after pass; a dataset that turns out empty ends an endless repetition."""
        for repetition in itertools.count(skipped) if times == -1 else range(skipped, times):
            empty = True
            for element in self._read(first._replace(number=first.number + repetition), 0):
                empty = False
                yield element
            if empty:
                return

    def concatenate(self, dataset: "Dataset") -> "Dataset":
        """Read this dataset, then the other."""

        def read(turn: Pass, start: int) -> Iterator[Any]:
            if 0 <= self._count <= start:
                return dataset._read(turn.branch(1), start - self._count)
            parts = (part._read(own, 0) for part, own in ((self, turn), (dataset, turn.branch(1))))
            both = itertools.chain.from_iterable(parts)
            return itertools.islice(both, start, None)

        counts = self._count, dataset._count
        known = INFINITE if INFINITE in counts else UNKNOWN if UNKNOWN in counts else sum(counts)
        joined = self._then(read, known)
        if self.class_names != dataset.class_names:
            joined.class_names = None
        if self.file_paths is not None and dataset.file_paths is not None:
            joined.file_paths = self.file_paths + dataset.file_paths
        return joined

    def enumerate(self, start: int = 0) -> "Dataset":
        """Put each element's number before it."""
        offset = check_int("Dataset.enumerate", "start", start, minimum=0)

        def read(turn: Pass, start: int) -> Iterator[Any]:
            counter = (torch.tensor(position) for position in itertools.count(offset + start))
            return zip(counter, self._read(turn, start), strict=False)

        return self._then(read, self._count, paths=True)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """Yield the elements with NumPy arrays for tensors."""
        return (
            map_leaves(lambda leaf: leaf.numpy() if isinstance(leaf, torch.Tensor) else leaf, element)
            for element in self
        )

    def cardinality(self) -> int:
        """Count the elements of a pass: -1 where it has no end, -2 where nobody knows."""
        return self._count

    def epoch(self, number: int, start: int = 0, seed: int | None = None) -> Iterator[Any]:
        """Yield the elements of pass `number` from element `start` on; what is left out is not loaded if possible.

        With `seed`, shuffles that have no seed of their own follow it, instead of torch's.
        """
        return self._read(Pass(number, seed), start)

    def __iter__(self) -> Iterator[Any]:
        self._passes += 1
        return self._read(Pass(self._passes - 1), 0)

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        if self._count >= 0:
            return self._count
        got = "an endless dataset" if self._count == INFINITE else "a dataset of unknown length"
        raise UnknownLengthError("len", got, "a known length", "Ask cardinality(), or count its elements in a loop.")

    def __repr__(self) -> str:
        count = {INFINITE: "endless", UNKNOWN: "unknown"}.get(self._count, str(self._count))
        return f"<Dataset of {count} elements>" if self._count >= 0 else f"<Dataset of {count} length>"

    def _then(self, read: _Step, count: int, paths: bool = False) -> "Dataset":
        """The next step of the chain; `paths` says that the files it reads are still the same."""
        made = _made(read, count)
        made.class_names = self.class_names
        made.file_paths = self.file_paths if paths else None
        return made


def _made(read: _Step, count: int) -> Dataset:
    made = Dataset(lambda number, start: read(Pass(number), start), count)
    made._read = read
    return made


_unseeded = itertools.count()  # datasets shuffled without a seed differ from each other
