import pytest

from striate.data.class_folders import common_mode, read_class_folders
from striate.foundation.checks import UserError


def test_class_folders(cats_and_dogs):
    samples = read_class_folders(cats_and_dogs, None)
    assert samples.classes == ("cat", "dog")
    assert samples.counts() == {"cat": 5, "dog": 6}
    assert samples[5].id == "dog/0.jpg"
    assert (samples[5].target, samples[5].source, samples[5].split) == (1, str(cats_and_dogs / "dog/0.jpg"), None)
    assert samples.load(samples[0]).shape == (4, 6, 3)
    assert samples.origin == "2 class folders"
    assert samples.quarantined == []


def test_deeper_folders_belong_to_their_class(cats_and_dogs, make_picture):
    make_picture(cats_and_dogs / "cat/kittens/young/1.png")
    assert "cat/kittens/young/1.png" in {sample.id for sample in read_class_folders(cats_and_dogs, None)}


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "VAL", None])
def test_splits(tmp_path, make_picture, validation):
    for part in filter(None, ("train", "test", validation)):
        for name in ("a", "b"):
            make_picture(tmp_path / part / name / "1.png")
    samples = read_class_folders(tmp_path, None)
    assert {sample.split for sample in samples} == {"train", "test", "validation"} - (
        {"validation"} if not validation else set()
    )
    assert {sample.id for sample in samples if sample.split == "train"} == {"train/a/1.png", "train/b/1.png"}
    assert samples.classes == ("a", "b")
    assert samples.origin.startswith("2 class folders in each of ")


def test_train_alone_states_no_split(tmp_path, make_picture):
    for name in ("a", "b"):
        make_picture(tmp_path / "train" / name / "1.png")
    assert {sample.split for sample in read_class_folders(tmp_path, None)} == {None}


def test_classes_may_be_called_train_and_test(tmp_path, make_picture):
    for name in ("train", "test"):
        make_picture(tmp_path / name / "1.png")
    assert read_class_folders(tmp_path, None).classes == ("test", "train")


def test_nothing_is_skipped_silently(cats_and_dogs):
    (cats_and_dogs / ".DS_Store").write_bytes(b"")
    (cats_and_dogs / "Thumbs.db").write_bytes(b"")
    (cats_and_dogs / ".cache").mkdir()
    (cats_and_dogs / "labels.csv").write_text("a,b")
    (cats_and_dogs / "dog/notes.txt").write_text("good dog")
    (cats_and_dogs / "dog/back").symlink_to(cats_and_dogs)
    samples = read_class_folders(cats_and_dogs, None)
    assert len(samples) == 11
    found = {source.removeprefix(str(cats_and_dogs) + "/"): reason for source, reason in samples.quarantined}
    assert found == {
        ".DS_Store": "hidden",
        ".cache": "hidden",
        "Thumbs.db": "a system's file",
        "labels.csv": "not in a class's folder",
        "dog/notes.txt": "not a picture's name (.txt)",
        "dog/back": "a link back into its own parents",
    }


@pytest.mark.parametrize(("modes", "expected"), [(("L", "L"), "L"), (("L", "RGB"), "RGB"), (("RGB", "RGB"), "RGB")])
def test_grey_where_all_are_grey(tmp_path, make_picture, modes, expected):
    paths = [str(make_picture(tmp_path / f"{n}/{n}.png", mode=mode)) for n, mode in enumerate(modes)]
    (tmp_path / "0/broken.png").write_bytes(b"")
    assert common_mode([*paths, str(tmp_path / "0/broken.png")]) == expected
    samples = read_class_folders(tmp_path, None)
    assert samples.load(samples[0]).shape[2] == (1 if expected == "L" else 3) or samples[0].id == "0/broken.png"
    assert samples.store.mode == expected
    assert read_class_folders(tmp_path, "RGBA").store.mode == "RGBA"


def test_folders_without_pictures_are_not_recognised(tmp_path):
    assert read_class_folders(tmp_path, None) is None
    (tmp_path / "a").mkdir()
    (tmp_path / "a/notes.txt").write_text("")
    assert read_class_folders(tmp_path, None) is None


@pytest.mark.parametrize(
    ("pictures", "text"),
    [
        (["a/1.png"], r"only one class \(a\); it needs at least two class folders"),
        (["a/1.png", "b/1.txt"], r"no picture in b; it needs at least one picture in every class"),
        (
            ["train/a/1.png", "train/b/1.png", "test/a/1.png"],
            r"class 'b' in train only; it needs the same classes in every split",
        ),
        (
            ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png", "test/c/1.png", "test/d/1.png"],
            r"class 'c' in test only \(2 such classes\)",
        ),
        (["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/x.txt"], r"no picture in test/b"),
        (["test/a/1.png", "val/a/1.png"], r"test, val without train; it needs a folder train"),
        (["train/a/1.png", "val/a/1.png", "valid/a/1.png"], r"train, val, valid; it needs one folder for each split"),
        (["train/a/1.png", "test/a/1.png", "cat/1.png"], r"cat beside test, train; it needs either splits or classes"),
    ],
)
def test_refusals(tmp_path, make_picture, pictures, text):
    for name in pictures:
        if name.endswith(".png"):
            make_picture(tmp_path / name)
        else:
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_text("")
    with pytest.raises(UserError, match=rf"Reading '.*' got {text}"):
        read_class_folders(tmp_path, None)
