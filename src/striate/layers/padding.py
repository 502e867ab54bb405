"""Layers that put cells around the input, or cut some off."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import TOO_WIDE, UserError, is_int
from striate.foundation.nested import flatten
from striate.foundation.shapes import Shape, Size
from striate.layers.layer import registry
from striate.layers.spatial import Spatial, check_data_format

Sides = tuple[tuple[int, int], ...]


def check_sides(where: str, argument: str, value: Any, axes: int) -> Sides:
    """Return how many cells `value` means before and after each spatial axis.

    Raises:
        UserError: It is neither a whole number, nor one or two of them for each axis.
    """
    sides = [value] * axes if is_int(value) or axes == 1 else value
    if isinstance(sides, list | tuple) and len(sides) == axes:
        pairs = [(side, side) if is_int(side) else side for side in sides]
        if all(
            isinstance(p, list | tuple) and len(p) == 2 and all(is_int(c) and 0 <= c < TOO_WIDE for c in p)
            for p in pairs
        ):
            return tuple((int(before), int(after)) for before, after in pairs)
    several = {1: "or two of them", 2: "two of them, or two pairs", 3: "three of them, or three pairs"}[axes]
    example = (1, 2) if axes == 1 else ((1, 1), (2, 2), (0, 1))[:axes]
    limit = " and below 2**31" * any(is_int(cells) and cells >= TOO_WIDE for cells in flatten(value))
    needs = f"a whole number of at least 0{limit}, {several}"
    raise UserError(where, f"{argument}={value!r}", needs, f"Pass for example {argument}={example}.")


class Sided(Spatial):
    """Base of the layers that change the input at its sides; `sides` says by how many cells, before and after."""

    sides: Sides

    @property
    def plain_sides(self) -> Any:
        """The sides as Keras has them: one pair for a series, else a pair for each axis."""
        return self.sides[0] if self.axes == 1 else self.sides

    def grown(self, input_shape: Shape, sign: int) -> tuple[Size, ...]:
        """The spatial sizes with the sides added, or taken away."""
        self.check_rank(input_shape)
        pairs = zip(self.sizes(input_shape), self.sides, strict=True)
        return tuple(None if size is None else size + sign * sum(side) for size, side in pairs)

    def output_dtype(self, dtype: str) -> str:
        return dtype


class ZeroPadding(Sided):
    """Base of ZeroPadding1D, ZeroPadding2D and ZeroPadding3D."""

    def __init__(self, padding: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.sides = check_sides(self.where, "padding", padding, self.axes)
        self.data_format = check_data_format(self.where, data_format)

    @property
    def padding(self) -> Any:
        """Cells before and after, as Keras has them."""
        return self.plain_sides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = [cells for side in reversed(self.sides) for cells in side]  # torch begins with the last axis
        return F.pad(x, [0, 0, *flat] if self.channel_axis == -1 else flat)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.with_sizes(input_shape, self.grown(input_shape, 1))

    def config(self) -> dict[str, Any]:
        return {"padding": self.padding, "data_format": self.data_format}


class Cropping(Sided):
    """Base of Cropping1D, Cropping2D and Cropping3D."""

    @property
    def cropping(self) -> Any:
        """Cells before and after, as Keras has them."""
        return self.plain_sides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for axis, (before, after) in enumerate(self.sides, 1 if self.channel_axis == -1 else 2):
            x = x.narrow(axis, before, x.shape[axis] - before - after)
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        sizes = self.grown(input_shape, -1)
        if any(size is not None and size < 1 for size in sizes):
            least = tuple(sum(side) + 1 for side in self.sides)
            raise self.refuse_shape(
                input_shape, f"at least {least} cells to cut from", "Cut less, or use larger inputs."
            )
        return self.with_sizes(input_shape, sizes)

    def config(self) -> dict[str, Any]:
        return {"cropping": self.cropping, "data_format": self.data_format}


@registry.register()
class ZeroPadding1D(ZeroPadding):
    """Zeros before and after series.

    Input: (N, L, C). Output: (N, before + L + after, C).

    Args:
        padding: One number for both sides, or (before, after).
        data_format: "channels_last" (default); or "channels_first" for (N, C, L) in and out.

    Raises:
        ShapeError: The input is not (N, L, C).

    Example:
        >>> ZeroPadding1D((2, 0))(torch.ones(1, 3, 1)).flatten().tolist()
        [0.0, 0.0, 1.0, 1.0, 1.0]
    """

    rank = 3


@registry.register()
class ZeroPadding2D(ZeroPadding):
    """Zeros around pictures.

    Input: (N, H, W, C). Output: (N, top + H + bottom, left + W + right, C).

    Args:
        padding: One number for all sides; (rows, columns); or ((top, bottom), (left, right)).
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W) in and out.

    Raises:
        ShapeError: The input is not (N, H, W, C).

    Example:
        >>> ZeroPadding2D(((1, 0), (2, 0)))(torch.zeros(1, 4, 4, 3)).shape
        torch.Size([1, 5, 6, 3])
    """

    rank = 4


@registry.register()
class ZeroPadding3D(ZeroPadding):
    """Zeros around volumes.

    Input: (N, D, H, W, C). Output: (N, D', H', W', C), every size with what comes before and after.

    Args:
        padding: One number for all sides; three, one for each axis; or three pairs of before and after.
        data_format: "channels_last" (default); or "channels_first" for (N, C, D, H, W) in and out.

    Raises:
        ShapeError: The input is not (N, D, H, W, C).

    Example:
        >>> ZeroPadding3D((0, 1, 2))(torch.zeros(1, 4, 4, 4, 3)).shape
        torch.Size([1, 4, 6, 8, 3])
    """

    rank = 5


@registry.register()
class Cropping1D(Cropping):
    """Cuts steps off both ends of series; a view, nothing is copied.

    Input: (N, L, C). Output: (N, L - before - after, C).

    Args:
        cropping: One number for both sides, or (before, after).

    Raises:
        ShapeError: The input is not (N, L, C), or nothing of it would be left.

    Example:
        >>> Cropping1D((2, 1))(torch.arange(6.0).reshape(1, 6, 1)).flatten().tolist()
        [2.0, 3.0, 4.0]
    """

    rank = 3

    def __init__(self, cropping: Any = (1, 1), **options: Any) -> None:
        super().__init__(**options)
        self.sides = check_sides(self.where, "cropping", cropping, self.axes)

    def config(self) -> dict[str, Any]:
        return {"cropping": self.cropping}  # Keras's has no data_format


@registry.register()
class Cropping2D(Cropping):
    """Cuts rows and columns off pictures; a view, nothing is copied.

    Input: (N, H, W, C). Output: (N, H - top - bottom, W - left - right, C).

    Args:
        cropping: One number for all sides; (rows, columns); or ((top, bottom), (left, right)).
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W) in and out.

    Raises:
        ShapeError: The input is not (N, H, W, C), or nothing of it would be left.

    Example:
        >>> Cropping2D(((1, 0), (2, 0)))(torch.zeros(1, 4, 4, 3)).shape
        torch.Size([1, 3, 2, 3])
    """

    rank = 4

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.sides = check_sides(self.where, "cropping", cropping, self.axes)
        self.data_format = check_data_format(self.where, data_format)


@registry.register()
class Cropping3D(Cropping):
    """Cuts cells off volumes; a view, nothing is copied.

    Input: (N, D, H, W, C). Output: (N, D', H', W', C), every size without what is cut before and after.

    Args:
        cropping: One number for all sides; three, one for each axis; or three pairs of before and after.
        data_format: "channels_last" (default); or "channels_first" for (N, C, D, H, W) in and out.

    Raises:
        ShapeError: The input is not (N, D, H, W, C), or nothing of it would be left.

    Example:
        >>> Cropping3D((0, 1, (0, 1)))(torch.zeros(1, 4, 4, 4, 3)).shape
        torch.Size([1, 4, 2, 3, 3])
    """

    rank = 5

    def __init__(
        self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.sides = check_sides(self.where, "cropping", cropping, self.axes)
        self.data_format = check_data_format(self.where, data_format)
