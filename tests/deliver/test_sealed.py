"""Sealed files: real Keras opens them, and a file that is not what it was is refused."""

import shutil
import zipfile

import keras
import numpy as np
import pytest

from striate.deliver import Predictor, amend, read_contents, seal, unseal
from striate.foundation.checks import UserError
from striate.layers import Conv2D, Dense, Flatten, Rescaling
from striate.models import Sequential, load_model

CONTENTS = {"task": "doubling", "spec": {"factor": 2}, "classes": ["a", "b"], "licence": "not stated"}
INPUTS = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 1), dtype=np.uint8)


def network():
    layers = [Rescaling(1 / 255, input_shape=(6, 6, 1)), Conv2D(2, 3), Flatten(), Dense(2, activation="softmax")]
    return Sequential(layers)


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def whole(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("sealed") / "model.keras"
    seal(model, path, CONTENTS, INPUTS[:3])
    return path


@pytest.fixture
def path(whole, tmp_path):
    return shutil.copy(whole, tmp_path / "model.keras")


def rewrite(path, **changes):
    """The zip with some entries changed (None: left out), names with dots written with two underscores."""
    changes = {name.replace("__", "."): content for name, content in changes.items()}
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            if content is not None:
                archive.writestr(name, content)


def test_what_was_sealed_comes_back(model, path):
    sealed = unseal(path)
    sealed.check()
    assert sealed.contents == {"format": 1, **CONTENTS}
    np.testing.assert_array_equal(sealed.inputs, INPUTS[:3])
    np.testing.assert_allclose(sealed.outputs, model.predict(INPUTS[:3], verbose=0), atol=1e-6)
    assert read_contents(path) == sealed.contents


def test_real_keras_opens_it(model, path):
    theirs = keras.models.load_model(path)
    np.testing.assert_allclose(
        theirs.predict(INPUTS.astype("float32"), verbose=0), model.predict(INPUTS, verbose=0), atol=1e-5
    )


def test_striate_opens_it_as_a_plain_model(model, path):
    np.testing.assert_array_equal(load_model(path).predict(INPUTS, verbose=0), model.predict(INPUTS, verbose=0))


def test_amending_changes_nothing_else(model, path):
    amend(path, metrics={"accuracy": 1}, licence="CC0-1.0")
    sealed = unseal(path)
    sealed.check()
    assert sealed.contents == {"format": 1, **CONTENTS, "metrics": {"accuracy": 1}, "licence": "CC0-1.0"}
    assert keras.models.load_model(path).count_params() == model.count_params()


def test_a_plain_keras_file_is_refused_with_the_fix(model, tmp_path):
    model.save(tmp_path / "plain.keras")
    with pytest.raises(UserError, match=r"a \.keras file without striate\.json.*Pass the model.keras of a run folder"):
        unseal(tmp_path / "plain.keras")
    assert read_contents(tmp_path / "plain.keras") is None


def test_other_weights_than_sealed_are_noticed(path):
    other = network()
    other.save(path.parent / "other.keras")
    with zipfile.ZipFile(path.parent / "other.keras") as archive:
        names = {name: archive.read(name) for name in ("model.weights.h5", "config.json")}
    rewrite(path, model__weights__h5=names["model.weights.h5"], config__json=names["config.json"])
    sealed = unseal(path)
    with pytest.raises(UserError, match=r"outputs that differ by .*; it needs golden outputs as when it was sealed"):
        sealed.check()
    with pytest.raises(UserError, match="golden outputs"):
        Predictor.load(path, lambda name: Doubling())


def test_golden_outputs_of_another_shape_are_noticed(path):
    from safetensors.numpy import save

    rewrite(path, golden__safetensors=save({"inputs": INPUTS[:3], "outputs": np.zeros((3, 7), np.float32)}))
    with pytest.raises(UserError, match="differ by inf"):
        unseal(path).check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"golden__safetensors": None}, "a .keras file without golden.safetensors"),
        ({"golden__safetensors": b"nonsense"}, "golden.safetensors that holds no inputs and outputs"),
        ({"striate__json": b"{"}, "'striate.json' that is no JSON"),
        ({"striate__json": b"[1]"}, "'striate.json' with list as its JSON"),
        ({"striate__json": b'{"format": 1, "task": "x"}'}, "striate.json without 'spec'"),
        ({"striate__json": b'{"format": 1, "task": 3, "spec": {}}'}, "striate.json without 'task'"),
        ({"striate__json": b'{"format": 2, "task": "x", "spec": {}}'}, "sealed format 2; it needs format 1"),
        ({"striate__json": b'{"a": "' + b"x" * 2**25 + b'"}'}, "it needs at most 16,777,216 bytes there"),
    ],
)
def test_damaged_entries(path, changes, message):
    rewrite(path, **changes)
    with pytest.raises(UserError, match=message):
        unseal(path)


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_what_is_no_file_of_ours(tmp_path, content):
    path = tmp_path / "model.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="no such file" if content is None else "no whole zip archive"):
        unseal(path)


def test_every_cut_is_noticed(path):
    whole = path.read_bytes()
    for part in (0.2, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(UserError, match="zip"):
            unseal(path)


def test_sealing_that_fails_leaves_the_old_file(model, path, monkeypatch):
    before = path.read_bytes()

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(UserError, match=r"No space left on device|disk"):
        seal(model, path, CONTENTS, INPUTS[:1])
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["model.keras"]


def test_arguments(model, tmp_path):
    with pytest.raises(UserError, match="contents without 'spec'; it needs task and spec"):
        seal(model, tmp_path / "a.keras", {"task": "x"}, INPUTS)
    with pytest.raises(UserError, match=r"a name that ends in \.keras"):
        seal(model, tmp_path / "a.zip", CONTENTS, INPUTS)


# Predicting --------------------------------------------------------------------------------------


class Spec:
    @classmethod
    def from_json(cls, fields):
        return fields


class Doubling:
    """A task that doubles what comes in and what goes out."""

    spec_type = Spec

    def prepare_input(self, raw, spec):
        return np.array(raw * spec["factor"], np.uint8)

    def decode(self, outputs, spec):
        return outputs * spec["factor"]


@pytest.mark.parametrize("count", [1, 5, 64, 65])
def test_predictor_prepares_and_decodes(model, path, count):
    raw = np.random.default_rng(1).integers(0, 100, (count, 6, 6, 1), dtype=np.uint8)
    asked = []
    predictor = Predictor.load(path, lambda name: asked.append(name) or Doubling())
    assert asked == ["doubling"]
    np.testing.assert_allclose(predictor.predict(iter(raw)), 2 * model.predict(raw * 2, verbose=0), atol=1e-5)


def test_predictor_needs_inputs(path):
    with pytest.raises(UserError, match="no inputs; it needs at least one"):
        Predictor.load(path, lambda name: Doubling()).predict([])
