"""Reading zip files that nobody vouches for: checked first, in bounded memory, nothing unpacked to disk."""

import io
import json
import os
import stat
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from striate.foundation.checks import UserError

MAX_ENTRIES = 10_000
# Weights barely compress; a file that grows more than this was made to fill the memory.
MAX_RATIO = 100
SMALL = 16 * 2**20


class Archive:
    """A zip file whose entries can be read by name; a context manager.

    Args:
        path: Where it is.

    Raises:
        UserError: There is no such file, it is no whole zip, or it has entries that no honest one has: paths that
            lead out of it, links, the same name twice, encryption.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.where = f"Model file {str(path)!r}"
        if not Path(path).is_file():
            raise UserError(self.where, "no such file", "a .keras file", "Check the path.")
        try:
            self._zip = zipfile.ZipFile(path)
        except Exception as error:  # zipfile lets struct's and codecs' errors through, too
            raise self.damaged(f"no whole zip archive ({error})") from error
        try:
            self._check_entries(self._zip.infolist())
        except UserError:
            self._zip.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """The names of the entries."""
        return self._zip.namelist()

    def read(self, name: str, limit: int) -> bytes:
        """An entry's bytes, their checksum verified.

        Args:
            name: Of the entry.
            limit: How many bytes it may have at most.

        Raises:
            UserError: It is not there, too large, or damaged.
        """
        if name not in self._zip.namelist():
            raise self.damaged(f"no {name!r} in it")
        entry = self._zip.getinfo(name)
        # zipfile never gives out more than the declared size, and fails on its checksum if there was more.
        if entry.file_size > limit or entry.file_size > max(SMALL, MAX_RATIO * entry.compress_size):
            got = f"{name!r} of {entry.file_size:,} bytes ({entry.compress_size:,} in the file)"
            raise self.damaged(got, f"at most {min(limit, max(SMALL, MAX_RATIO * entry.compress_size)):,} bytes there")
        try:
            return self._zip.read(entry)
        except Exception as error:  # zlib's, struct's and other errors of damaged bytes
            raise self.damaged(f"a damaged {name!r} ({error})") from error

    def read_json(self, name: str, limit: int) -> dict[str, Any]:
        """An entry that is a JSON object.

        Raises:
            UserError: It is not there, too large, damaged, no JSON, or nested too deep.
        """
        try:
            value = json.loads(self.read(name, limit).decode("utf-8"), parse_constant=_refuse_constant)
        except RecursionError:
            raise self.damaged(f"{name!r} with JSON nested too deep to be read") from None
        except UserError:
            raise
        except ValueError as error:
            raise self.damaged(f"{name!r} that is no JSON ({error})") from error
        if not isinstance(value, dict):
            raise self.damaged(f"{name!r} with {type(value).__name__} as its JSON", "a JSON object")
        return value

    def open(self, name: str, limit: int) -> io.BytesIO:
        """An entry as a file in memory; see `read`."""
        return io.BytesIO(self.read(name, limit))

    def damaged(self, got: str, needs: str = "a whole .keras file") -> UserError:
        """The error for something in this file."""
        return UserError(self.where, got, needs, "Save or fetch the file again; nothing was loaded.")

    def _check_entries(self, entries: list[zipfile.ZipInfo]) -> None:
        needs = "entries as Keras and striate write them"
        if len(entries) > MAX_ENTRIES:
            raise self.damaged(f"{len(entries):,} entries", f"at most {MAX_ENTRIES:,}")
        for name, count in Counter(entry.filename for entry in entries).items():
            if count > 1:
                raise self.damaged(f"{count} entries called {name!r}", needs)
        for entry in entries:
            # The name as it stands in the file: zipfile cuts it at a zero byte.
            name = entry.orig_filename
            parts = name.replace("\\", "/").split("/")
            if ".." in parts or not parts[0] or ":" in name or "\0" in name or "\\" in name:
                raise self.damaged(f"an entry {name!r}, a path that leads out of it", needs)
            if stat.S_IFMT(entry.external_attr >> 16) == stat.S_IFLNK:
                raise self.damaged(f"an entry {name!r}, a symbolic link", needs)
            if entry.flag_bits & 0x1:
                raise self.damaged(f"an encrypted entry {name!r}", needs)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
