"""Pictures and labels in arrays, checked and made samples."""

import os

import numpy as np

from striate.data.samples import Rows, Sample, SampleSet
from striate.foundation.checks import UserError

Part = tuple[np.ndarray, np.ndarray]
"""Pictures and labels of one split."""

_SPLITS = {"train": "train", "val": "validation", "test": "test", "t10k": "test"}


def as_samples(where: str, parts: dict[str, Part], origin: str, names: tuple[str, ...] | None = None) -> SampleSet:
    """Make samples of pictures and labels.

    Args:
        where: What is read, for errors.
        parts: Pictures (N, height, width[, channels]) and labels (N,) or (N, 1), by split; "" states none.
        origin: In words, what kind of data this is.
        names: Names of the classes that labels count into; else the labels themselves are the names.

    Raises:
        UserError: Counts or shapes disagree, or labels are no classes.
    """
    checked = {split: _check_part(where, split, *part) for split, part in parts.items()}
    shapes = {pictures.shape[1:] for pictures, _ in checked.values()}
    if len(shapes) > 1:
        raise UserError(where, f"pictures of shapes {sorted(shapes)}", "one shape in every split", "Resize them first.")
    values = np.unique(np.concatenate([labels for _, labels in checked.values()]))
    if names is None:
        names = tuple(str(value) for value in values.tolist())
        targets = {split: np.searchsorted(values, labels) for split, (_, labels) in checked.items()}
    else:
        targets = {split: labels.astype(int) for split, (_, labels) in checked.items()}
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= len(names):
            raise UserError(where, f"labels up to {values.max()}", f"0 to {len(names) - 1}", "Mend the labels.")
    if len(values) < 2:
        raise UserError(where, f"only one class ({values[0]})", "at least two classes", "Check the labels.")
    _check_new_classes(where, {split: set(numbers.tolist()) for split, numbers in targets.items()}, names)
    arrays, samples = {}, []
    for split, numbers in targets.items():
        name, digits = split or "row", len(str(len(numbers) - 1))
        arrays[name] = checked[split][0]
        stated = _SPLITS.get(split) if len(targets) > 1 else None
        rows = enumerate(numbers.tolist())
        samples += [Sample(f"{name}-{row:0{digits}}", target, split=stated) for row, target in rows]
    return SampleSet(samples, names, Rows(arrays), origin)


def check_memory(where: str, size: int) -> None:
    """Refuse to unpack what could not fit: a small file can declare any size.

    Raises:
        UserError: More bytes than half of the machine's memory.
    """
    limit = memory_limit()
    if size > limit:
        needs = f"at most {limit / 1e9:.1f} GB (half of this machine's memory)"
        raise UserError(where, f"{size / 1e9:.1f} GB of declared content", needs, "Check the file; it may be damaged.")


def memory_limit() -> int:
    """Return half of the machine's memory in bytes; 8 GB where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return 8 * 10**9


def damaged(where: str, error: Exception, needs: str) -> UserError:
    """Word the refusal of a file that is not whole."""
    return UserError(where, f"a damaged file ({error})", needs, "Copy it again from where it came from.")


def _check_part(where: str, split: str, pictures: np.ndarray, labels: np.ndarray) -> Part:
    """Check pictures and labels of one split; return them as numbers that a network can take."""
    name = split or "the data"
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    whole = labels.dtype.kind in "iubU" or (labels.dtype.kind == "f" and np.array_equal(labels, np.floor(labels)))
    if labels.ndim != 1 or not whole:
        got = f"labels of shape {labels.shape} and dtype {labels.dtype} in {name}"
        needs = "one class for every picture, shape (N,) or (N, 1)"
        raise UserError(
            where, got, needs, "For one-hot labels save labels.argmax(1); several labels need another task."
        )
    channels_last = pictures.ndim == 3 or (pictures.ndim == 4 and pictures.shape[3] in (1, 3, 4))
    if not channels_last or 0 in pictures.shape or pictures.dtype.kind not in "uifb":
        got = f"pictures of shape {pictures.shape} and dtype {pictures.dtype} in {name}"
        needs = "numbers of shape (N, height, width) or (N, height, width, 1, 3 or 4)"
        fix = "Put the channels last, numpy.moveaxis(pictures, 1, -1), if they come second."
        raise UserError(where, got, needs, fix)
    if len(pictures) != len(labels):
        got = f"{len(pictures)} pictures and {len(labels)} labels in {name}"
        raise UserError(where, got, "equally many", "Check how the file was made.")
    if labels.dtype.kind in "fb":
        labels = labels.astype(np.int64)
    return _as_bytes_or_float(pictures), labels


def _as_bytes_or_float(pictures: np.ndarray) -> np.ndarray:
    """uint8 where the numbers fit into it, else float32."""
    if pictures.dtype == np.uint8:
        return pictures
    if pictures.dtype.kind == "b":
        return pictures.astype(np.uint8) * np.uint8(255)
    if pictures.dtype.kind in "iu" and pictures.min() >= 0 and pictures.max() <= 255:
        return pictures.astype(np.uint8)
    return pictures.astype(np.float32)


def _check_new_classes(where: str, present: dict[str, set[int]], names: tuple[str, ...]) -> None:
    """Refuse classes that the training split has never seen."""
    for split, numbers in present.items():
        new = sorted(numbers - present.get("train", numbers))
        if new:
            got = f"class {names[new[0]]!r} in {split} only"
            raise UserError(where, got, "every class in train", "Mend the labels or leave those pictures out.")
