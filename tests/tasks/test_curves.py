"""Curves, with scikit-learn as the oracle."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, precision_recall_curve, roc_auc_score, roc_curve

from striate.tasks.curves import class_curves, coverage_line, precision_recall, reliability_line, roc


def made_up(count, classes, ties=False, seed=0):
    draw = np.random.default_rng(seed)
    targets = draw.integers(classes, size=count)
    logits = draw.normal(size=(count, classes))
    logits[np.arange(count), targets] += 1.0
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return probabilities.round(1) if ties else probabilities, targets


@pytest.mark.parametrize("ties", [False, True])
def test_roc(ties):
    probabilities, targets = made_up(150, 2, ties)
    line = roc(probabilities[:, 1], targets == 1)
    false, true, _ = roc_curve(targets, probabilities[:, 1], drop_intermediate=False)
    np.testing.assert_allclose(line.x, false)
    np.testing.assert_allclose(line.y, true)


@pytest.mark.parametrize("ties", [False, True])
def test_precision_and_recall(ties):
    probabilities, targets = made_up(150, 2, ties)
    line = precision_recall(probabilities[:, 1], targets == 1)
    precision, recall, _ = precision_recall_curve(targets, probabilities[:, 1])
    np.testing.assert_allclose(line.x, recall[-2::-1])  # scikit-learn adds a last point, where nothing is found
    np.testing.assert_allclose(line.y, precision[-2::-1])


def test_long_lines_are_thinned_and_keep_their_ends_and_area():
    probabilities, targets = made_up(5000, 2)
    line = roc(probabilities[:, 1], targets == 1)
    assert len(line.x) == 200
    assert (line.x[0], line.y[0], line.x[-1], line.y[-1]) == (0, 0, 1, 1)
    assert auc(line.x, line.y) == pytest.approx(roc_auc_score(targets, probabilities[:, 1]), abs=2e-3)


def test_reliability():
    probabilities, targets = made_up(400, 3)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    share, mean = calibration_curve(right, confidence, n_bins=10)
    line = reliability_line(probabilities, targets)
    np.testing.assert_allclose(line.x, mean)
    np.testing.assert_allclose(line.y, share)


def test_answers_kept():
    probabilities, targets = made_up(120, 3)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    line = coverage_line(confidence, right)
    for share, accuracy in zip(line.x, line.y, strict=True):
        kept = np.sort(confidence)[::-1][round(share * 120) - 1] <= confidence
        assert accuracy == pytest.approx(right[kept].mean())


def test_the_curves_of_many_classes_show_the_worst():
    probabilities, targets = made_up(600, 10)
    areas = [roc_auc_score(targets == number, probabilities[:, number]) for number in range(10)]
    names = [f"class {number}" for number in range(10)]
    curves = {curve.name: curve for curve in class_curves(probabilities, probabilities, targets, names)}
    assert list(curves) == ["roc", "precision_recall", "calibration", "coverage"]
    assert set(curves["roc"].lines) == {names[number] for number in np.argsort(areas)[:6]}
    for curve in curves.values():
        for line in curve.lines.values():
            assert all(np.isfinite(axis).all() and (axis >= 0).all() and (axis <= 1).all() for axis in line)


def test_a_class_that_is_missing_or_alone_has_no_line():
    probabilities, _ = made_up(20, 3)
    [first, second, *_] = class_curves(probabilities, probabilities, np.zeros(20, int), ["a", "b", "c"])
    assert first.lines == second.lines == {}
    [first, *_] = class_curves(probabilities, probabilities, np.array([0, 2] * 10), ["a", "b", "c"])
    assert set(first.lines) == {"a", "c"}
