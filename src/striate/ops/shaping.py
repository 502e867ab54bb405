"""Operations that move numbers about and leave them as they are."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch

from striate.foundation.checks import UserError, check_choice, is_int
from striate.ops.table import op, to_tensor

Axes = int | Sequence[int]


@op()
def reshape(x: torch.Tensor, newshape: Sequence[int]) -> torch.Tensor:
    """The same numbers in another shape; one size may be -1.

    Example:
        >>> reshape([[1, 2], [3, 4]], (4,))
        tensor([1, 2, 3, 4], dtype=torch.int32)
    """
    return torch.reshape(x, (int(newshape),) if is_int(newshape) else tuple(newshape))


@op()
def ravel(x: torch.Tensor) -> torch.Tensor:
    """All numbers in one row."""
    return torch.ravel(x)


@op()
def transpose(x: torch.Tensor, axes: Sequence[int] | None = None) -> torch.Tensor:
    """The axes in another order; turned round if left out.

    Example:
        >>> transpose([[1, 2, 3]]).shape
        torch.Size([3, 1])
    """
    return x.permute(*(range(x.ndim)[::-1] if axes is None else axes))


@op()
def swapaxes(x: torch.Tensor, axis1: int, axis2: int) -> torch.Tensor:
    """Two axes in each other's place."""
    return torch.swapaxes(x, axis1, axis2)


@op()
def moveaxis(x: torch.Tensor, source: Axes, destination: Axes) -> torch.Tensor:
    """Axes in other places; the others keep their order."""
    return torch.moveaxis(x, source, destination)  # type: ignore[arg-type]


@op()
def expand_dims(x: torch.Tensor, axis: Axes) -> torch.Tensor:
    """New axes of one, at these places of the result."""
    axes = [axis] if is_int(axis) else list(axis)  # type: ignore[arg-type]
    for one in sorted(int(one) % (x.ndim + len(axes)) for one in axes):
        x = x.unsqueeze(one)
    return x


@op()
def squeeze(x: torch.Tensor, axis: Axes | None = None) -> torch.Tensor:
    """Without the axes of one; without these alone, where told.

    Raises:
        UserError: One of them has more.
    """
    if axis is None:
        return torch.squeeze(x)
    axes = [axis] if is_int(axis) else list(axis)  # type: ignore[arg-type]
    if any(x.shape[one] != 1 for one in axes):
        raise UserError("ops.squeeze", f"axis={axis} of shape {tuple(x.shape)}", "axes of one", "Change axis.")
    return torch.squeeze(x, tuple(axes))


@op()
def broadcast_to(x: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The array stretched to a shape, as NumPy stretches."""
    return torch.broadcast_to(x, tuple(shape))


@op()
def concatenate(xs: list[torch.Tensor], axis: int = 0) -> torch.Tensor:
    """Arrays one after the other along an axis.

    Example:
        >>> concatenate([[[1], [2]], [[3], [4]]], axis=1)
        tensor([[1, 3],
                [2, 4]], dtype=torch.int32)
    """
    return torch.cat(xs, axis)


@op()
def append(x1: torch.Tensor, x2: torch.Tensor, axis: int | None = None) -> torch.Tensor:
    """One array after the other; both flattened where there is no axis."""
    return torch.cat([x1.flatten(), x2.flatten()] if axis is None else [x1, x2], axis or 0)


@op()
def stack(x: list[torch.Tensor], axis: int = 0) -> torch.Tensor:
    """Arrays side by side along a new axis."""
    return torch.stack(x, axis)


@op()
def unstack(x: torch.Tensor, num: int | None = None, axis: int = 0) -> list[torch.Tensor]:
    """The slices along an axis, which then is gone."""
    return list(torch.unbind(x, axis))


@op()
def hstack(xs: list[torch.Tensor]) -> torch.Tensor:
    """Arrays side by side, along their second axis."""
    return torch.hstack(xs)


@op()
def vstack(xs: list[torch.Tensor]) -> torch.Tensor:
    """Arrays below each other, along their first axis."""
    return torch.vstack(xs)


@op()
def dstack(xs: list[torch.Tensor]) -> torch.Tensor:
    """Arrays behind each other, along their third axis."""
    return torch.dstack(xs)


@op()
def split(x: torch.Tensor, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[torch.Tensor]:
    """The parts of an array: so many equal ones, or cut before these places.

    Raises:
        UserError: It cannot be cut into equal parts.

    Example:
        >>> [part.tolist() for part in split([1, 2, 3, 4], [1, 3])]
        [[1], [2, 3], [4]]
    """
    if is_int(indices_or_sections) and x.shape[axis] % indices_or_sections:
        got = f"indices_or_sections={indices_or_sections} for {x.shape[axis]} along axis {axis}"
        raise UserError("ops.split", got, "a number that divides it", "Use array_split, or pass the places.")
    return array_split(x, indices_or_sections, axis)


@op()
def array_split(x: torch.Tensor, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[torch.Tensor]:
    """As `split`, where the first parts may be larger by one."""
    places = indices_or_sections if is_int(indices_or_sections) else [int(place) for place in indices_or_sections]  # type: ignore[union-attr]
    return list(torch.tensor_split(x, places, axis))


@op()
def tile(x: torch.Tensor, repeats: int | Sequence[int]) -> torch.Tensor:
    """The array over and over, so many times along each axis."""
    return torch.tile(x, (int(repeats),) if is_int(repeats) else tuple(repeats))  # type: ignore[arg-type]


@op()
def repeat(x: torch.Tensor, repeats: int | Sequence[int], axis: int | None = None) -> torch.Tensor:
    """Every number so many times; of the flattened array where there is no axis.

    Example:
        >>> repeat([1, 2], 2)
        tensor([1, 1, 2, 2], dtype=torch.int32)
    """
    return torch.repeat_interleave(x, to_tensor(repeats, torch.int64), axis)


@op()
def flip(x: torch.Tensor, axis: Axes | None = None) -> torch.Tensor:
    """Turned round along an axis, several or all."""
    axes = range(x.ndim) if axis is None else [axis] if is_int(axis) else axis
    return torch.flip(x, list(axes))  # type: ignore[arg-type]


@op()
def fliplr(x: torch.Tensor) -> torch.Tensor:
    """Turned round along the second axis."""
    return torch.fliplr(x)


@op()
def flipud(x: torch.Tensor) -> torch.Tensor:
    """Turned round along the first axis."""
    return torch.flipud(x)


@op()
def rot90(array: torch.Tensor, k: int = 1, axes: tuple[int, int] = (0, 1)) -> torch.Tensor:
    """Turned by k quarters from the first of two axes towards the second."""
    return torch.rot90(array, k, axes)


@op()
def roll(x: torch.Tensor, shift: Axes, axis: Axes | None = None) -> torch.Tensor:
    """Moved along; what falls off at the end comes back at the beginning."""
    return torch.roll(x, shift, axis)  # type: ignore[arg-type]


@op()
def pad(x: torch.Tensor, pad_width: Any, mode: str = "constant", constant_values: float | None = None) -> torch.Tensor:
    """Numbers added around an array.

    Args:
        pad_width: (before, after) for every axis; one pair, or one number, for all.
        mode: "constant", "reflect" (the edge not repeated), "symmetric" (the edge repeated) or "edge".
        constant_values: What is added in the first mode; 0 unless told.

    Example:
        >>> pad([1, 2, 3], (2, 1), mode="reflect")
        tensor([3, 2, 1, 2, 3, 2], dtype=torch.int32)
    """
    mode = check_choice("ops.pad", "mode", mode, ["constant", "reflect", "symmetric", "edge"])
    if constant_values is not None and mode != "constant":
        needs = "mode='constant' with it"
        raise UserError("ops.pad", f"constant_values with mode={mode!r}", needs, "Leave constant_values out.")
    pairs = _pairs(pad_width, x.ndim)
    if mode == "constant":
        flat = list(itertools.chain.from_iterable(reversed(pairs)))
        return torch.nn.functional.pad(x, flat, value=constant_values or 0)
    for axis, (before, after) in enumerate(pairs):
        x = x.index_select(axis, _places(x.shape[axis], before, after, mode))
    return x


def _pairs(pad_width: Any, count: int) -> list[tuple[int, int]]:
    if is_int(pad_width):
        pad_width = (pad_width, pad_width)
    if all(map(is_int, pad_width)):
        pad_width = [(pad_width[0], pad_width[-1])]
    pairs = [(int(before), int(after)) for before, after in pad_width]
    pairs = pairs * count if len(pairs) == 1 else pairs
    if len(pairs) != count or any(min(pair) < 0 for pair in pairs):
        needs = f"a pair of numbers of at least 0 for each of {count} axes"
        raise UserError("ops.pad", f"pad_width={pad_width!r}", needs, "Pass ((0, 0), (1, 1), ...).")
    return pairs


def _places(length: int, before: int, after: int, mode: str) -> torch.Tensor:
    """Which cell of an axis stands in each cell of the longer one."""
    places = torch.arange(-before, length + after)
    if mode == "edge":
        return places.clamp(0, length - 1)
    if mode == "symmetric":
        places = places % (2 * length)
        return torch.where(places < length, places, 2 * length - 1 - places)
    period = max(2 * (length - 1), 1)
    places = places % period
    return torch.where(places < length, places, period - places)


@op()
def depth_to_space(x: torch.Tensor, block_size: int, data_format: str = "channels_last") -> torch.Tensor:
    """Channels laid out as blocks of b x b cells: (N, H, W, C) to (N, H b, W b, C / (b b)).

    With data_format="channels_first" the cells of a block lie beside each other, as in torch's PixelShuffle and Keras.
    """
    first = check_choice("ops.depth_to_space", "data_format", data_format, DATA_FORMATS) == "channels_first"
    if first:
        return torch.nn.functional.pixel_shuffle(x, block_size)
    count, height, width, channels = x.shape
    blocks = x.reshape(count, height, width, block_size, block_size, channels // block_size**2)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(count, height * block_size, width * block_size, -1)


@op()
def space_to_depth(x: torch.Tensor, block_size: int, data_format: str = "channels_last") -> torch.Tensor:
    """Blocks of b x b cells as channels: the reverse of `depth_to_space`."""
    first = check_choice("ops.space_to_depth", "data_format", data_format, DATA_FORMATS) == "channels_first"
    if first:
        return torch.nn.functional.pixel_unshuffle(x, block_size)
    count, height, width, channels = x.shape
    blocks = x.reshape(count, height // block_size, block_size, width // block_size, block_size, channels)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(count, height // block_size, width // block_size, -1)


DATA_FORMATS = ("channels_last", "channels_first")
