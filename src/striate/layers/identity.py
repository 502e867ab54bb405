"""Identity: a place in a network where nothing happens, or not yet."""

from typing import Any

from striate.layers.layer import Layer, registry


@registry.register()
class Identity(Layer):
    """Gives back what comes in.

    Input and output: any shape, or a list of them.

    Example:
        >>> import torch
        >>> Identity()(torch.ones(2))
        tensor([1., 1.])
    """

    supports_masking = True

    def forward(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def output_dtype(self, dtype: str) -> str:
        return dtype
