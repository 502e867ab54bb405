"""Label shortcuts: something about the files, other than what they show, from which a class can be told."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from striate.data.facts import Facts

SKILL = 0.3
"""How much of the way from guessing to knowing one feature must go before it is reported."""

SURE = 4.0  # standard errors above guessing; of 7 features one passes by chance once in 4,000 data sets
FEWEST = 20  # pictures of a class
_INTERVALS = 16

FEATURES: Mapping[str, Callable[[Facts], float | str]] = {
    "width": lambda facts: facts.width,
    "height": lambda facts: facts.height,
    "shape": lambda facts: facts.width / facts.height,
    "format": lambda facts: facts.format,
    "mode": lambda facts: facts.mode,
    "border": lambda facts: facts.border,
    "brightness": lambda facts: facts.brightness,
}


@dataclass(frozen=True)
class Shortcut:
    """A feature that gives classes away.

    Attributes:
        feature: A name of `FEATURES`.
        accuracy: Balanced accuracy with which it predicts the class of pictures it was not fitted to.
        error: Its standard error.
    """

    feature: str
    accuracy: float
    error: float


def shortcuts(facts: Sequence[Facts], targets: Sequence[int]) -> list[Shortcut]:
    """Predict the class from each feature alone: of each interval or value, the class that is commonest there.

    The rule is made from every other picture of a class and judged on the rest, so that what chance offers is not
    counted; classes count alike, however large.

    Args:
        facts: Of each picture.
        targets: Its class.

    Returns:
        Those that predict much better than guessing.
    """
    labels = np.asarray(targets)
    counts = np.bincount(labels) if len(labels) else np.zeros(0, int)
    classes = np.flatnonzero(counts >= FEWEST)
    if len(classes) < 2:
        return []
    chosen = np.flatnonzero(np.isin(labels, classes)).tolist()
    label = np.searchsorted(classes, labels[chosen])
    judged = _every_other(label, len(classes))
    found = []
    for name, feature in FEATURES.items():
        cells = _cells([feature(facts[index]) for index in chosen])
        accuracy, error = _balanced_accuracy(cells, label, judged, len(classes))
        guess = 1 / len(classes)
        if accuracy - guess >= SKILL * (1 - guess) and accuracy - SURE * error > guess:
            found.append(Shortcut(name, accuracy, error))
    return sorted(found, key=lambda one: -one.accuracy)


def _every_other(label: np.ndarray, classes: int) -> np.ndarray:
    """Which pictures judge: half of each class, drawn by a fixed seed, since neighbours in a folder are alike."""
    draw = np.random.default_rng(0)
    judged = np.zeros(len(label), bool)
    for one in range(classes):
        members = draw.permutation(np.flatnonzero(label == one))
        judged[members[::2]] = True
    return judged


def _cells(values: list[float | str]) -> np.ndarray:
    """Values by number: themselves where there are few, else intervals with equally many pictures."""
    array = np.asarray(values)
    distinct, number = np.unique(array, return_inverse=True)
    if array.dtype.kind in "US" or len(distinct) <= _INTERVALS:
        return number
    edges = np.quantile(array, np.linspace(0, 1, _INTERVALS + 1)[1:-1])
    return np.searchsorted(np.unique(edges), array, side="right")


def _balanced_accuracy(cells: np.ndarray, label: np.ndarray, judged: np.ndarray, classes: int) -> tuple[float, float]:
    table = np.zeros((int(cells.max()) + 1, classes))
    np.add.at(table, (cells[~judged], label[~judged]), 1)
    answer = (table / table.sum(0)).argmax(1)[cells[judged]]
    right = answer == label[judged]
    rates = [float(right[label[judged] == one].mean()) for one in range(classes)]
    sizes = [int((label[judged] == one).sum()) for one in range(classes)]
    smoothed = [(rate * size + 1) / (size + 2) for rate, size in zip(rates, sizes, strict=True)]
    variance = sum(rate * (1 - rate) / size for rate, size in zip(smoothed, sizes, strict=True))
    return sum(rates) / classes, math.sqrt(variance) / classes
