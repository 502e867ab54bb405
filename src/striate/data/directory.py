"""`image_dataset_from_directory`: a folder of class folders as a `Dataset`, with Keras's arguments and meaning."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from striate.data.dataset import AUTOTUNE, Dataset
from striate.data.folders import walk_files
from striate.data.pictures import decode, resize
from striate.foundation.checks import UnsupportedError, UserError, check_choice, check_int, check_ints, check_number

_WHERE = "image_dataset_from_directory"
_EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}


@dataclass(frozen=True)
class _Index:
    """Files with their labels (None where there are none), in the order they are read."""

    paths: list[str]
    labels: list[int] | None
    class_names: list[str] | None


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: str | Sequence[int] | None = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: int | tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Read pictures from a folder, batch by batch; with a seed, in Keras's files' order and partition.

    Args:
        directory: With labels="inferred", a folder of class folders; else its structure means nothing.
        labels: "inferred" from the class folders, None, or one number per file in the order of their paths.
        label_mode: "int" (int32, (N,)), "categorical" (float32 one-hot, (N, classes)), "binary" (float32, (N, 1)) or
            None for pictures alone.
        class_names: The class folders to read, in the order of their labels; else all, by name.
        color_mode: "rgb", "rgba" or "grayscale".
        batch_size: Pictures in a batch; None yields them one by one.
        image_size: (height, width) that every picture is resized to.
        shuffle: Whether the files are shuffled once, and again in every pass; else they come by path.
        seed: Decides the orders and the partition.
        validation_split: The fraction of the files set aside for validation.
        subset: "training", "validation" or "both" (two datasets).
        interpolation: "bilinear" (half-pixel, not antialiased) or "nearest".
        follow_links: Whether to enter folders that are links.
        crop_to_aspect_ratio: Whether to cut the largest centred window of the wanted aspect ratio before resizing.
        pad_to_aspect_ratio: Whether to keep all of the picture and fill up with zeros.
        data_format: "channels_last", which None means too.
        format: "tf", whatever reads like tf.data.
        verbose: Whether to print how many files were found.

    Returns:
        A `Dataset` of float32 pictures 0..255 of shape (N, height, width, channels), or of (pictures, labels); it has
        `class_names` and `file_paths`. With subset="both" a list of two.

    Raises:
        UserError: An argument is out of range or unsupported, there are no pictures, or (while reading) one is broken.
    """
    _refuse_unsupported(interpolation, data_format, format, crop_to_aspect_ratio, pad_to_aspect_ratio)
    label_mode = label_mode and check_choice(_WHERE, "label_mode", label_mode, ["int", "categorical", "binary"])
    color = _MODES[check_choice(_WHERE, "color_mode", color_mode, _MODES)]
    size = check_ints(_WHERE, "image_size", image_size, 2)
    if batch_size is not None:
        check_int(_WHERE, "batch_size", batch_size)
    _check_partition(validation_split, subset, shuffle, seed)
    if seed is None:
        seed = torch.initial_seed() % 1_000_000
    if label_mode is None:
        labels = None
    index = _index(Path(directory), labels, class_names, follow_links)
    _check_labels(index, label_mode)
    if verbose:
        classes = f" in {len(index.class_names)} classes" if index.class_names else ""
        print(f"Found {len(index.paths)} pictures{classes}.")
    if shuffle:
        index = _shuffled(index, seed)
    load = _Load(color, (size[0], size[1]), interpolation.lower(), crop_to_aspect_ratio, pad_to_aspect_ratio)
    parts = _parts(index, validation_split, subset, verbose)
    datasets = []
    for number, part in enumerate(parts):
        order = seed if shuffle and number == 0 else None  # Keras never shuffles the second of "both"
        datasets.append(_dataset(part, label_mode, load, batch_size, order))
    return datasets if subset == "both" else datasets[0]


@dataclass(frozen=True)
class _Load:
    """Read a picture and bring it to size."""

    color: str
    size: tuple[int, int]
    method: str
    crop: bool
    pad: bool

    def __call__(self, path: str) -> torch.Tensor:
        picture = decode(path, self.color)
        if self.crop:
            picture = _crop(picture, self.size)
        if self.pad:
            return _resize_and_pad(picture, self.size, self.method)
        return torch.from_numpy(resize(picture, self.size, antialias=False, method=self.method))


def _crop(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cut the largest centred window whose sides are in the proportion of `size`."""
    height, width = picture.shape[:2]
    window_height = max(min(height, width * size[0] // size[1]), 1)
    window_width = max(min(width, height * size[1] // size[0]), 1)
    top, left = (height - window_height) // 2, (width - window_width) // 2
    return picture[top : top + window_height, left : left + window_width]


def _resize_and_pad(picture: np.ndarray, size: tuple[int, int], method: str) -> torch.Tensor:
    """Bring the longer side to size and fill up the other with zeros on both sides, the odd row or column last."""
    ratio = max(picture.shape[0] / size[0], picture.shape[1] / size[1])
    height, width = max(int(picture.shape[0] / ratio), 1), max(int(picture.shape[1] / ratio), 1)
    resized = torch.from_numpy(resize(picture, (height, width), antialias=False, method=method))
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return F.pad(resized, (0, 0, left, size[1] - width - left, top, size[0] - height - top))


def _dataset(index: _Index, label_mode: str | None, load: _Load, batch_size: int | None, seed: int | None) -> Dataset:
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


def _targets(index: _Index, label_mode: str | None) -> torch.Tensor:
    labels = torch.tensor(index.labels, dtype=torch.int32)
    if label_mode == "categorical":
        return F.one_hot(labels.long(), len(index.class_names or ())).float()
    return labels.float()[:, None] if label_mode == "binary" else labels


def _index(folder: Path, labels: Any, class_names: Sequence[str] | None, follow_links: bool) -> _Index:
    """Find the files and their labels, in the order of their paths."""
    if not folder.is_dir():
        raise UserError(_WHERE, f"directory={str(folder)!r}", "a folder that is there", "Check the path.")
    if isinstance(labels, str) and labels != "inferred":
        raise UserError(_WHERE, f"labels={labels!r}", "'inferred', None or a list of numbers", "Use labels='inferred'.")
    if not isinstance(labels, str):
        if class_names is not None:
            got = "class_names with " + ("no labels" if labels is None else "a list of labels")
            raise UserError(_WHERE, got, "labels='inferred' there", "Leave class_names out.")
        return _given(folder, _files(folder, follow_links), labels)
    present = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    names = present if class_names is None else list(class_names)
    absent = [name for name in names if name not in present]
    if absent or len(set(names)) < len(names):
        got = f"class_names with {absent[0]!r}" if absent else "class_names with a name twice"
        needs = "names of its folders: " + ", ".join(present[:10])
        raise UserError(_WHERE, got, needs, "Leave class_names out to read all of them.")
    found = [(file, number) for number, name in enumerate(names) for file in _files(folder / name, follow_links)]
    if not found:
        raise _no_pictures(folder, "Put them into one folder per class, or pass labels=None.")
    return _Index([file for file, _ in found], [number for _, number in found], names)


def _given(folder: Path, files: list[str], labels: Iterable[int] | None) -> _Index:
    """Files with labels from the user, or with none."""
    if not files:
        raise _no_pictures(folder, "Check the path.")
    if labels is None:
        return _Index(files, None, None)
    numbers = [int(label) for label in labels]
    if len(numbers) != len(files):
        got = f"{len(numbers)} labels for {len(files)} pictures"
        raise UserError(_WHERE, got, "one label per picture, in the order of their paths", "Mend the list.")
    return _Index(files, numbers, [str(label) for label in sorted(set(numbers))])


def _files(folder: Path, follow_links: bool) -> list[str]:
    files = walk_files(folder, lambda path, reason: None, follow_links=follow_links)
    return [str(file) for file in files if file.name.lower().endswith(_EXTENSIONS)]


def _no_pictures(folder: Path, fix: str) -> UserError:
    needs = "pictures (" + ", ".join(_EXTENSIONS) + ")"
    return UserError(_WHERE, f"directory={str(folder)!r} without pictures", needs, fix)


def _shuffled(index: _Index, seed: int) -> _Index:
    """The order that Keras gives for a seed: NumPy's old generator, once for all files."""
    order = np.arange(len(index.paths))
    np.random.RandomState(seed).shuffle(order)
    labels = None if index.labels is None else [index.labels[place] for place in order]
    return _Index([index.paths[place] for place in order], labels, index.class_names)


def _parts(index: _Index, fraction: float | None, subset: str | None, verbose: bool) -> list[_Index]:
    """Cut the last `fraction` off for validation."""
    if not fraction:
        return [index]
    aside = int(fraction * len(index.paths))
    if not 0 < aside < len(index.paths):
        got = f"validation_split={fraction} of {len(index.paths)} pictures"
        raise UserError(_WHERE, got, "at least one picture on either side", "Change the fraction or add pictures.")
    if verbose:
        print(f"{len(index.paths) - aside} are for training, {aside} for validation.")
    cut = {"training": [slice(None, -aside)], "validation": [slice(-aside, None)]}
    cuts = cut["training"] + cut["validation"] if subset == "both" else cut[str(subset)]
    return [_Index(index.paths[c], index.labels and index.labels[c], index.class_names) for c in cuts]


def _check_labels(index: _Index, label_mode: str | None) -> None:
    names, labels = index.class_names or [], index.labels or []
    if label_mode == "binary" and labels and len(names) != 2:
        needs, fix = "two classes there", "Use label_mode='int' or name two classes in class_names."
        raise UserError(_WHERE, f"label_mode='binary' with {len(names)} classes", needs, fix)
    if label_mode == "categorical" and labels and not 0 <= min(labels) <= max(labels) < len(names):
        got = f"label_mode='categorical' with labels from {min(labels)} to {max(labels)}"
        raise UserError(_WHERE, got, f"labels from 0 to {len(names) - 1}", "Number the classes from 0 without gaps.")


def _check_partition(fraction: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    if subset is not None:
        check_choice(_WHERE, "subset", subset, ["training", "validation", "both"])
    if fraction:
        needs = "a fraction above 0 and below 1"
        check_number(_WHERE, "validation_split", fraction, needs, lambda value: 0 < value < 1)
    if bool(fraction) != bool(subset):
        got = f"validation_split={fraction} with subset={subset!r}"
        raise UserError(_WHERE, got, "both of them or neither", "Pass validation_split=0.2, subset='both', seed=1.")
    if fraction and shuffle and seed is None:
        fix = "Pass the same seed= for both subsets, else they overlap."
        raise UserError(_WHERE, "validation_split without seed", "a seed where the files are shuffled", fix)


def _refuse_unsupported(interpolation: str, data_format: str | None, format: str, crop: bool, pad: bool) -> None:
    others = ["bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]
    method = check_choice(_WHERE, "interpolation", interpolation, ["bilinear", "nearest", *others])
    for name, value, refused, known in (
        ("interpolation", method, method in others, "'bilinear' or 'nearest'"),
        ("data_format", data_format, data_format not in (None, "channels_last"), "'channels_last'"),
        ("format", format, format != "tf", "'tf'"),
    ):
        if refused:
            needs = f"{known}: striate does not support other values of this Keras argument"
            raise UnsupportedError(_WHERE, f"{name}={value!r}", needs, f"Leave {name} out.")
    if crop and pad:
        got = "crop_to_aspect_ratio=True and pad_to_aspect_ratio=True"
        raise UserError(_WHERE, got, "one of them", "Crop to lose the edges, pad to keep them.")
