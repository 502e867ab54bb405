"""Scores of class probabilities, with scikit-learn as the oracle."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, roc_auc_score

from striate.tasks.scores import class_scores


def made_up(count, classes, ties=False, present=None):
    draw = np.random.default_rng(count + classes)
    targets = draw.integers(present or classes, size=count)
    logits = draw.normal(size=(count, classes))
    logits[np.arange(count), targets] += 1.0
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    if ties:
        probabilities = probabilities.round(1) + 0.01
        probabilities /= probabilities.sum(1, keepdims=True)
    return probabilities, targets


def oracle(probabilities, targets, weights=None):
    classes = probabilities.shape[1]
    chosen = probabilities.argmax(1)
    keep = np.arange(len(targets)) if weights is None else np.repeat(np.arange(len(targets)), weights)
    targets, chosen, probabilities = targets[keep], chosen[keep], probabilities[keep]
    return {
        "accuracy": accuracy_score(targets, chosen),
        "balanced_accuracy": balanced_accuracy_score(targets, chosen),
        "f1": f1_score(targets, chosen, average="macro"),
        "auc": roc_auc_score(targets, probabilities[:, 1] if classes == 2 else probabilities, multi_class="ovr"),
        "loss": log_loss(targets, probabilities, labels=range(classes)),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("count", "classes"), [(20, 2), (300, 2), (60, 3), (500, 10)])
def test_against_scikit_learn(count, classes, ties):
    probabilities, targets = made_up(count, classes, ties)
    scores = class_scores(probabilities, targets)(np.ones((count, 1), np.float32))
    for name, value in oracle(probabilities, targets).items():
        assert scores[name][0] == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize(("count", "classes"), [(80, 2), (200, 4)])
def test_weights_count_samples_as_often(count, classes):
    probabilities, targets = made_up(count, classes)
    weights = np.random.default_rng(1).integers(0, 4, size=(count, 3))
    scores = class_scores(probabilities, targets)(weights.astype(np.float32))
    for column in range(3):
        for name, value in oracle(probabilities, targets, weights[:, column]).items():
            assert scores[name][column] == pytest.approx(value, rel=1e-5), name


def test_calibration_error_against_a_loop():
    probabilities, targets = made_up(400, 5)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    found = class_scores(probabilities, targets)(np.ones((400, 1)))["ece"][0]
    assert found == pytest.approx(expected, rel=1e-6)


def test_perfect_and_certain():
    scores = class_scores(np.eye(3), np.arange(3))(np.ones((3, 1)))
    got = {name: float(value[0]) for name, value in scores.items()}
    assert got == pytest.approx(
        {"accuracy": 1, "balanced_accuracy": 1, "f1": 1, "auc": 1, "ece": 0, "loss": 0}, abs=1e-6
    )


def test_classes_that_never_appear_do_not_count():
    probabilities, targets = made_up(60, 4, present=3)
    scores = class_scores(probabilities, targets)(np.ones((60, 1)))
    assert scores["balanced_accuracy"][0] == pytest.approx(
        np.mean([(probabilities.argmax(1)[targets == c] == c).mean() for c in range(3)])
    )
    assert np.isnan(scores["auc"][0])  # as in scikit-learn, which refuses it


def test_auc_of_a_single_class_is_not_defined():
    scores = class_scores(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 0]))(np.ones((2, 1)))
    assert np.isnan(scores["auc"][0])
