"""Activations: functions by Keras's names, and the layers that apply them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_number, is_int, nearest
from striate.foundation.shapes import Shape
from striate.layers.layer import Elementwise, registry

Function = Callable[[torch.Tensor], torch.Tensor]


def linear(x: torch.Tensor) -> torch.Tensor:
    """The input itself."""
    return x


FUNCTIONS: dict[str, Function] = {
    "linear": linear,
    "relu": torch.relu,
    "relu6": F.relu6,
    "leaky_relu": partial(F.leaky_relu, negative_slope=0.2),
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "hard_silu": F.hardswish,
    "hard_sigmoid": F.hardsigmoid,
    "mish": F.mish,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "sigmoid": torch.sigmoid,
    "log_sigmoid": F.logsigmoid,
    "tanh": torch.tanh,
    "exponential": torch.exp,
    "softmax": partial(torch.softmax, dim=-1),
    "log_softmax": partial(torch.log_softmax, dim=-1),
}
ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}


def get(identifier: Any, where: str = "Activation") -> Function:
    """The function for a name; None is the identity, a callable is itself.

    Raises:
        UserError: There is none of that name; the nearest is suggested.

    Example:
        >>> get("relu")(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):  # Keras writes functions as {"class_name": "function", "config": "relu"}
        identifier = identifier.get("config")
    if isinstance(identifier, str):
        name = ALIASES.get(identifier.lower(), identifier.lower())
        if name in FUNCTIONS:
            return FUNCTIONS[name]
    elif callable(identifier):
        return identifier
    needs = "the name of a known activation, or a function of one tensor"
    raise UserError(where, f"activation={identifier!r}", needs, nearest(str(identifier), [*FUNCTIONS, *ALIASES]))


def serialize(function: Function) -> str:
    """The name of a function, as files hold it.

    Raises:
        UserError: It is the user's own function: files carry no code.
    """
    for name, known in FUNCTIONS.items():
        if function is known:
            return name
    needs = "one known by name, since files carry no code"
    got = f"the function {getattr(function, '__name__', function)!r}"
    raise UserError("An activation to be saved", got, needs, "Save the weights alone, or use a named activation.")


@registry.register()
class Activation(Elementwise):
    """Applies a function to every element.

    Input and output: any shape.

    Args:
        activation: A name ("relu", "softmax", ...) or a function of one tensor.
    """

    casts_integers = True

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = get(activation, self.where)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(x)

    def config(self) -> dict[str, Any]:
        return {"activation": serialize(self.activation)}


@registry.register()
class ReLU(Elementwise):
    """Zero for what is below the threshold, the input above it.

    Input and output: any shape.

    Args:
        max_value: The largest value that comes out; None for no limit.
        negative_slope: Slope below the threshold.
        threshold: Values up to it are damped: negative_slope * (x - threshold).

    Example:
        >>> ReLU(max_value=1.0)(torch.tensor([-1.0, 0.5, 2.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **options: Any
    ) -> None:
        super().__init__(**options)
        needs = "a number of at least 0"
        if max_value is not None:
            max_value = check_number(self.where, "max_value", max_value, needs, lambda value: value >= 0)
        self.max_value = max_value
        self.negative_slope = check_number(self.where, "negative_slope", negative_slope, needs, lambda v: v >= 0)
        self.threshold = check_number(self.where, "threshold", threshold, needs, lambda value: value >= 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.negative_slope and self.max_value is None and not self.threshold:
            return F.leaky_relu(x, self.negative_slope)
        y = torch.where(x > self.threshold, x, 0.0) if self.threshold else torch.relu(x)
        if self.max_value is not None:
            y = y.clamp(max=self.max_value)
        return y - self.negative_slope * torch.relu(self.threshold - x) if self.negative_slope else y

    def config(self) -> dict[str, Any]:
        slope, threshold = self.negative_slope, self.threshold
        return {"max_value": self.max_value, "negative_slope": slope, "threshold": threshold}


@registry.register()
class Softmax(Elementwise):
    """Positive numbers that sum to one along an axis.

    Input and output: any shape.

    Args:
        axis: Along which they sum to one.

    Raises:
        ShapeError: The input has no such axis.
    """

    casts_integers = True

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        if not is_int(axis):
            raise UserError(self.where, f"axis={axis!r}", "a whole number", "Pass axis=-1 for the last axis.")
        self.axis = int(axis)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, self.axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise self.refuse_shape(input_shape, f"an axis {self.axis}", "Change axis.")
        return input_shape

    def config(self) -> dict[str, Any]:
        return {"axis": self.axis}
