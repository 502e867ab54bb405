"""What a command is to look at: files, folders, patterns, and what comes through standard input."""

import glob
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from striate.foundation.checks import UserError

WHERE = "striate predict"
STANDARD_INPUT = "-"


class Input(NamedTuple):
    """One thing to look at.

    Attributes:
        name: What it is called in answers.
        content: The file, or its bytes.
    """

    name: str
    content: Path | bytes


def list_inputs(words: Sequence[str], suffixes: Sequence[str]) -> list[Input]:
    """What is meant, each once, in the order given; of folders, the files with a task's endings.

    Args:
        words: Files, folders, patterns; "-" for standard input, which holds one file's bytes or names, one a line.
        suffixes: Endings that a task takes, in lower case.

    Raises:
        UserError: There is none, a word leads to nothing, or a folder has no such file.
    """
    if not words:
        raise UserError(WHERE, "no inputs", "files, folders or patterns", "Name some, for example a picture.")
    found: list[Input] = []
    for word in words:
        found += _from_standard_input(suffixes) if word == STANDARD_INPUT else _from_path(word, suffixes)
    return list({one.name: one for one in found}.values())


def _from_path(word: str, suffixes: Sequence[str]) -> list[Input]:
    path = Path(word)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
        if not files:
            needs = f"files that end in {', '.join(suffixes)}"
            raise UserError(WHERE, f"{word!r} with no file it can read", needs, "Check the path.")
    elif path.exists():
        files = [path]
    elif word.startswith("-"):
        raise UserError(WHERE, f"an unknown option {word!r}", "options that it has", "See: striate predict --help")
    else:
        matches = sorted(map(Path, glob.glob(word, recursive=True)))  # noqa: PTH207 - also absolute patterns
        if not matches:
            raise UserError(WHERE, f"no file {word!r}", "files, folders or patterns", "Check the path.")
        files = [match for match in matches if match.is_file()]
    return [Input(str(file), file) for file in files]


def _from_standard_input(suffixes: Sequence[str]) -> list[Input]:
    content = sys.stdin.buffer.read()
    if not content.strip():
        fix = "Send a file's bytes or a list of names: find . -name '*.jpg' | striate predict MODEL -"
        raise UserError(WHERE, "an empty standard input", "a file's bytes, or names of files", fix)
    try:
        lines = [line.strip() for line in content.decode("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        return [Input(STANDARD_INPUT, content)]
    if content.startswith((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")):  # pictures whose bytes may all be letters
        return [Input(STANDARD_INPUT, content)]
    return [one for line in lines for one in _from_path(line, suffixes)]
