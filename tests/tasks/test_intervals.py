"""The bootstrap: against a plain loop, and against what theory says of a share."""

import numpy as np
import pytest

from striate.tasks.intervals import with_intervals


def share(right):
    return lambda weights: {"share": right @ weights / weights.sum(0)}


def test_value_is_the_figure_of_the_samples():
    right = np.array([1, 0, 1, 1, 0])
    assert with_intervals(share(right), 5)["share"]["value"] == 0.6


@pytest.mark.parametrize("count", [200, 2_000])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.97])
def test_interval_of_a_share_is_that_of_the_binomial(count, part):
    right = np.arange(count) < part * count
    found = with_intervals(share(right), count)["share"]
    half = 1.96 * np.sqrt(part * (1 - part) / count)
    assert found["low"] == pytest.approx(part - half, abs=0.15 * half + 1 / count)
    assert found["high"] == pytest.approx(part + half, abs=0.15 * half + 1 / count)


def test_same_as_a_plain_loop_over_resamples():
    values = np.random.default_rng(5).normal(size=50)
    draw = np.random.default_rng(3)
    rows = draw.integers(50, size=(1000, 50))
    means = [values[row].mean() for row in rows]
    found = with_intervals(lambda weights: {"mean": values @ weights / 50}, 50, seed=3)["mean"]
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])), abs=1e-5)


def test_blocks_change_nothing(monkeypatch):
    right = np.arange(100) < 60
    whole = with_intervals(share(right), 100, resamples=64)
    monkeypatch.setattr("striate.tasks.intervals.CELLS", 100 * 7)
    blocks = with_intervals(share(right), 100, resamples=64)
    assert whole == blocks


def test_seed_decides():
    values = np.random.default_rng(0).random(101)
    first, again, other = (with_intervals(share(values), 101, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_is_not_defined_is_none():
    nothing = with_intervals(lambda weights: {"auc": np.full(weights.shape[1], np.nan)}, 4)
    assert nothing == {"auc": {"value": None, "low": None, "high": None}}


def test_resamples_in_which_it_is_not_defined_do_not_count():
    rare = np.array([1, 0, 0, 0])  # missing in about a third of the resamples
    found = with_intervals(lambda w: {"one": np.where(rare @ w > 0, 1.0, np.nan)}, 4)["one"]
    assert found == {"value": 1.0, "low": 1.0, "high": 1.0}
