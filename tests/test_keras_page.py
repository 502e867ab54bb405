"""docs/keras.md says what is true of the striate and the Keras that are installed."""

import fnmatch
import importlib.util
from pathlib import Path

import keras
import pytest

import striate

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("keras_page", ROOT / "scripts" / "keras_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(maker):
    fresh = maker.page()
    assert maker.PAGE.read_text(encoding="utf-8") == fresh, f"docs/keras.md is out of date; run: {maker.COMMAND}"


def test_what_is_there_and_what_is_not(maker):
    text = maker.page()
    assert "`Conv2D`" in "\n".join(maker.section("layers", "Layers")[4:5])
    assert "| `Lambda` | files carry no code; write a subclass of Layer |" in text
    assert "| `model_to_dot` | striate draws without Graphviz" in text
    applications = maker.section("applications", "Applications")
    assert applications[2] == f"`keras.applications`: 0 of {len(maker.public_names(keras.applications))}."
    assert maker.reason("layers", "NobodyKnows") == maker.LATER


def test_every_module_of_striate_is_on_the_page(maker):
    assert set(striate.MODULES) <= set(maker.PLACES)


def test_no_reason_is_out_of_date(maker):
    missing = [
        f"{path}.{name}"
        for path in maker.PLACES
        for name in maker.public_names(maker.find(path, "keras"))
        if not (place := maker.find(path, "striate")) or not maker.is_there(place, name)
    ]
    unused = [pattern for pattern in maker.REASONS if not fnmatch.filter(missing, pattern)]
    assert not unused, "reasons for names that are there, or that Keras does not have"
