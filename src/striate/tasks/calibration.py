"""Probabilities that mean what they say: temperature, sets that hold the right class, and costs of mistakes."""

import math

import numpy as np

EPSILON = 1e-7  # of float32 outputs: a probability of 0 would have an infinite logit
RANGE = (0.05, 20.0)  # of temperatures
GOLDEN = (math.sqrt(5) - 1) / 2
STEPS = 60  # of the search: 1e-12 of the range


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (N, K) of logits divided by a temperature: above 1 they are less sure, the order stays.

    Example:
        >>> tempered(np.array([[0.9, 0.1]]), 2.0).round(3)
        array([[0.75, 0.25]])
    """
    logits = np.log(np.clip(np.asarray(probabilities, np.float64), EPSILON, 1)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The temperature under which the right classes were likeliest.

    Args:
        probabilities: (N, K) of samples that the network was not trained on.
        targets: Their class numbers (N,).

    Source: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, arXiv 1706.04599.

    Example:
        >>> round(fit_temperature(np.array([[0.99, 0.01]] * 4), np.array([0, 0, 0, 1])), 2)  # right 3 times in 4
        4.18
    """
    rows = np.arange(len(targets))

    def surprise(log_temperature: float) -> float:
        return -float(np.log(tempered(probabilities, math.exp(log_temperature))[rows, targets]).mean())

    # One minimum: the surprise is convex in the inverse of the temperature.
    low, high = map(math.log, RANGE)
    for _ in range(STEPS):
        third, other = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if surprise(third) <= surprise(other):
            high = other
        else:
            low = third
    return math.exp((low + high) / 2)


def fit_inclusion(probabilities: np.ndarray, targets: np.ndarray, coverage: float) -> float:
    """The least probability of a class in the set of possible answers, so that sets hold the right one as asked.

    Args:
        probabilities: (N, K) of samples that the network was not trained on.
        targets: Their class numbers (N,).
        coverage: How often, of new samples of the same kind, the right class is to be in the set: 0.9.

    Returns:
        The probability; 0, which lets every class in, where the samples are too few for that coverage.

    Source: Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers with Bounded Error Levels, JASA 114
        (2019), by split conformal prediction.

    Example:
        >>> fit_inclusion(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), np.array([0, 0, 1]), coverage=0.5)
        0.8
    """
    of_target = np.sort(probabilities[np.arange(len(targets)), targets])
    misses = math.floor((len(targets) + 1) * (1 - coverage) + 1e-9)  # how many of the least may stay outside
    return float(of_target[misses - 1]) if misses else 0.0


def included(probabilities: np.ndarray, least: float) -> np.ndarray:
    """Which classes belong into the set of possible answers, (N, K): the likeliest always does.

    Example:
        >>> included(np.array([[0.55, 0.45], [0.9, 0.1]]), 0.4).tolist()
        [[True, True], [True, False]]
    """
    sets = probabilities >= least
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def choose(probabilities: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """The answers (N,) that cost least, if missing class k costs `costs[k]`; the likeliest where all cost the same.

    Source: Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001.

    Example:
        >>> choose(np.array([[0.7, 0.3]]), np.array([1.0, 5.0])).tolist()
        [1]
    """
    return np.asarray((probabilities * costs).argmax(axis=1))
