"""Background threads for reading: one that runs ahead, and a few that work side by side in order."""

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

AUTOTUNE = -1
"""Let striate choose: a few threads, a few elements ahead."""

_END = object()


def worker_count(wanted: int | None = AUTOTUNE) -> int:
    """Threads to read with: as many as asked for, or two per core up to 8."""
    return wanted if wanted and wanted > 0 else min(8, 2 * (os.cpu_count() or 1))


def ahead(elements: Iterator[Any], count: int) -> Iterator[Any]:
    """Yield `elements`, up to `count` of them fetched beforehand by a background thread.

    An exception in the thread reaches the consumer in its place; the thread ends when the consumer stops.
    """
    ready: queue.Queue[Any] = queue.Queue(count)
    stopped = threading.Event()
    thread = threading.Thread(target=_fill, args=(elements, ready, stopped), daemon=True, name="striate-prefetch")
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stopped.set()
        with contextlib.suppress(queue.Empty):  # room for the element that the thread may be waiting to put
            while True:
                ready.get_nowait()
        if threading.current_thread() is not thread:
            thread.join(timeout=1)  # a source that blocks for good must not block the consumer's end


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _fill(elements: Iterator[Any], ready: queue.Queue[Any], stopped: threading.Event) -> None:
    """Run in the thread; after the consumer has stopped there is always room for one more element."""
    try:
        for element in elements:
            ready.put(element)
            if stopped.is_set():
                return
        ready.put(_END)
    except BaseException as error:
        ready.put(_Failure(error))
    finally:
        if hasattr(elements, "close"):
            elements.close()


def side_by_side(function: Callable[[Any], Any], elements: Iterable[Any], workers: int) -> Iterator[Any]:
    """Yield `function(element)` in the order of `elements`, computed by `workers` threads."""
    pending: deque[Future[Any]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="striate-map")
    try:
        for element in elements:
            pending.append(pool.submit(function, element))
            if len(pending) >= 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
