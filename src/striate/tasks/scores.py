"""Scores of class probabilities, computed for many weightings of the samples at once."""

from collections.abc import Callable

import numpy as np

BINS = 15
EPSILON = 1e-7  # Keras's: the cross-entropy is then the one that training reports


def class_scores(
    probabilities: np.ndarray, targets: np.ndarray, chosen: np.ndarray | None = None
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Make the function from weights (N, R) to every score (R,).

    Args:
        probabilities: (N, K), each row adding up to 1.
        targets: Class numbers (N,).
        chosen: The answers (N,); the likeliest classes if left out.

    Returns:
        A function; its scores are `accuracy`; `balanced_accuracy`, the mean recall of the classes that are
        there; `f1`, the mean over classes; `auc`, one class against the rest, the mean over classes (of two
        classes, the second one's); `ece`, the expected calibration error of the confidence in 15 bins (Guo et
        al. 2017, arXiv 1706.04599); `loss`, the cross-entropy. What is not defined is NaN.

    Example:
        >>> scores = class_scores(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
        >>> {name: round(float(value[0]), 3) for name, value in scores(np.ones((2, 1))).items()}
        {'accuracy': 0.5, 'balanced_accuracy': 0.5, 'f1': 0.333, 'auc': 1.0, 'ece': 0.35, 'loss': 0.511}
    """
    probabilities = np.asarray(probabilities, np.float64)
    targets = np.asarray(targets)
    classes = probabilities.shape[1]
    chosen = probabilities.argmax(1) if chosen is None else chosen
    right = chosen == targets
    is_target, is_chosen = np.eye(classes, dtype=np.float32)[targets], np.eye(classes, dtype=np.float32)[chosen]
    is_found = is_target * right[:, None]
    gaps = _gaps(probabilities, targets)
    surprise = -np.log(np.clip(probabilities[np.arange(len(targets)), targets], EPSILON, 1 - EPSILON))
    ranked = [1] if classes == 2 else range(classes)
    rankings = [Ranking(probabilities[:, number], targets == number) for number in ranked]

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(0, dtype=np.float64)
        there, said, found = (part.T @ weights for part in (is_target, is_chosen, is_found))
        return {
            "accuracy": right @ weights / total,
            "balanced_accuracy": _mean_where(_ratio(found, there), there > 0),
            "f1": _mean_where(_ratio(2 * found, there + said), there + said > 0),
            "auc": np.mean([ranking.area(weights) for ranking in rankings], axis=0),
            "ece": np.abs(gaps.T @ weights).sum(0) / total,
            "loss": surprise @ weights / total,
        }

    return scores


def certainty_scores(
    before: np.ndarray, possible: np.ndarray, targets: np.ndarray
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Make the function from weights (N, R) to how well it is known what the network does not know, (R,).

    Args:
        before: Probabilities (N, K) before they were calibrated.
        possible: Which classes are held possible, (N, K).
        targets: Class numbers (N,).

    Returns:
        A function; its scores are `ece_uncalibrated`; `coverage`, how often the right class is among the possible ones;
        `sure`, how often only one is; `accuracy_sure`, how often it is the right one then. What is not defined is NaN.

    Example:
        >>> before, possible = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[True, False], [True, True]])
        >>> scores = certainty_scores(before, possible, np.array([0, 1]))(np.ones((2, 1)))
        >>> {name: round(float(value[0]), 3) for name, value in scores.items()}
        {'ece_uncalibrated': 0.35, 'coverage': 1.0, 'sure': 0.5, 'accuracy_sure': 1.0}
    """
    held, sure = possible[np.arange(len(targets)), targets], possible.sum(axis=1) == 1
    gaps = _gaps(np.asarray(before, np.float64), targets)

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(0, dtype=np.float64)
        return {
            "ece_uncalibrated": np.abs(gaps.T @ weights).sum(0) / total,
            "coverage": held @ weights / total,
            "sure": sure @ weights / total,
            "accuracy_sure": _ratio((held & sure) @ weights, sure @ weights),
        }

    return scores


def _gaps(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """By how much the confidence of each sample is too high, in the column of its bin, (N, BINS)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    return np.asarray(np.eye(BINS)[_bins(confidence)] * (confidence - right)[:, None])


class Ranking:
    """The area under the ROC curve: how often a positive is scored above a negative, ties counting half.

    Args:
        scores: (N,).
        positive: Which samples are positive, (N,).
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        order = np.argsort(scores, kind="stable")
        ranked = scores[order]
        self.negatives, self.positives = order[~positive[order]], order[positive[order]]
        # For every positive, how many of the sorted negatives score lower, and how many not higher.
        self.below = np.searchsorted(scores[self.negatives], ranked[positive[order]], "left")
        self.not_above = np.searchsorted(scores[self.negatives], ranked[positive[order]], "right")

    def area(self, weights: np.ndarray) -> np.ndarray:
        """The area for each column of weights, (R,); NaN where a side is missing."""
        counted = np.zeros((len(self.negatives) + 1, weights.shape[1]), np.float32)
        np.cumsum(weights[self.negatives], axis=0, out=counted[1:])
        of_positives = weights[self.positives]
        won = np.einsum("pr,pr->r", of_positives, counted[self.below] + counted[self.not_above], dtype=np.float64) / 2
        pairs = counted[-1].astype(np.float64) * of_positives.sum(0, dtype=np.float64)
        return _ratio(won, pairs)


def _bins(confidence: np.ndarray) -> np.ndarray:
    """The bin of each confidence: 15 of equal width, each open below and closed above."""
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0, dtype=np.float64)


def _mean_where(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The mean over classes (K, R) of those that count."""
    return np.where(counted, values, 0).sum(0) / counted.sum(0)
