"""What a list of answers tells: each class's scores, what is taken for what, how honest the confidence is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE_LEVEL = 1.959963984540054  # standard deviations on either side of a 95 % interval


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found.

    Args:
        name: The class.
        precision: Of what was called so, the share that was; NaN where nothing was called so.
        recall: Of what was so, the share that was called so; NaN where nothing was.
        f1: Their harmonic mean; NaN where neither happened.
        support: How many were so.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def class_scores(targets: Sequence[str], predictions: Sequence[str], classes: Sequence[str] = ()) -> list[ClassScore]:
    """The scores of every class, in the order of `classes`; classes not in it follow by name.

    Example:
        >>> class_scores(["cat", "cat", "dog"], ["cat", "dog", "dog"])[1]
        ClassScore(name='dog', precision=0.5, recall=1.0, f1=0.666..., support=1)
    """
    support, called = Counter(targets), Counter(predictions)
    hits = Counter(target for target, prediction in zip(targets, predictions, strict=True) if target == prediction)
    names = dict.fromkeys([*classes, *sorted({*support, *called} - set(classes))])
    return [
        ClassScore(
            name,
            _ratio(hits[name], called[name]),
            _ratio(hits[name], support[name]),
            _ratio(2 * hits[name], called[name] + support[name]),
            support[name],
        )
        for name in names
    ]


@dataclass(frozen=True)
class Confusion:
    """How often what was taken for what.

    Args:
        truths: What the rows were.
        answers: What the columns were called.
        counts: One row for every truth, one column for every answer.
    """

    truths: list[str]
    answers: list[str]
    counts: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """Each count over the sum of its row; 0 in an empty row."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)

    def right(self, row: int, column: int) -> bool:
        """Whether a cell counts right answers."""
        return self.truths[row] == self.answers[column]

    def mistakes(self, limit: int = 5) -> list[tuple[str, str, int, float]]:
        """The most frequent mistakes: what it was, what it was called, how often, share of its row.

        Example:
            >>> Confusion(["cat", "dog"], ["cat", "dog"], np.array([[8, 2], [0, 5]])).mistakes()
            [('cat', 'dog', 2, 0.2)]
        """
        found = [
            (self.truths[row], self.answers[column], int(self.counts[row, column]), float(self.shares[row, column]))
            for row, column in np.argwhere(self.counts > 0)
            if not self.right(row, column)
        ]
        return sorted(found, key=lambda mistake: (-mistake[2], -mistake[3], mistake[:2]))[:limit]


@dataclass(frozen=True)
class ReliabilityPoint:
    """Answers of about the same confidence.

    Args:
        confidence: Their mean confidence.
        accuracy: The share of them that is right.
        low, high: The 95 % interval of that share.
        count: How many they are.
    """

    confidence: float
    accuracy: float
    low: float
    high: float
    count: int


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = 10) -> list[ReliabilityPoint]:
    """Confidence against the share of right answers, in `bins` equal steps of confidence; empty ones left out.

    Source: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, arXiv 1706.04599.

    Example:
        >>> [point] = reliability(np.array([0.9, 0.94]), np.array([True, False]))
        >>> round(point.confidence, 2), point.accuracy, point.count
        (0.92, 0.5, 2)
    """
    known = (confidence >= 0) & (confidence <= 1)
    confidence, correct = confidence[known], correct[known]
    steps = np.minimum((confidence * bins).astype(int), bins - 1)
    points = []
    for step in np.unique(steps):
        inside = steps == step
        hits, count = int(correct[inside].sum()), int(inside.sum())
        points.append(ReliabilityPoint(float(confidence[inside].mean()), hits / count, *wilson(hits, count), count))
    return points


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

    Example:
        >>> low, high = wilson(9, 10)
        >>> round(low, 3), round(high, 3)
        (0.596, 0.982)
    """
    z = CONFIDENCE_LEVEL
    centre = hits + z * z / 2
    spread = z * (hits * (count - hits) / count + z * z / 4) ** 0.5
    low, high = (centre - spread) / (count + z * z), (centre + spread) / (count + z * z)
    return max(low, 0.0), min(high, 1.0)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
