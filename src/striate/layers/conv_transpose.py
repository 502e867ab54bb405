"""Transposed convolution: every input cell spreads a window of products over a larger output."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_int, check_ints
from striate.foundation.shapes import Shape, Size, Window, extent, product, transposed_count, transposed_crop
from striate.layers.convolution import Convolution
from striate.layers.layer import registry

# By the axes of the array that torch sees; series come as pictures.
CONVOLVE_BACK = {4: F.conv_transpose2d, 5: F.conv_transpose3d}


class ConvTranspose(Convolution):
    """Base of Conv1DTranspose, Conv2DTranspose and Conv3DTranspose."""

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, ...],
        strides: int | tuple[int, ...] = 1,
        padding: str = "valid",
        output_padding: int | tuple[int, ...] | None = None,
        data_format: str | None = None,
        dilation_rate: int | tuple[int, ...] = 1,
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
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = check_ints(self.where, "output_padding", output_padding, self.axes, minimum=0)
            if any(cells >= stride for cells, stride in zip(self.output_padding, self.strides, strict=True)):
                got = f"output_padding={self.output_padding} with strides={self.strides}"
                raise UserError(self.where, got, "less than the stride on every axis", "Change one of them.")
        kernel = kernel_initializer, kernel_regularizer, kernel_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        self.set_options(activation, use_bias, kernel=kernel, bias=bias)

    def build_kernels(self, channels: int) -> None:
        # Keras and torch agree that the kernel is that of the convolution which goes the other way, so that
        # the channels that come in are on the last axis.
        self.kernel = self.lay_out(self.make_weight("kernel", (*self.kernel_size, self.filters, channels)))
        self.bias = self.make_bias(self.filters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        crops = [(0, 0)] * (self.axes == 1) + self._crops()  # a series is a picture of one row
        window = self.inner_window()
        before = [cells for cells, _ in crops]  # torch cuts these on both sides, and then adds again at the end
        again = [max(before - after, 0) for before, after in crops]
        kernel = self.torchs_kernel(self.kernel)
        x = self.inward(x)
        y = CONVOLVE_BACK[x.ndim](x, kernel, self.bias, window.up, before, again, 1, window.dilation)
        for axis, (first, last) in enumerate(crops, 2):
            if last > first:
                y = y.narrow(axis, 0, y.shape[axis] - (last - first))
        return self.activation(self.outward(y))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_channels(input_shape)
        sizes: list[Size] = []
        for size, crop, kernel, dilation, stride in zip(
            self.sizes(input_shape), self._crops(), self.kernel_size, self.dilation_rate, self.strides, strict=True
        ):
            sizes.append(transposed_count(size, extent(kernel, dilation), stride, crop))
        if any(size is not None and size < 1 for size in sizes):
            needs = "sizes of which something is left: output_padding and padding='same' take these away"
            raise self.refuse_shape(input_shape, needs, "Leave output_padding out, or use larger inputs.")
        return self.with_sizes(input_shape, tuple(sizes), self.filters)

    def _crops(self) -> list[tuple[int, int]]:
        """Cells that Keras cuts before and after each axis."""
        more = self.output_padding or (None,) * self.axes
        return [
            transposed_crop(extent(kernel, dilation), stride, self.padding, cells)
            for kernel, dilation, stride, cells in zip(
                self.kernel_size, self.dilation_rate, self.strides, more, strict=True
            )
        ]

    def window(self) -> Window:
        return Window(self.kernel_size, (1,) * self.axes, self.dilation_rate, up=self.strides)

    def filters_for(self, channels: int) -> int:
        return self.filters

    def products(self, channels: int, cells_in: int, cells_out: int) -> int:
        return cells_in * self.filters * int(product(self.kernel_size) or 0) * channels

    def config(self) -> dict[str, Any]:
        cells = self.output_padding
        return {
            "filters": self.filters,
            "output_padding": None if cells is None else list(cells),
            **super().config(),
        }


@registry.register("Convolution1DTranspose")
class Conv1DTranspose(ConvTranspose):
    """Makes longer series out of shorter ones, every step spreading a window of products.

    Input: (N, L, C). Output: (N, L', filters), L' as H' for `Conv2DTranspose`.

    Args: as for `Conv2DTranspose`, with one size each.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, L, C).

    Example:
        >>> Conv1DTranspose(8, 4, strides=2, padding="same")(torch.zeros(2, 50, 3)).shape
        torch.Size([2, 100, 8])
    """

    rank = 3


@registry.register("Convolution2DTranspose")
class Conv2DTranspose(ConvTranspose):
    """Makes larger pictures out of smaller ones: every input cell spreads a window of products over the output.

    It is the gradient of a `Conv2D` with respect to its input, as a layer: what goes from (N, H', W', filters) back to
    (N, H, W, C).

    Input: (N, H, W, C). Output: (N, H', W', filters), H' = (H - 1) * stride + kernel for "valid" (at least
    H * stride), H * stride for "same".

    Args:
        filters: How many channels come out.
        kernel_size: Rows and columns of the window; one number for both.
        strides: Distance, in output cells, between what neighbouring input cells spread.
        padding: "valid": keeps all of the output; "same": cuts it to H * stride.
        output_padding: Cells added at the end, less than the stride; then H' = (H - 1) * stride + kernel +
            output_padding for "valid", and (H - 1) * stride + kernel % 2 + output_padding for "same".
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W) in and out.
        dilation_rate: Distance between the cells of the window.
        activation: A name or a function; None for none.
        use_bias: Whether a bias is added to every filter.
        kernel_initializer, bias_initializer: First values; the kernel is (rows, columns, filters, C).
        kernel_regularizer, bias_regularizer: Penalties added to the loss.
        activity_regularizer: Penalty on what comes out, divided by N, added to the loss.
        kernel_constraint, bias_constraint: What the weights are brought back to after every step.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, H, W, C).

    Source: Zeiler et al., Deconvolutional networks, CVPR 2010; Dumoulin and Visin, arXiv 1603.07285, chapter 4.

    Example:
        >>> Conv2DTranspose(8, 3, strides=2, padding="same")(torch.zeros(1, 16, 16, 32)).shape
        torch.Size([1, 32, 32, 8])
    """

    rank = 4


@registry.register("Convolution3DTranspose")
class Conv3DTranspose(ConvTranspose):
    """Makes larger volumes out of smaller ones, every cell spreading a window of products.

    Input: (N, D, H, W, C). Output: (N, D', H', W', filters), sizes as for `Conv2DTranspose`.

    Args: as for `Conv2DTranspose`, with three sizes each.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, D, H, W, C).

    Example:
        >>> Conv3DTranspose(2, 2, strides=2)(torch.zeros(1, 3, 4, 5, 2)).shape
        torch.Size([1, 6, 8, 10, 2])
    """

    rank = 5

    def __init__(  # Keras's order of arguments, here alone, is data_format before output_padding
        self,
        filters: int,
        kernel_size: int | tuple[int, ...],
        strides: int | tuple[int, ...] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: int | tuple[int, ...] | None = None,
        dilation_rate: int | tuple[int, ...] = 1,
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
        window = filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate
        weights = kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        constraints = kernel_constraint, bias_constraint
        super().__init__(*window, activation, use_bias, *weights, activity_regularizer, *constraints, **options)
