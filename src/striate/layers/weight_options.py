"""How weights begin, what penalises them and what they are brought back to: Keras's options, by the weights' names."""

from typing import Any

import torch

from striate.layers import constraints, initializers, regularizers
from striate.layers.layer import Layer

# Of one weight: its initializer, its regularizer and its constraint.
Options = tuple[Any, Any, Any]


class WeightOptions(Layer):
    """Base of the layers whose weights have options.

    `__init__` hands them to `set_weight_options`. They become the attributes that Keras has, `kernel_initializer`,
    `kernel_regularizer`, `kernel_constraint` and so on, which `make_weight` and `config` read.
    """

    weight_names: tuple[str, ...] = ()

    def set_weight_options(self, **weights: Options) -> None:
        """Resolve names into objects.

        Raises:
            UserError: A name is not known.
        """
        self.weight_names = tuple(weights)
        for name, (initializer, regularizer, constraint) in weights.items():
            setattr(self, f"{name}_initializer", initializers.get(initializer, self.where))
            setattr(self, f"{name}_regularizer", regularizers.get(regularizer, self.where))
            setattr(self, f"{name}_constraint", constraints.get(constraint, self.where))

    def make_weight(self, name: str, shape: tuple[int, ...]) -> torch.nn.Parameter:
        """The weight called `name`, with its first values; assign it to the attribute of that name."""
        initializer, regularizer, constraint = (
            getattr(self, f"{name}_{option}") for option in ("initializer", "regularizer", "constraint")
        )
        return self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint)

    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self.weight_names:
            found[f"{name}_initializer"] = initializers.serialize(getattr(self, f"{name}_initializer"))
            found[f"{name}_regularizer"] = regularizers.serialize(getattr(self, f"{name}_regularizer"))
            found[f"{name}_constraint"] = constraints.serialize(getattr(self, f"{name}_constraint"))
        return found
