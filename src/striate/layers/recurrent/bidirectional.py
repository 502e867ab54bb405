"""A sequence read from both ends."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_choice
from striate.foundation.shapes import Shape
from striate.layers.forms import inner_form, inner_layer, remake
from striate.layers.layer import Layer, registry
from striate.layers.structure import is_shape
from striate.layers.symbol import ShapeError

MERGE_MODES = ("sum", "mul", "ave", "concat")
COMMON = ("stateful", "return_sequences", "return_state")


@registry.register()
class Bidirectional(Layer):
    """Runs a recurrent layer from the first step to the last, another from the last to the first, and joins both.

    Input: (N, T, F). Output: what the layer gives, with "concat" with twice as many values on the last axis; a list of
    both with merge_mode None. With return_state the states of both come after it.

    Args:
        layer: LSTM, GRU, SimpleRNN or RNN. It is made again with new weights, as "forward_..." and "backward_...".
        merge_mode: How outputs are joined: "concat", "sum", "mul", "ave", or None for a list of both.
        weights: First values of all weights, as `get_weights` returns them.
        backward_layer: The layer that goes backwards, where it is to be another one.

    Raises:
        UserError: The layer is no recurrent one, or the two differ in what they return, or not in their direction.

    Source: Schuster and Paliwal, IEEE Transactions on Signal Processing 45, 1997.

    Example:
        >>> from striate.layers import LSTM
        >>> Bidirectional(LSTM(4, return_sequences=True))(torch.zeros(2, 6, 3)).shape
        torch.Size([2, 6, 8])
    """

    casts_integers: ClassVar[bool] = True
    supports_masking = True
    rank: ClassVar[int | None] = 3

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.merge_mode = (
            None if merge_mode is None else check_choice(self.where, "merge_mode", merge_mode, MERGE_MODES)
        )
        self.first_weights = weights
        layer = self._check(layer)
        self.forward_layer: Any = remake(layer, name=f"forward_{layer.name.removeprefix('forward_')}")
        if backward_layer is None:
            name = f"backward_{layer.name.removeprefix('backward_')}"
            self.backward_layer: Any = remake(layer, name=name, go_backwards=True)
        else:
            self.backward_layer = self._check(backward_layer)
        self._check_pair()
        for one in (self.forward_layer, self.backward_layer):
            one.may_fuse = getattr(layer, "may_fuse", True)
            one.zero_output_for_mask = one.return_sequences

    def _check(self, layer: Any) -> Any:
        needs = "a recurrent layer: LSTM, GRU, SimpleRNN or RNN"
        layer = inner_layer(self.where, layer, needs)
        if not all(hasattr(layer, name) for name in ("go_backwards", *COMMON)):
            raise UserError(self.where, layer.where, needs, "Take TimeDistributed for a layer that looks at each step.")
        return layer

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        for name in COMMON:
            one, other = getattr(forward, name), getattr(backward, name)
            if one != other:
                got = f"{name}={one} in {forward.where} and {name}={other} in {backward.where}"
                raise UserError(self.where, got, "the same in both", f"Change {name} of one of them.")
        if forward.go_backwards == backward.go_backwards:
            got = f"go_backwards={forward.go_backwards} in both layers"
            raise UserError(
                self.where, got, "True in one and False in the other", "Change go_backwards of one of them."
            )

    @property
    def return_sequences(self) -> bool:
        """Whether every step's output comes out."""
        return bool(self.forward_layer.return_sequences)

    @property
    def return_state(self) -> bool:
        """Whether the last states come out, too."""
        return bool(self.forward_layer.return_state)

    @property
    def stateful(self) -> bool:
        """Whether each batch begins with the states that the one before ended with."""
        return bool(self.forward_layer.stateful)

    def build(self, input_shape: Shape) -> None:
        self.forward_layer.ensure_built(input_shape)
        self.backward_layer.ensure_built(input_shape)
        if self.first_weights is not None:
            self.set_weights(self.first_weights)

    def forward(self, sequences: torch.Tensor, initial_state: Any = None, mask: Any = None) -> Any:
        given = {} if mask is None else {"mask": mask}
        if initial_state is None:
            ways = [layer(sequences, **given) for layer in (self.forward_layer, self.backward_layer)]
        else:
            half = len(initial_state) // 2
            ways = [
                self.forward_layer(sequences, initial_state=list(initial_state[:half]), **given),
                self.backward_layer(sequences, initial_state=list(initial_state[half:]), **given),
            ]
        outputs = [way[0] if self.return_state else way for way in ways]
        if self.return_sequences:
            outputs[1] = outputs[1].flip(1)
        joined = self._join(*outputs)
        if not self.return_state:
            return joined
        states = [state for way in ways for state in way[1:]]
        return [*joined, *states] if self.merge_mode is None else [joined, *states]

    def _join(self, ahead: torch.Tensor, back: torch.Tensor) -> Any:
        if self.merge_mode is None:
            return [ahead, back]
        if self.merge_mode == "concat":
            return torch.cat([ahead, back], -1)
        if self.merge_mode == "mul":
            return ahead * back
        return (ahead + back) / (2 if self.merge_mode == "ave" else 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        try:
            ways = [layer.compute_output_shape(input_shape) for layer in (self.forward_layer, self.backward_layer)]
        except ShapeError as error:
            raise self.refuse_shape(input_shape, error.needs, error.fix) from None
        one, other = ([tuple(way)] if is_shape(way) else list(way) for way in ways)
        joined = [one[0], other[0]]
        if self.merge_mode == "concat":
            joined = [(*one[0][:-1], one[0][-1] + other[0][-1])]
        elif self.merge_mode is not None:
            if one[0] != other[0]:
                needs = f"outputs of one size for merge_mode={self.merge_mode!r}"
                got = f"units that give {one[0]} and {other[0]}"
                raise UserError(self.where, got, needs, "Give both layers the same units, or take 'concat'.")
            joined = [one[0]]
        found = [*joined, *one[1:], *other[1:]]
        return found[0] if len(found) == 1 else tuple(found)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        of_output = mask if self.return_sequences else None
        joined = [of_output] * (2 if self.merge_mode is None else 1)
        if self.return_state:
            counts = [len(layer.compute_mask(inputs, mask)) - 1 for layer in (self.forward_layer, self.backward_layer)]
            joined += [None] * sum(counts)
        return joined[0] if len(joined) == 1 else joined

    def reset_state(self) -> None:
        """Begin the next batch with zeros again."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state  # Keras has both

    def flops(self, input_shape: Shape) -> int:
        return self.forward_layer.flops(input_shape) + self.backward_layer.flops(input_shape)

    def config(self) -> dict[str, Any]:
        layers = {"layer": inner_form(self.forward_layer), "backward_layer": inner_form(self.backward_layer)}
        return {"merge_mode": self.merge_mode, **layers}
