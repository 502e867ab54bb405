"""What holds weights: Keras's view of a torch module's parameters and buffers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError, is_int
from striate.foundation.explain import naming
from striate.foundation.shapes import describe
from striate.foundation.wording import ExplainedError, describe_value
from striate.layers import constraints, initializers, regularizers
from striate.layers.faults import too_large
from striate.layers.options import check_weights


class WeightHolder(torch.nn.Module):
    """A torch module whose weights have an order, as Keras's files and `get_weights` need it.

    Args:
        trainable: Whether training changes the weights.

    Attributes:
        dtype: The name of the weights' dtype.
    """

    dtype: str

    def __init__(self, trainable: bool) -> None:
        super().__init__()
        self._trainable = trainable
        self._penalties: list[tuple[regularizers.Regularizer, torch.nn.Parameter]] = []
        self._constraints: list[tuple[constraints.Constraint, torch.nn.Parameter]] = []
        self._frozen: list[torch.nn.Parameter] = []

    @property
    def where(self) -> str:
        """How errors name it."""
        raise NotImplementedError

    def add_weight(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> torch.nn.Parameter:
        """A new weight; assign it to an attribute, which registers it under that name.

        Args:
            shape: Its shape, in Keras's order of axes.
            initializer: A name, a Keras config, or an `Initializer`.
            regularizer: Adds a penalty to the loss.
            constraint: What the weight is brought back to after every step.
        """
        shape = self._sizes(shape)
        penalty, allowed = regularizers.get(regularizer, self.where), constraints.get(constraint, self.where)
        if allowed is not None:
            allowed.check(shape)
        if 0 in shape:
            fix = "Look at the shape of the input: an axis has no cells."
            raise UserError(self.where, f"a weight of shape {describe(shape)}", "weights that hold numbers", fix)
        values = _first_values(self.where, initializers.get(initializer, self.where), shape)
        kind = getattr(torch, dtype or self.dtype)
        if not kind.is_floating_point and trainable:
            fix = "Pass dtype='float32', or trainable=False to add_weight."
            raise UserError(self.where, f"a weight of {dtype or self.dtype} that is to be trained", "floats", fix)
        weight = torch.nn.Parameter(values.to(kind), kind.is_floating_point)
        weight.requires_grad_(trainable and self._trainable)
        if penalty is not None:
            self._penalties.append((penalty, weight))
        if allowed is not None:
            self._constraints.append((allowed, weight))
            self._tell_constraints()
        if not trainable:
            self._frozen.append(weight)
        return weight

    def _sizes(self, shape: Any) -> tuple[int, ...]:
        sizes = tuple(shape) if hasattr(shape, "__len__") and getattr(shape, "ndim", 1) > 0 else None
        if sizes is None or not all(is_int(size) and size >= 0 for size in sizes):
            fix = "Pass for example shape=(3, 4)."
            raise UserError(f"{self.where}.add_weight", f"shape={describe_value(shape)}", "whole numbers", fix)
        return tuple(map(int, sizes))

    def _tell_constraints(self) -> None:
        """Let weights know their constraints, for which optimizers look there, as Keras's do."""
        for constraint, weight in self._constraints:
            weight.constraint = constraint  # type: ignore[attr-defined]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._tell_constraints()  # copies of weights know nothing but their numbers

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; a frozen BatchNormalization uses its moving statistics."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for parameter in self.parameters():
            parameter.requires_grad_(bool(value))
        for holder in holders_in(self):
            holder._trainable = bool(value)
            for weight in holder._frozen:
                weight.requires_grad_(False)

    @property
    def weights(self) -> list[torch.Tensor]:
        """The weights in Keras's order: trainable ones, then moving statistics, then the layers inside."""
        own = [*self.parameters(recurse=False), *self.buffers(recurse=False)]
        inner = [weight for _, part in named_parts(self) for weight in weights_of(part)]
        return list({id(weight): weight for weight in own + inner}.values())

    @property
    def trainable_weights(self) -> list[torch.Tensor]:
        """The weights that training changes."""
        return [weight for weight in self.weights if weight.requires_grad]

    @property
    def non_trainable_weights(self) -> list[torch.Tensor]:
        """The weights that training leaves alone, or that move by themselves."""
        return [weight for weight in self.weights if not weight.requires_grad]

    # In Keras, variables are the weights and the states of random generators, which are not tensors here.
    variables, trainable_variables, non_trainable_variables = weights, trainable_weights, non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights as NumPy arrays, in Keras's order and axes."""
        return [weight.detach().cpu().numpy().copy() for weight in self.weights]

    @naming
    def set_weights(self, weights: list[Any]) -> None:
        """Replace the weights, in the order of `get_weights`; either all of them change or none.

        Raises:
            UserError: Their number or a shape differs, or one holds no numbers.
        """
        own = self.weights
        values = check_weights(self.where, own, weights)
        with torch.no_grad():
            for weight, value in zip(own, values, strict=True):
                weight.copy_(value)

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        return sum(weight.numel() for weight in self.weights)

    def penalties(self) -> list[torch.Tensor]:
        """What the regularizers of trainable weights, here and in layers inside, add to the loss."""
        pairs = (pair for holder in holders_in(self) for pair in holder._penalties)
        return [regularizer(weight) for regularizer, weight in pairs if weight.requires_grad]


def _first_values(where: str, initializer: initializers.Initializer, shape: tuple[int, ...]) -> torch.Tensor:
    """What the initializer gives, or that there is no room for it."""
    try:
        return initializer(shape)
    except (RuntimeError, TypeError, MemoryError, ExplainedError) as error:
        fix = "Make the layer or its input smaller: pool, or take larger strides, before Flatten."
        refusal = too_large(where, "a weight", shape, fix, error)
        if refusal is None:
            raise
        raise refusal from error


def holders_in(module: torch.nn.Module) -> Iterator[WeightHolder]:
    """The module itself and all inside it, as far as they hold weights so."""
    return (inner for inner in module.modules() if isinstance(inner, WeightHolder))


def named_parts(module: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """The children with their names, those in lists and dicts of modules ("blocks.0") one by one."""
    for name, child in module.named_children():
        if isinstance(child, torch.nn.ModuleList | torch.nn.ModuleDict):
            yield from ((f"{name}.{inner}", part) for inner, part in named_parts(child))
        else:
            yield name, child


def weights_of(module: torch.nn.Module) -> list[torch.Tensor]:
    """The weights of any torch module, in Keras's order if it is a layer."""
    if isinstance(module, WeightHolder):
        return module.weights
    return [*module.parameters(), *module.buffers()]
