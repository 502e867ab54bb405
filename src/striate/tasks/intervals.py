"""How sure a score is: seeded percentile bootstrap over the samples of a test."""

import math
from collections.abc import Callable

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
CELLS = 2_000_000  # numbers of a block of weights, which several scores then go through

Figure = dict[str, float | None]
"""{"value", "low", "high"}; None where it is not defined, as an AUC is for a single class."""

Figures = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From how often each sample counts, (N, R), to every figure, (R,) each."""


def with_intervals(figures: Figures, count: int, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Figure]:
    """Each figure with the interval that holds it in 95 % of resampled tests.

    Args:
        figures: Computes them for many weightings of the samples at once.
        count: Samples, N.
        resamples: How many tests are drawn, with replacement, from the samples.
        seed: Decides which.

    Returns:
        {"value", "low", "high"} for each name.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

    Example:
        >>> right = np.array([1, 1, 1, 0] * 25)
        >>> with_intervals(lambda weights: {"accuracy": right @ weights / len(right)}, len(right))
        {'accuracy': {'value': 0.75, 'low': 0.66, 'high': 0.83}}
    """
    values = {name: float(value[0]) for name, value in figures(np.ones((count, 1), np.float32)).items()}
    draw = np.random.default_rng(seed)
    step = max(1, min(resamples, CELLS // count))
    blocks = [figures(_weights(draw, count, min(step, resamples - done))) for done in range(0, resamples, step)]
    return {name: _figure(value, np.concatenate([block[name] for block in blocks])) for name, value in values.items()}


def _weights(draw: np.random.Generator, count: int, resamples: int) -> np.ndarray:
    """How often each sample is drawn, (N, R)."""
    rows = draw.integers(count, size=(resamples, count))
    return np.stack([np.bincount(row, minlength=count) for row in rows], axis=1).astype(np.float32)


def _figure(value: float, resampled: np.ndarray) -> Figure:
    defined = resampled[np.isfinite(resampled)]
    if not math.isfinite(value) or not len(defined):
        return {"value": None, "low": None, "high": None}
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return {"value": _rounded(value), "low": _rounded(float(low)), "high": _rounded(float(high))}


def _rounded(value: float) -> float:
    return round(value, 6)
