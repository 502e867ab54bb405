"""Convolution: a filter slides over the input and sums products."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_choice, check_int, check_ints
from striate.foundation.shapes import Shape, Window, product
from striate.layers.layer import Layer, registry
from striate.layers.spatial import channels_first, channels_last, check_data_format, pad_same, slide
from striate.layers.weighted import KernelOptions


class Convolution(Layer):
    """Base of Conv1D, Conv2D and Conv3D, which differ in the number of spatial axes only."""

    casts_integers = True

    axes: ClassVar[int]

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
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.filters = check_int(self.where, "filters", filters)
        self.kernel_size = check_ints(self.where, "kernel_size", kernel_size, self.axes)
        self.strides = check_ints(self.where, "strides", strides, self.axes)
        self.padding = check_choice(self.where, "padding", padding, ("valid", "same"))
        self.data_format = check_data_format(self.where, data_format)
        self.dilation_rate = check_ints(self.where, "dilation_rate", dilation_rate, self.axes)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            got = f"strides={self.strides} with dilation_rate={self.dilation_rate}"
            raise UserError(self.where, got, "one of them to be 1, as Keras does", "Change one of them.")
        self.groups = check_int(self.where, "groups", groups)
        if self.filters % self.groups:
            needs = f"groups that divide filters={self.filters}"
            raise UserError(self.where, f"groups={groups}", needs, "Change groups or filters.")
        self.options = KernelOptions.check(
            self.where,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        self.activation = self.options.activation

    def build(self, input_shape: Shape) -> None:
        options = self.options
        shape = (*self.kernel_size, int(input_shape[-1] or 0) // self.groups, self.filters)
        self.kernel = self.add_weight(shape, options.kernel_initializer, regularizer=options.kernel_regularizer)
        # Keras's axes (window, in, out) over the memory torch's convolution reads fastest (out, window, in):
        # no copy in forward, and gradients arrive in the same order.
        self.kernel.data = self.kernel.data.movedim(-1, 0).contiguous().movedim(0, -1)
        self.bias = None
        if options.use_bias:
            initializer, regularizer = options.bias_initializer, options.bias_regularizer
            self.bias = self.add_weight((self.filters,), initializer, regularizer=regularizer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = channels_first(x)
        padding = [0] * self.axes
        if self.padding == "same":
            x, padding = pad_same(x, self.window(), 0.0)
        weight = self.kernel.movedim((-1, -2), (0, 1))
        y = torch.convolution(
            x, weight, self.bias, self.strides, padding, self.dilation_rate, False, [0] * self.axes, self.groups
        )
        return self.activation(channels_last(y))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        channels = input_shape[-1]
        if channels is None:
            raise self.refuse_shape(
                input_shape, "a known number of channels", "Give Input or input_shape a size there."
            )
        if channels % self.groups:
            raise self.refuse_shape(input_shape, f"channels that groups={self.groups} divides", "Change groups.")
        if self.built and channels != self.kernel.shape[-2] * self.groups:
            needs = f"{self.kernel.shape[-2] * self.groups} channels on the last axis"
            raise self.refuse_shape(input_shape, needs, "Feed it what it was built for; pictures are (N, H, W, C).")
        return (input_shape[0], *slide(self, input_shape, self.window(), self.padding), self.filters)

    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.dilation_rate)

    def flops(self, input_shape: Shape) -> int:
        cells = product(self.compute_output_shape(input_shape)[1:]) or 0
        products = int(product(self.kernel_size) or 0) * int(input_shape[-1] or 0) // self.groups
        return cells * (2 * products + int(self.options.use_bias))

    def config(self) -> dict[str, Any]:
        return {
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": list(self.dilation_rate),
            "groups": self.groups,
            **self.options.config(),
        }


@registry.register("Convolution2D")
class Conv2D(Convolution):
    """Slides `filters` windows over pictures; each output cell is the sum of products, plus bias, activated.

    Input: (N, H, W, C). Output: (N, H', W', filters), H' = (H - kernel) // stride + 1 for "valid",
    ceil(H / stride) for "same".

    Args:
        filters: How many channels come out.
        kernel_size: Rows and columns of the window; one number for both.
        strides: Cells it moves by.
        padding: "valid": stays inside; "same": zeros around, so that stride 1 keeps the size.
        data_format: "channels_last".
        dilation_rate: Distance between the cells of the window.
        groups: Splits the channels into groups that do not see each other.
        activation: A name or a function; None for none.
        use_bias: Whether a bias is added to every filter.
        kernel_initializer, bias_initializer: First values; the kernel is (rows, columns, C / groups, filters).
        kernel_regularizer, bias_regularizer: Penalties added to the loss.

    Raises:
        UserError: An argument is out of range.
        ShapeError: The input is not (N, H, W, C), or smaller than the window.

    Example:
        >>> Conv2D(32, (3, 3), activation="relu")(torch.zeros(1, 64, 64, 3)).shape
        torch.Size([1, 62, 62, 32])
    """

    axes = 2
    rank = 4
