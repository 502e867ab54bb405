"""Pooling: a window slides over the input and keeps its largest value, or its mean."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from striate.foundation.checks import check_choice, check_flag, check_ints
from striate.foundation.shapes import Shape, Window
from striate.layers.layer import Layer, registry
from striate.layers.spatial import channels_first, channels_last, check_data_format, pad_same, slide

MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


class Pooling(Layer):
    """Base of the windowed pools; `axes` is the number of spatial axes."""

    casts_integers = True

    axes: ClassVar[int]

    def __init__(
        self,
        pool_size: int | tuple[int, ...],
        strides: int | tuple[int, ...] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.pool_size = check_ints(self.where, "pool_size", pool_size, self.axes)
        self.strides = check_ints(self.where, "strides", self.pool_size if strides is None else strides, self.axes)
        self.padding = check_choice(self.where, "padding", padding, ("valid", "same"))
        self.data_format = check_data_format(self.where, data_format)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        return (input_shape[0], *slide(self, input_shape, self.window(), self.padding), input_shape[-1])

    def window(self) -> Window:
        return Window(self.pool_size, self.strides, (1,) * self.axes)

    def config(self) -> dict[str, Any]:
        return {
            "pool_size": list(self.pool_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "data_format": self.data_format,
        }


class MaxPooling(Pooling):
    """Base of the pools that keep the largest value; as in Keras, they alone have a default size."""

    def __init__(
        self,
        pool_size: int | tuple[int, ...] = 2,
        strides: int | tuple[int, ...] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, padding = channels_first(x), [0] * self.axes
        if self.padding == "same":
            x, padding = pad_same(x, self.window(), float("-inf"))
        return channels_last(MAX_POOL[self.axes](x, self.pool_size, self.strides, padding))


class AveragePooling(Pooling):
    """Base of the pools that keep the mean of the cells inside the input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = channels_first(x)
        average = AVERAGE_POOL[self.axes]
        if self.padding == "valid":
            return channels_last(average(x, self.pool_size, self.strides))
        padded, padding = pad_same(x, self.window(), 0.0)
        if padded is x:
            return channels_last(average(x, self.pool_size, self.strides, padding, count_include_pad=False))
        # torch cannot leave out cells padded on one side only: divide by the share of the window that is inside.
        inside, _ = pad_same(torch.ones_like(x[:1, :1]), self.window(), 0.0)
        share = average(inside, self.pool_size, self.strides)
        return channels_last(average(padded, self.pool_size, self.strides) / share)


@registry.register("MaxPool2D")
class MaxPooling2D(MaxPooling):
    """Keeps the largest value of every window.

    Input: (N, H, W, C). Output: (N, H', W', C), sizes as for Conv2D.

    Args:
        pool_size: Rows and columns of the window; one number for both.
        strides: Cells it moves by; as many as it is large if left out.
        padding: "valid" or "same"; padded cells never win.
        data_format: "channels_last".

    Raises:
        ShapeError: The input is not (N, H, W, C), or smaller than the window.

    Example:
        >>> MaxPooling2D((2, 2))(torch.zeros(1, 62, 62, 32)).shape
        torch.Size([1, 31, 31, 32])
    """

    axes = 2
    rank = 4


@registry.register("AvgPool2D")
class AveragePooling2D(AveragePooling):
    """Keeps the mean of every window; with padding="same" of its cells inside the input.

    Input: (N, H, W, C). Output: (N, H', W', C), sizes as for Conv2D.

    Args:
        pool_size: Rows and columns of the window; one number for both.
        strides: Cells it moves by; as many as it is large if left out.
        padding: "valid" or "same".
        data_format: "channels_last".

    Raises:
        ShapeError: The input is not (N, H, W, C), or smaller than the window.
    """

    axes = 2
    rank = 4


class GlobalPooling(Layer):
    """Base of the pools whose window is the whole input."""

    casts_integers = True

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = check_data_format(self.where, data_format)
        self.keepdims = check_flag(self.where, "keepdims", keepdims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        spatial = (1,) * (len(input_shape) - 2) if self.keepdims else ()
        return (input_shape[0], *spatial, input_shape[-1])

    def config(self) -> dict[str, Any]:
        return {"data_format": self.data_format, "keepdims": self.keepdims}


@registry.register("GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalPooling):
    """The largest value of every channel.

    Input: (N, H, W, C). Output: (N, C), or (N, 1, 1, C) with keepdims.
    """

    rank = 4

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax((1, 2), keepdim=self.keepdims)


@registry.register("GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalPooling):
    """The mean of every channel.

    Input: (N, H, W, C). Output: (N, C), or (N, 1, 1, C) with keepdims.
    """

    rank = 4

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2), keepdim=self.keepdims)
