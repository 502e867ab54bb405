import numpy as np
import pytest

from striate.data import read_classification
from striate.foundation.checks import UserError


def test_every_kind_is_recognised(tmp_path, cats_and_dogs):
    np.savez(tmp_path / "data.npz", images=np.zeros((4, 2, 2), "uint8"), labels=[0, 1, 0, 1])
    assert read_classification(str(cats_and_dogs)).origin == "2 class folders"
    assert read_classification(cats_and_dogs, "l").store.mode == "L"
    assert read_classification(tmp_path / "data.npz").origin == "an .npz file with images, labels"


@pytest.mark.parametrize(
    ("name", "count", "classes", "mode"),
    [("cats_dogs", 4000, 2, "RGB"), ("att_faces", 400, 40, "L")],
)
def test_real_folders(real_data, name, count, classes, mode):
    samples = read_classification(real_data(name))
    assert (len(samples), len(samples.classes), samples.store.mode) == (count, classes, mode)
    assert samples.quarantined == []
    assert len(set(samples.counts().values())) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("anmals", r"no such file or folder; it needs a folder of class folders .*\. Did you mean 'animals'\?"),
        ("none/there", r"no such file or folder; .* Check the path\."),
        ("notes.txt", r"a file of type .txt; it needs .* Pass the folder instead\."),
        ("empty", r"an empty folder; it needs a folder of class folders with pictures, the same inside train/"),
        ("other", r"a folder with a.csv, b.csv, c/ and 5 more|a folder with "),
    ],
)
def test_what_is_not_recognised(tmp_path, cats_and_dogs, name, text):
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other/c").mkdir(parents=True)
    for number in range(10):
        (tmp_path / f"other/{number}.csv").write_text("")
    with pytest.raises(UserError, match=rf"Reading '.*{name}' got {text}"):
        read_classification(tmp_path / name)


def test_what_was_found_is_listed(tmp_path):
    (tmp_path / "c").mkdir()
    for number in range(10):
        (tmp_path / f"{number}.csv").write_text("")
    with pytest.raises(UserError, match=r"got a folder with 0.csv, 1.csv, 2.csv, 3.csv, 4.csv, 5.csv and 5 more; it"):
        read_classification(tmp_path)


def test_unknown_mode(tmp_path):
    with pytest.raises(UserError, match=r"read_classification got mode='BGR'"):
        read_classification(tmp_path, "BGR")


def test_locked_folders(tmp_path, monkeypatch):
    def shut(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(tmp_path), "iterdir", shut)
    with pytest.raises(
        UserError, match=r"got Permission denied: .*; it needs folders it may read\. Check the permissions"
    ):
        read_classification(tmp_path)
