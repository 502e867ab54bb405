"""Turns what a JSON file holds into tables, pairs and lists, whatever task wrote it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_ROWS = 200
WIDEST = 8  # columns that a phone shows
DEEPEST = 6
LONGEST_TEXT = 500


@dataclass(frozen=True)
class Text:
    """A single value.

    Args:
        text: As people read it.
        value: As programs read it, where it is a number.
    """

    text: str
    value: str | None = None
    kind: str = "text"


@dataclass(frozen=True)
class Pairs:
    """Names with what each holds."""

    pairs: list[tuple[str, Any]]
    kind: str = "pairs"


@dataclass(frozen=True)
class Grid:
    """A table.

    Args:
        head: The names of the columns.
        rows: Cells, each a `Text`.
        left: How many rows were left out.
    """

    head: list[str]
    rows: list[list[Text]]
    left: int = 0
    kind: str = "grid"

    def is_number(self, column: int) -> bool:
        """Whether a column holds a number first."""
        return self.rows[0][column].value is not None


def outline(value: Any, depth: int = 0) -> Text | Pairs | Grid:
    """The form that suits a value: a table for records of the same kind, pairs for other objects, else text.

    Example:
        >>> outline({"train": {"cat": 10, "dog": 12}, "test": {"cat": 3}}).head
        ['', 'cat', 'dog']
        >>> outline({"seed": 0, "classes": ["cat", "dog"]}).pairs
        [('seed', Text(text='0', value='0', ...)), ('classes', Text(text='cat, dog', ...))]
    """
    if depth >= DEEPEST:
        return _text(value)
    if isinstance(value, dict):
        if len(value) > 1 and all(_is_record(one) for one in value.values()):
            return _grid([{"": key, **one} for key, one in _upright(value).items()])
        return Pairs([(_title(key), outline(one, depth + 1)) for key, one in value.items()])
    if isinstance(value, list) and value:
        if all(_is_record(one) for one in value):
            return _grid(value)
        if any(isinstance(one, dict) for one in value):
            return Pairs([(str(index), outline(one, depth + 1)) for index, one in enumerate(value[:MOST_ROWS], 1)])
    return _text(value)


def _grid(records: Sequence[dict[str, Any]]) -> Grid:
    head = list(dict.fromkeys(key for record in records for key in record))
    rows = [[_text(record.get(key, "")) for key in head] for record in records[:MOST_ROWS]]
    return Grid([_title(key) for key in head], rows, max(len(records) - MOST_ROWS, 0))


def _upright(records: dict[str, Any]) -> dict[str, Any]:
    """The records, turned where a table of them would be much wider than high."""
    keys = list(dict.fromkeys(key for record in records.values() for key in record))
    if len(keys) <= max(WIDEST, len(records)):
        return records
    return {key: {name: record.get(key, "") for name, record in records.items()} for key in keys}


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_is_flat(one) for one in value.values())


def _is_flat(value: Any) -> bool:
    """Whether a value fits into one cell: no object, and no long list."""
    if isinstance(value, list):
        return len(value) <= 8 and not any(isinstance(one, dict | list) for one in value)
    return not isinstance(value, dict)


def _text(value: Any) -> Text:
    if isinstance(value, bool) or value is None:
        return Text({True: "yes", False: "no", None: "–"}[value])
    if isinstance(value, int):
        return Text(f"{value:,}" if abs(value) >= 10_000 else str(value), str(value))
    if isinstance(value, float):
        return Text(f"{value:.6g}" if math.isfinite(value) else str(value), str(value))
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        shown = ", ".join(_text(one).text for one in value[:MOST_ROWS])
        return Text(shown + (f", and {len(value) - MOST_ROWS} more" if len(value) > MOST_ROWS else "") or "none")
    if isinstance(value, dict | list):
        return Text(json.dumps(value, ensure_ascii=False)[:LONGEST_TEXT] if value else "none")
    return Text(str(value))


def _title(key: Any) -> str:
    return str(key).replace("_", " ")
