"""Layers that prepare raw input, so that preparation travels with the model."""

from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.foundation.shapes import Shape
from striate.layers.elementwise import Elementwise
from striate.layers.layer import registry


@registry.register()
class Rescaling(Elementwise):
    """x * scale + offset.

    Input and output: any shape; integers become floats.

    Args:
        scale: A number, or one for every channel.
        offset: Likewise.

    Raises:
        ShapeError: There is not one number for every channel.

    Example:
        >>> Rescaling(1 / 255)(torch.tensor([0, 255], dtype=torch.uint8))
        tensor([0., 1.])
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale, self.offset = self._check("scale", scale), self._check("offset", offset)

    def _check(self, argument: str, value: Any) -> float | list[float]:
        """A number, or a list of numbers (Keras writes arrays as such or as a config with a value)."""
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            value = value["config"].get("value")
        try:
            tensor = torch.as_tensor(value, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            tensor = None
        if tensor is None or tensor.ndim > 1 or isinstance(value, bool):
            needs = "a number, or one for every channel"
            raise UserError(self.where, f"{argument}={value!r}", needs, f"Pass for example {argument}=1 / 255.")
        return tensor.tolist()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dtype = x.dtype if x.is_floating_point() else getattr(torch, self.dtype)
        scale, offset = (torch.tensor(value, dtype=dtype, device=x.device) for value in (self.scale, self.offset))
        return (x.to(dtype) * scale).add_(offset)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        for argument, value in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(value, list) and input_shape[-1:] not in ((None,), (len(value),)):
                needs = f"{len(value)} channels on the last axis, one for every number of {argument}"
                raise self.refuse_shape(input_shape, needs, f"Change {argument}.")
        return input_shape

    def config(self) -> dict[str, Any]:
        return {"scale": self.scale, "offset": self.offset}
