"""Convolutions that look at every channel by itself, and those that mix the channels after."""

from typing import Any

import torch

from striate.foundation.checks import check_int
from striate.foundation.shapes import product
from striate.layers.convolution import Convolution, in_order
from striate.layers.layer import registry


class ChannelwiseConvolution(Convolution):
    """Base of the depthwise and separable convolutions: `depth_multiplier` windows for every channel."""

    depth_multiplier: int

    def lay_out_by_channel(self, kernel: torch.nn.Parameter) -> torch.nn.Parameter:
        """Keras's axes (window, channels, multiplier) over memory in torch's order, (channels, multiplier, window)."""
        kernel.data = in_order(kernel.data.movedim((-2, -1), (0, 1))).movedim((0, 1), (-2, -1))
        return kernel

    def convolve_by_channel(
        self, x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(N, C, ...) to (N, C * multiplier, ...), the windows of one channel next to each other."""
        kernel = kernel.movedim((-2, -1), (0, 1)).flatten(0, 1).unsqueeze(1)
        return self.convolve(x, kernel.unsqueeze(2) if self.axes == 1 else kernel, bias, x.shape[1])

    def config(self) -> dict[str, Any]:
        return {"depth_multiplier": self.depth_multiplier, **super().config()}


class DepthwiseConv(ChannelwiseConvolution):
    """Base of DepthwiseConv1D and DepthwiseConv2D."""

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        strides: int | tuple[int, ...] = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: int | tuple[int, ...] = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        self.depth_multiplier = check_int(self.where, "depth_multiplier", depth_multiplier)
        self.set_window(kernel_size, strides, padding, data_format, dilation_rate)
        depthwise = depthwise_initializer, depthwise_regularizer, depthwise_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        self.set_options(activation, use_bias, depthwise=depthwise, bias=bias)

    def build_kernels(self, channels: int) -> None:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self.lay_out_by_channel(self.make_weight("depthwise", shape))
        self.bias = self.make_bias(self.filters_for(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolve_by_channel(self.inward(x), self.kernel, self.bias)
        return self.activation(self.outward(y))

    def filters_for(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def products(self, channels: int, cells_in: int, cells_out: int) -> int:
        return cells_out * self.filters_for(channels) * int(product(self.kernel_size) or 0)


class SeparableConv(ChannelwiseConvolution):
    """Base of SeparableConv1D and SeparableConv2D."""

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, ...],
        strides: int | tuple[int, ...] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | tuple[int, ...] = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        self.filters = check_int(self.where, "filters", filters)
        self.depth_multiplier = check_int(self.where, "depth_multiplier", depth_multiplier)
        self.set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self.set_options(
            activation,
            use_bias,
            depthwise=(depthwise_initializer, depthwise_regularizer, depthwise_constraint),
            pointwise=(pointwise_initializer, pointwise_regularizer, pointwise_constraint),
            bias=(bias_initializer, bias_regularizer, bias_constraint),
        )

    def build_kernels(self, channels: int) -> None:
        between = channels * self.depth_multiplier
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.lay_out_by_channel(self.make_weight("depthwise", shape))
        shape = (1,) * self.axes + (between, self.filters)
        self.pointwise_kernel = self.lay_out(self.make_weight("pointwise", shape))
        self.bias = self.make_bias(self.filters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        between = self.convolve_by_channel(self.inward(x), self.depthwise_kernel)
        y = torch.nn.functional.conv2d(between, self.torchs_kernel(self.pointwise_kernel), self.bias)
        return self.activation(self.outward(y))

    def filters_for(self, channels: int) -> int:
        return self.filters

    def products(self, channels: int, cells_in: int, cells_out: int) -> int:
        between = cells_out * channels * self.depth_multiplier
        return between * (int(product(self.kernel_size) or 0) + self.filters)

    def config(self) -> dict[str, Any]:
        return {"filters": self.filters, **super().config()}


@registry.register()
class DepthwiseConv1D(DepthwiseConv):
    """Slides windows over each channel of a series by itself.

    Input: (N, L, C). Output: (N, L', C * depth_multiplier), L' as H' for `Conv2D`.

    Args: as for `DepthwiseConv2D`, with one size each.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, L, C), or smaller than the window.

    Example:
        >>> DepthwiseConv1D(5, depth_multiplier=2)(torch.zeros(2, 100, 3)).shape
        torch.Size([2, 96, 6])
    """

    rank = 3


@registry.register()
class DepthwiseConv2D(DepthwiseConv):
    """Slides windows over each channel of a picture by itself: channels do not mix.

    Input: (N, H, W, C). Output: (N, H', W', C * depth_multiplier), sizes as for `Conv2D`; what comes of one channel
    stays together.

    Args:
        kernel_size: Rows and columns of the window; one number for both.
        strides: Cells it moves by.
        padding: "valid" or "same".
        depth_multiplier: How many windows each channel has.
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W) in and out.
        dilation_rate: Distance between the cells of the window.
        activation: A name or a function; None for none.
        use_bias: Whether a bias is added to every channel that comes out.
        depthwise_initializer, bias_initializer: First values; the kernel is (rows, columns, C, depth_multiplier).
        depthwise_regularizer, bias_regularizer: Penalties added to the loss.
        activity_regularizer: Penalty on what comes out, divided by N, added to the loss.
        depthwise_constraint, bias_constraint: What the weights are brought back to after every step.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, H, W, C), or smaller than the window.

    Example:
        >>> DepthwiseConv2D(3, padding="same")(torch.zeros(1, 32, 32, 16)).shape
        torch.Size([1, 32, 32, 16])
    """

    rank = 4


@registry.register("SeparableConvolution1D")
class SeparableConv1D(SeparableConv):
    """A window for each channel of a series, then a mixing of the channels.

    Input: (N, L, C). Output: (N, L', filters), L' as H' for `Conv2D`.

    Args: as for `SeparableConv2D`, with one size each.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, L, C), or smaller than the window.

    Example:
        >>> SeparableConv1D(8, 5)(torch.zeros(2, 100, 3)).shape
        torch.Size([2, 96, 8])
    """

    rank = 3


@registry.register("SeparableConvolution2D")
class SeparableConv2D(SeparableConv):
    """A window for each channel, as in `DepthwiseConv2D`, then a 1 x 1 convolution that mixes the channels.

    Far fewer products than in a `Conv2D` of the same size.

    Input: (N, H, W, C). Output: (N, H', W', filters), sizes as for `Conv2D`.

    Args:
        filters: How many channels come out.
        kernel_size: Rows and columns of the window; one number for both.
        strides: Cells it moves by.
        padding: "valid" or "same".
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W) in and out.
        dilation_rate: Distance between the cells of the window.
        depth_multiplier: How many windows each channel has.
        activation: A name or a function, applied at the end; None for none.
        use_bias: Whether a bias is added to every filter, at the end.
        depthwise_initializer, pointwise_initializer, bias_initializer: First values; the kernels are (rows, columns,
            C, depth_multiplier) and (1, 1, C * depth_multiplier, filters).
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: Penalties added to the loss.
        activity_regularizer: Penalty on what comes out, divided by N, added to the loss.
        depthwise_constraint, pointwise_constraint, bias_constraint: What the weights are brought back to after every
            step.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, H, W, C), or smaller than the window.

    Source: Chollet, Xception, arXiv 1610.02357.

    Example:
        >>> SeparableConv2D(32, 3, padding="same")(torch.zeros(1, 32, 32, 16)).shape
        torch.Size([1, 32, 32, 32])
    """

    rank = 4
