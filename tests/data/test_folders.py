import os

import pytest

from striate.data.folders import picture_files, walk_files, why_not_a_picture


def names(folder, files):
    return [path.relative_to(folder).as_posix() for path in files]


@pytest.fixture
def left_out():
    return []


@pytest.fixture
def report(left_out):
    return lambda path, reason: left_out.append((path.name, reason))


def test_folder_after_folder_in_order(tmp_path, make_picture, report, left_out):
    for name in ("b.png", "a.png", "z/1.png", "c/d/2.png", "c/1.png", "c-d/1.png"):
        make_picture(tmp_path / name)
    walked = [
        os.path.join(root, name)  # noqa: PTH118
        for root, _, files in sorted(os.walk(tmp_path), key=lambda step: step[0])
        for name in sorted(files)
    ]
    assert [str(path) for path in walk_files(tmp_path, report)] == walked
    assert left_out == []


def test_links_are_followed_but_never_in_circles(tmp_path, make_picture, report, left_out):
    make_picture(tmp_path / "data/cat/1.png")
    make_picture(tmp_path / "elsewhere/2.png")
    (tmp_path / "data/cat/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/cat/self").symlink_to(tmp_path / "data/cat")
    (tmp_path / "data/cat/above").symlink_to(tmp_path / "data")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "data/cat")
    assert names(tmp_path / "data", walk_files(tmp_path / "data/cat", report)) == ["cat/1.png", "cat/more/2.png"]
    assert sorted(left_out) == [(name, "a link back into its own parents") for name in ("above", "back", "self")]
    assert names(tmp_path, walk_files(tmp_path / "data/cat", report, follow_links=False)) == ["data/cat/1.png"]


def test_what_is_no_picture_is_reported(tmp_path, make_picture, report, left_out):
    for name in ("a.png", "b.JPG", "c.webp"):
        make_picture(tmp_path / name)
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "README", ".git/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert names(tmp_path, picture_files(tmp_path, report)) == ["a.png", "b.JPG", "c.webp"]
    assert sorted(left_out) == [
        (".DS_Store", "hidden"),
        ("README", "not a picture's name (no extension)"),
        ("Thumbs.db", "a system's file"),
        ("gone.png", "a link to nothing"),
        ("notes.txt", "not a picture's name (.txt)"),
        ("pipe.png", "not a file"),
        ("x.png", "hidden"),
    ]


def test_names_that_are_no_text(tmp_path, report, left_out):
    path = os.fsencode(tmp_path) + b"/\xff.png"
    open(path, "wb").close()  # noqa: PTH123
    assert list(picture_files(tmp_path, report)) == []
    assert left_out[0][1] == "a name that is no text"


def test_folders_that_the_system_keeps_shut_are_reported(tmp_path, monkeypatch, report, left_out):
    def shut(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", shut)
    assert list(walk_files(tmp_path, report)) == []
    assert left_out == [(tmp_path.name, "cannot be opened (Permission denied)")]


def test_a_picture_by_name(tmp_path, make_picture):
    assert why_not_a_picture(make_picture(tmp_path / "a.png"), tmp_path) is None
