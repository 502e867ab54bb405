"""Callbacks that act on what epochs log: stop early, keep the best model, write a table."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from striate.foundation.checks import UserError, check_flag, check_int, check_number, check_verbose, is_int, nearest
from striate.foundation.files import atomic_path
from striate.training.callback import Callback, CallbackList, History, Logs
from striate.training.monitor import MonitorCallback

__all__ = ["CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "ModelCheckpoint"]


class EarlyStopping(MonitorCallback):
    """Stop training when the monitored quantity no longer improves.

    Args:
        monitor: The name of the logged quantity.
        min_delta: A change smaller than this is no improvement.
        patience: How many epochs without improvement to wait.
        verbose: 1 prints when it stops or restores.
        mode: "min", "max", or "auto": the direction that the name tells.
        baseline: Only improvements on this value reset the patience.
        restore_best_weights: Give the model the weights of its best epoch when training ends.
        start_from_epoch: How many epochs to wait before the first look.

    Attributes:
        best, best_epoch: The best value, and its epoch, counted from 0.
        stopped_epoch: The epoch at which it stopped training; 0 if it did not.

    Raises:
        UserError: At the first epoch's end: nothing of that name is logged, or its direction is not known.

    Example:
        >>> early = EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
    """

    kept = (*MonitorCallback.kept, "best_epoch", "best_weights", "wait", "stopped_epoch")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = check_int("EarlyStopping", "patience", patience, minimum=0)
        self.start_from_epoch = check_int("EarlyStopping", "start_from_epoch", start_from_epoch, minimum=0)
        self.baseline = None if baseline is None else check_number("EarlyStopping", "baseline", baseline, "a number")
        self.restore_best_weights = check_flag("EarlyStopping", "restore_best_weights", restore_best_weights)
        self.verbose = check_verbose("EarlyStopping", verbose)
        self._forget()

    def _forget(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best: float | None = None
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.value(logs or {})
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                # Copies, since a model on the CPU could give views of the weights that training changes.
                self.best_weights = [np.array(weight) for weight in self.model.get_weights()]
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience:  # never at the first look, which always improves
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights([np.asarray(weight) for weight in self.best_weights])  # tensors after a resume


class ModelCheckpoint(MonitorCallback):
    """Save the model, or its weights, after epochs or batches: always, or when it is the best so far.

    Args:
        filepath: Where to: a name that ends in ".keras", or with `save_weights_only` in ".weights.h5" or
            ".safetensors". It may hold fields: `{epoch}` (counted from 1), `{batch}`, and what is logged.
        monitor: The name of the logged quantity that tells the best.
        verbose: 1 prints what it does.
        save_best_only: Save only when the monitored quantity improved.
        save_weights_only: Call `model.save_weights` instead of `model.save`.
        mode: "min", "max", or "auto": the direction that the name tells.
        save_freq: "epoch", or a number of batches, counted on over epochs.
        initial_value_threshold: The value to beat at first.

    Raises:
        UserError: The file name has another ending or a field that is not known; with `save_best_only`,
            nothing of the monitored name is logged.

    Example:
        >>> best = ModelCheckpoint("best-{epoch:02d}-{val_loss:.2f}.keras", save_best_only=True)
    """

    kept = (*MonitorCallback.kept, "_batches")

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, best=initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self.verbose = check_verbose("ModelCheckpoint", verbose)
        self.save_best_only = check_flag("ModelCheckpoint", "save_best_only", save_best_only)
        self.save_weights_only = check_flag("ModelCheckpoint", "save_weights_only", save_weights_only)
        endings = (".weights.h5", ".safetensors") if save_weights_only else (".keras",)
        if not self.filepath.endswith(endings):
            got = f"filepath={self.filepath!r} with save_weights_only={save_weights_only}"
            fix = f"Add the ending {endings[0]}."
            raise UserError("ModelCheckpoint", got, f"a name that ends in {' or '.join(endings)}", fix)
        if save_freq != "epoch" and not (is_int(save_freq) and save_freq > 0):
            needs = "'epoch' or a number of batches"
            raise UserError("ModelCheckpoint", f"save_freq={save_freq!r}", needs, "Pass save_freq='epoch'.")
        self.save_freq = save_freq
        self._epoch = self._batches = self._first = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._first = batch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq != "epoch":
            self._batches += batch + 1 - self._first
            if self._batches >= int(self.save_freq):
                self._batches = 0
                self._save(logs or {}, {"epoch": self._epoch + 1, "batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(logs or {}, {"epoch": epoch + 1})

    def _save(self, logs: Logs, counts: dict[str, int]) -> None:
        path, reason = self._path(counts | dict(logs)), ""
        if self.save_best_only:
            value = self.value(logs)
            if value is None or not self.improves(value, self.best):
                self._say(counts, f"{self.monitor} did not improve from {self.best}")
                return
            reason, self.best = f"{self.monitor} improved from {self.best} to {value}, ", value
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        self._say(counts, f"{reason}saved model to {path}")

    def _path(self, fields: dict[str, Any]) -> str:
        got, known = f"filepath={self.filepath!r}", ", ".join(fields)
        try:
            return self.filepath.format_map(fields)
        except KeyError as error:
            fix = nearest(str(error.args[0]), fields)
            raise UserError("ModelCheckpoint", f"{got} with an unknown field", f"fields of {known}", fix) from error
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            fix = "Write for example {epoch:02d} or {loss:.2f}."
            raise UserError("ModelCheckpoint", f"{got} ({error})", "a Python format string", fix) from error

    def _say(self, counts: dict[str, int], text: str) -> None:
        if self.verbose:
            print(f"Epoch {counts['epoch']}: {text}")


class CSVLogger(Callback):
    """Write a table with one row an epoch, each on disk before the next epoch begins.

    The first epoch fixes the columns: `epoch` (counted from 0), then the logged names in alphabetical order;
    where none of them is `val_...`, columns for a later validation follow. What an epoch lacks is "NA".
    Every epoch the file is replaced by the longer one. A training that `BackupAndRestore` resumes goes on from the
    rows of its checkpoint.

    Args:
        filename: Where to; its folder must exist.
        separator: Between the cells.
        append: Add rows to a table that is there, of the same columns, instead of replacing it once an epoch is done.

    Raises:
        UserError: The file cannot be written, or the table that is there has other columns.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename, self.sep = Path(filename), separator
        self.append = check_flag("CSVLogger", "append", append)
        if not isinstance(separator, str) or len(separator) != 1:
            raise UserError("CSVLogger", f"separator={separator!r}", "one character", "Pass separator=','.")
        self._text: str | None = None  # what the file holds; None out of training
        self._columns: list[str] = []
        self._begun = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        try:
            # Opened, not emptied: a resumed training needs the old rows until its state is loaded.
            with self.filename.open("a+", newline="", encoding="utf-8") as file:
                file.seek(0)
                self._begin(file.read() if self.append else "")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            got, needs = f"filename={str(self.filename)!r} ({reason})", "a file it may write to"
            raise UserError("CSVLogger", got, needs, "Choose another name or make its folder.") from error

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self._text is None:
            raise UserError("CSVLogger", "an epoch before training began", "on_train_begin", "Pass it to fit.")
        if not self._begun:
            self._begin_table(sorted(logs))
            self._begun = True
        self._add([epoch, *(_cell(logs.get(name, "NA")) for name in self._columns[1:])])
        self._write()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._text = None

    def state_dict(self) -> dict[str, Any]:
        """The table so far."""
        return {"text": self._text or ""}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the table that `state_dict` gave; rows written after it are of epochs still to come."""
        self._begin(state["text"])
        self._write()

    def _begin(self, text: str) -> None:
        self._text, self._begun = text, False
        self._columns = next(csv.reader(io.StringIO(text, newline=""), delimiter=self.sep), [])

    def _begin_table(self, names: list[str]) -> None:
        later = [] if any(name.startswith("val_") for name in names) else [f"val_{name}" for name in names]
        columns = ["epoch", *names, *later]
        if not self._columns:
            self._columns = columns
            self._add(columns)
        elif set(columns) - set(self._columns):
            got = f"{str(self.filename)!r} with the columns {', '.join(self._columns)}"
            fix = "Choose another name, or pass append=False."
            raise UserError("CSVLogger", got, f"columns for {', '.join(columns)}", fix)

    def _add(self, cells: list[Any]) -> None:
        row = io.StringIO(newline="")
        csv.writer(row, delimiter=self.sep).writerow(cells)
        self._text = (self._text or "") + row.getvalue()

    def _write(self) -> None:
        with atomic_path(self.filename) as path:
            path.write_bytes((self._text or "").encode())  # bytes: the rows have their line ends already


def _cell(value: Any) -> Any:
    """A value as the table holds it: a list of values in brackets, a tensor as a number."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return value.item() if hasattr(value, "item") else value
    return f'"[{", ".join(map(str, value))}]"'
