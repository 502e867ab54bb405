"""Operations with a sliding window: convolutions and pools, channels last unless told."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_choice, check_ints
from striate.foundation.shapes import Window, extent, transposed_crop
from striate.layers.spatial import check_data_format, pad
from striate.ops.table import op

Sizes = int | Sequence[int]
CONV = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
CONV_TRANSPOSE = {3: F.conv_transpose1d, 4: F.conv_transpose2d, 5: F.conv_transpose3d}
MAX_POOL = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}
AVERAGE_POOL = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}
ADAPTIVE_MAX: dict[int, Callable[..., torch.Tensor]] = {
    3: F.adaptive_max_pool1d,
    4: F.adaptive_max_pool2d,
    5: F.adaptive_max_pool3d,
}
ADAPTIVE_AVERAGE: dict[int, Callable[..., torch.Tensor]] = {
    3: F.adaptive_avg_pool1d,
    4: F.adaptive_avg_pool2d,
    5: F.adaptive_avg_pool3d,
}


class _Axes:
    """Where the channels are, and how many axes there are beside them and the items.

    Args:
        where: Who asks, for errors.
        x: (N, ..., C), or (N, C, ...) with data_format="channels_first".
        data_format: None for "channels_last".
    """

    def __init__(self, where: str, x: torch.Tensor, data_format: Any) -> None:
        if x.ndim not in CONV:
            needs = "(N, L, C), (N, H, W, C) or (N, D, H, W, C)"
            fix = "Add the axis that is missing: x[None] for items, x[..., None] for channels."
            raise UserError(where, f"shape {tuple(x.shape)}", needs, fix)
        self.where, self.count = where, x.ndim - 2
        self.channels = -1 if check_data_format(where, data_format) == "channels_last" else 1

    def inward(self, x: torch.Tensor) -> torch.Tensor:
        return x.movedim(self.channels, 1)

    def outward(self, y: torch.Tensor) -> torch.Tensor:
        return y.movedim(1, self.channels)

    def sizes(self, argument: str, value: Any) -> tuple[int, ...]:
        return check_ints(self.where, argument, value, self.count)

    def kernel(self, kernel: torch.Tensor) -> torch.Tensor:
        """(..., in, out) as torch has it: (out, in, ...)."""
        if kernel.ndim != self.count + 2:
            needs = f"{self.count} sizes, channels in and channels out"
            raise UserError(self.where, f"a kernel of shape {tuple(kernel.shape)}", needs, "Reshape it.")
        return kernel.permute(-1, -2, *range(self.count))


def _padding(where: str, padding: str) -> str:
    return check_choice(where, "padding", padding, ["valid", "same"])


@op()
def conv(
    inputs: torch.Tensor,
    kernel: torch.Tensor,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> torch.Tensor:
    """Convolution of (N, ..., C) with a kernel (sizes..., channels in, channels out).

    A kernel for a part of the channels works on groups of them.

    Example:
        >>> conv(torch.ones(1, 4, 4, 3), torch.ones(3, 3, 3, 8), padding="same").shape
        torch.Size([1, 4, 4, 8])
    """
    axes = _Axes("ops.conv", inputs, data_format)
    x, weights = axes.inward(inputs), axes.kernel(kernel)
    steps, spread = axes.sizes("strides", strides), axes.sizes("dilation_rate", dilation_rate)
    if x.shape[1] % weights.shape[1]:
        got = f"{x.shape[1]} channels and a kernel for {weights.shape[1]}"
        raise UserError("ops.conv", got, "a kernel for all of them, or for a part that divides them", "Change one.")
    window = Window(tuple(weights.shape[2:]), steps, spread)
    x, sides = pad(x, window, _padding("ops.conv", padding), 0.0)
    y = CONV[x.ndim](x, weights.to(x.dtype), None, steps, sides, spread, x.shape[1] // weights.shape[1])
    return axes.outward(y)


@op()
def depthwise_conv(
    inputs: torch.Tensor,
    kernel: torch.Tensor,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> torch.Tensor:
    """Convolution of each channel by itself, with a kernel (sizes..., channels, filters for each)."""
    flat = kernel.reshape(*kernel.shape[:-2], 1, -1)
    return conv(inputs, flat, strides, padding, data_format, dilation_rate)


@op()
def separable_conv(
    inputs: torch.Tensor,
    depthwise_kernel: torch.Tensor,
    pointwise_kernel: torch.Tensor,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> torch.Tensor:
    """A depthwise convolution and then one with a window of one cell."""
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, 1, "valid", data_format)


@op()
def conv_transpose(
    inputs: torch.Tensor,
    kernel: torch.Tensor,
    strides: Sizes = 1,
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> torch.Tensor:
    """Transposed convolution with a kernel (sizes..., channels out, channels in): sizes as for `Conv2DTranspose`."""
    axes = _Axes("ops.conv_transpose", inputs, data_format)
    x, weights = axes.inward(inputs), axes.kernel(kernel)
    steps, spread = axes.sizes("strides", strides), axes.sizes("dilation_rate", dilation_rate)
    more = (None,) * axes.count if output_padding is None else _more(axes, output_padding)
    y = CONV_TRANSPOSE[x.ndim](x, weights.to(x.dtype), None, steps, 0, 0, 1, spread)
    mode = _padding("ops.conv_transpose", padding)
    for axis, (cells, step, dilation, added) in enumerate(
        zip(weights.shape[2:], steps, spread, more, strict=True), start=2
    ):
        before, after = transposed_crop(extent(cells, dilation), step, mode, added)
        length = y.shape[axis] - before - max(after, 0)
        y = y.narrow(axis, before, length)
        if after < 0:
            y = torch.cat([y, y.new_zeros([*y.shape[:axis], -after, *y.shape[axis + 1 :]])], axis)
    return axes.outward(y)


def _more(axes: _Axes, output_padding: Sizes) -> tuple[int, ...]:
    return check_ints(axes.where, "output_padding", output_padding, axes.count, minimum=0)


@op()
def max_pool(
    inputs: torch.Tensor,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> torch.Tensor:
    """The largest number of every window, channel by channel.

    Example:
        >>> max_pool(torch.arange(4.0).reshape(1, 4, 1), 2).flatten()
        tensor([1., 3.])
    """
    axes = _Axes("ops.max_pool", inputs, data_format)
    window = _window(axes, pool_size, strides)
    x, sides = pad(axes.inward(inputs), window, _padding("ops.max_pool", padding), float("-inf"))
    return axes.outward(MAX_POOL[x.ndim](x, window.kernel, window.stride, sides))


@op()
def average_pool(
    inputs: torch.Tensor,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> torch.Tensor:
    """The mean of every window, channel by channel; with padding="same" of its cells inside the input."""
    axes = _Axes("ops.average_pool", inputs, data_format)
    window, mode = _window(axes, pool_size, strides), _padding("ops.average_pool", padding)
    average = AVERAGE_POOL[inputs.ndim]
    x, sides = pad(axes.inward(inputs), window, mode, 0.0)
    y = average(x, window.kernel, window.stride, sides)
    if mode == "same":  # padded cells do not count
        inside, _ = pad(torch.ones_like(axes.inward(inputs)[:1, :1]), window, mode, 0.0)
        y = y / average(inside, window.kernel, window.stride, sides)
    return axes.outward(y)


def _window(axes: _Axes, pool_size: Sizes, strides: Sizes | None) -> Window:
    sizes = axes.sizes("pool_size", pool_size)
    return Window(sizes, sizes if strides is None else axes.sizes("strides", strides), (1,) * axes.count)


@op()
def adaptive_max_pool(inputs: torch.Tensor, output_size: Sizes, data_format: str | None = None) -> torch.Tensor:
    """The largest number of as many windows as wanted, of about equal size."""
    axes = _Axes("ops.adaptive_max_pool", inputs, data_format)
    return axes.outward(ADAPTIVE_MAX[inputs.ndim](axes.inward(inputs), axes.sizes("output_size", output_size)))


@op()
def adaptive_average_pool(inputs: torch.Tensor, output_size: Sizes, data_format: str | None = None) -> torch.Tensor:
    """The mean of as many windows as wanted, of about equal size."""
    axes = _Axes("ops.adaptive_average_pool", inputs, data_format)
    return axes.outward(ADAPTIVE_AVERAGE[inputs.ndim](axes.inward(inputs), axes.sizes("output_size", output_size)))
