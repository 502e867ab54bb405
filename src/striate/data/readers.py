"""Recognising what kind of data a path holds."""

from pathlib import Path

from striate.data.class_folders import read_class_folders
from striate.data.idx import mnist_5k, read_idx
from striate.data.manifest import SUFFIXES, read_manifest
from striate.data.npz import read_npz
from striate.data.pictures import MODES
from striate.data.samples import SampleSet
from striate.foundation.checks import UserError, check_choice, nearest

__all__ = ["mnist_5k", "read_classification"]

_LOOKED_FOR = (
    "a folder of class folders with pictures, the same inside train/ and test/, "
    "a list of pictures (.csv with path and label), an .npz with images and labels, or a folder with MNIST's idx files"
)


def read_classification(path: str | Path, mode: str | None = None) -> SampleSet:
    """Read pictures with one class each.

    Recognised are a folder of class folders, the same inside train/ and test/ (and val/), an .npz as MedMNIST or
    Keras's mnist.npz or with images and labels, a list of pictures (see `read_manifest`), and a folder with MNIST's idx
    files. Pictures in files are not decoded yet: `verify` does that.

    Args:
        path: A file or folder.
        mode: "L", "RGB" or "RGBA" for pictures in files; None reads grey where every picture is grey, else colour.

    Returns:
        The samples; what was left out is in `quarantined`, with reasons.

    Raises:
        UserError: Nothing is there, nothing was recognised, or what was recognised is broken; says what and where.
    """
    path = Path(path)
    where = f"Reading {str(path)!r}"
    if mode is not None:
        mode = check_choice("read_classification", "mode", mode, MODES)
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        fix = nearest(path.name, beside[:20]) if beside else "Check the path."
        raise UserError(where, "no such file or folder", _LOOKED_FOR, fix)
    if path.is_file():
        if path.suffix.lower() in SUFFIXES:
            return read_manifest(path, mode)
        if path.suffix.lower() != ".npz":
            raise UserError(
                where, f"a file of type {path.suffix or 'unknown'}", _LOOKED_FOR, "Pass the folder instead."
            )
        return read_npz(path)
    try:
        samples = read_idx(path) or read_class_folders(path, mode)
    except OSError as error:
        fix = "Check the permissions of the folder."
        raise UserError(where, f"{error.strerror}: {error.filename}", "folders it may read", fix) from error
    if samples is None:
        raise UserError(where, _found(path), _LOOKED_FOR, "Put the pictures into one folder per class.")
    return samples


def _found(folder: Path) -> str:
    """What lies in a folder that was not recognised."""
    entries = sorted(folder.iterdir())
    if not entries:
        return "an empty folder"
    names = ", ".join(entry.name + "/" * entry.is_dir() for entry in entries[:6])
    return f"a folder with {names}" + (f" and {len(entries) - 6} more" if len(entries) > 6 else "")
