"""Files that are either whole or as they were: write to a temporary name, sync, rename."""

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from striate.foundation.checks import UserError


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `target` that takes its place when the block ends well.

    A reader, a crash or a full disk sees the old file or the new one, never half of either.

    Args:
        target: The file to write; its folder is made where missing.

    Raises:
        UserError: The folder cannot be written to, or the disk is full; the old file is as it was.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_path(Path(folder) / "note.txt") as path:
        ...         _ = path.write_text("whole")
        ...     (Path(folder) / "note.txt").read_text()
        'whole'
    """
    target = Path(target)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # tempfile's files are private to their owner; a plain open respects the user's umask.
        temporary = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.part"
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
        temporary = None
        _sync_folder(target.parent)
    except OSError as error:
        raise UserError(
            f"Writing {str(target)!r}",
            f"{error.strerror or error}",
            "a folder it may write to, with free space",
            "Choose another folder or free some space; the file that was there is unchanged.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `target` as UTF-8, atomically.

    Raises:
        UserError: The file cannot be written; the old one is as it was.
    """
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")


def write_json(target: str | os.PathLike[str], value: Any) -> None:
    """Write `value` to `target` as indented JSON, atomically.

    Raises:
        UserError: The file cannot be written; the old one is as it was.
    """
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system can sync folders."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
