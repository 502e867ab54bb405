"""Files are whole or as they were."""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from striate.foundation.checks import UserError
from striate.foundation.files import atomic_path, write_json, write_text


def test_a_file_is_written(tmp_path: Path):
    write_text(tmp_path / "new" / "deep" / "note.txt", "grüß\n")
    assert (tmp_path / "new" / "deep" / "note.txt").read_text(encoding="utf-8") == "grüß\n"
    write_json(tmp_path / "a.json", {"ü": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"ü": [1, None]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "new"]


@pytest.mark.parametrize(
    "error", [KeyError("x"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_a_failure_leaves_the_old_file(tmp_path: Path, error: BaseException):
    target = tmp_path / "note.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as path:
            path.write_text("half of the n")
            raise error

    with pytest.raises(UserError if isinstance(error, OSError) else type(error)):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    text = r"^Writing '.*note.txt' got No space left on device; it needs a folder it may write to, with free space\. Ch"
    with pytest.raises(UserError, match=text):
        write_text(tmp_path / "note.txt", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"^Writing '.*note.txt' got (File exists|Not a directory); it needs a folder"):
        write_text(tmp_path / "file" / "note.txt", "new")


def test_a_target_that_is_a_folder_is_refused(tmp_path: Path):
    (tmp_path / "note.txt").mkdir()
    with pytest.raises(UserError, match=r"it needs a folder it may write to"):
        write_text(tmp_path / "note.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@contextlib.contextmanager
def no_root() -> Iterator[None]:
    """Root may write to any folder: for a while it is nobody."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # nobody may write here, but not come here through root's folders
    tmp_path.chmod(0o777)
    with no_root():
        write_text("note.txt", "old")
    tmp_path.chmod(0o555)
    with (
        no_root(),
        pytest.raises(UserError, match=r"^Writing 'note.txt' got Permission denied; it needs a folder it m"),
    ):
        write_text("note.txt", "new")
    tmp_path.chmod(0o700)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    assert Path("note.txt").read_text() == "old"


def test_readers_see_the_old_file_until_the_end(tmp_path: Path):
    target = tmp_path / "note.txt"
    write_text(target, "old")
    with atomic_path(target) as path:
        path.write_text("new")
        assert path.parent == tmp_path
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def test_the_users_umask_is_respected(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "note.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "note.txt").stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["a" * 200, "nöte.txt", "with space"])
def test_names_of_all_kinds(tmp_path: Path, name: Any):
    write_text(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"
