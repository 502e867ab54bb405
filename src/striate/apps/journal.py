"""Writes a training down while it goes on: metrics.csv, events.jsonl, progress.png."""

import csv
import time
from collections.abc import Mapping
from typing import Any

from striate.apps.plots import draw_progress
from striate.apps.run import RunFolder
from striate.training.callback import Callback

SECONDS_BETWEEN_DRAWINGS = 10.0  # a drawing takes as long as a short epoch


class Journal(Callback):
    """A row of metrics.csv, an event and now and then a drawing for every epoch.

    Args:
        run: Where they are written.

    Attributes:
        ended: Whether training ended by itself.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run, self.ended = run, False
        self._rows: list[dict[str, Any]] = []
        self._begun = 0.0
        self._drawn = -SECONDS_BETWEEN_DRAWINGS

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        path = self.run.path / "metrics.csv"
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                self._rows = list(csv.DictReader(file))

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        figures = {name: round(float(value), 6) for name, value in (logs or {}).items()}
        row = {"epoch": epoch + 1, "seconds": round(time.perf_counter() - self._begun, 3), **figures}
        # A killed run takes its epoch up again: what it wrote of it before goes.
        self._rows = [old for old in self._rows if int(old["epoch"]) <= epoch] + [row]
        columns = list(dict.fromkeys(name for old in self._rows for name in old))
        self.run.write_table("metrics.csv", columns, [[old.get(name, "") for name in columns] for old in self._rows])
        self.run.event("epoch", **row)
        if time.perf_counter() - self._drawn > SECONDS_BETWEEN_DRAWINGS:
            self._draw()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self.ended = True
        if self._rows:
            self._draw()

    def _draw(self) -> None:
        draw_progress(self.run.path)
        self._drawn = time.perf_counter()
