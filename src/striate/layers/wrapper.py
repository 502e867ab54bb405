"""Any torch module as a layer."""

from typing import Any

import torch

from striate.foundation.checks import UserError, check_choice
from striate.foundation.shapes import Shape
from striate.layers.layer import Layer, registry
from striate.layers.structure import in_dtype, is_shape


@registry.register()
class TorchModule(Layer):
    """A torch module as a layer of a model.

    Torch's convolutions, pools and normalisations want channels first; striate's arrays are channels-last.
    With data_format="channels_first" (the default) the module sees (N, C, ...) and what it returns is turned
    back: views, no copies. Arrays of one or two axes pass as they are.

    Args:
        module: The module; its weights train with the model's.
        data_format: "channels_first", or "channels_last" for modules that work along the last axis (Linear,
            LayerNorm).

    Raises:
        ShapeError: The module cannot take the shape.

    Example:
        >>> TorchModule(torch.nn.Conv2d(3, 8, 3))(torch.zeros(1, 8, 8, 3)).shape
        torch.Size([1, 6, 6, 8])
    """

    def __init__(self, module: torch.nn.Module, data_format: str = "channels_first", **options: Any) -> None:
        if not isinstance(module, torch.nn.Module):
            raise UserError("TorchModule", repr(module), "a torch.nn.Module", "Pass an instance, not a class.")
        super().__init__(**options)
        self.data_format = check_choice(self.where, "data_format", data_format, ("channels_first", "channels_last"))
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.data_format == "channels_last" or x.ndim < 3:
            return self.module(x)
        y = self.module(x.movedim(-1, 1))
        return y.movedim(1, -1) if y.ndim >= 3 else y

    def cast(self, value: Any) -> Any:
        """Floats in the dtype of the module's weights; whole numbers as they are, for embeddings."""
        floats = (weight.dtype for weight in self.module.parameters() if weight.is_floating_point())
        dtype = next(floats, None)
        return value if dtype is None else in_dtype(value, dtype, integers=False)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not is_shape(input_shape):
            raise self.refuse_shape(input_shape, "one array", "Wrap modules with several inputs in a Model subclass.")
        try:
            return super().compute_output_shape(input_shape)
        except (RuntimeError, ValueError) as error:
            needs = f"one that {type(self.module).__name__} takes ({str(error).splitlines()[0]})"
            fix = "Check data_format: torch's modules mostly want channels_first."
            raise self.refuse_shape(input_shape, needs, fix) from None

    def config(self) -> dict[str, Any]:
        needs = "a layer, since files carry no code"
        fix = "Save the weights alone (save_weights), and build the model in code again."
        raise UserError(self.where, f"a {type(self.module).__name__} to save", needs, fix)


def as_layer(module: Any, where: str) -> Layer:
    """The layer itself, or a torch module wrapped as one.

    Raises:
        UserError: It is neither.
    """
    if isinstance(module, Layer):
        return module
    if isinstance(module, torch.nn.Module):
        return TorchModule(module)
    fix = "Call the class: Dense(10), not Dense." if isinstance(module, type) else "Pass a layer."
    raise UserError(where, repr(module), "layers or torch modules", fix)
