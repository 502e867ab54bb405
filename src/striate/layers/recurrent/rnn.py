"""A cell run through a sequence: masks, states and directions."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_flag, is_int
from striate.foundation.nested import flatten, map_structure
from striate.foundation.shapes import Shape, describe
from striate.layers.forms import inner_form
from striate.layers.layer import Layer, registry
from striate.layers.recurrent.cell import Cell, States
from striate.layers.recurrent.fused import run_fused
from striate.layers.recurrent.stacked import StackedRNNCells, build_cell, check_cell, output_size, state_sizes
from striate.layers.structure import is_shape


@registry.register()
class RNN(Layer):
    """Runs a cell through a sequence, step by step.

    Input: (N, T, F). Output: (N, units), the last step's; (N, T, units) with return_sequences; with return_state a
    list of that and the last states, each (N, units).

    A mask (N, T) that comes with the input says which steps count: the others leave the states alone, and their
    output is the one before, zero in the beginning.

    Args:
        cell: A cell, or a list of cells to be stacked. One of your own is a `Layer` with a `state_size` (a number or a
            list of them), with `forward(inputs, states)` (or `call`) from (N, F) and a list of states to the output
            and a list of new states, and, if it is not to begin with zeros, `get_initial_state(batch_size)`.
        return_sequences: Whether every step's output comes out, or only the last.
        return_state: Whether the last states come out, too.
        go_backwards: Begin with the last step; outputs come in that order.
        stateful: Begin each batch with the states that the one before ended with, item by item, until
            `reset_states()`.
        unroll: Keras's; there is nothing to unroll here.
        zero_output_for_mask: Give zeros for steps that do not count.

    Raises:
        UserError: The cell is none, or initial states have not its sizes.
        ShapeError: The input has no steps or no features of known size; or N is not known, or changed, with stateful.

    Example:
        >>> from striate.layers import GRUCell, LSTMCell
        >>> RNN([LSTMCell(4), GRUCell(5)])(torch.zeros(2, 6, 3)).shape
        torch.Size([2, 5])
    """

    casts_integers: ClassVar[bool] = True
    only_numbers: ClassVar[bool] = True
    supports_masking = True
    noted_training: ClassVar[bool | None] = False

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell, dtype=options.get("dtype"))
        self.cell: Any = check_cell(self.where, cell)
        self.return_sequences = check_flag(self.where, "return_sequences", return_sequences)
        self.return_state = check_flag(self.where, "return_state", return_state)
        self.go_backwards = check_flag(self.where, "go_backwards", go_backwards)
        self.stateful = check_flag(self.where, "stateful", stateful)
        self.unroll = check_flag(self.where, "unroll", unroll)
        self.zero_output_for_mask = check_flag(self.where, "zero_output_for_mask", zero_output_for_mask)
        self.states: list[Any] | None = None
        self.may_fuse = True

    def build(self, input_shape: Shape) -> None:
        if self.stateful and input_shape[0] is None:
            fix = "Say it in Input(batch_shape=...), and feed batches of that size."
            raise self.refuse_shape(input_shape, "a known N, since it keeps states (stateful=True)", fix)
        build_cell(self.cell, (input_shape[0], *input_shape[2:]))

    def forward(self, sequences: torch.Tensor, initial_state: Any = None, mask: Any = None) -> Any:
        states = self._begin(sequences, initial_state)
        if mask is not None:
            mask = torch.as_tensor(mask, device=sequences.device).bool()
        if self.go_backwards:
            sequences, mask = sequences.flip(1), None if mask is None else mask.flip(1)
        outputs, states = self._run(self.cell, sequences, states, mask)
        if mask is not None and self.zero_output_for_mask:
            outputs = torch.where(_beside(mask, outputs), outputs, 0.0)
        if self.stateful:
            self._keep(sequences, states)
        output = outputs if self.return_sequences else outputs[:, -1]
        return self.cast_floats([output, *states] if self.return_state else output)

    def _run(self, cell: Layer, x: torch.Tensor, states: Any, mask: torch.Tensor | None) -> Any:
        """All outputs (N, T, ...) of a cell, and its last states."""
        x, states = cell.cast(x), cell.cast(states)  # as a call would: the cell's dtype may be another
        if isinstance(cell, StackedRNNCells):  # what the one below gives is all that the one above needs
            after = []
            for inner, begin in zip(cell.cells, states, strict=True):
                single = isinstance(begin, torch.Tensor)
                x, end = self._run(inner, x, [begin] if single else begin, mask)
                after.append(end[0] if single else end)
            return x, after
        if isinstance(cell, Cell) and self.may_fuse and not (cell.training and cell.recurrent_dropout):
            function = cell.fused()
            if function is not None:
                keeps = self.return_state or self.stateful
                return run_fused(function, cell.drop_input(x), states, cell.torch_weights(), mask, keeps)
        return _step_by_step(cell, x, states, mask)

    def _begin(self, x: torch.Tensor, given: Any) -> list[Any]:
        """The states before the first step."""
        if given is not None:
            states = [given] if isinstance(given, torch.Tensor) else list(given)
            self._check_states(len(x), states)
            return states
        if not self.stateful:
            return self.get_initial_state(len(x), x)
        # Copies, since backward needs what they are now when `_keep` has changed them.
        return map_structure(lambda state: state.to(x, copy=True), self._kept(x))

    def _kept(self, x: torch.Tensor) -> list[Any]:
        """The states that go from batch to batch; zeros before the first."""
        if self.states is None:
            with torch.inference_mode(False):  # or training could not go on from what predict made
                self.states = self.get_initial_state(len(x), x)
        return self.states

    def _check_states(self, count: int, states: list[Any]) -> None:
        expected = [(count, size) for size in state_sizes(self.cell) if is_int(size)]
        found = [tuple(state.shape) for state in states if isinstance(state, torch.Tensor)]
        if len(states) != len(state_sizes(self.cell)) or (len(found) == len(expected) and found != expected):
            got = f"initial_state of {', '.join(map(describe, found))}"
            fix = "Pass the states that a layer with return_state=True returned."
            raise UserError(self.where, got, " and ".join(map(describe, expected)), fix)

    def _keep(self, x: torch.Tensor, states: list[Any]) -> None:
        with torch.no_grad():
            for kept, state in zip(flatten(self._kept(x)), flatten(states), strict=True):
                kept.copy_(state)

    def get_initial_state(self, batch_size: int, like: torch.Tensor | None = None) -> list[Any]:
        """The states that a sequence begins with, zeros if the cell does not say other ones.

        Args:
            batch_size: N.
            like: A tensor of the dtype and on the device that is wanted.
        """
        own = getattr(self.cell, "get_initial_state", None)
        if own is not None:
            states = own(batch_size=batch_size)
            return [states] if isinstance(states, torch.Tensor) else list(states)
        template = torch.empty(0, dtype=getattr(torch, self.compute_dtype)) if like is None else like
        return map_structure(lambda size: template.new_zeros(batch_size, size), state_sizes(self.cell))

    def reset_state(self) -> None:
        """Begin the next batch with zeros again."""
        for state in flatten(self.states or []):
            state.zero_()

    reset_states = reset_state  # Keras has both

    def compute_output_shape(self, input_shape: Any) -> Any:
        if not is_shape(input_shape) or len(input_shape) < 3:
            raise self.refuse_shape(input_shape, "(N, T, F)", "Add the axis of steps: x[:, None].")
        count, steps, *features = input_shape
        kernel = getattr(self.cell, "kernel", None) if self.cell.built else None
        if isinstance(self.cell, Cell) and len(features) != 1:
            raise self.refuse_shape(input_shape, "(N, T, F)", "Flatten each step: TimeDistributed(Flatten()).")
        if None in features:
            raise self.refuse_shape(input_shape, "a known number of features", "Say it in Input(shape).")
        if steps == 0:
            raise self.refuse_shape(input_shape, "at least one step", "Leave empty sequences out.")
        if isinstance(self.cell, Cell) and kernel is not None and features[0] != len(kernel):
            fix = "Feed it what it was built for, or make a new layer."
            raise self.refuse_shape(input_shape, f"{len(kernel)} features on the last axis", fix)
        if self.stateful:
            self._check_count(input_shape)
        output = (count, *((steps,) if self.return_sequences else ()), output_size(self.cell))
        return (output, *self._state_shapes(count)) if self.return_state else output

    def _state_shapes(self, count: int | None) -> list[Any]:
        return map_structure(lambda size: (count, size), state_sizes(self.cell))

    def _check_count(self, input_shape: Shape) -> None:
        """Refuse another number of items than the states are for."""
        known = None if self.states is None else len(flatten(self.states)[0])
        if known is not None and input_shape[0] not in (None, known):
            fix = "Feed batches of one size, leaving out a smaller last one, or make a new layer."
            raise self.refuse_shape(input_shape, f"N={known}, for which it keeps states (stateful=True)", fix)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        of_output = mask if self.return_sequences else None
        return [of_output, *(None for _ in state_sizes(self.cell))] if self.return_state else of_output

    def flops(self, input_shape: Shape) -> int:
        return int(input_shape[1] or 0) * self.cell.flops((input_shape[0], *input_shape[2:]))

    def config(self) -> dict[str, Any]:
        return {**self.run_config(), "cell": inner_form(self.cell)}

    def run_config(self) -> dict[str, Any]:
        """How the cell is run."""
        names = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RNN":
        return cls(**config)


def _step_by_step(
    cell: Any, x: torch.Tensor, states: States, mask: torch.Tensor | None
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """What `run_fused` does, for any cell."""
    x, step = cell.over(x) if isinstance(cell, Cell) else (x, cell)
    output: torch.Tensor | None = None
    outputs = []
    for index, now in enumerate(x.unbind(1)):
        new_output, new_states = step(now, states)
        new_states = [new_states] if isinstance(new_states, torch.Tensor) else new_states
        if mask is not None:
            counts = mask[:, index]
            before = torch.zeros_like(new_output) if output is None else output
            new_output = torch.where(_beside(counts, new_output), new_output, before)
            pairs = zip(new_states, states, strict=True)
            new_states = [torch.where(_beside(counts, new), new, old) for new, old in pairs]
        output, states = new_output, new_states
        outputs.append(output)
    return torch.stack(outputs, 1), list(states)


def _beside(mask: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The mask with axes of one behind it, so that it fits an array with more axes."""
    return mask.reshape(*mask.shape, *(1,) * (x.ndim - mask.ndim))
