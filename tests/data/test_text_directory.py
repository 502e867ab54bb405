from pathlib import Path

import pytest
from keras.src.utils import dataset_utils

from striate import utils
from striate.foundation.checks import UnsupportedError, UserError


@pytest.fixture
def folder(tmp_path):
    for name in ("bad", "good"):
        (tmp_path / name).mkdir()
        for number in range(6):
            (tmp_path / name / f"{number}.txt").write_text(f"{name} film {number}", encoding="utf-8")
        (tmp_path / name / "notes.md").write_text("no text of ours")
    return tmp_path


def test_texts_come_in_the_order_and_partition_of_keras(folder):
    options = {"validation_split": 0.25, "seed": 3}
    parts = utils.text_dataset_from_directory(folder, subset="both", batch_size=4, verbose=False, **options)
    paths, labels, names = dataset_utils.index_directory(
        str(folder), "inferred", (".txt",), shuffle=True, seed=3, verbose=False
    )
    for part, subset in zip(parts, ("training", "validation"), strict=True):
        expected = dataset_utils.get_training_or_validation_split(paths, labels, 0.25, subset)
        assert part.file_paths == expected[0]
        assert part.class_names == names
    texts, labels = next(iter(parts[1]))
    assert texts == [Path(path).read_text(encoding="utf-8") for path in parts[1].file_paths]
    assert labels.tolist() == [int("good" in text) for text in texts]


@pytest.mark.parametrize(("label_mode", "shape"), [("INT", (3,)), ("binary", (3, 1)), ("categorical", (3, 2))])
def test_labels(folder, label_mode, shape):
    dataset = utils.text_dataset_from_directory(folder, label_mode=label_mode, batch_size=3, verbose=False, seed=1)
    assert next(iter(dataset))[1].shape == shape


def test_long_texts_are_cut(folder):
    (folder / "good" / "0.txt").write_text("größe", encoding="utf-8")
    dataset = utils.text_dataset_from_directory(
        folder, labels=None, max_length=3, batch_size=None, shuffle=False, verbose=False
    )
    assert list(dataset)[6] == "gr"  # the third byte is half a letter
    assert next(iter(dataset)) == "bad"


def test_refusals(folder):
    (folder / "good" / "0.txt").write_bytes(b"\xff\xfe")
    dataset = utils.text_dataset_from_directory(folder, verbose=False)
    with pytest.raises(UserError, match=r"got bytes that are no UTF-8 .* Convert the file"):
        list(dataset)
    with pytest.raises(UnsupportedError, match="text_dataset_from_directory got format='grain'"):
        utils.text_dataset_from_directory(folder, format="grain")
    with pytest.raises(UserError, match="got max_length=0"):
        utils.text_dataset_from_directory(folder, max_length=0)
    with pytest.raises(UserError, match=r"without texts; it needs texts \(\.txt\)"):
        utils.text_dataset_from_directory(folder, class_names=[])
