import os

import numpy as np
import pytest

from striate.data import array_samples
from striate.data.array_samples import as_samples, check_memory, memory_limit
from striate.foundation.checks import UserError

PICTURES = np.arange(6 * 3 * 2, dtype="uint8").reshape(6, 3, 2)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def one(pictures=PICTURES, labels=LABELS, names=None):
    return as_samples("Reading 'x'", {"": (np.asarray(pictures), np.asarray(labels))}, "arrays", names)


@pytest.mark.parametrize(
    ("labels", "classes", "targets"),
    [
        (LABELS, ("0", "1", "2"), [0, 1, 2, 0, 1, 2]),
        (LABELS[:, None], ("0", "1", "2"), [0, 1, 2, 0, 1, 2]),
        (LABELS.astype("float64"), ("0", "1", "2"), [0, 1, 2, 0, 1, 2]),
        (LABELS * 10 - 5, ("-5", "5", "15"), [0, 1, 2, 0, 1, 2]),
        (LABELS == 1, ("0", "1"), [0, 1, 0, 0, 1, 0]),
        (["dog", "cat", "emu", "dog", "cat", "emu"], ("cat", "dog", "emu"), [1, 0, 2, 1, 0, 2]),
    ],
)
def test_labels_become_classes(labels, classes, targets):
    samples = one(labels=labels)
    assert samples.classes == classes
    assert [sample.target for sample in samples] == targets
    assert all(type(sample.target) is int for sample in samples)


def test_ids_and_pictures():
    samples = one(np.zeros((11, 2, 2)), np.arange(11) % 2)
    assert [samples[0].id, samples[10].id] == ["row-00", "row-10"]
    samples = one()
    assert [sample.id for sample in samples] == [f"row-{number}" for number in range(6)]
    for number, sample in enumerate(samples):
        assert np.array_equal(samples.load(sample)[..., 0], PICTURES[number])
        assert sample.split is None


def test_given_names():
    assert one(names=("a", "b", "c", "d")).classes == ("a", "b", "c", "d")
    with pytest.raises(UserError, match=r"Reading 'x' got labels up to 2; it needs 0 to 1"):
        one(names=("a", "b"))


@pytest.mark.parametrize(
    ("pictures", "dtype", "largest"),
    [
        (PICTURES, "uint8", 35),
        (PICTURES.astype("int64"), "uint8", 35),
        (PICTURES.astype("uint16") * 100, "float32", 3500),
        (PICTURES.astype("float64") / 35, "float32", 1),
        (PICTURES > 10, "uint8", 255),
    ],
)
def test_pictures_are_bytes_or_float(pictures, dtype, largest):
    samples = one(pictures)
    assert samples.load(samples[5]).dtype == dtype
    assert samples.load(samples[5]).max() == largest


def test_splits():
    parts = {"train": (PICTURES, LABELS), "val": (PICTURES[:2], LABELS[:2]), "test": (PICTURES[3:], LABELS[3:])}
    samples = as_samples("Reading 'x'", parts, "arrays")
    assert [sample.split for sample in samples] == ["train"] * 6 + ["validation"] * 2 + ["test"] * 3
    assert samples[8].id == "test-0"
    assert np.array_equal(samples.load(samples[8])[..., 0], PICTURES[3])
    alone = as_samples("Reading 'x'", {"train": (PICTURES, LABELS)}, "arrays")
    assert {sample.split for sample in alone} == {None}


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"": (PICTURES, LABELS[:5])}, r"6 pictures and 5 labels in the data; it needs equally many"),
        ({"train": (PICTURES, LABELS[:5])}, r"6 pictures and 5 labels in train"),
        ({"": (PICTURES[:0], LABELS[:0])}, r"pictures of shape \(0, 3, 2\)"),
        ({"": (PICTURES, np.eye(3)[LABELS])}, r"labels of shape \(6, 3\) and dtype float64 .* labels.argmax\(1\)"),
        (
            {"": (PICTURES, LABELS + 0.5)},
            r"labels of shape \(6,\) and dtype float64 in the data; it needs one class for every picture",
        ),
        ({"": (PICTURES, np.array(5))}, r"labels of shape \(\)"),
        ({"": (PICTURES, np.zeros(6))}, r"only one class \(0\); it needs at least two classes"),
        (
            {"": (PICTURES[:, 0], LABELS)},
            r"pictures of shape \(6, 2\) and dtype uint8 in the data; it needs numbers of shape",
        ),
        (
            {"": (np.zeros((6, 3, 8, 8)), LABELS)},
            r"pictures of shape \(6, 3, 8, 8\) .* numpy.moveaxis\(pictures, 1, -1\)",
        ),
        ({"": (PICTURES.astype(str), LABELS)}, r"pictures of shape \(6, 3, 2\) and dtype <U"),
        (
            {"train": (PICTURES, LABELS), "test": (PICTURES[:, :2], LABELS)},
            r"pictures of shapes \[\(2, 2\), \(3, 2\)\]; it needs one shape in every split",
        ),
        (
            {"train": (PICTURES, LABELS % 2), "test": (PICTURES, LABELS)},
            r"class '2' in test only; it needs every class in train",
        ),
    ],
)
def test_refusals(parts, text):
    with pytest.raises(UserError, match=rf"Reading 'x' got {text}"):
        as_samples("Reading 'x'", parts, "arrays")


def test_memory(monkeypatch):
    assert 10**8 < memory_limit() < 10**14
    with monkeypatch.context() as patch:
        patch.delattr(os, "sysconf")
        assert memory_limit() == 8 * 10**9
    monkeypatch.setattr(array_samples, "memory_limit", lambda: 1000)
    check_memory("Reading 'x'", 1000)
    with pytest.raises(UserError, match=r"got 5.0 GB of declared content; it needs at most 0.0 GB \(half of this"):
        check_memory("Reading 'x'", 5 * 10**9)
