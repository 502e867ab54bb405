"""Figures are written so that nobody takes one for another."""

import math

import pytest

from striate.apps.figures import KNOWN, percent, read_figures

# Every key that a task may write.
KEYS = [
    "accuracy",
    "balanced_accuracy",
    "f1",
    "auc",
    "ece",
    "ece_uncalibrated",
    "coverage",
    "sure",
    "accuracy_sure",
    "loss",
    "map",
    "map50",
    "dice",
    "iou",
    "hd95_mm",
    "pixel_error",
    "identification_accuracy",
    "eer",
    "tar_at_far_1e-2",
    "mae",
    "rmse",
]


def test_every_figure_of_the_tasks_has_a_meaning():
    assert set(KEYS) == set(KNOWN)
    assert {style for _, _, style in KNOWN.values()} == {"percent", "unit", "number"}


def test_order_and_parts_are_those_of_the_file():
    entries = {"f1": {"value": 0.5, "low": 0.25, "high": 0.75}, "new_one": 3, "auc": {"value": None}, "loss": "?"}
    found = read_figures(entries)
    assert [figure.name for figure in found] == list(entries)
    assert (found[0].value, found[0].low, found[0].high) == (0.5, 0.25, 0.75)
    assert (found[1].title, found[1].value, found[1].has_interval) == ("new one", 3, False)
    assert math.isnan(found[2].value)
    assert math.isnan(found[3].value)
    assert [figure.bounded for figure in found] == [True, False, False, False]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.97512, "97.5\u202f%"),
        ("f1", 0.97512, "0.975"),
        ("loss", 0.0123456, "0.01235"),
        ("hd95_mm", 12.0, "12"),
        ("unknown", 1234567, "1.235e+06"),
        ("accuracy", math.nan, "–"),
    ],
)
def test_text(name, value, text):
    figure = read_figures({name: value})[0]
    assert figure.text(figure.value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0"), (0.9999, ">99.9"), (1.0, "100"), (0.0004, "<0.1"), (0.0006, "0.1"), (0.5, "50.0")]
)
def test_percent(share, text):
    assert percent(share) == text + "\u202f%"
