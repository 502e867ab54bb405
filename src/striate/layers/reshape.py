"""Layers that only move numbers."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_int, is_int
from striate.foundation.shapes import Shape, describe, product
from striate.layers.layer import Layer, registry
from striate.layers.spatial import check_data_format
from striate.layers.structure import is_shape


@registry.register()
class Flatten(Layer):
    """One row of numbers for every item, channels varying fastest.

    Input: (N, ...). Output: (N, product of the rest).

    Args:
        data_format: "channels_last" (default); or "channels_first" for (N, C, ...).

    Raises:
        ShapeError: The input is no array with a batch axis.

    Example:
        >>> Flatten()(torch.zeros(2, 31, 31, 32)).shape
        torch.Size([2, 30752])
    """

    only_numbers: ClassVar[bool] = True

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = check_data_format(self.where, data_format)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.data_format == "channels_first" and x.ndim > 2:
            x = x.movedim(1, -1)
        return x.reshape(x.shape[0], x.shape[1:].numel())  # -1 would not do for no items

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not is_shape(input_shape) or not input_shape:
            raise self.refuse_shape(input_shape, "(N, ...)", "Pass one array with a batch axis.")
        return (input_shape[0], product(input_shape[1:]))

    def output_dtype(self, dtype: str) -> str:
        return dtype

    def config(self) -> dict[str, Any]:
        return {"data_format": self.data_format}


@registry.register()
class Reshape(Layer):
    """The same numbers of every item, in the same order, in another shape.

    Input: (N, ...). Output: (N, *target_shape).

    Args:
        target_shape: The shape of one item; one of its sizes may be -1, for as many cells as there are.

    Raises:
        UserError: target_shape holds anything but whole numbers from 1, and one -1.
        ShapeError: The input has more or fewer numbers.

    Example:
        >>> Reshape((-1, 2, 2))(torch.zeros(5, 12)).shape
        torch.Size([5, 3, 2, 2])
    """

    only_numbers: ClassVar[bool] = True

    def __init__(self, target_shape: tuple[int, ...], **options: Any) -> None:
        super().__init__(**options)
        listed = isinstance(target_shape, list | tuple) and all(map(is_int, target_shape))
        if not listed or any(size < 1 and size != -1 for size in target_shape) or list(target_shape).count(-1) > 1:
            needs = "whole numbers of at least 1, of which one may be -1, without the batch axis"
            raise UserError(self.where, f"target_shape={target_shape!r}", needs, "Pass for example (-1, 3).")
        self.target_shape = tuple(int(size) for size in target_shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape([int(size or 0) for size in self.compute_output_shape(tuple(x.shape))])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not is_shape(input_shape) or not input_shape:
            raise self.refuse_shape(input_shape, "(N, ...)", "Pass one array with a batch axis.")
        count, known = product(input_shape[1:]), product(size for size in self.target_shape if size != -1)
        if count is None or known is None:
            return (input_shape[0], *(None if size == -1 else size for size in self.target_shape))
        if count % known or (count != known and -1 not in self.target_shape):
            many = "a multiple of " if -1 in self.target_shape else ""
            needs = f"{many}{known} numbers for each item, to make {describe(self.target_shape)} of; these are {count}"
            raise self.refuse_shape(input_shape, needs, "Change target_shape.")
        return (input_shape[0], *(count // known if size == -1 else size for size in self.target_shape))

    def output_dtype(self, dtype: str) -> str:
        return dtype

    def config(self) -> dict[str, Any]:
        return {"target_shape": list(self.target_shape)}


@registry.register()
class Permute(Layer):
    """The axes in another order.

    Input: (N, ...). Output: N, then the other axes as `dims` says.

    Args:
        dims: The axes of the input, counted from 1, in the order they are to have: (2, 1) swaps two.

    Raises:
        UserError: dims are not the numbers from 1, each once.
        ShapeError: The input has more or fewer axes.

    Example:
        >>> Permute((2, 1))(torch.zeros(5, 10, 64)).shape
        torch.Size([5, 64, 10])
    """

    only_numbers: ClassVar[bool] = True

    def __init__(self, dims: tuple[int, ...], **options: Any) -> None:
        super().__init__(**options)
        listed = isinstance(dims, list | tuple) and all(map(is_int, dims))
        if not listed or sorted(dims) != list(range(1, len(dims) + 1)):
            needs = "the numbers of the axes from 1, each once, without the batch axis"
            raise UserError(self.where, f"dims={dims!r}", needs, "Pass for example (2, 1) to swap two axes.")
        self.dims = tuple(int(axis) for axis in dims)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, *self.dims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not is_shape(input_shape) or len(input_shape) != len(self.dims) + 1:
            needs = f"{len(self.dims) + 1} axes, N and those of dims={self.dims}"
            raise self.refuse_shape(input_shape, needs, "Give dims one number for every axis after N.")
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def output_dtype(self, dtype: str) -> str:
        return dtype

    def config(self) -> dict[str, Any]:
        return {"dims": list(self.dims)}


@registry.register()
class RepeatVector(Layer):
    """Every row n times, one after the other.

    Input: (N, F). Output: (N, n, F).

    Args:
        n: How many times.

    Raises:
        UserError: n is no whole number from 1.
        ShapeError: The input is not (N, F).

    Example:
        >>> RepeatVector(2)(torch.tensor([[1, 2]]))
        tensor([[[1, 2], [1, 2]]])
    """

    rank = 2
    only_numbers: ClassVar[bool] = True

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        self.n = check_int(self.where, "n", n)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unsqueeze(1).repeat(1, self.n, 1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        return (input_shape[0], self.n, input_shape[1])

    def output_dtype(self, dtype: str) -> str:
        return dtype

    def config(self) -> dict[str, Any]:
        return {"n": self.n}
