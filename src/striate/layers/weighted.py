"""What layers with a kernel, a bias and an activation share."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import check_flag
from striate.layers import activation_names
from striate.layers.activation import Function
from striate.layers.weight_options import Options, WeightOptions

ACTIVATIONS = ("activation", "recurrent_activation")


class Weighted(WeightOptions):
    """Base of Dense and the convolutions."""

    only_numbers: ClassVar[bool] = True
    activation: Function
    use_bias: bool

    def set_options(self, activation: Any, use_bias: Any, **weights: Options) -> None:
        """Resolve names into objects.

        Args:
            weights: For each weight, bias included, its initializer, its regularizer and its constraint.

        Raises:
            UserError: A name is not known.
        """
        self.activation = activation
        self.use_bias = check_flag(self.where, "use_bias", use_bias)
        self.set_weight_options(**weights)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ACTIVATIONS:  # may be replaced later on: None and names mean what they mean in __init__
            value = activation_names.get(value, self.where)
            self._modules.pop(name, None)  # torch lets no function take the place of a module
        super().__setattr__(name, value)

    def make_bias(self, count: int) -> torch.nn.Parameter | None:
        """The bias, or None if there is to be none."""
        return self.make_weight("bias", (count,)) if self.use_bias else None

    def config(self) -> dict[str, Any]:
        activation = activation_names.serialize(self.activation)
        return {"activation": activation, "use_bias": self.use_bias, **super().config()}
