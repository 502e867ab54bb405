"""A layer applied to each step of a sequence."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import UnsupportedError
from striate.foundation.shapes import Shape
from striate.layers.forms import inner_form, inner_layer, is_custom
from striate.layers.layer import Layer, registry
from striate.layers.normalization import BatchNormalization
from striate.layers.regularization import Dropout
from striate.layers.structure import is_shape
from striate.layers.symbol import ShapeError
from striate.layers.wrapper import TorchModule, as_layer


@registry.register()
class TimeDistributed(Layer):
    """Applies a layer (or a model) to each step on its own, with the same weights.

    Input: (N, T, ...). Output: (N, T, ...), what the layer makes of (N, ...) at each step.

    Where no item of a batch can change another, all steps are computed as one batch.

    Args:
        layer: A layer, a model or a torch module.

    Raises:
        UserError: It is none of these.
        UnsupportedError: It has an activity_regularizer.
        ShapeError: The input has no steps, or the layer does not take one, or gives several outputs.

    Example:
        >>> from striate.layers import Conv2D
        >>> TimeDistributed(Conv2D(4, 3))(torch.zeros(2, 5, 8, 8, 3)).shape
        torch.Size([2, 5, 6, 6, 4])
    """

    only_numbers: ClassVar[bool] = True
    supports_masking = True

    def __init__(self, layer: Any, **options: Any) -> None:
        super().__init__(**options)
        layer = as_layer(layer, self.where) if isinstance(layer, torch.nn.Module) else layer
        self.layer = inner_layer(self.where, layer, "a layer or a model")
        if self.layer.activity_regularizer is not None:
            got, needs = f"{self.layer.where} with an activity_regularizer", "a layer without: Keras ignores it here"
            raise UnsupportedError(self.where, got, needs, "Give the activity_regularizer to TimeDistributed.")

    def build(self, input_shape: Shape) -> None:
        self.layer.ensure_built(self._step_shape(input_shape))

    def forward(self, inputs: torch.Tensor, mask: Any = None) -> torch.Tensor:
        masked = mask is not None and self.layer._takes("mask")
        mask = torch.as_tensor(mask, device=inputs.device) if masked else None
        if self._mixes_items():
            masks = [None] * inputs.shape[1] if mask is None else mask.unbind(1)
            steps = zip(inputs.unbind(1), masks, strict=True)
            return torch.stack([self._at_step(step, of_step) for step, of_step in steps], 1)
        output = self._at_step(inputs.flatten(0, 1), None if mask is None else mask.flatten(0, 1))
        return output.unflatten(0, inputs.shape[:2])

    def _at_step(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        return self.layer(x) if mask is None else self.layer(x, mask=mask)

    def _mixes_items(self) -> bool:
        """Whether what comes out for an item may depend on the others of its batch, so that steps must not meet."""
        return any(
            (isinstance(part, Layer) and is_custom(type(part)))
            or isinstance(part, TorchModule)
            or (isinstance(part, BatchNormalization) and part.training)
            or (isinstance(part, Dropout) and part.noise_shape is not None)
            or getattr(part, "stateful", False)
            or getattr(part, "activity_regularizer", None) is not None  # whose share is by item
            for part in self.layer.modules()
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        try:
            output = self.layer.compute_output_shape(self._step_shape(input_shape))
        except ShapeError as error:
            if error.where == self.where:
                raise
            raise self.refuse_shape(
                input_shape, f"steps that are {error.needs}, for {error.where}", error.fix
            ) from None
        if not is_shape(output):
            needs = "a layer with one output"
            raise self.refuse_shape(input_shape, needs, "Call the layer on each step, or split it.")
        return (input_shape[0], input_shape[1], *output[1:])

    def _step_shape(self, input_shape: Any) -> Shape:
        if not is_shape(input_shape) or len(input_shape) < 3:
            raise self.refuse_shape(input_shape, "(N, T, ...)", "Add the axis of steps: x[:, None].")
        return (input_shape[0], *input_shape[2:])

    def cast(self, value: Any) -> Any:
        """The layer inside does it."""
        return value

    def output_dtype(self, dtype: str) -> str:
        return self.layer.output_dtype(dtype)

    def flops(self, input_shape: Shape) -> int:
        return int(input_shape[1] or 0) * self.layer.flops(self._step_shape(input_shape))

    def config(self) -> dict[str, Any]:
        return {"layer": inner_form(self.layer)}
