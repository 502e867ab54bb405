"""A layer that penalises what passes through it."""

from typing import Any

import torch

from striate.layers import regularizers
from striate.layers.elementwise import Elementwise
from striate.layers.layer import registry


@registry.register()
class ActivityRegularization(Elementwise):
    """Hands its input on, and adds l1 * sum(|x|) + l2 * sum(x ** 2), divided by N, to the loss.

    Input and output: any shape.

    Args:
        l1: The factor of the absolute values.
        l2: The factor of the squares.

    Raises:
        UserError: A factor is below 0.

    Example:
        >>> layer = ActivityRegularization(l2=0.5)
        >>> _ = layer(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        >>> layer.losses
        [tensor(1.5000)]
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        penalty = regularizers.L1L2(l1=l1, l2=l2)
        super().__init__(activity_regularizer=penalty, **options)
        self.l1, self.l2 = penalty.l1, penalty.l2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}

    def get_config(self) -> dict[str, Any]:
        """As Keras holds it: the factors say what the regularizer is."""
        return {k: v for k, v in super().get_config().items() if k != "activity_regularizer"}
