"""Walking through folders of pictures without getting lost in them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from striate.data.pictures import EXTENSIONS

SYSTEM_FILES = ("thumbs.db", "desktop.ini", "icon\r")

Report = Callable[[Path, str], None]
"""Told about everything that is left out, with the reason."""


def walk_files(folder: Path, report: Report, *, follow_links: bool = True) -> Iterator[Path]:
    """Yield the files below a folder: folder after folder by path, the files of one by name.

    Args:
        folder: Where to begin.
        report: Told about folders that cannot be read and links that lead back into their own parents.
        follow_links: Whether to enter folders that are links.
    """
    above = tuple(_identity(parent) for parent in folder.resolve().parents)
    folders = sorted(_folders(str(folder), above, report, follow_links))
    for path in folders:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if not entry.is_dir())
        for name in names:
            yield Path(path) / name


def _folders(path: str, parents: tuple[tuple[int, int], ...], report: Report, follow_links: bool) -> Iterator[str]:
    """Yield a folder and those below it, never entering one of its own parents again."""
    identity = _identity(Path(path))
    if identity in parents:
        report(Path(path), "a link back into its own parents")
        return
    try:
        with os.scandir(path) as entries:
            below = [entry for entry in entries if entry.is_dir(follow_symlinks=follow_links)]
    except OSError as error:
        report(Path(path), f"cannot be opened ({error.strerror})")
        return
    yield path
    for entry in below:
        yield from _folders(entry.path, (*parents, identity), report, follow_links)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def picture_files(folder: Path, report: Report) -> Iterator[Path]:
    """Yield the files below a folder that are pictures by their names; all else is reported."""
    for path in walk_files(folder, report):
        reason = why_not_a_picture(path, folder)
        if reason is None:
            yield path
        else:
            report(path, reason)


def why_not_a_picture(path: Path, folder: Path) -> str | None:
    """Say why a file does not count as a picture, or None where it does.

    Example:
        >>> why_not_a_picture(Path("data/cat/notes.txt"), Path("data/cat"))
        "not a picture's name (.txt)"
    """
    if any(part.startswith(".") for part in path.relative_to(folder).parts):
        return "hidden"
    if path.name.lower() in SYSTEM_FILES:
        return "a system's file"
    if path.suffix.lower() not in EXTENSIONS:
        return f"not a picture's name ({path.suffix or 'no extension'})"
    if not path.exists():
        return "a link to nothing"
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "a name that is no text"
    return None if path.is_file() else "not a file"
