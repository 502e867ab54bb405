"""Calibration, with scipy's minimum and simulated repetitions as the oracles."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from striate.tasks.calibration import choose, fit_inclusion, fit_temperature, included, tempered


def made_up(count, classes, sharpness, seed=0):
    """Samples whose true probabilities are known, and a network that is `sharpness` times too sure."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(scale=1.5, size=(count, classes))
    truth = softmax(logits, axis=1)
    targets = np.array([draw.choice(classes, p=row) for row in truth])
    return softmax(logits * sharpness, axis=1), targets, truth


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
def test_temperature_is_that_of_the_least_surprise(classes, sharpness):
    probabilities, targets, truth = made_up(3000, classes, sharpness)
    temperature = fit_temperature(probabilities, targets)
    logits = np.log(np.clip(probabilities, 1e-7, 1))
    best = minimize_scalar(
        lambda t: -log_softmax(logits / t, axis=1)[np.arange(len(targets)), targets].mean(),
        bounds=(0.05, 20),
        method="bounded",
    )
    assert temperature == pytest.approx(best.x, rel=1e-3)
    assert temperature == pytest.approx(sharpness, rel=0.1)
    assert np.abs(tempered(probabilities, temperature) - truth).mean() < 0.02


def test_temperature_keeps_the_order_and_the_sum():
    probabilities, _, _ = made_up(100, 4, 2.0)
    for temperature in (0.05, 0.7, 1.0, 20.0):
        changed = tempered(probabilities, temperature)
        np.testing.assert_allclose(changed.sum(axis=1), 1)
        np.testing.assert_array_equal(changed.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(tempered(probabilities, 1.0), probabilities, rtol=1e-9)


def test_temperature_of_answers_that_are_all_right_or_all_wrong_stays_in_its_range():
    sure = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert fit_temperature(sure, np.array([1, 1])) == pytest.approx(20, rel=1e-6)
    assert 0.05 <= fit_temperature(np.array([[0.6, 0.4]]), np.array([0])) == pytest.approx(0.05, rel=1e-6)
    assert np.isfinite(tempered(sure, 0.05)).all()


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.99])
@pytest.mark.parametrize("classes", [2, 10])
def test_sets_hold_the_right_class_as_often_as_asked(coverage, classes):
    """The promise is about the mean over calibrations: between the coverage and the coverage + 1 / (n + 1)."""
    held = []
    for seed in range(60):
        probabilities, targets, _ = made_up(1200, classes, 2.0, seed)
        least = fit_inclusion(probabilities[:200], targets[:200], coverage)
        sets = probabilities[200:] >= least
        held.append(sets[np.arange(1000), targets[200:]].mean())
    spread = np.std(held) / len(held) ** 0.5
    assert coverage - 3 * spread <= np.mean(held) <= coverage + 1 / 201 + 3 * spread


def test_too_few_samples_for_a_coverage_let_every_class_in():
    probabilities, targets, _ = made_up(50, 3, 1.0)
    assert fit_inclusion(probabilities, targets, 0.99) == 0
    assert included(probabilities, 0.0).all()


def test_the_likeliest_class_is_always_in_the_set():
    sets = included(np.array([[0.4, 0.35, 0.25], [0.2, 0.5, 0.3]]), 0.9)
    assert sets.tolist() == [[True, False, False], [False, True, False]]


@pytest.mark.parametrize("classes", [2, 4])
def test_choices_cost_least(classes):
    probabilities, targets, truth = made_up(20_000, classes, 1.0)
    costs = np.arange(1, classes + 1) ** 2.0
    np.testing.assert_array_equal(choose(probabilities, np.ones(classes)), probabilities.argmax(axis=1))

    def cost(chosen):
        return (costs[targets] * (chosen != targets)).mean()

    assert cost(choose(truth, costs)) < cost(truth.argmax(axis=1))
    # The definition: of all answers the one with the least expected cost.
    expected = (truth * costs).sum(axis=1, keepdims=True) - truth * costs
    np.testing.assert_array_equal(choose(truth, costs), expected.argmin(axis=1))
