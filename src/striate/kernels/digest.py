"""What tells one state of the native sources from another."""

import hashlib
from pathlib import Path


def digest(folder: Path) -> str:
    """A digest of all sources in a folder; of none, where there are none, as in an installed package."""
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.*")):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
