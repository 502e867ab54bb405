"""Means over a batch that torch computes at once, in fewer passes over the data than one value per sample takes."""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.explain import plain
from striate.training import labels
from striate.training.losses.parts import clip, smooth, smooth_binary

NO_CLASS = -(2**62)  # what torch is told to leave out: its own -100 would pass unseen
Mean = Callable[..., torch.Tensor | None]

# For a function that gives one value per sample, one that gives the mean of all of them, or None for options that it
# is not for. It is called with tensors of one floating dtype and, unless the labels are class numbers, of one shape.
AT_ONCE: dict[Callable[..., torch.Tensor], Mean] = {}


def at_once(function: Any) -> Mean | None:
    """What gives the mean of a function's values at once, if anything does."""
    return AT_ONCE.get(plain(function)) if isinstance(function, FunctionType) else None  # others need not be hashable


def mean_binary_crossentropy(
    y_true: torch.Tensor, y_pred: torch.Tensor, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> torch.Tensor | None:
    """The mean of `binary_crossentropy`."""
    if axis != -1:
        return None
    y_true = smooth_binary(y_true, label_smoothing) if label_smoothing else y_true
    if not from_logits:
        return _mean_surprise(y_true, y_pred)
    # What torch.nn.functional's calls when it has checked the shapes once more; 1 is its number for the mean.
    return torch.binary_cross_entropy_with_logits(y_pred, y_true, reduction=1)


def _mean_surprise(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor | None:
    """The mean of `surprise`, where no prediction is NaN: that torch's operation refuses, or, on a GPU, stops at."""
    if not y_pred.is_cpu:
        return None
    try:
        return F.binary_cross_entropy(clip(y_pred), y_true)
    except RuntimeError:
        return None


def mean_categorical_crossentropy(
    y_true: torch.Tensor, y_pred: torch.Tensor, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> torch.Tensor | None:
    """The mean of `categorical_crossentropy` of logits (N, C)."""
    if not from_logits or axis != -1 or y_pred.ndim != 2:
        return None
    return F.cross_entropy(y_pred, smooth(y_true, label_smoothing, axis))


def mean_sparse_categorical_crossentropy(
    y_true: torch.Tensor,
    y_pred: torch.Tensor,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> torch.Tensor | None:
    """The mean of `sparse_categorical_crossentropy` of logits (N, C), where all samples count."""
    if not from_logits or axis != -1 or y_pred.ndim != 2 or ignore_class is not None:
        return None
    where = "sparse_categorical_crossentropy"
    classes = labels.class_labels(where, y_true, y_pred)
    if not y_pred.is_cpu:
        return F.cross_entropy(y_pred, labels.whole_classes(where, classes, y_pred))
    try:  # on the host torch looks at the classes, too
        return F.cross_entropy(y_pred, classes.long(), ignore_index=NO_CLASS)
    except IndexError:
        labels.whole_classes(where, classes, y_pred)  # which says what is wrong
        raise
