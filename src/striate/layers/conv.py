"""Convolution: a filter slides over the input and sums products."""

from typing import Any

import torch

from striate.foundation.checks import UserError, check_int
from striate.foundation.shapes import Shape, product
from striate.layers.convolution import Convolution
from striate.layers.layer import registry


class Conv(Convolution):
    """Base of Conv1D, Conv2D and Conv3D, which differ in the number of spatial axes only."""

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, ...],
        strides: int | tuple[int, ...] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | tuple[int, ...] = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        self.filters = check_int(self.where, "filters", filters)
        self.set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self.refuse_strides_with_dilation()
        self.groups = check_int(self.where, "groups", groups)
        if self.filters % self.groups:
            needs = f"groups that divide filters={self.filters}"
            raise UserError(self.where, f"groups={groups}", needs, "Change groups or filters.")
        kernel = kernel_initializer, kernel_regularizer, kernel_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        self.set_options(activation, use_bias, kernel=kernel, bias=bias)

    def build_kernels(self, channels: int) -> None:
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.lay_out(self.make_weight("kernel", shape))
        self.bias = self.make_bias(self.filters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolve(self.inward(x), self.torchs_kernel(self.kernel), self.bias, self.groups)
        return self.activation(self.outward(y))

    def check_channels(self, input_shape: Shape) -> int:
        channels = super().check_channels(input_shape)
        if channels % self.groups:
            raise self.refuse_shape(input_shape, f"channels that groups={self.groups} divides", "Change groups.")
        return channels

    def filters_for(self, channels: int) -> int:
        return self.filters

    def products(self, channels: int, cells_in: int, cells_out: int) -> int:
        return cells_out * self.filters * int(product(self.kernel_size) or 0) * (channels // self.groups)

    def config(self) -> dict[str, Any]:
        return {"filters": self.filters, "groups": self.groups, **super().config()}


@registry.register("Convolution1D")
class Conv1D(Conv):
    """Slides `filters` windows over series, such as sounds or measurements.

    Input: (N, L, C). Output: (N, L', filters), L' as H' for `Conv2D`, and ceil(L / stride) for "causal".

    Args: as for `Conv2D`, with one size each.
        padding: "valid", "same", or "causal": zeros before the series only, so that no step sees a later one.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, L, C), or smaller than the window.

    Source: "causal" is from van den Oord et al., WaveNet, arXiv 1609.03499.

    Example:
        >>> Conv1D(8, 3, padding="causal", dilation_rate=4)(torch.zeros(2, 100, 3)).shape
        torch.Size([2, 100, 8])
    """

    rank = 3
    paddings = ("valid", "same", "causal")


@registry.register("Convolution2D")
class Conv2D(Conv):
    """Slides `filters` windows over pictures; each output cell is the sum of products, plus bias, activated.

    Input: (N, H, W, C). Output: (N, H', W', filters), H' = (H - kernel) // stride + 1 for "valid",
    ceil(H / stride) for "same".

    Args:
        filters: How many channels come out.
        kernel_size: Rows and columns of the window; one number for both.
        strides: Cells it moves by.
        padding: "valid": stays inside; "same": zeros around, so that stride 1 keeps the size.
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W) in and out.
        dilation_rate: Distance between the cells of the window.
        groups: Splits the channels into groups that do not see each other.
        activation: A name or a function; None for none.
        use_bias: Whether a bias is added to every filter.
        kernel_initializer, bias_initializer: First values; the kernel is (rows, columns, C / groups, filters).
        kernel_regularizer, bias_regularizer: Penalties added to the loss.
        activity_regularizer: Penalty on what comes out, divided by N, added to the loss.
        kernel_constraint, bias_constraint: What the weights are brought back to after every step.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, H, W, C), or smaller than the window.

    Example:
        >>> Conv2D(32, (3, 3), activation="relu")(torch.zeros(1, 64, 64, 3)).shape
        torch.Size([1, 62, 62, 32])
    """

    rank = 4


@registry.register("Convolution3D")
class Conv3D(Conv):
    """Slides `filters` windows over volumes, such as scans or films.

    Input: (N, D, H, W, C). Output: (N, D', H', W', filters), sizes as for `Conv2D`.

    Args: as for `Conv2D`, with three sizes each.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, D, H, W, C), or smaller than the window.

    Example:
        >>> Conv3D(4, 3, padding="same")(torch.zeros(1, 6, 7, 8, 2)).shape
        torch.Size([1, 6, 7, 8, 4])
    """

    rank = 5
