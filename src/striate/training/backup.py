"""A training that survives being killed."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from striate.foundation.checks import UserError, check_choice, check_int, is_int, refuse_unknown
from striate.training.callback import Callback, Logs
from striate.training.checkpoint import Checkpoint, Progress, read_checkpoint, save_checkpoint


class BackupAndRestore(Callback):
    """Writes a checkpoint now and then; a `fit` begun again after a kill goes on from it.

    A run killed at any instant and resumed ends with the weights of an unbroken run, bit for bit on the same
    machine: the checkpoint holds weights, optimizer, random generators, the order of the data, epoch and batch.

    Args:
        backup_dir: Folder of the checkpoint; one training at a time.
        save_freq: "epoch", or a number of batches.
        delete_checkpoint: Whether the checkpoint goes away when training has ended well.

    Raises:
        UserError: An argument is out of range, or the checkpoint found is damaged or another network's.

    Example:
        >>> BackupAndRestore("runs/backup", save_freq=100).path.name
        'checkpoint.safetensors'
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        where = "BackupAndRestore"
        refuse_unknown(where, {"double_checkpoint": double_checkpoint}, (), {"double_checkpoint": False})
        if not str(backup_dir):
            raise UserError(where, "backup_dir=''", "a folder", "Pass for example backup_dir='runs/backup'.")
        self.path = Path(backup_dir) / "checkpoint.safetensors"
        self.every = None
        if is_int(save_freq):
            self.every = check_int(where, "save_freq", save_freq)
        else:
            check_choice(where, "save_freq", save_freq, ("epoch",))
        self.delete_checkpoint = bool(delete_checkpoint)
        self._first = 0
        self._run: tuple[torch.nn.Module, Any, Progress, list[Any]] | None = None

    def read(self) -> Checkpoint | None:
        """The checkpoint to go on from, verified; None where there is none."""
        return read_checkpoint(self.path) if self.path.exists() else None

    def attach(self, module: torch.nn.Module, optimizer: Any, progress: Progress, keepers: list[Any]) -> None:
        """Remember what a checkpoint is made of; `fit` calls this before training begins.

        Args:
            keepers: Callbacks and whatever else has a `state_dict` to keep.
        """
        self._run = (module, optimizer, progress, keepers)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._first = batch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        last = batch + 1 == self.params.get("steps")  # the end of the epoch saves it, with its figures
        if self.every is not None and (batch + 1) // self.every > self._first // self.every and not last:
            self.save()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.save()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            self.path.unlink(missing_ok=True)

    def save(self) -> None:
        """Write the checkpoint now."""
        if self._run is None:
            raise UserError("BackupAndRestore", "no training", "fit under way", "Pass it to fit(callbacks=[...]).")
        module, optimizer, progress, keepers = self._run
        progress.stopped = bool(getattr(module, "stop_training", False))
        save_checkpoint(self.path, module, optimizer, progress, states_of(keepers))


def states_of(keepers: list[Any]) -> dict[str, Any]:
    """The states of those that have one, by class and place."""
    return {name: keeper.state_dict() for name, keeper in _named(keepers)}


def restore_states(keepers: list[Any], states: dict[str, Any]) -> None:
    """Give back what `states_of` took; those that were not there begin anew."""
    for name, keeper in _named(keepers):
        if name in states:
            keeper.load_state_dict(states[name])


def _named(keepers: list[Any]) -> list[tuple[str, Any]]:
    """Those with a state, called by class, by what they watch, and by number where two are alike."""
    names: Counter[str] = Counter()
    named = []
    for keeper in keepers:
        if hasattr(keeper, "state_dict"):
            name = f"{type(keeper).__name__}.{getattr(keeper, 'monitor', '')}"
            named.append((f"{name}.{names[name]}", keeper))
            names[name] += 1
    return named
