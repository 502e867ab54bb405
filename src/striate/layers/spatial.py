"""What layers along space share: where the channels are, and windows that slide."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from striate.foundation.checks import check_choice
from striate.foundation.shapes import LETTERS, LETTERS_FIRST, Shape, Size, Window, extent, padding_cells, window_count
from striate.layers.layer import Layer
from striate.layers.structure import is_shape


def check_data_format(where: str, data_format: Any) -> str:
    """Return "channels_last" or "channels_first"; None stands for the first of them."""
    choice = "channels_last" if data_format is None else data_format
    return check_choice(where, "data_format", choice, ("channels_last", "channels_first"))


class Spatial(Layer):
    """Base of the layers that work along one, two or three spatial axes, beside items and channels.

    Torch sees the memory that came, through views: the channels on axis 1, and a series as a picture of one row,
    since torch's own code for series copies channels-last ones.
    """

    rank: ClassVar[int]
    only_numbers: ClassVar[bool] = True
    data_format: str = "channels_last"

    @property
    def axes(self) -> int:
        """How many spatial axes the input has."""
        return self.rank - 2

    @property
    def channel_axis(self) -> int:
        """1 or -1, by `data_format`."""
        return 1 if self.data_format == "channels_first" else -1

    def check_rank(self, input_shape: Any, note: str = "") -> None:
        if self.channel_axis == -1:
            super().check_rank(input_shape, note)
        elif not is_shape(input_shape) or len(input_shape) != self.rank:
            fix = f"{LETTERS[self.rank]} needs data_format='channels_last'."
            raise self.refuse_shape(input_shape, LETTERS_FIRST[self.rank] + note, fix)
        if 0 in input_shape[1:]:
            needs = "at least one cell on every axis but the first"
            raise self.refuse_shape(input_shape, needs, "Leave empty items out, and look where the size is lost.")

    # Shapes --------------------------------------------------------------------------------------

    def sizes(self, shape: Shape) -> tuple[Size, ...]:
        """The spatial sizes of a shape."""
        return shape[1:-1] if self.channel_axis == -1 else shape[2:]

    def with_sizes(self, shape: Shape, sizes: tuple[Size, ...], channels: Size = None) -> Shape:
        """The same shape with other spatial sizes and, if given, another number of channels."""
        channels = shape[self.channel_axis] if channels is None else channels
        return (shape[0], *sizes, channels) if self.channel_axis == -1 else (shape[0], channels, *sizes)

    def slide(self, input_shape: Shape, padding: str) -> tuple[Size, ...]:
        """The spatial sizes after the layer's window has slid over its input.

        Raises:
            ShapeError: The window is larger than the input.
        """
        window = self.given_window()
        counts = tuple(
            window_count(size, kernel, stride, padding, dilation)
            for size, (kernel, stride, dilation, _) in zip(self.sizes(input_shape), window.per_axis(), strict=True)
        )
        if any(count is not None and count < 1 for count in counts):
            span = tuple(extent(kernel, dilation) for kernel, _, dilation, _ in window.per_axis())
            fix = "Use padding='same', a smaller window, or larger inputs."
            raise self.refuse_shape(input_shape, f"at least {span} cells for its window", fix)
        return counts

    def given_window(self) -> Window:
        """The layer's window, for layers that have one."""
        window = self.window()
        assert window is not None
        return window

    # Arrays --------------------------------------------------------------------------------------

    def inward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, ..., C) as torch is to see it: (N, C, H, W) or (N, C, D, H, W), the same memory."""
        x = x.movedim(self.channel_axis, 1)
        return x.unsqueeze(2) if self.rank == 3 else x

    def outward(self, y: torch.Tensor) -> torch.Tensor:
        """What torch made, with the axes of `data_format`."""
        y = y.squeeze(2) if self.rank == 3 else y
        return y.movedim(1, self.channel_axis)

    def inner_window(self) -> Window:
        """The layer's window over what `inward` gives."""
        window = self.given_window()
        return window.in_one_row() if self.axes == 1 else window


def pad(x: torch.Tensor, window: Window, padding: str, value: float) -> tuple[torch.Tensor, list[int]]:
    """Pad (N, C, ...) as "valid", "same" or "causal" ask.

    Returns:
        The array, and what is left for torch to pad on both sides: torch pads symmetrically at no cost, the rest
        (an odd cell, which Keras puts after) is padded here.
    """
    if padding == "valid":
        return x, [0] * (x.ndim - 2)
    sides = [
        padding_cells(size, kernel, stride, padding, dilation)
        for size, (kernel, stride, dilation, _) in zip(x.shape[2:], window.per_axis(), strict=True)
    ]
    if all(before == after for before, after in sides):
        return x, [before for before, _ in sides]
    flat = [cells for side in reversed(sides) for cells in side]
    return F.pad(x, flat, value=value), [0] * len(sides)
