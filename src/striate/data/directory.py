"""`image_dataset_from_directory`: a folder of class folders as a `Dataset`, with Keras's arguments and meaning."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from striate.data.labelled_files import FileKind, Wanted
from striate.data.pictures import decode, resize
from striate.foundation.checks import UnsupportedError, UserError, check_choice, check_flag, check_ints
from striate.foundation.explain import explaining

_EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_KIND = FileKind("image_dataset_from_directory", "picture", _EXTENSIONS)
_MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}


@explaining
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
    color = _MODES[check_choice(_KIND.where, "color_mode", color_mode, _MODES)]
    size = check_ints(_KIND.where, "image_size", image_size, 2)
    chosen = labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links, verbose
    load = _Load(color, (size[0], size[1]), interpolation.lower(), crop_to_aspect_ratio, pad_to_aspect_ratio)
    return Wanted(_KIND, *chosen).datasets(directory, load)


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


def _refuse_unsupported(interpolation: str, data_format: str | None, format: str, crop: bool, pad: bool) -> None:
    others = ["bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]
    method = check_choice(_KIND.where, "interpolation", interpolation, ["bilinear", "nearest", *others])
    for name, value, refused, known in (
        ("interpolation", method, method in others, "'bilinear' or 'nearest'"),
        ("data_format", data_format, data_format not in (None, "channels_last"), "'channels_last'"),
        ("format", format, format != "tf", "'tf'"),
    ):
        if refused:
            needs = f"{known}: striate does not support other values of this Keras argument"
            raise UnsupportedError(_KIND.where, f"{name}={value!r}", needs, f"Leave {name} out.")
    crop = check_flag(_KIND.where, "crop_to_aspect_ratio", crop)
    if check_flag(_KIND.where, "pad_to_aspect_ratio", pad) and crop:
        got = "crop_to_aspect_ratio=True and pad_to_aspect_ratio=True"
        raise UserError(_KIND.where, got, "one of them", "Crop to lose the edges, pad to keep them.")
