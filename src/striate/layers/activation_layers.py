"""Activations as layers."""

import warnings
from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_number, is_int
from striate.foundation.shapes import Shape, describe
from striate.layers import activation as activations
from striate.layers import activation_names
from striate.layers.elementwise import Elementwise
from striate.layers.layer import registry
from striate.layers.weight_options import WeightOptions

AT_LEAST_0 = "a number of at least 0"


@registry.register()
class Activation(Elementwise):
    """Applies a function to every element.

    Input and output: any shape; "glu" halves the last axis.

    Args:
        activation: A name ("relu", "softmax", ...) or a function of one tensor.

    Raises:
        UserError: There is no activation of that name.
        ShapeError: The last axis is to be halved and is odd.

    Example:
        >>> Activation("hard_tanh")(torch.tensor([-3.0, 0.5]))
        tensor([-1.0000, 0.5000])
    """

    casts_integers = True
    activation: activations.Function

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activation

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "activation":
            function = activation_names.find(value, self.where)
            value = function if function is activations.glu else activation_names.get(function, self.where)
            self._modules.pop(name, None)  # torch lets no function take the place of a module
        super().__setattr__(name, value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        if self.activation is not activations.glu:
            return input_shape
        size = input_shape[-1] if input_shape else 1
        if size is not None and size % 2:
            raise self.refuse_shape(input_shape, "an even last axis, which glu halves", "Make twice as many channels.")
        return (*input_shape[:-1], None if size is None else size // 2)

    def config(self) -> dict[str, Any]:
        return {"activation": activation_names.serialize(self.activation)}


@registry.register()
class ReLU(Elementwise):
    """Zero for what is below the threshold, the input above it.

    Input and output: any shape.

    Args:
        max_value: The largest value that comes out; None for no limit.
        negative_slope: Slope below the threshold.
        threshold: Values up to it are damped: negative_slope * (x - threshold).

    Raises:
        UserError: One of them is negative.

    Example:
        >>> ReLU(max_value=1.0)(torch.tensor([-1.0, 0.5, 2.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **options: Any
    ) -> None:
        super().__init__(**options)
        if max_value is not None:
            max_value = check_number(self.where, "max_value", max_value, AT_LEAST_0, lambda value: value >= 0)
        self.max_value = max_value
        self.negative_slope = check_number(self.where, "negative_slope", negative_slope, AT_LEAST_0, lambda v: v >= 0)
        self.threshold = check_number(self.where, "threshold", threshold, AT_LEAST_0, lambda value: value >= 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold)

    def config(self) -> dict[str, Any]:
        slope, threshold = self.negative_slope, self.threshold
        return {"max_value": self.max_value, "negative_slope": slope, "threshold": threshold}


@registry.register()
class LeakyReLU(Elementwise):
    """The input, times a slope where it is below 0.

    Input and output: any shape.

    Args:
        negative_slope: The slope.

    Raises:
        UserError: The slope is negative.

    Example:
        >>> LeakyReLU()(torch.tensor([-1.0, 2.0]))
        tensor([-0.3000, 2.0000])
    """

    casts_integers = True

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        if "alpha" in options:
            warnings.warn("LeakyReLU's alpha is called negative_slope since Keras 3.", stacklevel=2)
            negative_slope = options.pop("alpha")
        super().__init__(**options)
        self.negative_slope = check_number(self.where, "negative_slope", negative_slope, AT_LEAST_0, lambda v: v >= 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(x, self.negative_slope)

    def config(self) -> dict[str, Any]:
        return {"negative_slope": self.negative_slope}


@registry.register()
class ELU(Elementwise):
    """The input, alpha * (exp(x) - 1) where it is below 0.

    Input and output: any shape.

    Args:
        alpha: What comes out far below 0, with the sign changed.

    Source: Clevert et al., arXiv 1511.07289.

    Example:
        >>> ELU(alpha=2.0)(torch.tensor([-50.0, 3.0]))
        tensor([-2., 3.])
    """

    casts_integers = True

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.alpha = check_number(self.where, "alpha", alpha, "a number")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.elu(x, self.alpha)

    def config(self) -> dict[str, Any]:
        return {"alpha": self.alpha}


@registry.register()
class PReLU(WeightOptions, Elementwise):
    """The input, times a slope that is learned where it is below 0.

    Input and output: (N, ...).

    Args:
        alpha_initializer: First values of the slopes.
        alpha_regularizer: Penalty added to the loss.
        alpha_constraint: What the slopes are brought back to after every step.
        shared_axes: Axes along which all cells have the same slope: [1, 2] for one for each channel of pictures.

    Raises:
        UserError: shared_axes are no whole numbers from 1.
        ShapeError: The input has no such axes, or one that is not shared and whose size is not known.

    Source: He et al., arXiv 1502.01852.

    Example:
        >>> layer = PReLU("ones", shared_axes=[1, 2])
        >>> layer(-torch.ones(1, 4, 4, 3)).mean().item(), tuple(layer.alpha.shape)
        (-1.0, (1, 1, 3))
    """

    casts_integers = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.set_weight_options(alpha=(alpha_initializer, alpha_regularizer, alpha_constraint))
        axes = [shared_axes] if is_int(shared_axes) else shared_axes
        if axes is not None and not (isinstance(axes, list | tuple) and all(is_int(a) and a >= 1 for a in axes)):
            needs = "a list of whole numbers from 1, since axis 0 is the batch"
            raise UserError(self.where, f"shared_axes={shared_axes!r}", needs, "Pass for example [1, 2].")
        self.shared_axes = None if axes is None else [int(axis) for axis in axes]

    def build(self, input_shape: Shape) -> None:
        self.alpha = self.make_weight("alpha", self._slopes_for(input_shape))

    def _slopes_for(self, input_shape: Shape) -> tuple[int, ...]:
        shared = self.shared_axes or []
        return tuple(1 if axis in shared else int(size or 0) for axis, size in enumerate(input_shape) if axis)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Half the time of torch's prelu; and hardtanh, like Keras's relu(-x), has no gradient at 0.
        return torch.addcmul(torch.relu(x), self.alpha, F.hardtanh(x, -torch.inf, 0.0))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        shared = self.shared_axes or []
        if not input_shape or max(shared, default=0) >= len(input_shape):
            needs = f"(N, ...) with the axes {shared} that are to be shared"
            raise self.refuse_shape(input_shape, needs, "Change shared_axes.")
        unknown = [axis for axis, size in enumerate(input_shape) if axis and axis not in shared and size is None]
        if unknown:
            needs = f"a known size on axis {unknown[0]}, which has a slope for every cell"
            raise self.refuse_shape(input_shape, needs, "Add the axis to shared_axes, or give Input a size there.")
        slopes = self._slopes_for(input_shape)
        if self.built and slopes != tuple(self.alpha.shape):
            needs = f"one that slopes of shape {describe(self.alpha.shape)} fit"
            raise self.refuse_shape(input_shape, needs, "Feed it what it was built for, or make a new layer.")
        return input_shape

    def config(self) -> dict[str, Any]:
        return {**super().config(), "shared_axes": self.shared_axes}


@registry.register()
class Softmax(Elementwise):
    """Positive numbers that sum to one along an axis, or along several together.

    Input and output: any shape. Called with `mask`, what the mask leaves out becomes 0 and the rest sums to one.

    Args:
        axis: Along which they sum to one; a list for several.

    Raises:
        UserError: The mask does not stretch to the input.
        ShapeError: The input has no such axis.

    Example:
        >>> Softmax()(torch.zeros(1, 3), mask=torch.tensor([[True, True, False]]))
        tensor([[0.5000, 0.5000, 0.0000]])
    """

    casts_integers = True

    def __init__(self, axis: int | list[int] = -1, **options: Any) -> None:
        super().__init__(**options)
        several = isinstance(axis, list | tuple) and len(axis) > 0
        if not (is_int(axis) or (several and all(map(is_int, axis)))):  # type: ignore[arg-type]
            needs = "a whole number, or a list of them"
            raise UserError(self.where, f"axis={axis!r}", needs, "Pass axis=-1 for the last axis.")
        self.axis: Any = [int(one) for one in axis] if several else int(axis)  # type: ignore[union-attr, arg-type]

    @property
    def axes(self) -> list[int]:
        """The axes as a list."""
        return self.axis if isinstance(self.axis, list) else [self.axis]

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if mask is not None:
            mask = self._fitting(mask, x)
            x = torch.where(mask, x, -3e4 if x.dtype == torch.float16 else -1e9)
        if len(self.axes) == 1:
            y = torch.softmax(x, self.axes[0])
        else:
            y = torch.exp(x - torch.logsumexp(x, self.axes, keepdim=True))
        return y if mask is None else torch.where(mask, y, 0.0)  # also where all of them are left out

    def _fitting(self, mask: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The mask as True and False, if it stretches to the input."""
        sizes = zip(reversed(mask.shape), reversed(x.shape), strict=False)
        if mask.ndim > x.ndim or any(size not in (1, own) for size, own in sizes):
            got, needs = f"a mask of shape {describe(mask.shape)}", f"one that stretches to {describe(x.shape)}"
            raise UserError(self.where, got, needs, "Give it axes of 1 where it is the same for all.")
        return mask if mask.dtype == torch.bool else mask > 0.5

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        for axis in self.axes:
            if not -len(input_shape) <= axis < len(input_shape):
                raise self.refuse_shape(input_shape, f"an axis {axis}", "Change axis.")
        return input_shape

    def config(self) -> dict[str, Any]:
        return {"axis": self.axis}
