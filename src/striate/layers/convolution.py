"""What all convolutions share: a window of weights, how it moves, a bias and an activation."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_choice, check_ints
from striate.foundation.shapes import Shape, Window, product
from striate.layers.spatial import Spatial, check_data_format, pad
from striate.layers.structure import autocasts
from striate.layers.weighted import Weighted

# By the axes of the array that torch sees; series come as pictures. In mixed precision torch casts what these take,
# which it does not do for torch.convolution.
CONVOLVE = {4: F.conv2d, 5: F.conv3d}
# Below as many channels as a vector has numbers, the gradient of a strided window of one cell writes where it must not
# (oneDNN 3.12, issue 6035; with 3 channels the process dies).
FEW_CHANNELS = 16


def in_order(values: torch.Tensor) -> torch.Tensor:
    """A copy that lies in the order of its axes, those of one cell included.

    What `contiguous` leaves as it is, where an axis has one cell, torch's transposed convolution may refuse.
    """
    return values.clone(memory_format=torch.contiguous_format)


class Convolution(Spatial, Weighted):
    """Base of all layers that slide a window of weights: Conv, ConvTranspose, DepthwiseConv and SeparableConv."""

    casts_integers = True

    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")

    def set_window(self, kernel_size: Any, strides: Any, padding: Any, data_format: Any, dilation_rate: Any) -> None:
        """Check and keep the arguments that say how the window moves."""
        self.kernel_size = check_ints(self.where, "kernel_size", kernel_size, self.axes)
        self.strides = check_ints(self.where, "strides", strides, self.axes)
        self.padding = check_choice(self.where, "padding", padding, self.paddings)
        self.data_format = check_data_format(self.where, data_format)
        self.dilation_rate = check_ints(self.where, "dilation_rate", dilation_rate, self.axes)

    def refuse_strides_with_dilation(self) -> None:
        """Keras takes strides or dilation, but not both, where it counts the cells itself."""
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            got = f"strides={self.strides} with dilation_rate={self.dilation_rate}"
            raise UserError(self.where, got, "one of them to be 1, as Keras does", "Change one of them.")

    def build(self, input_shape: Shape) -> None:
        self.channels = self.check_channels(input_shape)
        self.build_kernels(self.channels)

    def build_kernels(self, channels: int) -> None:
        """Make the weights for inputs with so many channels."""
        raise NotImplementedError

    def filters_for(self, channels: int) -> int:
        """How many channels come out for so many that go in."""
        raise NotImplementedError

    def products(self, channels: int, cells_in: int, cells_out: int) -> int:
        """How many products the layer sums up for one item, by the number of its channels and spatial cells."""
        raise NotImplementedError

    def check_channels(self, input_shape: Shape) -> int:
        """The number of channels of an input with the right axes."""
        self.check_rank(input_shape)
        channels = input_shape[self.channel_axis]
        if channels is None:
            fix = "Give Input or input_shape a size there."
            raise self.refuse_shape(input_shape, "a known number of channels", fix)
        if self.built and channels != self.channels:
            axis, letters = ("the last axis", "(N, H, W, C)") if self.channel_axis == -1 else ("axis 1", "(N, C, H, W)")
            fix = f"Feed it what it was built for; pictures are {letters}."
            raise self.refuse_shape(input_shape, f"{self.channels} channels on {axis}", fix)
        return channels

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        channels = self.check_channels(input_shape)
        return self.with_sizes(input_shape, self.slide(input_shape, self.padding), self.filters_for(channels))

    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.dilation_rate)

    def flops(self, input_shape: Shape) -> int:
        channels = self.check_channels(input_shape)
        output_shape = self.compute_output_shape(input_shape)
        cells_in, cells_out = (int(product(self.sizes(shape)) or 0) for shape in (input_shape, output_shape))
        bias = int(self.use_bias) * self.filters_for(channels) * cells_out
        return 2 * self.products(channels, cells_in, cells_out) + bias

    def config(self) -> dict[str, Any]:
        return {
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": list(self.dilation_rate),
            **super().config(),
        }

    # Torch's view of it --------------------------------------------------------------------------

    def lay_out(self, kernel: torch.nn.Parameter) -> torch.nn.Parameter:
        """Keras's axes (window, in, out) over the memory that torch reads fastest, which depends on the data's.

        No copy in forward, and gradients arrive in the same order.
        """
        torchs = (-1, -2), (0, 1)  # (out, in, window), as the data with channels on axis 1
        ours = (-1,), (0,)  # (out, window, in), as the data with channels on the last axis
        there, back = torchs if self.channel_axis == 1 else ours
        kernel.data = in_order(kernel.data.movedim(there, back)).movedim(back, there)
        return kernel

    def torchs_kernel(self, kernel: torch.Tensor) -> torch.Tensor:
        """(window, in, out) as torch is to see it: (out, in, window), the same memory."""
        kernel = kernel.movedim((-1, -2), (0, 1))
        return kernel.unsqueeze(2) if self.axes == 1 else kernel

    def convolve(
        self, x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, groups: int = 1
    ) -> torch.Tensor:
        """Slide the layer's window over (N, C, H, W) or (N, C, D, H, W); the kernel as torch sees it."""
        window = self.inner_window()
        x, padding = pad(x, window, self.padding, 0.0)
        stride = window.stride
        if max(window.kernel) == 1 and x.shape[1] < FEW_CHANNELS:
            x = x[(slice(None), slice(None), *(slice(None, None, step) for step in stride))]
            stride = (1,) * len(stride)
        if x.ndim == 5 and 2 in x.shape[2:] and autocasts(x.device.type):
            # oneDNN 3.12's gradient of the weights in bfloat16 reads what nobody wrote where channels lie last.
            x, kernel = x.contiguous(), kernel.contiguous()
        return CONVOLVE[x.ndim](x, kernel, bias, stride, padding, window.dilation, groups)
