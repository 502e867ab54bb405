"""Masking: steps that only fill up are told apart."""

from typing import Any

import torch

from striate.foundation.checks import check_number
from striate.layers.elementwise import Elementwise
from striate.layers.layer import registry


@registry.register()
class Masking(Elementwise):
    """Leaves out the steps of a series whose numbers all are one certain number: they become 0, and masked.

    Input and output: (N, L, C); the output brings a mask along for layers that take one.

    Args:
        mask_value: The number.

    Raises:
        UserError: mask_value is no number.

    Example:
        >>> Masking(-1.0)(torch.tensor([[[-1.0, -1.0], [-1.0, 3.0]]]))
        tensor([[[ 0.,  0.], [-1.,  3.]]])
    """

    def __init__(self, mask_value: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.mask_value = check_number(self.where, "mask_value", mask_value, "a number")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where((x != self.mask_value).any(-1, keepdim=True), x, 0)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """Where one of a step's numbers is another one."""
        return (inputs != self.mask_value).any(-1)

    def config(self) -> dict[str, Any]:
        return {"mask_value": self.mask_value}
