"""Well-known data sets out of local copies, as Keras's `load_data` returns them; nothing is ever fetched."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from striate.data.idx import read_idx_file
from striate.data.npz import read_arrays
from striate.foundation.checks import UserError, check_path

Pair = tuple[np.ndarray, np.ndarray]
NAMES = ("x_train", "y_train", "x_test", "y_test")
# Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")


def keras_home() -> Path:
    """Where Keras keeps what it has fetched: $KERAS_HOME, else ~/.keras."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))


def keras_folder() -> Path:
    """Where Keras keeps its copies of data sets."""
    return keras_home() / "datasets"


def load_pictures(
    where: str, path: Any, default: str, shape: tuple[int, ...], how: str, idx_folders: tuple[Path, ...] = ()
) -> tuple[Pair, Pair]:
    """Training and test pictures with their classes.

    Args:
        where: The function that asks, for errors: "datasets.mnist.load_data".
        path: An .npz file with x_train, y_train, x_test, y_test, or a folder with IDX files; None to look around.
        default: The name of the .npz file in Keras's folder.
        shape: Of one picture.
        how: A sentence that tells how to get a copy.
        idx_folders: Folders that may hold IDX files.

    Returns:
        (pictures, classes) to train on, (pictures, classes) to test on, both uint8.

    Raises:
        UserError: There is no copy, or it is not what it should be.
    """
    places = [keras_folder() / default, *idx_folders] if path is None else _meant(path)
    found = next((place for place in places if place.is_dir() or place.is_file()), None)
    if found is None:
        looked = ", ".join(str(place) for place in places)
        raise UserError(where, f"no copy in {looked}", "one on this machine: striate fetches nothing", how)
    arrays = _idx(where, found) if found.is_dir() else read_arrays(found, NAMES)
    for name in NAMES:
        wanted = shape if name.startswith("x") else ()
        if arrays[name].shape[1:] not in (wanted, (*wanted, 1)):
            got = f"{name} of shape {arrays[name].shape} in {str(found)!r}"
            raise UserError(where, got, f"(N{''.join(f', {size}' for size in wanted)})", "Check which file it is.")
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def _meant(path: Any) -> list[Path]:
    """A path as it stands; a bare file name, as in Keras, also in Keras's folder."""
    place = check_path("load_data", "path", path).expanduser()
    return [place, keras_folder() / place] if place.name == str(path) else [place]


def _idx(where: str, folder: Path) -> Mapping[str, np.ndarray]:
    arrays = {}
    for name, part, kind, axes in (
        ("x_train", "train", "images-idx3", 3),
        ("y_train", "train", "labels-idx1", 1),
        ("x_test", "t10k", "images-idx3", 3),
        ("y_test", "t10k", "labels-idx1", 1),
    ):
        files = [folder / f"{part}-{kind}-ubyte{ending}" for ending in ("", ".gz")]
        found = next((file for file in files if file.is_file()), None)
        if found is None:
            raise UserError(where, f"the folder {str(folder)!r} without {files[0].name}", "that file", "Add it.")
        arrays[name] = read_idx_file(found, axes)
    return arrays
