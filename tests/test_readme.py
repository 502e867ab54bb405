"""The Python blocks of README and docs run, one after the other, and print what they say; commands exist."""

import contextlib
import doctest
import io
import re
import shlex
from pathlib import Path

import pytest

from striate.apps.cli import app
from striate.utils import clear_session

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: str = "README.md") -> list[tuple[str, str, int]]:
    """Language, text and the number of the lines above, of every block that says its language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(found[1], found[2], text.count("\n", 0, found.start(2))) for found in BLOCK.finditer(text)]


def commands(program: str) -> list[list[str]]:
    """The words of every command line that begins with the program."""
    lines = [line for language, text, _ in blocks() if language == "bash" for line in text.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(f"{program} ")]


def run(code: str, page: str, line: int, namespace: dict) -> str:
    """What the code prints; errors tell the page's own lines."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * line + code, ROOT / page, "exec"), namespace)
    return printed.getvalue()


@pytest.mark.parametrize("page", ["README.md", "docs/habits.md"])
def test_blocks_run_and_print_what_follows_them(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    clear_session()
    namespace, printed, compared = {}, "", 0
    for language, text, line in blocks(page):
        if language == "python":
            printed = run(text, page, line, namespace)
        elif language == "text":
            assert doctest.OutputChecker().check_output(text, printed, OPTIONS), f"{page} line {line}:\n{printed}"
            compared += 1
    assert compared >= 5


def test_command_lines_are_understood():
    lines = commands("striate")
    assert len(lines) >= 3
    for _, *words in lines:
        command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
        assert command.__name__ == words[0]
        assert bound.arguments


def test_make_targets_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert commands("make")
    assert {words[1] for words in commands("make")} <= set(targets)
