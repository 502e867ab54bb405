"""What all cells share: weights for the input and the state, dropout, and one step after the other."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch

from striate.foundation.checks import check_int, check_number
from striate.foundation.shapes import Shape
from striate.layers import activation as activations
from striate.layers import activation_names
from striate.layers.activation import Function
from striate.layers.chance import RandomLayer
from striate.layers.recurrent.fused import RecurrentFunction
from striate.layers.weight_options import Options
from striate.layers.weighted import Weighted

States = Sequence[torch.Tensor]
# What a cell does at a step: input and states to output and states.
Step = Callable[[torch.Tensor, States], tuple[torch.Tensor, list[torch.Tensor]]]


class Cell(RandomLayer, Weighted):
    """Base of the cells that are a product with the input, a product with the state, and gates.

    Input: (N, F) and a list of states (N, units). Output: (N, units) and the list of new states.

    A subclass says how many gates and states it has, and `advance`: what comes out of the products.

    Args:
        units: How many values come out.
        activation: A name or a function; None for none.
        use_bias: Whether a bias is added.
        dropout: The share of the input that is dropped in training, the same cells at every step.
        recurrent_dropout: Likewise for the state.
        seed: Makes the layer draw from a generator of its own, started from this number.
        weights: The initializer, the regularizer and the constraint of kernel, recurrent and bias.
    """

    casts_integers: ClassVar[bool] = True
    shows_outputs: ClassVar[bool] = False
    rank: ClassVar[int | None] = 2
    gates: ClassVar[int]
    states: ClassVar[int] = 1

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        weights: dict[str, Options],
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, **options)
        self.units = check_int(self.where, "units", units)
        self.set_options(activation, use_bias, **weights)
        needs = "a rate from 0 up to but not including 1"
        self.dropout = check_number(self.where, "dropout", dropout, needs, lambda rate: 0 <= rate < 1)
        self.recurrent_dropout = check_number(
            self.where, "recurrent_dropout", recurrent_dropout, needs, lambda rate: 0 <= rate < 1
        )

    @property
    def state_size(self) -> Any:
        """The size of the state, or a list of sizes for several."""
        return self.units if self.states == 1 else [self.units] * self.states

    @property
    def output_size(self) -> int:
        """How many values come out."""
        return self.units

    def build(self, input_shape: Shape) -> None:
        width = self.gates * self.units
        self.kernel = self.make_weight("kernel", (int(input_shape[-1] or 0), width))
        self.recurrent_kernel = self.make_weight("recurrent", (self.units, width))
        self.bias = self.make_bias(width)

    def forward(self, inputs: torch.Tensor, states: Any) -> Any:
        single = isinstance(states, torch.Tensor)
        ready, step = self.over(inputs.unsqueeze(1))
        output, new = step(ready[:, 0], [states] if single else list(states))
        return output, new[0] if single else new

    def compute_output_shape(self, input_shape: Any) -> Any:
        self.check_rank(input_shape)
        output = (input_shape[0], self.units)
        return (output, [output] * self.states)

    def over(self, x: torch.Tensor) -> tuple[torch.Tensor, Step]:
        """What the input (N, T, F) of all steps comes to at once, and the step that goes on from there.

        In training both hold what was drawn for dropout: the same cells are dropped at every step.
        """
        x, keep = self.drop_input(x), self._keep(self.recurrent_dropout, self.gates, x, self.units)
        return self.project(x), partial(self.advance, keep=keep)

    def project(self, x: torch.Tensor) -> torch.Tensor:
        """The part of the gates that the input (..., F) decides: (..., gates * units).

        Args:
            x: The input; with an axis of gates in front where a part of its own was dropped for each.
        """
        product = torch.matmul(x, self.kernel) if x.ndim == 3 else _gate_by_gate(x, self.kernel)
        bias = self.input_bias()
        return product if bias is None else product + bias

    def advance(self, x: torch.Tensor, states: States, keep: torch.Tensor | None = None) -> Any:
        """One step.

        Args:
            x: What `project` gave for it.
            states: As the step before left them.
            keep: What is left of the states in the products: (gates, N, units), zero or more than one.

        Returns:
            The output and the new states.
        """
        raise NotImplementedError

    def recur(self, state: torch.Tensor, keep: torch.Tensor | None, gates: slice = slice(None)) -> torch.Tensor:
        """The part of these gates that a state (N, units) decides."""
        kernel = self.recurrent_kernel.view(self.units, self.gates, self.units)[:, gates].flatten(1)
        return state @ kernel if keep is None else _gate_by_gate(state * keep[gates], kernel)

    def input_bias(self) -> torch.Tensor | None:
        """What is added to the product with the input."""
        return self.bias

    def drop_input(self, x: torch.Tensor) -> torch.Tensor:
        """The input (N, T, F) with cells dropped; (gates, N, T, F) where each gate drops others."""
        count = self.gates if self.recurrent_dropout else 1
        keep = self._keep(self.dropout, count, x, x.shape[-1])
        return x if keep is None else (x * keep.unsqueeze(2)).squeeze(0)

    def _keep(self, rate: float, count: int, x: torch.Tensor, width: int) -> torch.Tensor | None:
        """What is left of each cell, (count, N, width): zero, or so much that the mean stays; None for all of it."""
        if not self.training or not rate:
            return None
        keep = torch.empty(count, len(x), width, dtype=x.dtype, device=x.device)
        return keep.bernoulli_(1 - rate, generator=self.generator(x.device)) / (1 - rate)

    def fused(self) -> RecurrentFunction | None:
        """Torch's own function for a whole sequence, if it computes what this cell does."""
        return None

    def torch_weights(self) -> list[torch.Tensor]:
        """The weights as that function takes them: its gates first, the order of its gates."""
        raise NotImplementedError

    def flops(self, input_shape: Shape) -> int:
        width = self.gates * self.units
        return width * 2 * (int(input_shape[-1] or 0) + self.units) + width * int(self.use_bias) + 4 * width

    def config(self) -> dict[str, Any]:
        rates = {"dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout, "seed": self.seed}
        return {"units": self.units, **super().config(), **rates}


def _gate_by_gate(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """The product of x (gates, ..., F) with the kernel's columns for each gate, put together."""
    return torch.cat([one @ part for one, part in zip(x, kernel.chunk(len(x), 1), strict=True)], -1)


class GatedCell(Cell):
    """Base of the cells with gates that open and close.

    Args:
        recurrent_activation: Of the gates; a name or a function.
    """

    def __init__(self, units: int, activation: Any, recurrent_activation: Any, *args: Any, **options: Any) -> None:
        super().__init__(units, activation, *args, **options)
        self.recurrent_activation: Function = recurrent_activation

    def has_torchs_activations(self) -> bool:
        """Whether they are those that torch's own functions know."""
        known = activations.FUNCTIONS
        return self.activation is known["tanh"] and self.recurrent_activation is known["sigmoid"]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "recurrent_activation": activation_names.serialize(self.recurrent_activation)}
