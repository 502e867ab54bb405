"""The fully connected layer."""

from typing import Any

import torch

from striate.foundation.checks import check_int
from striate.foundation.shapes import Shape
from striate.layers.layer import registry
from striate.layers.structure import is_shape
from striate.layers.weighted import Weighted


@registry.register()
class Dense(Weighted):
    """activation(x @ kernel + bias), along the last axis.

    Input: (N, ..., C). Output: (N, ..., units).

    Args:
        units: How many values come out.
        activation: A name or a function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, bias_regularizer: Penalties added to the loss.
        activity_regularizer: Penalty on what comes out, divided by N, added to the loss.
        kernel_constraint, bias_constraint: What the weights are brought back to after every step.

    Raises:
        ShapeError: The input has fewer than two axes, a last axis of unknown size, or another size than before.

    Example:
        >>> Dense(128, activation="relu")(torch.zeros(2, 30)).shape
        torch.Size([2, 128])
    """

    casts_integers = True
    supports_masking = True

    def __init__(
        self,
        units: int,
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
        self.units = check_int(self.where, "units", units)
        kernel = kernel_initializer, kernel_regularizer, kernel_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        self.set_options(activation, use_bias, kernel=kernel, bias=bias)

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.make_weight("kernel", (int(input_shape[-1] or 0), self.units))
        self.bias = self.make_bias(self.units)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(torch.nn.functional.linear(x, self.kernel.t(), self.bias))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not is_shape(input_shape) or len(input_shape) < 2:
            raise self.refuse_shape(input_shape, "(N, ..., C)", "Add the batch axis: x[None].")
        if input_shape[-1] is None:
            raise self.refuse_shape(input_shape, "a last axis of known size", "Give Input or input_shape a size there.")
        if self.built and input_shape[-1] != self.kernel.shape[0]:
            fix = "Feed it what it was built for, or make a new layer."
            raise self.refuse_shape(input_shape, f"{self.kernel.shape[0]} on the last axis", fix)
        return (*input_shape[:-1], self.units)

    def flops(self, input_shape: Shape) -> int:
        cells = 1
        for size in input_shape[1:-1]:
            cells *= size or 1
        return cells * self.units * (2 * int(input_shape[-1] or 0) + int(self.use_bias))

    def config(self) -> dict[str, Any]:
        return {"units": self.units, **super().config()}
