"""Sides of a comparison in processes of their own, turn and turn about."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAUSE = 0.05  # seconds in which the threads of the side before stop waiting for more work


class SideError(Exception):
    """A side could not do it; the last line that it printed."""


class Worker:
    """A side in its own process, which waits, asleep, for its turn.

    Args:
        command: What runs it.
        threads: How many it may use.
        environment: Variables beside those that are there.

    Attributes:
        ready: What it said when it was ready: `way`, `memory`, `figures`, `seconds` a step.
        seconds: A step of each turn.
    """

    def __init__(self, command: list[str], threads: int, environment: dict[str, str]) -> None:
        self._printed = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `close`
        number = str(threads)
        counts = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), number)
        paths = os.pathsep.join(filter(None, [str(HERE.parent / "src"), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            text=True,
            env={**os.environ, **counts, "PYTHONPATH": paths, **environment},
        )
        self.seconds: list[float] = []
        try:
            self.ready = self._read()
        except SideError:
            self.close()
            raise

    def turn(self, seconds: float) -> float:
        """Let it work for so long; returns its seconds a step."""
        assert self._process.stdin is not None
        print(max(1, round(seconds / self.ready["seconds"])), file=self._process.stdin, flush=True)
        self.seconds.append(self._read()["seconds"])
        return self.seconds[-1]

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()
        self._printed.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return json.loads(line)
        self._process.wait()
        self._printed.seek(0)
        lines = self._printed.read().strip().splitlines()
        raise SideError(lines[-1] if lines else f"exit status {self._process.returncode}")


def take_turns(workers: list[Worker], rounds: int, seconds: float) -> None:
    """A B C, A B C, ...; the times are left in the workers."""
    for _ in range(rounds):
        for worker in workers:
            time.sleep(PAUSE)
            worker.turn(seconds)
