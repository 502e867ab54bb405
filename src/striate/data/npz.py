"""Pictures and labels in NumPy's .npz files, never unpickling anything."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from striate.data.array_samples import Part, as_samples, check_memory, damaged
from striate.data.samples import SampleSet
from striate.foundation.checks import UserError

# Names of pictures and labels in an .npz, by split; "" states no split.
_LAYOUTS = (
    {split: (f"{split}_images", f"{split}_labels") for split in ("train", "val", "test")},
    {split: (f"x_{split}", f"y_{split}") for split in ("train", "val", "test")},
    {"": ("images", "labels")},
    {"": ("x", "y")},
)


def read_npz(path: Path) -> SampleSet:
    """Read pictures and labels out of an .npz: {train,val,test}_{images,labels}, x_train and so on, x and y.

    Raises:
        UserError: The file is damaged, too large, holds Python objects, or other names than these.
    """
    where = f"Reading {str(path)!r}"
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            layout = next((found for found in _LAYOUTS if set(next(iter(found.values()))) <= set(names)), None)
            if layout is None:
                needs = "train_images and train_labels, x_train and y_train, images and labels, or x and y"
                got = f"arrays named {', '.join(names[:8]) or 'nothing'}"
                raise UserError(where, got, needs, "Save it with numpy.savez(path, images=..., labels=...).")
            wanted = {split: pair for split, pair in layout.items() if set(pair) & set(names)}
            parts = {split: _npz_part(where, archive, names, pair) for split, pair in wanted.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise damaged(where, error, "a whole .npz file") from error
    return as_samples(where, parts, f"an .npz file with {', '.join(names)}")


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read some arrays out of an .npz, never unpickling anything.

    Raises:
        UserError: The file is damaged, lacks one of them, or it holds Python objects.
    """
    where = f"Reading {str(path)!r}"
    try:
        with zipfile.ZipFile(path) as archive:
            there = [name.removesuffix(".npy") for name in archive.namelist()]
            for name in names:
                if name not in there:
                    got = f"arrays named {', '.join(there[:8]) or 'nothing'}"
                    raise UserError(where, got, ", ".join(names), "Check which file it is.")
            return {name: _npz_array(where, archive, name) for name in names}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise damaged(where, error, "a whole .npz file") from error


def _npz_part(where: str, archive: zipfile.ZipFile, names: list[str], pair: tuple[str, str]) -> Part:
    for name in pair:
        if name not in names:
            other = pair[0] if name == pair[1] else pair[1]
            raise UserError(where, f"{other} without {name}", "pictures and labels", f"Save {name} beside it.")
    pictures, labels = (_npz_array(where, archive, name) for name in pair)
    return pictures, labels


def _npz_array(where: str, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read one array, after its header and the archive agree about a size that fits."""
    entry = archive.getinfo(f"{name}.npy")
    try:
        with archive.open(entry) as file:
            shape, dtype = _npy_header(file)
            declared = int(np.prod(shape, dtype=object)) * dtype.itemsize + file.tell()
        if dtype.hasobject:
            needs = "numbers: loading Python objects could run a program"
            raise UserError(where, f"{name} of Python objects", needs, "Save it as an array of numbers.")
        if declared != entry.file_size:
            got = f"{name} of {entry.file_size} bytes whose header declares {declared}"
            raise UserError(where, got, "equal sizes", "Copy or save the file again; it is truncated or damaged.")
        check_memory(where, declared)
        with archive.open(entry) as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except UserError:
        raise
    except (ValueError, TypeError, SyntaxError, RuntimeError, MemoryError) as error:
        raise damaged(where, error, f"{name} as NumPy saves it") from error


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype
