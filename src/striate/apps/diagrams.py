"""Curves of an evaluation in a run folder: written by the evaluation, read by the report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.apps.run_files import RunFiles, number
from striate.tasks.curves import Curve

FILE = "evaluation/curves.json"
DIGITS = 6


@dataclass(frozen=True)
class Diagram:
    """A curve as a run folder holds it.

    Args:
        title, meaning: What it is and what it tells.
        across, up: What the axes are.
        lines: (label, x, y).
        diagonal: Whether y = x means something.
    """

    title: str
    meaning: str
    across: str
    up: str
    lines: list[tuple[str, np.ndarray, np.ndarray]]
    diagonal: bool


def as_json(curves: Iterable[Curve]) -> dict[str, Any]:
    """Curves as curves.json holds them, by name."""
    return {
        curve.name: {
            "title": curve.title,
            "meaning": curve.meaning,
            "across": curve.across,
            "up": curve.up,
            "diagonal": curve.diagonal,
            "lines": {
                label: {"x": np.round(line.x, DIGITS).tolist(), "y": np.round(line.y, DIGITS).tolist()}
                for label, line in curve.lines.items()
            },
        }
        for curve in curves
    }


def read_diagrams(run: RunFiles) -> list[Diagram]:
    """The diagrams of a run that have a line to show; none where there is no file.

    Raises:
        UserError: The file is damaged.
    """
    found = []
    for name, entry in run.mapping(FILE).items():
        try:
            lines = [(str(label), _axis(line["x"]), _axis(line["y"])) for label, line in entry["lines"].items()]
            title, meaning, across, up = (str(entry[key]) for key in ("title", "meaning", "across", "up"))
        except (KeyError, TypeError, AttributeError) as error:
            raise run.damaged(FILE, f"a curve {name!r} that lacks something ({error})") from error
        if any(len(x) != len(y) for _, x, y in lines):
            raise run.damaged(FILE, f"a curve {name!r} whose axes differ in length")
        if any(len(x) for _, x, _ in lines):
            found.append(Diagram(title, meaning, across, up, lines, bool(entry.get("diagonal"))))
    return found


def _axis(values: Any) -> np.ndarray:
    return np.array([number(value) for value in list(values)], float)
