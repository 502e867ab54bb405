"""Cells: what a recurrent layer does at one step of a sequence."""

from typing import Any

import torch

from striate.foundation.checks import check_flag
from striate.layers import activation as activations
from striate.layers.activation import Function
from striate.layers.layer import registry
from striate.layers.recurrent.cell import Cell, GatedCell, States
from striate.layers.recurrent.fused import RecurrentFunction


@registry.register()
class SimpleRNNCell(Cell):
    """One step of `SimpleRNN`: activation(x @ kernel + h @ recurrent_kernel + bias).

    Input: (N, F) and a state (N, units), alone or in a list. Output: (N, units), and the new state likewise.

    Args:
        units: How many values come out.
        activation: A name or a function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: What the weights are brought back to after every step.
        dropout: The share of the input that is dropped in training.
        recurrent_dropout: The share of the state that is dropped in training.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Example:
        >>> output, states = SimpleRNNCell(4)(torch.zeros(2, 3), [torch.zeros(2, 4)])
        >>> output.shape, len(states)
        (torch.Size([2, 4]), 1)
    """

    gates = 1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        weights = {
            "kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
            "recurrent": (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            "bias": (bias_initializer, bias_regularizer, bias_constraint),
        }
        super().__init__(units, activation, use_bias, dropout, recurrent_dropout, seed, weights, **options)

    def advance(self, x: torch.Tensor, states: States, keep: torch.Tensor | None = None) -> Any:
        output = self.activation(x + self.recur(states[0], keep))
        return output, [output]

    def fused(self) -> RecurrentFunction | None:
        known: dict[str, Function] = activations.FUNCTIONS
        return {known["tanh"]: torch.rnn_tanh, known["relu"]: torch.rnn_relu}.get(self.activation)

    def torch_weights(self) -> list[torch.Tensor]:
        # Copies, as each step's products with views that are turned round take 6 % longer.
        kernels = [self.kernel.t().contiguous(), self.recurrent_kernel.t().contiguous()]
        return kernels if self.bias is None else [*kernels, self.bias, torch.zeros_like(self.bias)]


@registry.register()
class LSTMCell(GatedCell):
    """One step of `LSTM`.

    Input: (N, F) and a list of two states (N, units), the output before and the memory. Output: (N, units) and the
    list of new states.

    Args:
        units: How many values come out.
        activation: Of what is remembered and given out; a name or a function.
        recurrent_activation: Of the gates; a name or a function.
        use_bias: Whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        unit_forget_bias: Begin with a bias of one at the gate that forgets, so that it remembers.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: What the weights are brought back to after every step.
        dropout: The share of the input that is dropped in training.
        recurrent_dropout: The share of the state that is dropped in training.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Example:
        >>> output, states = LSTMCell(4)(torch.zeros(2, 3), [torch.zeros(2, 4), torch.zeros(2, 4)])
        >>> output.shape, len(states)
        (torch.Size([2, 4]), 2)
    """

    gates = 4
    states = 2

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        weights = {
            "kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
            "recurrent": (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            "bias": (bias_initializer, bias_regularizer, bias_constraint),
        }
        super().__init__(
            units, activation, recurrent_activation, use_bias, dropout, recurrent_dropout, seed, weights, **options
        )
        self.unit_forget_bias = check_flag(self.where, "unit_forget_bias", unit_forget_bias)

    def make_bias(self, count: int) -> torch.nn.Parameter | None:
        bias = super().make_bias(count)
        if bias is not None and self.unit_forget_bias:
            with torch.no_grad():
                bias[self.units : 2 * self.units] = 1
        return bias

    def advance(self, x: torch.Tensor, states: States, keep: torch.Tensor | None = None) -> Any:
        before, memory = states
        write, stay, new, read = (x + self.recur(before, keep)).chunk(4, -1)
        act, gate = self.activation, self.recurrent_activation
        memory = gate(stay) * memory + gate(write) * act(new)
        output = gate(read) * act(memory)
        return output, [output, memory]

    def fused(self) -> RecurrentFunction | None:
        return torch.lstm if self.has_torchs_activations() else None

    def torch_weights(self) -> list[torch.Tensor]:
        kernels = [self.kernel.t(), self.recurrent_kernel.t()]  # both have the gates in this order
        return kernels if self.bias is None else [*kernels, self.bias, torch.zeros_like(self.bias)]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "unit_forget_bias": self.unit_forget_bias}


@registry.register()
class GRUCell(GatedCell):
    """One step of `GRU`.

    Input: (N, F) and a state (N, units), alone or in a list. Output: (N, units), and the new state likewise.

    Args:
        units: How many values come out.
        activation: Of what is new; a name or a function.
        recurrent_activation: Of the gates; a name or a function.
        use_bias: Whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: What the weights are brought back to after every step.
        dropout: The share of the input that is dropped in training.
        recurrent_dropout: The share of the state that is dropped in training.
        reset_after: Whether the state is reset after its product with the kernel, as torch does, or before.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Example:
        >>> output, state = GRUCell(4)(torch.zeros(2, 3), torch.zeros(2, 4))
        >>> output.shape, state.shape
        (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        weights = {
            "kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
            "recurrent": (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            "bias": (bias_initializer, bias_regularizer, bias_constraint),
        }
        super().__init__(
            units, activation, recurrent_activation, use_bias, dropout, recurrent_dropout, seed, weights, **options
        )
        self.reset_after = check_flag(self.where, "reset_after", reset_after)

    def make_bias(self, count: int) -> torch.nn.Parameter | None:
        """Two of them, for input and state, where they do not come to the same."""
        if not self.reset_after or not self.use_bias:
            return super().make_bias(count)
        return self.make_weight("bias", (2, count))

    def input_bias(self) -> torch.Tensor | None:
        return self.bias if self.bias is None or not self.reset_after else self.bias[0]

    def advance(self, x: torch.Tensor, states: States, keep: torch.Tensor | None = None) -> Any:
        (before,) = states
        act, gate = self.activation, self.recurrent_activation
        stay, reset, new = x.chunk(3, -1)
        if self.reset_after:
            recurrent = self.recur(before, keep)
            recurrent = recurrent if self.bias is None else recurrent + self.bias[1]
            from_stay, from_reset, from_new = recurrent.chunk(3, -1)
            new = new + gate(reset + from_reset) * from_new
        else:
            from_stay, from_reset = self.recur(before, keep, slice(0, 2)).chunk(2, -1)
            new = new + self.recur(gate(reset + from_reset) * before, keep, slice(2, 3))
        stay = gate(stay + from_stay)
        output = stay * before + (1 - stay) * act(new)
        return output, [output]

    def fused(self) -> RecurrentFunction | None:
        return torch.gru if self.has_torchs_activations() and self.reset_after else None

    def torch_weights(self) -> list[torch.Tensor]:
        weights = [self.kernel.t(), self.recurrent_kernel.t(), *(() if self.bias is None else self.bias)]
        # Keras's gates are stay, reset, new; torch's reset, stay, new.
        return [torch.cat([weight.chunk(3)[gate] for gate in (1, 0, 2)]) for weight in weights]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "reset_after": self.reset_after}
