"""Operations on pictures (N, H, W, C) or (H, W, C): `striate.ops.image.resize(...)`."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.absent import explain_absent
from striate.foundation.checks import UnsupportedError, UserError, check_choice, check_int, check_ints
from striate.layers.preprocessing.resample import FILL_MODES, INTERPOLATIONS, resample
from striate.layers.preprocessing.size import METHODS, cut_to_proportions, resized
from striate.layers.spatial import check_data_format
from striate.ops.table import TABLE, as_floats, op
from striate.ops.windows import conv


def _on_pictures(
    where: str, images: torch.Tensor, data_format: str | None, change: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """What `change` makes of (N, H, W, C), in the layout that came."""
    if images.ndim not in (3, 4):
        needs = "pictures (N, H, W, C) or one (H, W, C)"
        raise UserError(where, f"shape {tuple(images.shape)}", needs, "Add the axis that is missing.")
    channels = -1 if check_data_format(where, data_format) == "channels_last" else -3
    x = images.movedim(channels, -1)
    y = change(x if x.ndim == 4 else x[None])
    return (y if x.ndim == 4 else y[0]).movedim(-1, channels)


@op(within="image")
def resize(
    images: torch.Tensor,
    size: int | tuple[int, int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> torch.Tensor:
    """Pictures at another size, with half-pixel centres; integers stay integers.

    Args:
        size: (height, width).
        interpolation: "bilinear", "nearest" or "bicubic".
        antialias: Whether to average over all that a cell of a smaller picture covers.
        crop_to_aspect_ratio: Cut off what would have to be squeezed.
        pad_to_aspect_ratio: Add margins of `fill_value` so that nothing is squeezed.

    Example:
        >>> resize(torch.zeros(10, 12, 3), (5, 6)).shape
        torch.Size([5, 6, 3])
    """
    where = "ops.image.resize"
    height, width = check_ints(where, "size", size, 2)
    method = check_choice(where, "interpolation", interpolation, METHODS)
    check_choice(where, "fill_mode", fill_mode, ["constant"])
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        got = "crop_to_aspect_ratio=True and pad_to_aspect_ratio=True"
        raise UserError(where, got, "one of them", "Leave one out.")

    def change(x: torch.Tensor) -> torch.Tensor:
        floats = as_floats(x)
        if crop_to_aspect_ratio:
            floats = cut_to_proportions(floats, height, width)
        elif pad_to_aspect_ratio:
            rows = max(x.shape[1], int(x.shape[2] * height / width))
            columns = max(x.shape[2], int(x.shape[1] * width / height))
            down, across = (rows - x.shape[1]) // 2, (columns - x.shape[2]) // 2
            floats = F.pad(floats, (0, 0, across, across, down, down), value=fill_value)
        y = resized(floats, height, width, method, antialias)
        if x.is_floating_point():
            return y
        limits = torch.iinfo(x.dtype)
        return y.round().clamp(limits.min, limits.max).to(x.dtype)

    return _on_pictures(where, images, data_format, change)


@op(within="image")
def rgb_to_grayscale(images: torch.Tensor, data_format: str | None = None) -> torch.Tensor:
    """Grey pictures with one channel, as bright as the eye sees the colours; grey ones stay.

    Source: ITU-R recommendation BT.601.
    """

    def change(x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] == 1:
            return x.clone()
        _check_colours("ops.image.rgb_to_grayscale", x)
        weights = torch.tensor([0.2989, 0.587, 0.114], dtype=as_floats(x).dtype, device=x.device)
        return (as_floats(x) * weights).sum(-1, keepdim=True).to(x.dtype)

    return _on_pictures("ops.image.rgb_to_grayscale", images, data_format, change)


@op(within="image")
def rgb_to_hsv(images: torch.Tensor, data_format: str | None = None) -> torch.Tensor:
    """Hue, saturation and value, each from 0 to 1, of colours from 0 to 1."""

    def change(x: torch.Tensor) -> torch.Tensor:
        _check_colours("ops.image.rgb_to_hsv", x)
        red, green, blue = as_floats(x).unbind(-1)
        value, least = torch.amax(x, -1), torch.amin(x, -1)
        span = value - least
        sixth = torch.where(span > 0, span, 1) * 6
        hue = torch.where(value == green, (blue - red) / sixth + 2 / 6, (red - green) / sixth + 4 / 6)
        hue = torch.where(value == red, (green - blue) / sixth, hue) % 1
        saturation = torch.where(value > 0, span / torch.where(value > 0, value, 1), 0)
        return torch.stack([torch.where(span > 0, hue, 0), saturation, value], -1)

    return _on_pictures("ops.image.rgb_to_hsv", images, data_format, change)


@op(within="image")
def hsv_to_rgb(images: torch.Tensor, data_format: str | None = None) -> torch.Tensor:
    """Colours from 0 to 1 of hue, saturation and value."""

    def change(x: torch.Tensor) -> torch.Tensor:
        _check_colours("ops.image.hsv_to_rgb", x)
        hue, saturation, value = x.unbind(-1)
        turns = hue[..., None] * 6 + torch.tensor([5.0, 3.0, 1.0], dtype=x.dtype, device=x.device)
        turns = turns % 6
        share = torch.minimum(turns, 4 - turns).clamp(0, 1)
        return value[..., None] * (1 - saturation[..., None] * share)

    return _on_pictures("ops.image.hsv_to_rgb", images, data_format, change)


def _check_colours(where: str, x: torch.Tensor) -> None:
    if x.shape[-1] != 3:
        raise UserError(where, f"{x.shape[-1]} channels", "3", "Put the channels where data_format says.")


@op(within="image")
def affine_transform(
    images: torch.Tensor,
    transform: torch.Tensor,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> torch.Tensor:
    """Pictures turned, moved and scaled: the cell (x, y) is looked up at (a0 x + a1 y + a2, b0 x + b1 y + b2).

    Args:
        transform: (8,) or (N, 8): a0, a1, a2, b0, b1, b2, 0, 0.
        interpolation: "bilinear" or "nearest".
        fill_mode: What lies outside: "constant", "nearest", "reflect" or "wrap".

    Example:
        >>> picture = torch.tensor([[[1.0], [2.0], [3.0]]])
        >>> affine_transform(picture, [1, 0, 1, 0, 1, 0, 0, 0]).flatten()  # one cell to the left
        tensor([2., 3., 0.])
    """
    where = "ops.image.affine_transform"
    method = check_choice(where, "interpolation", interpolation, INTERPOLATIONS)
    if fill_mode == "mirror":
        needs = "one of " + ", ".join(map(repr, FILL_MODES))
        raise UnsupportedError(where, "fill_mode='mirror'", needs, "Take 'reflect'.")
    mode = check_choice(where, "fill_mode", fill_mode, FILL_MODES)
    rows = as_floats(transform) if transform.ndim == 2 else as_floats(transform)[None]
    if rows.ndim != 2 or rows.shape[1] != 8 or (not rows.is_meta and bool(rows[:, 6:].any())):
        got = f"a transform of shape {tuple(transform.shape)}" + " with a perspective" * (rows.shape[-1] == 8)
        raise UserError(where, got, "8 numbers, the last two 0, or as many rows of them as pictures", "Mend it.")

    def change(x: torch.Tensor) -> torch.Tensor:
        last = rows.new_tensor([0.0, 0.0, 1.0]).expand(len(rows), 1, 3)
        maps = torch.cat([rows[:, :6].reshape(-1, 2, 3), last], 1).expand(len(x), 3, 3)
        return resample(as_floats(x), maps, mode, method, float(fill_value)).to(x.dtype)

    return _on_pictures(where, images, data_format, change)


@op(within="image")
def pad_images(
    images: torch.Tensor,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> torch.Tensor:
    """Pictures with zeros around them; of two sides and a target size, two must be told."""
    where = "ops.image.pad_images"

    def change(x: torch.Tensor) -> torch.Tensor:
        more = [None if target is None else target - size for target, size in _targets(x, target_height, target_width)]
        top, bottom = _sides(where, "height", top_padding, bottom_padding, more[0])
        left, right = _sides(where, "width", left_padding, right_padding, more[1])
        return F.pad(x, (0, 0, left, right, top, bottom))

    return _on_pictures(where, images, data_format, change)


@op(within="image")
def crop_images(
    images: torch.Tensor,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> torch.Tensor:
    """Pictures with their edges cut off; of two sides and a target size, two must be told."""
    where = "ops.image.crop_images"

    def change(x: torch.Tensor) -> torch.Tensor:
        less = [None if target is None else size - target for target, size in _targets(x, target_height, target_width)]
        top, bottom = _sides(where, "height", top_cropping, bottom_cropping, less[0])
        left, right = _sides(where, "width", left_cropping, right_cropping, less[1])
        return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]

    return _on_pictures(where, images, data_format, change)


def _targets(x: torch.Tensor, height: int | None, width: int | None) -> list[tuple[int | None, int]]:
    return [(height, x.shape[1]), (width, x.shape[2])]


def _sides(where: str, name: str, first: int | None, second: int | None, together: int | None) -> tuple[int, int]:
    """Both sides of an axis, of which two of three numbers are told."""
    told = sum(value is not None for value in (first, second, together))
    if told != 2:
        needs = f"two of both sides and target_{name}"
        raise UserError(where, f"{told} of them", needs, "Pass the sides, and leave the target out.")
    if first is None:
        assert together is not None
        assert second is not None
        first = together - second
    if second is None:
        assert together is not None
        second = together - first
    return check_int(where, "one side", first, minimum=0), check_int(where, "one side", second, minimum=0)


@op(within="image")
def extract_patches(
    images: torch.Tensor,
    size: Any,
    strides: Any = None,
    dilation_rate: int | tuple[int, int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> torch.Tensor:
    """All windows of a picture: (N, rows, columns, height x width x C), cell after cell."""
    where = "ops.image.extract_patches"
    height, width = check_ints(where, "size", size, 2)
    channels = images.shape[-1 if check_data_format(where, data_format) == "channels_last" else -3]
    kernel = torch.eye(height * width * channels, dtype=images.dtype)
    kernel = kernel.reshape(height, width, channels, height * width * channels)
    steps = (height, width) if strides is None else strides

    def change(x: torch.Tensor) -> torch.Tensor:
        return conv(x, kernel, steps, padding, None, dilation_rate)

    return _on_pictures(where, images, data_format, change)


__all__ = sorted(name.removeprefix("image.") for name in TABLE if name.startswith("image."))

explain_absent(__name__)
