"""docs/keras.md says what is true of the striate and the Keras that are installed."""

import fnmatch
import importlib.util
import re
import types
from pathlib import Path

import keras
import pytest

import striate
from striate.foundation import absent

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
    assert applications[2] == f"`keras.applications`: 8 of {len(maker.public_names(keras.applications))}."
    assert maker.reason("layers", "NobodyKnows") is None
    assert "| `Circle`, `circle` | not written yet |" in text


def test_every_module_of_striate_is_on_the_page(maker):
    assert set(striate.MODULES) <= set(maker.PLACES)


def test_every_namespace_of_keras_is_on_the_page(maker):
    found = {name for name in dir(keras) if isinstance(getattr(keras, name), types.ModuleType)}
    alone = {"legacy"}  # nothing in it but another namespace
    assert {name for name in found if not name.startswith("_")} - {"src"} - alone <= set(maker.PLACES)
    for name in ("Variable", "KerasTensor", "Function", "Operation", "device", "name_scope"):
        assert f"`{name}`" in "\n".join(maker.section("", "At the top"))


def missing(maker):
    """Namespace and name of all that Keras has and striate does not, namespaces included."""
    names = [
        (path, name)
        for path in maker.PLACES
        for name in maker.public_names(maker.find(path, "keras"))
        if not (place := maker.find(path, "striate")) or not maker.is_there(place, name)
    ]
    spaces = [*maker.PLACES, "legacy"]
    parts = [path.rpartition(".") for path in spaces if maker.find(path, "striate") is None]
    return names + [(path, name) for path, _, name in parts]


def test_no_reason_is_out_of_date(maker):
    names = {f"{path}.{name}".removeprefix(".") for path, name in missing(maker)}
    unused = [pattern for pattern in absent.REASONS if not fnmatch.filter(names, pattern)]
    assert not unused, "reasons for names that are there, or that Keras does not have"
    listed = {f"{path}.{name}" for path, words in absent.NOT_WRITTEN.items() for name in words.split()}
    assert listed <= names


def test_errors_give_the_reasons_of_the_page(maker):
    text, count = maker.page(), 0
    for path, name in missing(maker):
        place = maker.find(path, "striate")
        if place is None or hasattr(place, name):  # functions that refuse in words of their own
            continue
        with pytest.raises(AttributeError) as caught:
            getattr(place, name)
        why = re.fullmatch(r"one of the names that are there \((.*)\)", getattr(caught.value, "needs", ""))
        assert why, (path, name, str(caught.value))
        assert f" | {why[1]} |" in text
        count += 1
    assert count > 100
