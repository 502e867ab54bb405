"""LSTM, GRU and SimpleRNN: `RNN` around the cell of that name."""

from typing import Any, ClassVar

from striate.foundation.checks import UserError, refuse_unknown
from striate.foundation.names import snake_case
from striate.layers.layer import registry
from striate.layers.options import KERAS_DEFAULTS, argument_names
from striate.layers.recurrent.cell import Cell
from striate.layers.recurrent.cells import GRUCell, LSTMCell, SimpleRNNCell
from striate.layers.recurrent.rnn import RNN
from striate.layers.weighted import ACTIVATIONS


class NamedRNN(RNN):
    """Base of the layers that make their cell themselves.

    Args:
        given: The arguments of the subclass's `__init__`: its `locals()`. Those that are not `RNN`'s make the cell, but
            for use_cudnn: "auto" computes whole sequences with torch's own functions where they do what the layer
            does, False goes step by step always, and True refuses options that torch's functions do not have.
    """

    rank: ClassVar[int | None] = 3
    cell_class: ClassVar[type[Cell]]
    cell: Cell

    def __init__(self, given: dict[str, Any], /) -> None:
        known = [name for name in argument_names(type(self)) if name not in ("cell", "given")]
        options = {name: value for name, value in given.items() if name in known} | given["options"]
        refuse_unknown(type(self).__name__, {k: v for k, v in options.items() if k not in known}, known, KERAS_DEFAULTS)
        use_cudnn, of_cell = options.pop("use_cudnn", "auto"), set(known) & set(argument_names(self.cell_class))
        arguments = {name: options.pop(name) for name in of_cell.difference(argument_names(RNN)) if name in options}
        shared = {name: options[name] for name in ("dtype", "trainable") if name in options}
        cell = self.cell_class(**arguments, **shared, name=snake_case(self.cell_class.__name__))
        super().__init__(cell, **options)
        self._of_cell = frozenset(argument_names(self.cell_class))
        if not isinstance(use_cudnn, bool) and (not isinstance(use_cudnn, str) or use_cudnn != "auto"):
            raise UserError(self.where, f"use_cudnn={use_cudnn!r}", "'auto', True or False", "Leave it out.")
        self.may_fuse = use_cudnn is not False
        if use_cudnn is True and (cell.fused() is None or cell.recurrent_dropout):
            needs = "the activations and options that torch's own function has"
            raise UserError(self.where, "use_cudnn=True", needs, "Pass use_cudnn='auto' to go step by step.")

    def __getattr__(self, name: str) -> Any:
        """The cell's arguments are the layer's, too: units, activation, kernel_initializer, ..."""
        if name in self.__dict__.get("_of_cell", ()):
            return getattr(self.cell, name)
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.cell, name, value) if name in ACTIVATIONS else super().__setattr__(name, value)

    def config(self) -> dict[str, Any]:
        return {**self.cell.config(), **self.run_config()}


@registry.register()
class SimpleRNN(NamedRNN):
    """Each step's output is activation(x @ kernel + output before @ recurrent_kernel + bias).

    Input: (N, T, F). Output: (N, units), the last step's; (N, T, units) with return_sequences; with return_state a
    list of that and the last state, (N, units).

    Args:
        units: How many values come out of a step.
        activation: A name or a function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties added to the loss.
        activity_regularizer: Penalty on what comes out, divided by N, added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: What the weights are brought back to after every step.
        dropout: The share of the input that is dropped in training, the same cells at every step.
        recurrent_dropout: The share of the state that is dropped in training, likewise.
        seed: Makes the layer draw from a generator of its own, started from this number.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: As in `RNN`.

    Raises:
        UserError: An argument is out of range, or use_cudnn=True with options that torch's function does not have.
        ShapeError: The input is not (N, T, F), or has another number of features than before.

    Source: Elman, Cognitive Science 14, 1990.

    Example:
        >>> import torch
        >>> SimpleRNN(4)(torch.zeros(2, 6, 3)).shape
        torch.Size([2, 4])
    """

    cell_class = SimpleRNNCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(locals())


@registry.register()
class LSTM(NamedRNN):
    """Long short-term memory: gates decide what of each step is remembered, kept and given out.

    Input: (N, T, F). Output: (N, units), the last step's; (N, T, units) with return_sequences; with return_state a
    list of that and the last output and memory, each (N, units).

    Args:
        units: How many values come out of a step.
        activation: Of what is new; a name or a function.
        recurrent_activation: Of the gates; a name or a function.
        use_bias: Whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        unit_forget_bias: Begin with a bias of one at the gate that forgets, so that it remembers.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties added to the loss.
        activity_regularizer: Penalty on what comes out, divided by N, added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: What the weights are brought back to after every step.
        dropout: The share of the input that is dropped in training, the same cells at every step.
        recurrent_dropout: The share of the state that is dropped in training, likewise.
        seed: Makes the layer draw from a generator of its own, started from this number.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: As in `RNN`.
        use_cudnn: Whether torch's own function computes the sequence: "auto" where it can, False never, True always.

    Raises:
        UserError: An argument is out of range, or use_cudnn=True with options that torch's function does not have.
        ShapeError: The input is not (N, T, F), or has another number of features than before.

    Source: Hochreiter and Schmidhuber, Neural Computation 9, 1997.

    Example:
        >>> import torch
        >>> output, last, memory = LSTM(4, return_sequences=True, return_state=True)(torch.zeros(2, 6, 3))
        >>> output.shape, last.shape, memory.shape
        (torch.Size([2, 6, 4]), torch.Size([2, 4]), torch.Size([2, 4]))
    """

    cell_class = LSTMCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **options: Any,
    ) -> None:
        super().__init__(locals())


@registry.register()
class GRU(NamedRNN):
    """Gated recurrent units: two gates decide what of the state stays, and what of it counts for the new one.

    Input: (N, T, F). Output: (N, units), the last step's; (N, T, units) with return_sequences; with return_state a
    list of that and the last state, (N, units).

    Args:
        units: How many values come out of a step.
        activation: Of what is new; a name or a function.
        recurrent_activation: Of the gates; a name or a function.
        use_bias: Whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties added to the loss.
        activity_regularizer: Penalty on what comes out, divided by N, added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: What the weights are brought back to after every step.
        dropout: The share of the input that is dropped in training, the same cells at every step.
        recurrent_dropout: The share of the state that is dropped in training, likewise.
        seed: Makes the layer draw from a generator of its own, started from this number.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: As in `RNN`.
        reset_after: Whether the state is reset after its product with the kernel, as torch does, or before.
        use_cudnn: Whether torch's own function computes the sequence: "auto" where it can, False never, True always.

    Raises:
        UserError: An argument is out of range, or use_cudnn=True with options that torch's function does not have.
        ShapeError: The input is not (N, T, F), or has another number of features than before.

    Source: Cho et al., arXiv 1406.1078.

    Example:
        >>> import torch
        >>> GRU(4)(torch.zeros(2, 6, 3)).shape
        torch.Size([2, 4])
    """

    cell_class = GRUCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **options: Any,
    ) -> None:
        super().__init__(locals())
