"""Files in class folders and what is asked of them, as Keras's functions for pictures and for texts share it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from striate.data.dataset import AUTOTUNE, Dataset
from striate.data.folders import walk_files
from striate.foundation.checks import UserError, check_choice, check_flag, check_int, check_number, check_path, is_int


@dataclass(frozen=True)
class FileKind:
    """What is looked for.

    Args:
        where: The function that looks, for errors.
        file: What one of them is called: "picture".
        extensions: How their names end.
    """

    where: str
    file: str
    extensions: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    """Files with their labels (None where there are none), in the order they are read."""

    paths: list[str]
    labels: list[int] | None
    class_names: list[str] | None


@dataclass(frozen=True)
class Wanted:
    """The arguments that say which files are read, in which order and how they are labelled.

    Args: as for `image_dataset_from_directory`.
    """

    kind: FileKind
    labels: Any
    label_mode: str | None
    class_names: Sequence[str] | None
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool

    def datasets(self, directory: Any, load: Callable[[str], Any]) -> Any:
        """The dataset, or with subset="both" a list of two, of what `load` makes of the files.

        Raises:
            UserError: An argument is out of range, or there are no such files.
        """
        where = self.kind.where
        mode = self.label_mode and check_choice(where, "label_mode", self.label_mode, ["int", "categorical", "binary"])
        if self.batch_size is not None:
            check_int(where, "batch_size", self.batch_size)
        for argument in ("shuffle", "follow_links"):
            check_flag(where, argument, getattr(self, argument))
        if self.seed is not None and check_int(where, "seed", self.seed, minimum=0) >= 2**32:
            raise UserError(where, f"seed={self.seed}", "a whole number below 2**32", "Choose a smaller one.")
        _check_partition(where, self.validation_split, self.subset, self.shuffle, self.seed)
        seed = torch.initial_seed() % 1_000_000 if self.seed is None else self.seed
        labels = self.labels if mode else None
        index = _index(
            self.kind, check_path(where, "directory", directory), labels, self.class_names, self.follow_links
        )
        _check_labels(where, index, mode)
        if self.verbose:
            classes = f" in {len(index.class_names)} classes" if index.class_names else ""
            print(f"Found {len(index.paths)} {self.kind.file}s{classes}.")
        if self.shuffle:
            index = _shuffled(index, seed)
        parts = _parts(self.kind, index, self.validation_split, self.subset, self.verbose)
        orders = [seed if self.shuffle else None, None]  # Keras never shuffles the second of "both"
        made = [_dataset(part, mode, load, self.batch_size, order) for part, order in zip(parts, orders, strict=False)]
        return made if self.subset == "both" else made[0]


def _targets(index: Index, label_mode: str | None) -> torch.Tensor:
    """The labels as `label_mode` wants them."""
    labels = torch.tensor(index.labels, dtype=torch.int32)
    if label_mode == "categorical":
        return F.one_hot(labels.long(), len(index.class_names or ())).float()
    return labels.float()[:, None] if label_mode == "binary" else labels


def _index(kind: FileKind, folder: Path, labels: Any, class_names: Sequence[str] | None, follow_links: bool) -> Index:
    """Find the files and their labels, in the order of their paths."""
    where = kind.where
    if not folder.is_dir():
        raise UserError(where, f"directory={str(folder)!r}", "a folder that is there", "Check the path.")
    if isinstance(labels, str) and labels != "inferred":
        raise UserError(where, f"labels={labels!r}", "'inferred', None or a list of numbers", "Use labels='inferred'.")
    if not isinstance(labels, str):
        if class_names is not None:
            got = "class_names with " + ("no labels" if labels is None else "a list of labels")
            raise UserError(where, got, "labels='inferred' there", "Leave class_names out.")
        return _given(kind, folder, _files(kind, folder, follow_links), labels)
    present = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if class_names is not None and not (isinstance(class_names, list | tuple) and all(map(_is_text, class_names))):
        needs = "a list of the names of folders"
        raise UserError(where, f"class_names={class_names!r}", needs, "Leave class_names out to read all of them.")
    names = present if class_names is None else list(class_names)
    absent = [name for name in names if name not in present]
    if absent or len(set(names)) < len(names):
        got = f"class_names with {absent[0]!r}" if absent else "class_names with a name twice"
        needs = "names of its folders: " + ", ".join(present[:10])
        raise UserError(where, got, needs, "Leave class_names out to read all of them.")
    found = [(file, number) for number, name in enumerate(names) for file in _files(kind, folder / name, follow_links)]
    if not found:
        raise _nothing(kind, folder, "Put them into one folder per class, or pass labels=None.")
    return Index([file for file, _ in found], [number for _, number in found], names)


def _given(kind: FileKind, folder: Path, files: list[str], labels: Any) -> Index:
    """Files with labels from the user, or with none."""
    if not files:
        raise _nothing(kind, folder, "Check the path.")
    if labels is None:
        return Index(files, None, None)
    given: list[Any] = list(labels) if hasattr(labels, "__len__") and getattr(labels, "ndim", 1) == 1 else [None]
    if not all(is_int(label) and label >= 0 for label in given):
        needs = "'inferred', None or a list of whole numbers from 0"
        raise UserError(kind.where, f"labels={str(labels)[:60]}", needs, "Use labels='inferred'.")
    numbers = [int(label) for label in given]
    if len(numbers) != len(files):
        got = f"{len(numbers)} labels for {len(files)} {kind.file}s"
        raise UserError(kind.where, got, f"one label per {kind.file}, in the order of their paths", "Mend the list.")
    return Index(files, numbers, [str(label) for label in sorted(set(numbers))])


def _files(kind: FileKind, folder: Path, follow_links: bool) -> list[str]:
    files = walk_files(folder, lambda path, reason: None, follow_links=follow_links)
    return [str(file) for file in files if file.name.lower().endswith(kind.extensions)]


def _is_text(name: object) -> bool:
    return isinstance(name, str)


def _nothing(kind: FileKind, folder: Path, fix: str) -> UserError:
    needs = f"{kind.file}s ({', '.join(kind.extensions)})"
    return UserError(kind.where, f"directory={str(folder)!r} without {kind.file}s", needs, fix)


def _shuffled(index: Index, seed: int) -> Index:
    """The order that Keras gives for a seed: NumPy's old generator, once for all files."""
    order = np.arange(len(index.paths))
    np.random.RandomState(seed).shuffle(order)
    labels = None if index.labels is None else [index.labels[place] for place in order]
    return Index([index.paths[place] for place in order], labels, index.class_names)


def _parts(kind: FileKind, index: Index, fraction: float | None, subset: str | None, verbose: bool) -> list[Index]:
    """Cut the last `fraction` off for validation."""
    if not fraction:
        return [index]
    aside = int(fraction * len(index.paths))
    if not 0 < aside < len(index.paths):
        got = f"validation_split={fraction} of {len(index.paths)} {kind.file}s"
        raise UserError(
            kind.where, got, f"at least one {kind.file} on either side", "Change the fraction or add files."
        )
    if verbose:
        print(f"{len(index.paths) - aside} are for training, {aside} for validation.")
    cut = {"training": [slice(None, -aside)], "validation": [slice(-aside, None)]}
    cuts = cut["training"] + cut["validation"] if subset == "both" else cut[str(subset)]
    return [Index(index.paths[c], index.labels and index.labels[c], index.class_names) for c in cuts]


def _check_labels(where: str, index: Index, label_mode: str | None) -> None:
    names, labels = index.class_names or [], index.labels or []
    if label_mode == "binary" and labels and len(names) != 2:
        needs, fix = "two classes there", "Use label_mode='int' or name two classes in class_names."
        raise UserError(where, f"label_mode='binary' with {len(names)} classes", needs, fix)
    if label_mode == "categorical" and labels and not 0 <= min(labels) <= max(labels) < len(names):
        got = f"label_mode='categorical' with labels from {min(labels)} to {max(labels)}"
        raise UserError(where, got, f"labels from 0 to {len(names) - 1}", "Number the classes from 0 without gaps.")


def _check_partition(where: str, fraction: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    if subset is not None:
        check_choice(where, "subset", subset, ["training", "validation", "both"])
    if fraction:
        needs = "a fraction above 0 and below 1"
        check_number(where, "validation_split", fraction, needs, lambda value: 0 < value < 1)
    if bool(fraction) != bool(subset):
        got = f"validation_split={fraction} with subset={subset!r}"
        raise UserError(where, got, "both of them or neither", "Pass validation_split=0.2, subset='both', seed=1.")
    if fraction and shuffle and seed is None:
        fix = "Pass the same seed= for both subsets, else they overlap."
        raise UserError(where, "validation_split without seed", "a seed where the files are shuffled", fix)


def _dataset(
    index: Index, label_mode: str | None, load: Callable[[str], Any], batch_size: int | None, seed: int | None
) -> Dataset:
    """The chain that reads: shuffle the paths, decode in a few threads, batch, read ahead."""
    if index.labels is None:
        dataset = Dataset.from_tensor_slices(index.paths)
    else:
        dataset = Dataset.from_tensor_slices((index.paths, _targets(index, label_mode)))
    if seed is not None:
        dataset = dataset.shuffle(1024 if batch_size is None else batch_size * 8, seed=seed)
    dataset = dataset.map(lambda path, *label: (load(path), *label) if label else load(path), AUTOTUNE)
    if batch_size is not None:
        dataset = dataset.batch(batch_size)
    dataset = dataset.prefetch(AUTOTUNE)
    dataset.class_names, dataset.file_paths = index.class_names, index.paths
    return dataset
