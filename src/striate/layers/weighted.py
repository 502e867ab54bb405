"""What layers with a kernel, a bias and an activation share: how their weights begin and what penalises them."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import check_flag
from striate.layers import activation as activations
from striate.layers import initializers, regularizers
from striate.layers.activation import Function
from striate.layers.layer import Layer


class Weighted(Layer):
    """Base of Dense and the convolutions.

    `__init__` hands `set_options` the initializer and the regularizer of each weight. They become the attributes that
    Keras has, `kernel_initializer` and so on, which `make_weight` and `config` read.
    """

    only_numbers: ClassVar[bool] = True
    activation: Function
    use_bias: bool

    def set_options(self, activation: Any, use_bias: Any, **weights: tuple[Any, Any]) -> None:
        """Resolve names into objects.

        Args:
            weights: For each weight, bias included, its initializer and its regularizer.

        Raises:
            UserError: A name is not known.
        """
        self.activation = activations.get(activation, self.where)
        self.use_bias = check_flag(self.where, "use_bias", use_bias)
        self.weight_names = tuple(weights)
        for name, (initializer, regularizer) in weights.items():
            penalty = None if regularizer is None else regularizers.get(regularizer, self.where)
            setattr(self, f"{name}_initializer", initializers.get(initializer, self.where))
            setattr(self, f"{name}_regularizer", penalty)

    def make_weight(self, name: str, shape: tuple[int, ...]) -> torch.nn.Parameter:
        """The weight called `name`, with its first values; assign it to the attribute of that name."""
        initializer, regularizer = getattr(self, f"{name}_initializer"), getattr(self, f"{name}_regularizer")
        return self.add_weight(shape, initializer, regularizer=regularizer)

    def make_bias(self, count: int) -> torch.nn.Parameter | None:
        """The bias, or None if there is to be none."""
        return self.make_weight("bias", (count,)) if self.use_bias else None

    def config(self) -> dict[str, Any]:
        found = {"activation": activations.serialize(self.activation), "use_bias": self.use_bias}
        for name in self.weight_names:
            regularizer = getattr(self, f"{name}_regularizer")
            found[f"{name}_initializer"] = initializers.serialize(getattr(self, f"{name}_initializer"))
            found[f"{name}_regularizer"] = None if regularizer is None else regularizers.serialize(regularizer)
        return found
