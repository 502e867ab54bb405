"""Looking at files in processes of their own: one that hangs or crashes its decoder is named, and the rest goes on.

A worker is a plain Python process that runs `facts.py`. It ends when its input does, so that none outlives its parent.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from striate.data import facts
from striate.data.facts import Facts, Problem
from striate.foundation.checks import UserError

LIMIT = 60.0
"""Seconds after which a file is said to hang its decoder."""

START = 120.0  # seconds in which a process must be there

PROGRAM = Path(facts.__file__)


def look_in_processes(
    paths: Iterable[str], workers: int, limit: float = LIMIT, program: Path = PROGRAM
) -> Iterator[Facts | Problem]:
    """Yield what `look` says of each file, in their order; those that hang or crash their process are problems.

    Args:
        paths: The files.
        workers: How many processes.
        limit: Seconds that one file may take.
        program: What a worker runs.
    """
    idle: queue.Queue[_Worker] = queue.Queue()
    team = [_Worker(program) for _ in range(workers)]
    for worker in team:
        idle.put(worker)

    def ask(path: str) -> Facts | Problem:
        worker = idle.get()
        try:
            return worker.ask(path, limit)
        finally:
            idle.put(worker)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="striate-look")
    pending: deque[Future[Facts | Problem]] = deque()
    try:
        for path in paths:
            pending.append(pool.submit(ask, path))
            if len(pending) >= 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:  # first the processes, so that no thread waits for a file that hangs
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in team:
            worker.end()
        pool.shutdown(wait=True)


class _Worker:
    """A process, replaced when it dies."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._ended = self._ready = False
        self._lock = threading.Lock()
        self._process = self._start()

    def ask(self, path: str, limit: float) -> Facts | Problem:
        """What the process says of a file, or what the file did to it.

        Raises:
            UserError: The process does not start.
        """
        if not self._ready:  # what it takes to start is not the file's fault
            self._ready = bool(self._talk(None, START)[0])
        if not self._ready and not self._ended:
            fix = "Look for free memory, and whether Pillow can be imported."
            raise UserError("Looking at pictures", "a process that does not start", "one for each core", fix)
        line, late = self._talk(path, limit)
        if line.endswith("\n"):
            found = json.loads(line)
            return Problem(**found) if "reason" in found else Facts.from_json(found)
        self._process.kill()
        code = self._process.wait()
        self._replace()
        if late:
            return Problem("hangs", f"decoding took more than {limit:g} seconds")
        return Problem("crashes", f"decoding ended its process ({_cause(code)})")

    def _talk(self, path: str | None, limit: float) -> tuple[str, bool]:
        """Ask for a path, if any, and wait for a line; past the limit the process is killed.

        Returns:
            The line, "" where the process died, and whether it was too late.
        """
        process, late = self._process, threading.Event()

        def bite() -> None:
            late.set()
            process.kill()

        watchdog = threading.Timer(limit, bite)
        watchdog.daemon = True
        watchdog.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if path is not None:
                process.stdin.write(json.dumps(path) + "\n")
                process.stdin.flush()
            return process.stdout.readline(), late.is_set()
        except (OSError, ValueError):  # it died before it could be asked
            return "", late.is_set()
        finally:
            watchdog.cancel()

    def end(self) -> None:
        """Kill the process for good."""
        with self._lock:
            self._ended = True
            _finish(self._process)

    def _replace(self) -> None:
        with self._lock:
            _finish(self._process)
            if not self._ended:
                self._process, self._ready = self._start(), False

    def _start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-P", str(self._program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )


def _finish(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            pipe.close()  # type: ignore[union-attr]


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
