"""Pooling whose window is the whole input: one value for every channel."""

from typing import Any

import torch

from striate.foundation.checks import check_flag
from striate.foundation.shapes import Shape, product
from striate.layers.layer import registry
from striate.layers.spatial import Spatial, check_data_format


class GlobalPooling(Spatial):
    """Base of the pools whose window is the whole input."""

    casts_integers = True

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = check_data_format(self.where, data_format)
        self.keepdims = check_flag(self.where, "keepdims", keepdims)
        first = 1 if self.channel_axis == -1 else 2
        self.pooled = tuple(range(first, first + self.axes))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        return self.with_sizes(input_shape, (1,) * self.axes if self.keepdims else ())

    def config(self) -> dict[str, Any]:
        return {"data_format": self.data_format, "keepdims": self.keepdims}


class GlobalMaxPooling(GlobalPooling):
    """Base of GlobalMaxPooling1D, GlobalMaxPooling2D and GlobalMaxPooling3D."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.amax(self.pooled, keepdim=self.keepdims)


class GlobalAveragePooling(GlobalPooling):
    """Base of GlobalAveragePooling1D, GlobalAveragePooling2D and GlobalAveragePooling3D."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(self.pooled, keepdim=self.keepdims)

    def flops(self, input_shape: Shape) -> int:
        return int(product(input_shape[1:]) or 0)  # for every channel a sum and a division


@registry.register("GlobalMaxPool1D")
class GlobalMaxPooling1D(GlobalMaxPooling):
    """The largest value of every channel of a series.

    Input: (N, L, C). Output: (N, C), or (N, 1, C) with keepdims.

    Args: as for `GlobalAveragePooling2D`.

    Raises:
        ShapeError: The input is not (N, L, C).

    Example:
        >>> GlobalMaxPooling1D()(torch.zeros(2, 100, 8)).shape
        torch.Size([2, 8])
    """

    rank = 3


@registry.register("GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalMaxPooling):
    """The largest value of every channel.

    Input: (N, H, W, C). Output: (N, C), or (N, 1, 1, C) with keepdims.

    Args: as for `GlobalAveragePooling2D`.

    Raises:
        ShapeError: The input is not (N, H, W, C).

    Example:
        >>> GlobalMaxPooling2D(keepdims=True)(torch.zeros(2, 7, 7, 8)).shape
        torch.Size([2, 1, 1, 8])
    """

    rank = 4


@registry.register("GlobalMaxPool3D")
class GlobalMaxPooling3D(GlobalMaxPooling):
    """The largest value of every channel of a volume.

    Input: (N, D, H, W, C). Output: (N, C), or (N, 1, 1, 1, C) with keepdims.

    Args: as for `GlobalAveragePooling2D`.

    Raises:
        ShapeError: The input is not (N, D, H, W, C).

    Example:
        >>> GlobalMaxPooling3D()(torch.zeros(2, 3, 7, 7, 8)).shape
        torch.Size([2, 8])
    """

    rank = 5


@registry.register("GlobalAvgPool1D")
class GlobalAveragePooling1D(GlobalAveragePooling):
    """The mean of every channel of a series, over the steps that count.

    Input: (N, L, C), and if it comes with one a mask, (N, L). Output: (N, C), or (N, 1, C) with keepdims.

    Args: as for `GlobalAveragePooling2D`.

    Raises:
        ShapeError: The input is not (N, L, C).

    Example:
        >>> GlobalAveragePooling1D()(torch.zeros(2, 100, 8)).shape
        torch.Size([2, 8])
    """

    rank = 3

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if mask is None:
            return super().forward(x)
        counts = mask.unsqueeze(self.channel_axis).bool()
        total = x.masked_fill(~counts, 0).sum(self.pooled, keepdim=self.keepdims)
        return total / counts.sum(self.pooled, keepdim=self.keepdims)


@registry.register("GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalAveragePooling):
    """The mean of every channel.

    Input: (N, H, W, C). Output: (N, C), or (N, 1, 1, C) with keepdims.

    Args:
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W).
        keepdims: Whether the spatial axes stay, with one cell each.

    Raises:
        ShapeError: The input is not (N, H, W, C).

    Source: Lin et al., Network in network, arXiv 1312.4400.

    Example:
        >>> GlobalAveragePooling2D()(torch.ones(1, 7, 7, 2)).tolist()
        [[1.0, 1.0]]
    """

    rank = 4


@registry.register("GlobalAvgPool3D")
class GlobalAveragePooling3D(GlobalAveragePooling):
    """The mean of every channel of a volume.

    Input: (N, D, H, W, C). Output: (N, C), or (N, 1, 1, 1, C) with keepdims.

    Args: as for `GlobalAveragePooling2D`.

    Raises:
        ShapeError: The input is not (N, D, H, W, C).

    Example:
        >>> GlobalAveragePooling3D()(torch.zeros(2, 3, 7, 7, 8)).shape
        torch.Size([2, 8])
    """

    rank = 5
