"""Shortcuts are found where there are some, and not where chance or one class too few offers them."""

import dataclasses

import numpy as np
import pytest

from striate.data.facts import Facts
from striate.data.shortcuts import shortcuts

PLAIN = Facts(100, 100, "RGB", "JPEG", 1, 1, "", "", 0, 0, b"", 0.0, 100.0, 50.0)


def pictures(count, classes, **features):
    """Facts of pictures of random brightness, with features by class."""
    draw = np.random.default_rng(0)
    targets = np.arange(count) % classes
    facts = [
        dataclasses.replace(
            PLAIN, brightness=float(draw.normal(100, 30)), **{k: f(int(t), draw) for k, f in features.items()}
        )
        for t in targets
    ]
    return facts, targets.tolist()


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        ("format", lambda target, draw: "PNG" if target else "JPEG"),
        ("mode", lambda target, draw: "L" if target else "RGB"),
        ("border", lambda target, draw: 0.3 if target else 0.0),
        ("width", lambda target, draw: int(draw.integers(100, 200)) + 100 * target),
    ],
)
def test_a_feature_that_tells_all(feature, value):
    found = {one.feature: one for one in shortcuts(*pictures(400, 2, **{feature: value}))}
    assert found[feature].accuracy > 0.95
    assert set(found) <= {feature, "shape"}


def test_three_classes_one_of_which_differs():
    facts, targets = pictures(600, 3, format=lambda target, draw: "PNG" if target == 2 else "JPEG")
    (found,) = shortcuts(facts, targets)
    assert found.accuracy == pytest.approx(2 / 3)


def test_the_accuracy_is_that_of_pictures_not_fitted_to():
    """A feature that agrees with the class of 8 in 10."""
    flip = lambda target, draw: "PNG" if (draw.random() < 0.8) == bool(target) else "JPEG"  # noqa: E731
    (found,) = shortcuts(*pictures(2000, 2, format=flip))
    assert found.accuracy == pytest.approx(0.8, abs=4 * found.error)
    assert found.error == pytest.approx((0.8 * 0.2 / 500 / 2) ** 0.5, rel=0.2)


def test_chance_is_no_shortcut():
    assert shortcuts(*pictures(60, 2)) == []
    assert shortcuts(*pictures(4000, 2)) == []


def test_too_few_pictures_prove_nothing():
    assert shortcuts(*pictures(20, 2, format=lambda target, draw: "PNG" if target else "JPEG")) == []
    assert shortcuts([], []) == []
