"""Run folders: their names, and files that are whole or not there."""

import errno
import json
import subprocess
import sys

import pytest

from striate.apps.run import RunFolder, csv_text, default_folder
from striate.foundation.checks import UserError


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "run")


@pytest.mark.parametrize(
    ("source", "there", "resume", "expected"),
    [
        ("pets", [], False, "pets"),
        ("pets", ["pets"], False, "pets-2"),
        ("pets", ["pets", "pets-2"], False, "pets-3"),
        ("pets", ["pets", "pets-2"], True, "pets-2"),
        ("pets", [], True, "pets"),
        ("my pictures!", [], False, "my-pictures"),
        ("..", [], False, "run"),
    ],
)
def test_default_folders(tmp_path, source, there, resume, expected):
    for name in there:
        RunFolder.create(tmp_path / name).note(state="finished")
    assert default_folder(source, resume, tmp_path) == tmp_path / expected


def test_notes_add_up(run):
    run.note(a=1)
    run.note(b=2, a=3)
    assert RunFolder.open(run.path).about == {"a": 3, "b": 2}


def test_a_folder_with_a_run_is_not_begun_anew(run):
    run.note(state="started")
    with pytest.raises(UserError, match=r"a folder that holds a run; it needs a new folder\. Add --resume"):
        RunFolder.create(run.path)


def test_what_a_killed_beginning_left_is_begun_anew(run):
    (run.path / "data_report.json").write_text("{}")
    (run.path / ".split.csv.1234.part").write_text("half")
    assert RunFolder.create(run.path).about == {}
    assert RunFolder.open(run.path).about == {}


def test_other_folders_are_left_alone(run):
    (run.path / "holiday.jpg").touch()
    with pytest.raises(UserError, match="a folder with other files; it needs a new or empty folder"):
        RunFolder.create(run.path)


@pytest.mark.parametrize("content", ["", "{", "\udc80"])
def test_a_damaged_run_json(run, content):
    (run.path / "run.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"run\.json that cannot be read"):
        RunFolder.open(run.path)


def test_a_beginning_that_is_refused_leaves_no_folder(run):
    def refuse():
        raise UserError("a", "b", "c", "d")

    with run.alone(), pytest.raises(UserError):
        run.unless_refused(refuse)
    assert not run.path.exists()


def test_events_after_a_line_cut_short(run):
    run.event("started", note="ä")
    with (run.path / "events.jsonl").open("a") as file:
        file.write('{"time": "20')
    run.event("resumed")
    lines = (run.path / "events.jsonl").read_text().splitlines()
    assert [json.loads(lines[index])["event"] for index in (0, 2)] == ["started", "resumed"]
    assert len(lines) == 3


def test_events_that_cannot_be_written(run):
    (run.path / "events.jsonl").mkdir()
    with pytest.raises(UserError, match=r"events\.jsonl.*run it again with --resume"):
        run.event("started")


def test_tables_quote_what_needs_it(run):
    run.write_table("a.csv", ["id", "name"], [[1, 'say "no"'], [2, "a,b"]])
    assert (run.path / "a.csv").read_text() == 'id,name\n1,"say ""no"""\n2,"a,b"\n'
    assert csv_text(["x"], []) == "x\n"


def test_a_missing_file_says_what_makes_it(run):
    with pytest.raises(UserError, match="Run striate evaluate"):
        run.read_json("evaluation/metrics.json")


def test_one_process_at_a_time(run):
    code = (
        "import sys; from pathlib import Path; from striate.apps.run import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).alone(): print('mine', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, run.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"mine\n"
        text = r"got another process at work; it needs it alone\. Wait until it has ended"
        with pytest.raises(UserError, match=text), run.alone():
            pytest.fail("two at once")
        other.kill()
    with run.alone() as kept:  # a killed process holds nothing
        assert kept


@pytest.mark.parametrize(
    "error", [NotImplementedError(), OSError(errno.ENOLCK, "no locks"), OSError(errno.ENOTSUP, "")]
)
def test_a_file_system_without_locks_keeps_nobody_out(run, monkeypatch, error):
    monkeypatch.setattr("filelock.FileLock.acquire", raising(error))
    with run.alone() as kept:
        assert not kept


def test_a_lock_that_is_refused_is_no_missing_lock(run, monkeypatch):
    monkeypatch.setattr("filelock.FileLock.acquire", raising(PermissionError(errno.EACCES, "not yours")))
    with pytest.raises(PermissionError), run.alone():
        pytest.fail("without a lock")


def raising(error):
    def acquire(lock):
        raise error

    return acquire
