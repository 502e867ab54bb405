"""Curves that tell how good probabilities are, whatever threshold is chosen."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from striate.tasks.scores import Ranking

MOST_POINTS = 200  # of a line: more cannot be seen
MOST_LINES = 6
BINS = 10


class Line(NamedTuple):
    """Points in order: (P,) and (P,)."""

    x: np.ndarray
    y: np.ndarray


class Curve(NamedTuple):
    """A diagram of an evaluation, with axes from 0 to 1.

    Attributes:
        name: As files call it.
        title: What people call it.
        meaning: What it tells, in a sentence.
        across, up: What the axes are.
        lines: By label.
        diagonal: Whether y = x means something: chance, or honesty.
    """

    name: str
    title: str
    meaning: str
    across: str
    up: str
    lines: dict[str, Line]
    diagonal: bool = False


def class_curves(
    probabilities: np.ndarray, before: np.ndarray, targets: np.ndarray, classes: Sequence[str]
) -> list[Curve]:
    """The curves of a classification: ROC, precision and recall, honesty, and what leaving out unsure answers gains.

    Args:
        probabilities: (N, K).
        before: The same before they were calibrated.
        targets: Class numbers (N,).
        classes: Their K names.
    """
    targets = np.asarray(targets)
    wanted = _shown(probabilities, targets)
    truths = {number: targets == number for number in wanted}
    rocs = {classes[number]: roc(probabilities[:, number], truth) for number, truth in truths.items()}
    recalls = {classes[number]: precision_recall(probabilities[:, number], truth) for number, truth in truths.items()}
    few = len(wanted) < len(classes) > 2
    shown = f"; the {len(wanted)} classes that are told worst" if few else ""
    honest = {"before": reliability_line(before, targets), "calibrated": reliability_line(probabilities, targets)}
    right = probabilities.argmax(axis=1) == targets
    return [
        Curve(
            "roc",
            "ROC",
            f"each point is a threshold: what share of a class is found, what share of others is taken for it{shown}",
            "false positives",
            "true positives",
            rocs,
            diagonal=True,
        ),
        Curve(
            "precision_recall",
            "Precision and recall",
            f"each point is a threshold: how much of a class is found, how much of what is called so is right{shown}",
            "recall",
            "precision",
            recalls,
        ),
        Curve(
            "calibration",
            "Calibration",
            "how often answers of a confidence are right; on the diagonal it is honest",
            "confidence",
            "share of right answers",
            honest,
            diagonal=True,
        ),
        Curve(
            "coverage",
            "Answers kept",
            "how right the answers are if the least sure ones are left out",
            "share of answers kept",
            "share of right answers",
            {"": coverage_line(probabilities.max(axis=1), right)},
        ),
    ]


def roc(scores: np.ndarray, positive: np.ndarray) -> Line:
    """False against true positives for every threshold, from none to all.

    Args:
        scores: (N,).
        positive: Which samples are positive, (N,); some are and some are not.

    Example:
        >>> roc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])).y.tolist()
        [0.0, 0.5, 0.5, 1.0, 1.0]
    """
    found, mistaken = _counts(scores, positive)
    return _thinned(np.append(0, mistaken / mistaken[-1]), np.append(0, found / found[-1]))


def precision_recall(scores: np.ndarray, positive: np.ndarray) -> Line:
    """Recall against precision for every threshold that something exceeds.

    Args:
        scores: (N,).
        positive: Which samples are positive, (N,); some are.

    Example:
        >>> precision_recall(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])).x.tolist()
        [0.5, 0.5, 1.0, 1.0]
    """
    found, mistaken = _counts(scores, positive)
    return _thinned(found / found[-1], found / (found + mistaken))


def reliability_line(probabilities: np.ndarray, targets: np.ndarray) -> Line:
    """Mean confidence against the share of right answers, in tenths of confidence that are not empty.

    Example:
        >>> reliability_line(np.array([[0.9, 0.1], [0.94, 0.06]]), np.array([0, 1]))
        Line(x=array([0.92]), y=array([0.5]))
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    filled = counts > 0
    sums = [np.bincount(bins, weights=values, minlength=BINS)[filled] for values in (confidence, right)]
    return Line(*(total / counts[filled] for total in sums))


def coverage_line(confidence: np.ndarray, right: np.ndarray) -> Line:
    """The share of answers kept, the surest first, against the share of right ones among them.

    Source: El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11 (2010).

    Example:
        >>> coverage_line(np.array([0.6, 0.9]), np.array([False, True]))
        Line(x=array([0.5, 1. ]), y=array([1. , 0.5]))
    """
    order = np.argsort(-confidence, kind="stable")
    kept = np.arange(1, len(order) + 1)
    return _thinned(kept / len(order), np.cumsum(right[order]) / kept)


def _counts(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives not below each different score, the highest first."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    return np.cumsum(positive[order])[last], np.cumsum(~positive[order])[last]


def _shown(probabilities: np.ndarray, targets: np.ndarray) -> list[int]:
    """The classes that get a line: of two the second, else the least well ranked among those that are there."""
    counts = np.bincount(targets, minlength=probabilities.shape[1])
    there = np.flatnonzero((counts > 0) & (counts < len(targets))).tolist()
    if probabilities.shape[1] == 2:
        return there[-1:]
    alike = np.ones((len(targets), 1), np.float32)
    areas = {number: Ranking(probabilities[:, number], targets == number).area(alike)[0] for number in there}
    return sorted(sorted(there, key=areas.__getitem__)[:MOST_LINES])


def _thinned(x: np.ndarray, y: np.ndarray) -> Line:
    if len(x) <= MOST_POINTS:
        return Line(x, y)
    kept = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(int))
    return Line(x[kept], y[kept])
