"""ImageNet: how its pictures are brought to what networks read, and what its classes are called."""

import functools
from importlib import resources
from typing import Any, Literal

import numpy as np
import torch

from striate.foundation.checks import UserError, check_choice, check_int
from striate.foundation.explain import explaining
from striate.ops import flip

CLASSES = 1000
# Means and standard deviations of the channels of ImageNet's pictures, as their users agreed on.
UNIT_MEAN, UNIT_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)  # of blue, green and red from 0 to 255
Mode = Literal["caffe", "tf", "torch"]


@explaining
def preprocess_input(x: Any, data_format: str | None = None, mode: Mode = "caffe") -> Any:
    """Bring pixels from 0..255 to what a network was trained on.

    Unlike Keras, what was passed is never written over.

    Args:
        x: Pictures (N, H, W, 3) or one (H, W, 3): an array, a tensor or a symbol.
        data_format: "channels_last", or "channels_first" for (N, 3, H, W).
        mode: "tf" for -1..1; "torch" for mean 0 and deviation 1 by channel; "caffe" for blue, green, red less their
            means.

    Returns:
        float32, of the same shape and kind.

    Example:
        >>> preprocess_input(np.full((1, 1, 3), 255, "uint8"), mode="tf").tolist()
        [[[1.0, 1.0, 1.0]]]
    """
    check_choice("preprocess_input", "mode", mode, ("caffe", "tf", "torch"))
    if data_format is not None:
        check_choice("preprocess_input", "data_format", data_format, ("channels_last", "channels_first"))
    if isinstance(x, np.ndarray):
        x = x.astype(x.dtype if x.dtype.kind == "f" else np.float32)
    elif isinstance(x, torch.Tensor):
        x = x if x.is_floating_point() else x.float()
    if mode == "tf":
        return x / 127.5 - 1.0
    last = data_format != "channels_first"
    if mode == "torch":
        return (x / 255.0 - _along(UNIT_MEAN, x, last)) / _along(UNIT_DEVIATION, x, last)
    return _reversed(x, last) - _along(CAFFE_MEAN, x, last)


def as_caffe(x: Any, data_format: str | None = None) -> Any:
    """`preprocess_input` for networks that read blue, green and red less their means."""
    return preprocess_input(x, data_format, "caffe")


def as_tf(x: Any, data_format: str | None = None) -> Any:
    """`preprocess_input` for networks that read numbers from -1 to 1."""
    return preprocess_input(x, data_format, "tf")


def as_it_is(x: Any, data_format: str | None = None) -> Any:
    """What came in: the network reads pixels from 0 to 255 itself."""
    return x


def _along(numbers: tuple[float, ...], x: Any, last: bool) -> Any:
    """One number for each channel, as something that `x` can be computed with."""
    array = np.asarray(numbers, x.dtype if isinstance(x, np.ndarray) else np.float32)
    array = array if last else array[:, None, None]
    return torch.from_numpy(array).to(x) if isinstance(x, torch.Tensor) else array


def _reversed(x: Any, last: bool) -> Any:
    """Its channels in the other order."""
    axis = -1 if last else -3
    return np.flip(x, axis) if isinstance(x, np.ndarray) else flip(x, axis)


@functools.cache
def class_names() -> tuple[tuple[str, str], ...]:
    """The classes in the order of networks' outputs: (WordNet's number, name).

    Example:
        >>> class_names()[281]
        ('n02123045', 'tabby')
    """
    text = resources.files(__package__).joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    lines = [line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return tuple((number, name) for number, name in lines)


@explaining
def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """What a network for ImageNet's classes holds likeliest.

    Args:
        preds: (N, 1000).
        top: How many for each picture.

    Returns:
        For each picture (WordNet's number, name, probability), the likeliest first.

    Raises:
        UserError: They are not of 1000 classes.

    Example:
        >>> decode_predictions(np.eye(1000)[[281]], top=1)
        [[('n02123045', 'tabby', 1.0)]]
    """
    check_int("decode_predictions", "top", top)
    scores = preds.detach().cpu().numpy() if isinstance(preds, torch.Tensor) else np.asarray(preds)
    if scores.ndim != 2 or scores.shape[1] != CLASSES:
        fix = "Pass what predict() of a network with include_top=True returned."
        raise UserError("decode_predictions", f"an array of shape {scores.shape}", f"(N, {CLASSES})", fix)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [
        [(*class_names()[place], float(row[place])) for place in places]
        for row, places in zip(scores, best, strict=True)
    ]
