"""The single answers of a test, one for every sample."""

import functools
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.apps.breakdown import ClassScore, class_scores
from striate.apps.figures import percent
from striate.apps.run_files import RunFiles, Table, number, truths

PREDICTIONS = "evaluation/predictions.csv"


@dataclass(frozen=True)
class Answers:
    """The single answers of a test.

    Args:
        table: predictions.csv without its probabilities.
        classes: What those are for, in their order.
    """

    table: Table
    classes: list[str]

    @classmethod
    def read(cls, run: RunFiles) -> "Answers | None":
        """The answers of a run; None where there are none."""
        table = run.table(PREDICTIONS, ("id", "target", "prediction", "confidence", "correct", "source"))
        if table is None or not len(next(iter(table.cells.values()), [])):
            return None
        return cls(table, [column.removeprefix("p_") for column in table.columns if column.startswith("p_")])

    def has(self, *columns: str) -> bool:
        """Whether it says these about every answer."""
        return all(column in self.table.cells for column in columns)

    @property
    def total(self) -> int:
        return len(next(iter(self.table.cells.values())))

    @property
    def right(self) -> int | None:
        """How many are right, where it says so."""
        return int(self.correct.sum()) if self.has("correct") else None

    @functools.cached_property
    def correct(self) -> np.ndarray:
        return truths(self.table.cells["correct"])

    @property
    def most_frequent(self) -> tuple[str, float] | None:
        """The most frequent target and its share: what a network must beat."""
        if not self.classes or not self.has("target"):
            return None
        name, times = Counter(self.table.cells["target"]).most_common(1)[0]
        return name, times / self.total

    def scores(self) -> list[ClassScore] | None:
        """Every class's scores, the weakest first."""
        if not self.classes or not self.has("target", "prediction"):
            return None
        scores = class_scores(self.table.cells["target"], self.table.cells["prediction"], self.classes)
        return sorted(scores, key=lambda score: math.inf if math.isnan(score.f1) else score.f1)

    @functools.cached_property
    def by_name(self) -> dict[str, int]:
        """Row numbers by id, spelled as file names can spell it; none for ids that are spelled alike."""
        names = [slug(cell) for cell in self.table.cells.get("id", [])]
        times = Counter(names)
        return {name: row for row, name in enumerate(names) if times[name] == 1}

    def about(self, picture: Path) -> tuple[str, ...]:
        """What a picture is of, if its name ends in an answer's id: answer, truth and confidence."""
        words = slug(picture.stem).split("-")
        for start in range(len(words)):
            row = self.by_name.get("-".join(words[start:]))
            if row is not None:
                return tuple(self._lines({column: cells[row] for column, cells in self.table.cells.items()}))
        return ()

    def _lines(self, answer: dict[str, str]) -> list[str]:
        sure = number(answer.get("confidence"))
        said = f" ({percent(sure)} sure)" if math.isfinite(sure) else ""
        lines = [f"said {answer['prediction']}{said}"] if "prediction" in answer else []
        lines += [f"was {answer['target']}"] if "target" in answer else []
        return [*lines, answer["id"]]


def slug(name: str) -> str:
    """A name with nothing but letters, digits and single hyphens.

    Example:
        >>> slug("test/cat/00 12.png"), slug("train-0012")
        ('test-cat-00-12-png', 'train-0012')
    """
    return re.sub(r"[\W_]+", "-", name).strip("-").lower()
