"""Layers that only move numbers."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, is_int
from striate.foundation.shapes import Shape, product
from striate.layers.layer import Layer, registry
from striate.layers.spatial import check_data_format
from striate.layers.structure import is_shape


@registry.register()
class Flatten(Layer):
    """One row of numbers for every item, channels varying fastest.

    Input: (N, ...). Output: (N, product of the rest).

    Example:
        >>> Flatten()(torch.zeros(2, 31, 31, 32)).shape
        torch.Size([2, 30752])
    """

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = check_data_format(self.where, data_format)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0], -1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not is_shape(input_shape) or not input_shape:
            raise self.refuse_shape(input_shape, "(N, ...)", "Pass one array with a batch axis.")
        return (input_shape[0], product(input_shape[1:]))

    def output_dtype(self, dtype: str) -> str:
        return dtype

    def config(self) -> dict[str, Any]:
        return {"data_format": self.data_format}


@registry.register()
class ZeroPadding2D(Layer):
    """Zeros around pictures.

    Input: (N, H, W, C). Output: (N, top + H + bottom, left + W + right, C).

    Args:
        padding: One number for all sides; (rows, columns); or ((top, bottom), (left, right)).
        data_format: "channels_last".

    Example:
        >>> ZeroPadding2D(((1, 0), (2, 0)))(torch.zeros(1, 4, 4, 3)).shape
        torch.Size([1, 5, 6, 3])
    """

    rank = 4

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.padding = self._check_padding(padding)
        self.data_format = check_data_format(self.where, data_format)

    def _check_padding(self, padding: Any) -> tuple[tuple[int, int], tuple[int, int]]:
        sides = (padding, padding) if is_int(padding) else padding
        if isinstance(sides, list | tuple) and len(sides) == 2:
            pairs: list[Any] = [(side, side) if is_int(side) else side for side in sides]
            if all(isinstance(p, list | tuple) and len(p) == 2 and all(is_int(c) and c >= 0 for c in p) for p in pairs):
                (top, bottom), (left, right) = pairs
                return (int(top), int(bottom)), (int(left), int(right))
        needs = "a whole number of at least 0, two of them, or two pairs"
        raise UserError(self.where, f"padding={padding!r}", needs, "Pass for example padding=((1, 1), (2, 2)).")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (top, bottom), (left, right) = self.padding
        return F.pad(x, (0, 0, left, right, top, bottom))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        rows, columns = (
            None if size is None else size + sum(side)
            for size, side in zip(input_shape[1:3], self.padding, strict=True)
        )
        return (input_shape[0], rows, columns, input_shape[3])

    def output_dtype(self, dtype: str) -> str:
        return dtype

    def config(self) -> dict[str, Any]:
        return {"padding": [list(side) for side in self.padding], "data_format": self.data_format}
