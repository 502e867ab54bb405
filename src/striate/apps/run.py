"""The run folder: one folder per training, with the same files for every task, each whole or not there."""

import contextlib
import csv
import errno
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from striate.foundation.checks import UserError
from striate.foundation.files import write_json, write_text

T = TypeVar("T")

ABOUT = "run.json"
MODEL = "model.keras"
LOCK = ".lock"
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
# What a run writes before run.json: all that is left of one that was killed before it had begun.
EARLY = {"data_report.json", "data_report.html", "split.csv"}


class RunFolder:
    """A folder `runs/<name>`.

    Args:
        path: Where it is; `create` or `open` checks what is there.

    Attributes:
        about: What `run.json` says.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.about: dict[str, Any] = {}

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """A folder for a new run.

        Raises:
            UserError: There is a run in it already, or something else, or it cannot be made.
        """
        where, run = f"--out {str(path)!r}", cls(path)
        if (path / ABOUT).exists():
            fix = "Add --resume to go on with it, or choose another --out."
            raise UserError(where, "a folder that holds a run", "a new folder", fix)
        if path.is_dir() and any(not e.name.startswith(".") and e.name not in EARLY for e in path.iterdir()):
            raise UserError(where, "a folder with other files", "a new or empty folder", "Choose another --out.")
        try:
            path.mkdir(parents=True, exist_ok=True)
            if not os.access(path, os.W_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            fix = "Choose another --out."
            raise UserError(where, error.strerror or str(error), "a folder it may write to", fix) from error
        return run

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """A folder with a run; `about` is empty where the run was killed before it had begun.

        Raises:
            UserError: There is no run in it, or its run.json is damaged.
        """
        where, run = f"Run folder {str(path)!r}", cls(path)
        try:
            run.about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            if path.is_dir() and any((path / name).exists() for name in EARLY):
                return cls.create(path)
            fix = "Pass the folder that `striate train` named."
            raise UserError(where, f"no {ABOUT} in it", "a folder that holds a run", fix) from None
        except (OSError, ValueError) as error:
            raise UserError(where, f"{ABOUT} that cannot be read ({error})", "a whole file", "Train again.") from error
        return run

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep other processes from training in this folder while the block runs.

        Yields:
            Whether they are kept out; False on a file system without locks, as some over networks are.

        Raises:
            UserError: One does already.
        """
        lock = FileLock(self.path / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            fix = "Wait until it has ended, or choose another --out."
            raise UserError(f"Run folder {str(self.path)!r}", "another process at work", "it alone", fix) from None
        except (NotImplementedError, OSError) as error:  # the former is filelock's word for ENOSYS
            if isinstance(error, OSError) and error.errno not in NO_LOCKS:
                raise
        try:
            yield lock.is_locked
        finally:
            lock.release()

    def unless_refused(self, begin: Callable[[], T]) -> T:
        """Begin the run; when that is refused or interrupted, take the folder away again if it is empty."""
        try:
            return begin()
        except BaseException:
            with contextlib.suppress(OSError):
                if all(entry.name == LOCK for entry in self.path.iterdir()):
                    (self.path / LOCK).unlink(missing_ok=True)
                    self.path.rmdir()
            raise

    @property
    def next_commands(self) -> list[str]:
        """The lines of next.txt."""
        path = self.path / "next.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    @property
    def state(self) -> str:
        """How far it is: "started", "trained" (there is a sealed model) or "finished"."""
        return str(self.about.get("state", "started"))

    @property
    def model(self) -> Path:
        """Where the sealed model is."""
        return self.path / MODEL

    def note(self, **facts: Any) -> None:
        """Add to what run.json says, and write it.

        Raises:
            UserError: It cannot be written.
        """
        self.about |= facts
        self.write_json(ABOUT, self.about)

    def read_json(self, name: str) -> Any:
        """Read a JSON file.

        Raises:
            UserError: It is missing or damaged.
        """
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            fix = f"Run striate evaluate {self.path}."
            raise UserError(f"Run folder {str(self.path)!r}", f"{name} ({error})", "a whole file", fix) from error

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file."""
        write_json(self.path / name, value)

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        write_text(self.path / name, text)

    def write_table(self, name: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a CSV file."""
        self.write_text(name, csv_text(header, rows))

    def event(self, kind: str, **facts: Any) -> None:
        """Add a line to events.jsonl.

        Raises:
            UserError: It cannot be written.
        """
        path = self.path / "events.jsonl"
        line = json.dumps({"time": now(), "event": kind, **facts}, ensure_ascii=False)
        try:
            with path.open("ab+") as file:
                # A power cut may have left half a line; one call writes all of the new one.
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read() == b"\n" else "\n" + line
                file.write(line.encode() + b"\n")
        except OSError as error:
            fix = "Free some space or choose another folder; then run it again with --resume."
            raise UserError(f"Writing {str(path)!r}", error.strerror or str(error), "free space", fix) from error


def csv_text(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    r"""A table as CSV.

    Example:
        >>> csv_text(["id", "prediction"], [[1, "cat, or dog"]])
        'id,prediction\n1,"cat, or dog"\n'
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return table.getvalue()


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def default_folder(source: str, resume: bool, root: Path = Path("runs")) -> Path:
    """Where a run goes if nobody says: runs/<name of the data>, numbered from 2 where there is one already.

    Args:
        source: The name of the data.
        resume: Take the latest that is there instead.
    """
    name = re.sub(r"[^\w.-]+", "-", source).strip("-.") or "run"
    numbered = [root / name, *(root / f"{name}-{number}" for number in range(2, 10_000))]
    free = next(place for place, path in enumerate(numbered) if not (path / ABOUT).exists())
    return numbered[free - 1] if resume and free else numbered[free]
