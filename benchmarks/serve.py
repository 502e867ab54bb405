"""How a side of a comparison runs in its own process: it gets ready, and then does as many steps as it is told.

Needs the standard library only: peers that know nothing of striate use it, too.
"""

import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol


class Side(Protocol):
    """What one library does with a network."""

    def step(self) -> Any:
        """Do one step, of training or of inference."""

    def figures(self) -> list[float]:
        """The loss of the last step, or some of the last outputs."""


Make = Callable[[bool], Side]


def serve(ways: Mapping[str, Make], steps: int) -> None:
    """Get ready, say so on standard output, and answer every number on standard input with seconds a step.

    Args:
        ways: By name, what makes the side, as it is trained (False) or without dropout (True); of several ways the
            fastest is taken.
        steps: How many steps, without dropout, the figures of which are compared with the other sides'.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes elsewhere

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    side = next(iter(ways.values()))(False)
    forget_peak()
    before = peak()
    for _ in range(3):
        side.step()
    grown = None if before is None else (peak() or 0) - before
    way = next(iter(ways))
    if len(ways) > 1:
        times = {name: time_of(make(False)) for name, make in ways.items()}
        way = min(times, key=lambda name: times[name])
    checked, figures = ways[way](True), []
    for _ in range(steps):
        checked.step()
        figures.append(checked.figures())
    del checked, side
    side = ways[way](False)
    answer(way=way, memory=grown, figures=figures, seconds=time_of(side))
    for line in sys.stdin:
        side.step()  # what another side has pushed out of the caches comes back
        answer(seconds=seconds_of(side, int(line)))


def time_of(side: Side) -> float:
    """Seconds a step, roughly, once it is warm."""
    seconds_of(side, 2)
    roughly = seconds_of(side, 1)
    return min(seconds_of(side, max(1, int(0.1 / roughly))) for _ in range(2))


def seconds_of(side: Side, count: int) -> float:
    """Seconds a step, over so many."""
    begin = time.perf_counter()
    for _ in range(count):
        side.step()
    return (time.perf_counter() - begin) / count


def peak() -> int | None:
    """The most memory that the process has held, in bytes; None where the system does not say.

    Not `resource.getrusage`, whose figure begins at that of the process that started this one.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def forget_peak() -> None:
    """Let `peak` begin at what the process holds now, freed memory given back, where the system can do that."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
