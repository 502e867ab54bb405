"""Pooling: a window slides over the input and keeps its largest value, or its mean."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import check_choice, check_ints
from striate.foundation.shapes import Shape, Window, product
from striate.layers.layer import registry
from striate.layers.spatial import Spatial, check_data_format, pad

# By the axes of the array that torch sees; for the largest value, series come as pictures.
MAX_POOL = {4: F.max_pool2d, 5: F.max_pool3d}
AVERAGE_POOL = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}


class Pooling(Spatial):
    """Base of the windowed pools."""

    casts_integers = True

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
        return self.with_sizes(input_shape, self.slide(input_shape, self.padding))

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
        window = self.inner_window()
        x, padding = pad(self.inward(x), window, self.padding, float("-inf"))
        return self.outward(MAX_POOL[x.ndim](x, window.kernel, window.stride, padding))


class AveragePooling(Pooling):
    """Base of the pools that keep the mean of the cells inside the input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, window = x.movedim(self.channel_axis, 1), self.window()
        average = AVERAGE_POOL[x.ndim]
        padded, padding = pad(x, window, self.padding, 0.0)
        # torch's average of volumes refuses those that are smaller than the window, padding or not.
        small = x.ndim == 5 and any(cells < size for cells, size in zip(x.shape[2:], window.kernel, strict=True))
        if padded is x and not small:
            y = average(x, window.kernel, window.stride, padding, count_include_pad=False)
            return y.movedim(1, self.channel_axis)
        # Nor can it leave out cells padded on one side only: divide by the share of the window that is inside.
        inside, _ = pad(torch.ones_like(x[:1, :1]), window, self.padding, 0.0)
        both = [cells for side in reversed(padding) for cells in (side, side)]
        mean, share = (average(F.pad(array, both), window.kernel, window.stride) for array in (padded, inside))
        return (mean / share).movedim(1, self.channel_axis)

    def flops(self, input_shape: Shape) -> int:
        """A sum over the window and a division, whether or not cells of it lie outside."""
        cells = product(self.compute_output_shape(input_shape)[1:])
        return int(cells or 0) * int(product(self.pool_size) or 0)


@registry.register("MaxPool1D")
class MaxPooling1D(MaxPooling):
    """Keeps the largest value of every window of a series.

    Input: (N, L, C). Output: (N, L', C), L' as H' for `Conv2D`.

    Args: as for `MaxPooling2D`, with one size each.

    Raises:
        ShapeError: The input is not (N, L, C), or smaller than the window.

    Example:
        >>> MaxPooling1D(4)(torch.zeros(2, 100, 8)).shape
        torch.Size([2, 25, 8])
    """

    rank = 3


@registry.register("MaxPool2D")
class MaxPooling2D(MaxPooling):
    """Keeps the largest value of every window.

    Input: (N, H, W, C). Output: (N, H', W', C), sizes as for `Conv2D`.

    Args:
        pool_size: Rows and columns of the window; one number for both.
        strides: Cells it moves by; as many as it is large if left out.
        padding: "valid" or "same"; padded cells never win.
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W) in and out.

    Raises:
        ShapeError: The input is not (N, H, W, C), or smaller than the window.

    Example:
        >>> MaxPooling2D((2, 2))(torch.zeros(1, 62, 62, 32)).shape
        torch.Size([1, 31, 31, 32])
    """

    rank = 4


@registry.register("MaxPool3D")
class MaxPooling3D(MaxPooling):
    """Keeps the largest value of every window of a volume.

    Input: (N, D, H, W, C). Output: (N, D', H', W', C), sizes as for `Conv2D`.

    Args: as for `MaxPooling2D`, with three sizes each.

    Raises:
        ShapeError: The input is not (N, D, H, W, C), or smaller than the window.

    Example:
        >>> MaxPooling3D((1, 2, 2))(torch.zeros(1, 6, 8, 8, 4)).shape
        torch.Size([1, 6, 4, 4, 4])
    """

    rank = 5


@registry.register("AvgPool1D")
class AveragePooling1D(AveragePooling):
    """Keeps the mean of every window of a series; with padding="same" of its cells inside the input.

    Input: (N, L, C). Output: (N, L', C), L' as H' for `Conv2D`.

    Args: as for `AveragePooling2D`, with one size each.

    Raises:
        ShapeError: The input is not (N, L, C), or smaller than the window.

    Example:
        >>> AveragePooling1D(4, strides=2)(torch.zeros(2, 100, 8)).shape
        torch.Size([2, 49, 8])
    """

    rank = 3


@registry.register("AvgPool2D")
class AveragePooling2D(AveragePooling):
    """Keeps the mean of every window; with padding="same" of its cells inside the input.

    Input: (N, H, W, C). Output: (N, H', W', C), sizes as for `Conv2D`.

    Args:
        pool_size: Rows and columns of the window; one number for both.
        strides: Cells it moves by; as many as it is large if left out.
        padding: "valid" or "same".
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W) in and out.

    Raises:
        ShapeError: The input is not (N, H, W, C), or smaller than the window.

    Example:
        >>> AveragePooling2D(2)(torch.ones(1, 4, 4, 1)).flatten().tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    rank = 4


@registry.register("AvgPool3D")
class AveragePooling3D(AveragePooling):
    """Keeps the mean of every window of a volume; with padding="same" of its cells inside the input.

    Input: (N, D, H, W, C). Output: (N, D', H', W', C), sizes as for `Conv2D`.

    Args: as for `AveragePooling2D`, with three sizes each.

    Raises:
        ShapeError: The input is not (N, D, H, W, C), or smaller than the window.

    Example:
        >>> AveragePooling3D(2)(torch.zeros(1, 6, 8, 8, 4)).shape
        torch.Size([1, 3, 4, 4, 4])
    """

    rank = 5
