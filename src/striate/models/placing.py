"""Where the arrays of a program lie in its memory: the same place, as soon as nobody reads what lay there."""

from collections.abc import Sequence

from striate.models.grouping import Group
from striate.models.lowering_steps import Compiled, Step
from striate.models.values import Storage, Value

LINE = 16  # numbers of a line of the cache
Spans = dict[Storage, tuple[int, int]]
"""Of arrays, when they are first written and last read."""


def place_arrays(steps: Sequence[Step], outputs: Sequence[Value], groups: Sequence[Group], threads: int) -> int:
    """Give every array that steps write a place, the same to arrays that are not needed at the same time.

    What only the steps of a group see lies in memory of the group's, once for every thread.

    Returns:
        How many numbers all of it needs.
    """
    spans, times = _spans(steps, outputs), list(range(len(steps) + 1))
    for group in groups:
        inner = {storage: span for storage, span in spans.items() if group.first <= span[0] and span[1] <= group.last}
        sizes = {storage: -(-storage.numbers // group.items) * group.size for storage in inner}
        group.inner, group.own = frozenset(inner), -(-_arrange(inner, sizes) // LINE) * LINE
        group.memory = Storage(group.own * threads)
        spans = {storage: span for storage, span in spans.items() if storage not in inner}
        spans[group.memory] = (group.first, group.first)
        for time in range(group.first, group.last + 1):  # one thread may be at its end, another at its start
            times[time] = group.first
    spans = {storage: (times[begin], times[end]) for storage, (begin, end) in spans.items()}
    whole = _arrange(spans, {storage: storage.numbers for storage in spans})
    for group in groups:
        for storage in group.inner:
            storage.offset = (storage.offset or 0) + (group.memory.offset or 0)
    return whole


def _spans(steps: Sequence[Step], outputs: Sequence[Value]) -> Spans:
    first: dict[Storage, int] = {}
    last: dict[Storage, int] = {}
    for time, step in enumerate(steps):
        if isinstance(step, Compiled):
            first.setdefault(step.output.storage, time)
            last[step.output.storage] = time
        for value in step.reads:
            if value.storage in first:
                last[value.storage] = time
    for value in outputs:
        if value.storage in first:
            last[value.storage] = len(steps)
    return {storage: (0, len(steps)) if storage.is_kept else (begin, last[storage]) for storage, begin in first.items()}


def _arrange(spans: Spans, sizes: dict[Storage, int]) -> int:
    placed: list[tuple[int, int, int, int]] = []  # place, end, and from when to when
    for storage in sorted(spans, key=lambda storage: -sizes[storage]):
        begin, end = spans[storage]
        offset = 0
        for place, stop, since, until in sorted(placed):
            if since <= end and begin <= until and place < offset + sizes[storage]:
                offset = max(offset, -(-stop // LINE) * LINE)
        storage.offset = offset
        placed.append((offset, offset + sizes[storage], begin, end))
    return max((stop for _, stop, _, _ in placed), default=0)
