"""What convolution and pooling share: sliding a window along the spatial axes of channels-last arrays."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UnsupportedError, check_choice
from striate.foundation.shapes import Shape, Window, extent, same_padding, window_count
from striate.layers.layer import Layer


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """(N, ..., C) seen as (N, C, ...): the same memory, which torch knows as channels_last."""
    return x.movedim(-1, 1)


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """(N, C, ...) seen as (N, ..., C)."""
    return x.movedim(1, -1)


def check_data_format(where: str, data_format: Any) -> str:
    """Return "channels_last", the only order of axes there is so far.

    Raises:
        UnsupportedError: Keras's "channels_first" was asked for.
    """
    formats = ("channels_last", "channels_first")
    chosen = check_choice(where, "data_format", data_format or "channels_last", formats)
    if chosen == "channels_first":
        fix = "Move the channels to the last axis: x.transpose(0, 2, 3, 1)."
        raise UnsupportedError(where, "data_format='channels_first'", "channels-last arrays, (N, H, W, C)", fix)
    return chosen


def slide(layer: Layer, input_shape: Shape, window: Window, padding: str) -> Shape:
    """The spatial sizes after a window has slid over `input_shape`, (N, ..., C).

    Raises:
        ShapeError: The window is larger than the input.
    """
    sizes = []
    for size, kernel, stride, dilation in zip(
        input_shape[1:-1], window.kernel, window.stride, window.dilation, strict=True
    ):
        count = window_count(size, kernel, stride, padding, dilation)
        if count is not None and count < 1:
            span = tuple(extent(k, d) for k, d in zip(window.kernel, window.dilation, strict=True))
            fix = "Use padding='same', a smaller window, or larger inputs."
            raise layer.refuse_shape(input_shape, f"at least {span} cells for its window", fix)
        sizes.append(count)
    return tuple(sizes)


def pad_same(x: torch.Tensor, window: Window, value: float) -> tuple[torch.Tensor, list[int]]:
    """Pad (N, C, ...) for padding="same".

    Returns:
        The array, and what is left for torch to pad on both sides: torch pads symmetrically at no cost, the rest
        (an odd cell, which Keras puts after) is padded here.
    """
    per_axis = zip(x.shape[2:], window.kernel, window.stride, window.dilation, strict=True)
    sides = [same_padding(size, kernel, stride, dilation) for size, kernel, stride, dilation in per_axis]
    if all(before == after for before, after in sides):
        return x, [before for before, _ in sides]
    flat = [cells for side in reversed(sides) for cells in side]
    return F.pad(x, flat, value=value), [0] * len(sides)
