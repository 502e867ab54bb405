"""Worker processes: what they answer, and that nothing a file does to one stops the rest."""

import subprocess
import sys
import threading
import time

import pytest

from striate.data import facts
from striate.data.facts import look
from striate.data.workers import look_in_processes
from striate.foundation.checks import UserError

# A worker whose decoder hangs, crashes or exits where a file's name says so.
FAULTY = f"""
import os, sys, time
sys.path.insert(0, {str(facts.__file__.removesuffix("facts.py"))!r})
import facts
def look(path):
    name = os.path.basename(path)
    if "hang" in name:
        time.sleep(600)
    if "segfault" in name:
        os.kill(os.getpid(), 11)
    if "exit" in name:
        os._exit(7)
    print("a decoder's chatter")
    return sound(path)
sound, facts.look = facts.look, look
facts.serve()
"""


@pytest.fixture
def faulty(tmp_path):
    program = tmp_path / "faulty.py"
    program.write_text(FAULTY)
    return program


def test_the_same_as_without_processes(make_picture, tmp_path):
    paths = [str(make_picture(tmp_path / f"{number}.png", number)) for number in range(9)]
    paths[4] = str(tmp_path / "none \u00e9\n.png")
    assert list(look_in_processes(paths, 2)) == [look(path) for path in paths]


def test_a_worker_that_does_not_start_is_no_fault_of_the_file(tmp_path):
    (tmp_path / "broken.py").write_text("raise SystemExit(3)")
    with pytest.raises(UserError, match="a process that does not start"):
        list(look_in_processes(["a.png"], 1, program=tmp_path / "broken.py"))


def test_no_torch_in_a_worker():
    program = "import sys, runpy; sys.stdin.close(); import io; sys.stdin = io.StringIO();" + (
        f"runpy.run_path({facts.__file__!r}, run_name='__main__');"
        "sys.exit('torch' in sys.modules or 'striate' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_files_that_hang_or_crash_are_named_and_the_rest_goes_on(make_picture, tmp_path, faulty):
    names = ["0", "hang", "1", "segfault", "2", "exit", "3", "4"]
    paths = [str(make_picture(tmp_path / f"{name}.png")) for name in names]
    found = list(look_in_processes(paths, 2, limit=3, program=faulty))
    bad = {name: (one.kind, one.reason) for name, one in zip(names, found, strict=True) if hasattr(one, "kind")}
    assert bad == {
        "hang": ("hangs", "decoding took more than 3 seconds"),
        "segfault": ("crashes", "decoding ended its process (SIGSEGV)"),
        "exit": ("crashes", "decoding ended its process (exit code 7)"),
    }
    assert [one.width for one in found if not hasattr(one, "kind")] == [6] * 5


def test_who_stops_does_not_wait_for_a_file_that_hangs(make_picture, tmp_path, faulty):
    paths = [str(make_picture(tmp_path / name)) for name in ("a.png", "hang.png", "hang2.png", "hang3.png")]
    before = set(threading.enumerate())
    begun = time.monotonic()
    found = look_in_processes(paths, 2, limit=300, program=faulty)
    next(found)
    found.close()
    assert time.monotonic() - begun < 60
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("striate-look")]
