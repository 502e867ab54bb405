"""What answers tell, against scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from striate.apps.breakdown import Confusion, class_scores, reliability, wilson


@pytest.mark.parametrize("classes", [1, 2, 7])
@pytest.mark.parametrize("count", [1, 5, 400])
def test_class_scores_are_scikit_learns(classes, count):
    draws = np.random.default_rng(classes * count)
    names = [f"class {index}" for index in range(classes + 2)]  # some in neither, or only in one of them
    targets = [names[index] for index in draws.integers(0, classes, count)]
    answers = [names[index] for index in draws.integers(0, classes + 1, count)]
    scores = class_scores(targets, answers, names)
    expected = precision_recall_fscore_support(targets, answers, labels=names, zero_division=np.nan)
    found = [[getattr(score, part) for score in scores] for part in ("precision", "recall", "f1", "support")]
    assert [score.name for score in scores] == names
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_classes_that_nobody_named_follow_by_name():
    scores = class_scores(["b", "z"], ["a", "b"], ["b", "unused"])
    assert [score.name for score in scores] == ["b", "unused", "a", "z"]


def test_mistakes_are_the_largest_cells_off_the_diagonal():
    draws = np.random.default_rng(0)
    targets, answers = draws.integers(0, 5, 300), draws.integers(0, 5, 300)
    counts = confusion_matrix(targets, answers)
    names = list("abcde")
    found = Confusion(names, names, counts).mistakes(limit=20)
    off = counts[~np.eye(5, dtype=bool)]
    assert [times for *_, times, _ in found] == sorted(off.tolist(), reverse=True)
    for was, called, times, share in found:
        row, column = names.index(was), names.index(called)
        assert (times, share) == (counts[row, column], counts[row, column] / counts[row].sum())


def test_rows_and_columns_may_differ():
    confusion = Confusion(["cat", "dog"], ["dog", "cat", "nothing"], np.array([[1, 5, 2], [0, 0, 0]]))
    assert confusion.mistakes() == [("cat", "nothing", 2, 0.25), ("cat", "dog", 1, 0.125)]
    assert not np.isnan(confusion.shares).any()


def test_reliability_is_scikit_learns_calibration_curve():
    draws = np.random.default_rng(0)
    confidence = draws.random(500)
    correct = draws.random(500) < confidence
    points = reliability(confidence, correct)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=10)
    np.testing.assert_allclose([point.accuracy for point in points], accuracy)
    np.testing.assert_allclose([point.confidence for point in points], mean)
    assert sum(point.count for point in points) == 500


@pytest.mark.parametrize("confidence", [[0.0, 1.0], [1.0, 1.0], [np.nan, 0.5], [1.5, -0.1]])
def test_reliability_at_the_ends(confidence):
    known = [value for value in confidence if 0 <= value <= 1]
    points = reliability(np.array(confidence), np.array([True, True]))
    assert sum(point.count for point in points) == len(known)
    assert all(point.low <= point.accuracy <= point.high for point in points)


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 9), (950, 1000)])
def test_interval_is_scipys(hits, count):
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-12)
