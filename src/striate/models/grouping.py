"""Steps that run for some items at a time, so that what one of them writes is still near when the next reads it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from striate.models.lowering_steps import Compiled, Convolve, ConvolveMax, Slide, SlideEach, Step
from striate.models.values import Storage

NEAR = 3 << 16  # numbers, read and written, that stay in a core's own cache
LIGHT = 1 << 16  # weights that stay there beside them
UNLIKE = 4  # times as many items are too few for what needs fewer


@dataclass(eq=False)
class Group:
    """Steps in a row, and how many items go through all of them before the next do.

    Attributes:
        first, count: The steps.
        items: How many there are.
        size: How many at a time.
        own: Numbers that a thread has to itself, for arrays that nobody reads later.
        memory: Of all threads.
        inner: Those arrays.
    """

    first: int
    count: int
    items: int
    size: int
    own: int = 0
    memory: Storage = field(default_factory=lambda: Storage(0))
    inner: frozenset[Storage] = frozenset()

    @property
    def last(self) -> int:
        """The last of its steps."""
        return self.first + self.count - 1

    def apart(self, storage: Storage) -> tuple[int, int]:
        """Numbers from one item of an array to the next, and from one thread's array to that of the next."""
        return (0, self.own) if storage in self.inner else (storage.numbers // self.items, 0)


def groups_of(steps: Sequence[Step], threads: int) -> list[Group]:
    """The groups of two and more steps that are worth it; every thread gets several of a group's parts.

    Example:
        >>> groups_of([], threads=2)
        []
    """
    return [group for group in _grouped(steps, threads) if group.count > 1]


def _grouped(steps: Sequence[Step], threads: int) -> Iterator[Group]:
    group: Group | None = None
    for number, step in enumerate(steps):
        size = _items_that_stay(step, threads) if isinstance(step, Compiled) else 0
        alike = group and size and group.size <= UNLIKE * size and size <= UNLIKE * group.size
        if group and alike and step.output.shape[0] == group.items:
            group.count, group.size = group.count + 1, min(group.size, size)
            continue
        if group:
            yield group
        group = Group(number, 1, step.output.shape[0], size) if size else None
    if group:
        yield group


def _items_that_stay(step: Compiled, threads: int) -> int:
    """How many items at a time suit a step, a power of two; 0 where all at once are as good."""
    items = step.output.shape[0]
    numbers = sum(storage.numbers for storage in {value.storage for value in (step.output, *step.reads)})
    most = min(NEAR * items // numbers, items // (2 * threads))
    if numbers <= NEAR * threads or most == 0 or _weights(step) > LIGHT:
        return 0
    return 1 << (most.bit_length() - 1)


def _weights(step: Compiled) -> int:
    if isinstance(step, ConvolveMax) and step.convolve is not None:
        return _weights(step.convolve)
    if not isinstance(step, Slide):
        return 0
    cells = 16 if isinstance(step, Convolve) and step.suits_winograd else math.prod(step.window)
    return cells * step.source[-1] * (1 if isinstance(step, SlideEach) else step.filters)
