"""Layers that make several cells of one."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import check_choice, check_int, check_ints
from striate.foundation.shapes import Shape, Window, product
from striate.layers.layer import registry
from striate.layers.spatial import Spatial, check_data_format

# How many input cells each way an output cell is made of, along one axis.
REACH = {"nearest": 1, "bilinear": 2, "bicubic": 4}


class UpSampling(Spatial):
    """Base of UpSampling1D, UpSampling2D and UpSampling3D."""

    factors: tuple[int, ...]
    interpolation: str = "nearest"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not x.is_floating_point():
            for axis, factor in enumerate(self.factors, 1 if self.channel_axis == -1 else 2):
                x = x.repeat_interleave(factor, axis)
            return x
        # torch's "nearest" looks up a corner of each cell and may round to the wrong side of it, but not for powers of
        # two, where it is the faster one backward; "nearest-exact" looks up the middle.
        factors = (1, *self.factors) if self.axes == 1 else self.factors
        mode = "nearest" if all(factor & (factor - 1) == 0 for factor in factors) else "nearest-exact"
        return self.outward(F.interpolate(self.inward(x), scale_factor=factors, mode=mode))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        pairs = zip(self.sizes(input_shape), self.factors, strict=True)
        return self.with_sizes(input_shape, tuple(None if size is None else size * factor for size, factor in pairs))

    def window(self) -> Window:
        reach = REACH[self.interpolation]
        one = (1,) * self.axes
        return Window(tuple(reach * factor for factor in self.factors), one, one, up=self.factors)

    def output_dtype(self, dtype: str) -> str:
        return dtype


@registry.register()
class UpSampling1D(UpSampling):
    """Repeats every step of a series.

    Input: (N, L, C). Output: (N, L * size, C).

    Args:
        size: How many times.

    Raises:
        ShapeError: The input is not (N, L, C).

    Example:
        >>> UpSampling1D(2)(torch.arange(3).reshape(1, 3, 1)).flatten().tolist()
        [0, 0, 1, 1, 2, 2]
    """

    rank = 3

    def __init__(self, size: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.size = check_int(self.where, "size", size)
        self.factors = (self.size,)

    def config(self) -> dict[str, Any]:
        return {"size": self.size}


@registry.register()
class UpSampling2D(UpSampling):
    """Enlarges pictures by whole factors.

    Input: (N, H, W, C). Output: (N, H * rows, W * columns, C).

    Args:
        size: How many rows and columns come of one; one number for both.
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W) in and out.
        interpolation: "nearest" repeats cells; "bilinear" and "bicubic" mix neighbours. Keras's "lanczos3" and
            "lanczos5", which its torch backend refuses as well, are not supported.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, H, W, C).

    Example:
        >>> UpSampling2D((1, 2), interpolation="bilinear")(torch.tensor([0.0, 4.0]).reshape(1, 1, 2, 1)).flatten()
        tensor([0., 1., 3., 4.])
    """

    rank = 4

    def __init__(
        self,
        size: int | tuple[int, int] = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.size = self.factors = check_ints(self.where, "size", size, self.axes)
        self.data_format = check_data_format(self.where, data_format)
        refused = dict.fromkeys(("lanczos3", "lanczos5"), "Use 'bicubic', which is the nearest to it.")
        self.interpolation = check_choice(self.where, "interpolation", interpolation, REACH, refused)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.interpolation == "nearest":
            return super().forward(x)
        floats = x if x.is_floating_point() else x.float()
        y = F.interpolate(self.inward(floats), scale_factor=self.size, mode=self.interpolation, align_corners=False)
        return self.outward(y if floats is x else _whole(y, x.dtype))

    def flops(self, input_shape: Shape) -> int:
        """A product and a sum for each neighbour that is mixed in."""
        mixed = 0 if self.interpolation == "nearest" else REACH[self.interpolation] ** 2
        return 2 * mixed * int(product(self.compute_output_shape(input_shape)[1:]) or 0)

    def config(self) -> dict[str, Any]:
        return {"size": list(self.size), "data_format": self.data_format, "interpolation": self.interpolation}


@registry.register()
class UpSampling3D(UpSampling):
    """Repeats every cell of a volume.

    Input: (N, D, H, W, C). Output: (N, D * size[0], H * size[1], W * size[2], C).

    Args:
        size: How many times, along each axis; one number for all.
        data_format: "channels_last" (default); or "channels_first" for (N, C, D, H, W) in and out.

    Raises:
        ShapeError: The input is not (N, D, H, W, C).

    Example:
        >>> UpSampling3D((1, 2, 3))(torch.zeros(1, 4, 4, 4, 3)).shape
        torch.Size([1, 4, 8, 12, 3])
    """

    rank = 5

    def __init__(
        self, size: int | tuple[int, int, int] = (2, 2, 2), data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.size = self.factors = check_ints(self.where, "size", size, self.axes)
        self.data_format = check_data_format(self.where, data_format)

    def config(self) -> dict[str, Any]:
        return {"size": list(self.size), "data_format": self.data_format}


def _whole(y: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Whole numbers of `dtype`, rounded; bicubic interpolation can leave the range of bytes, where Keras clips."""
    y = y.clamp(0, 255) if dtype == torch.uint8 else y
    return y.round().to(dtype)
