"""Ctrl-C and SIGTERM in training: it goes on to the end of a batch, its state is kept, and it stops."""

import contextlib
import signal
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from striate.apps.signals import handling
from striate.training.backup import BackupAndRestore
from striate.training.callback import Callback


class Stop(Callback):
    """Stops training when a signal came; a second signal stops it at once, and the state is that of the last backup.

    Args:
        backup: Keeps the state.

    Attributes:
        asked: Whether a signal came.
    """

    def __init__(self, backup: BackupAndRestore) -> None:
        self.backup = backup
        self.asked = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals while the block runs."""
        with handling(self._take, signal.SIGINT, signal.SIGTERM):
            yield

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        # After the last batch, validation and the epoch's own backup come first: see on_epoch_begin.
        if self.asked and batch + 1 != self.params.get("steps"):
            self.backup.save()
            raise KeyboardInterrupt

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self.asked:
            raise KeyboardInterrupt

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
