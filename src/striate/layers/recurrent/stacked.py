"""Several cells as one, and what cells of any kind need to say."""

from typing import Any

import torch

from striate.foundation.checks import UserError, is_int
from striate.foundation.nested import map_structure
from striate.foundation.shapes import Shape
from striate.layers.forms import inner_form, inner_layer
from striate.layers.layer import Layer, registry
from striate.layers.structure import is_shape


def check_cell(where: str, value: Any) -> Layer:
    """The cell, or the one that is made from its form.

    Raises:
        UserError: It is no layer, or does not say how large its states are.
    """
    needs = "a cell: a layer with state_size and forward(inputs, states)"
    cell = inner_layer(where, value, needs)
    size = getattr(cell, "state_size", None)
    if not (is_int(size) or (isinstance(size, list | tuple) and size)):
        fix = "Take LSTMCell, GRUCell or SimpleRNNCell, or give the class a state_size."
        raise UserError(where, cell.where, needs, fix)
    return cell


def output_size(cell: Any) -> int:
    """How many values a cell gives."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size
        size = size if is_int(size) else size[0]
    return int(size)


def state_sizes(cell: Any) -> list[Any]:
    """The sizes of a cell's states."""
    return [cell.state_size] if is_int(cell.state_size) else list(cell.state_size)


def build_cell(cell: Layer, input_shape: Shape) -> None:
    """Make a cell's weights for one step (N, F), if there are none yet."""
    if not cell.built:
        cell.build(input_shape)


@registry.register()
class StackedRNNCells(Layer):
    """Cells one on top of the other, each getting what the one below gives, to be run by `RNN` as one.

    Input: (N, F) and a list of states, one (or a list) for each cell. Output: (N, units of the last) and the new
    states likewise.

    Args:
        cells: A list of cells.

    Example:
        >>> from striate.layers import RNN, GRUCell, LSTMCell
        >>> RNN(StackedRNNCells([LSTMCell(4), GRUCell(5)]))(torch.zeros(2, 6, 3)).shape
        torch.Size([2, 5])
    """

    def __init__(self, cells: Any, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(cells, list | tuple) or not cells:
            raise UserError(self.where, f"cells={cells!r}", "a list of cells", "Pass for example [LSTMCell(4)].")
        self.cells: Any = torch.nn.ModuleList(check_cell(self.where, cell) for cell in cells)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the states, cell by cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """How many values come out."""
        return output_size(self.cells[-1])

    def build(self, input_shape: Shape) -> None:
        for cell in self.cells:
            build_cell(cell, input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def forward(self, inputs: torch.Tensor, states: Any) -> Any:
        new = []
        for cell, before in zip(self.cells, states, strict=True):
            inputs, after = cell(inputs, before)
            new.append(after)
        return inputs, new

    def compute_output_shape(self, input_shape: Any) -> Any:
        if not is_shape(input_shape) or len(input_shape) < 2:
            raise self.refuse_shape(input_shape, "(N, F)", "Put it into RNN, which goes through the steps.")
        output = (input_shape[0], self.output_size)
        return (output, map_structure(lambda size: (input_shape[0], size), self.state_size))

    def flops(self, input_shape: Shape) -> int:
        total = 0
        for cell in self.cells:
            total += cell.flops(input_shape)
            input_shape = (input_shape[0], output_size(cell))
        return total

    def config(self) -> dict[str, Any]:
        return {"cells": [inner_form(cell) for cell in self.cells]}
