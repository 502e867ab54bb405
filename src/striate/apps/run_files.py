"""Reads the files of a run folder: what is not there is None, what is damaged is refused by name."""

import csv
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from striate.foundation.checks import UserError
from striate.training.monitor import BETTER_UP

FILES = (
    "run.json",
    "metrics.csv",
    "data_report.json",
    "evaluation/metrics.json",
    "evaluation/predictions.csv",
)


@dataclass(frozen=True)
class Table:
    """A CSV file.

    Args:
        columns: All names of its head.
        cells: The texts of those columns that were asked for.
    """

    columns: list[str]
    cells: dict[str, list[str]]

    def numbers(self, column: str) -> np.ndarray:
        """A column as floats; NaN where a cell holds no finite number."""
        return np.array([number(cell) for cell in self.cells[column]], dtype=float)


class RunFiles:
    """A run folder, for reading.

    Args:
        folder: `runs/<name>`; any of its files may be missing.

    Raises:
        UserError: The folder has none of the files that a run writes.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if not any((self.folder / name).is_file() for name in FILES):
            needs = "a run folder, which holds run.json or metrics.csv"
            raise UserError("The report", repr(str(folder)), needs, "Pass the folder that training named, runs/<name>.")

    def text(self, name: str) -> str | None:
        """The text of a file; bytes that are no UTF-8 become the replacement character.

        Raises:
            UserError: The file is there, but cannot be read.
        """
        path = self.folder / name
        if not path.exists():
            return None
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise self.damaged(name, error.strerror or str(error)) from error

    def json(self, name: str) -> Any:
        """What a JSON file holds.

        Raises:
            UserError: It is no JSON.
        """
        text = self.text(name)
        if text is None:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.damaged(name, f"no JSON: {error}") from error

    def mapping(self, name: str) -> dict[str, Any]:
        """What a JSON file with one object holds; nothing where there is no file.

        Raises:
            UserError: It holds something else.
        """
        value = self.json(name)
        if value is not None and not isinstance(value, dict):
            raise self.damaged(name, f"JSON of {type(value).__name__}, not one object")
        return value or {}

    def records(self, name: str) -> list[Any] | None:
        """What the lines of a JSON Lines file hold; a last line that a kill cut short is left out.

        Raises:
            UserError: Another line is no JSON.
        """
        text = self.text(name)
        if text is None:
            return None
        records = []
        lines = [line for line in text.split("\n") if line.strip()]
        for index, line in enumerate(lines):
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                if index < len(lines) - 1:
                    raise self.damaged(name, f"line {index + 1} that is no JSON: {error}") from error
        return records

    def table(self, name: str, only: Iterable[str] | None = None) -> Table | None:
        """A CSV file; a last row that a kill cut short is left out.

        Args:
            only: The columns to read, those of them that are there; all of them if left out.

        Raises:
            UserError: It is no CSV, or rows have another number of cells than the head.
        """
        path = self.folder / name
        if not path.exists():
            return None
        try:
            with path.open(encoding="utf-8", errors="replace", newline="") as file:
                return self._read_table(name, csv.reader(file), only)
        except OSError as error:
            raise self.damaged(name, error.strerror or str(error)) from error
        except csv.Error as error:
            raise self.damaged(name, f"no CSV: {error}") from error

    def _read_table(self, name: str, reader: Any, only: Iterable[str] | None) -> Table | None:
        columns = next(reader, None)
        if not columns:
            return None
        picked = [index for index, column in enumerate(columns) if only is None or column in set(only)]
        rows: list[list[str]] = []
        short: int | None = None
        for row in reader:
            if short is not None:
                got = f"row {short} with another number of cells than the {len(columns)} of its head"
                raise self.damaged(name, got)
            if len(row) == len(columns):
                rows.append([row[index] for index in picked])
            elif row:
                short = reader.line_num
        cells = {columns[index]: [row[place] for row in rows] for place, index in enumerate(picked)}
        return Table(columns, cells)

    def pictures(self, folder: str) -> list[Path]:
        """The PNG files of a folder, by name."""
        return sorted(path for path in (self.folder / folder).glob("*.png") if path.is_file())

    def damaged(self, name: str, what: str) -> UserError:
        """The error for a file that cannot be used."""
        fix = "Let the command that wrote it run again, or move the file away: the report then goes without it."
        return UserError(f"The report of {str(self.folder)!r}", f"{name} with {what}", f"a whole {name}", fix)


@dataclass(frozen=True)
class Curves:
    """How the figures went over the epochs.

    Args:
        epochs: Their numbers, counted from 1.
        values: One array of `len(epochs)` floats for every column, NaN where it says nothing.
        judge: The column by which epochs are compared.
        best: The epoch of its best value; None where no epoch has one.
    """

    epochs: list[int]
    values: dict[str, np.ndarray]
    judge: str | None = None
    best: int | None = None

    @property
    def names(self) -> list[str]:
        """The figures: the loss, those with a validation twin, the others; none that never was a number."""
        plain = [name.removeprefix("val_") for name in self.values if name not in ("epoch", "seconds")]
        names = [name for name in dict.fromkeys(plain) if any(np.isfinite(line).any() for line in self.pair(name))]
        return sorted(names, key=lambda name: (name != "loss", "val_" + name not in self.values))

    def pair(self, name: str) -> list[np.ndarray]:
        """What a figure was in training, and in validation: nothing but NaN where it was not measured."""
        nothing = np.full(len(self.epochs), np.nan)
        return [self.values.get(column, nothing) for column in (name, "val_" + name)]


def read_curves(run: RunFiles) -> Curves | None:
    """The curves of metrics.csv; None where no epoch has ended yet.

    An epoch that was written twice, since a killed run took it up again, counts as it was the last time.

    Raises:
        UserError: metrics.csv is damaged.
    """
    table = run.table("metrics.csv")
    if table is None or not table.cells or not next(iter(table.cells.values())):
        return None
    count = len(next(iter(table.cells.values())))
    numbers = table.numbers("epoch") if "epoch" in table.cells else np.arange(count, dtype=float)
    if not np.isfinite(numbers).all():
        raise run.damaged("metrics.csv", "an epoch that is no number")
    last = {int(epoch): row for row, epoch in enumerate(numbers)}
    rows = [last[epoch] for epoch in sorted(last)]
    first = 1 if min(last) == 0 else 0  # Keras's loggers count epochs from 0, people from 1
    values = {column: table.numbers(column)[rows] for column in table.columns}
    epochs = [epoch + first for epoch in sorted(last)]
    return Curves(epochs, values, *_best(epochs, values, run.mapping("run.json")))


def _best(epochs: list[int], values: dict[str, np.ndarray], about: dict[str, Any]) -> tuple[str | None, int | None]:
    """What epochs are judged by, and the best: as the run says, else by the loss of validation, or of training."""
    for name in (find(about, "monitor"), "val_loss", "loss"):
        line = values.get(str(name), np.array([]))
        if np.isfinite(line).any():
            best = np.nanargmax(line) if str(name).endswith(BETTER_UP) else np.nanargmin(line)
            kept = find(about, "best_epoch")
            return str(name), kept if kept in epochs else epochs[int(best)]
    return None, None


def find(record: dict[str, Any], key: str) -> Any:
    """The value of a key of an object, or else of the objects in it.

    Example:
        >>> find({"task": "x", "choices": {"monitor": "val_loss"}}, "monitor")
        'val_loss'
    """
    places = [record, *(value for value in record.values() if isinstance(value, dict))]
    return next((place[key] for place in places if key in place), None)


def number(value: Any) -> float:
    """A finite float, or NaN for whatever is none.

    Example:
        >>> number("0.5"), number("NA"), number(None), number(float("inf"))
        (0.5, nan, nan, nan)
    """
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return found if math.isfinite(found) else math.nan


def truths(cells: Sequence[str]) -> np.ndarray:
    """A column of yes and no as booleans.

    Example:
        >>> truths(["True", "1", "false", ""])
        array([ True,  True, False, False])
    """
    return np.array([cell.strip().lower() in ("1", "1.0", "true", "yes") for cell in cells], dtype=bool)
