"""What a model is made of: one row for every layer, with what it holds, costs, sees and puts out."""

import dataclasses
from typing import Any

import torch

from striate.foundation.shapes import describe
from striate.layers.holder import weights_of
from striate.layers.structure import is_shape
from striate.models.measure import EVERYTHING, measure
from striate.models.summary_view import Column, Page, count, memory

FOOTER = {"total": "Total", "trainable": "Trainable", "non_trainable": "Non-trainable", "optimizer": "Optimizer"}

# What the legend says of the columns that Keras does not have.
FLOPS = "additions and multiplications for one item"
FIELD = "input cells that one cell sees"
OUTPUT = "memory for one item"


class Summary:
    """Layers, shapes, parameters, FLOPs, receptive fields and memory of a model; nothing in it is changed.

    Args:
        model: A model, built or not.
        input_shape: Measure for this input (N included; a list for several inputs) instead of the declared one.
        expand_nested: Show the layers of models inside, too.
        show_trainable: Show which layers training changes.

    Attributes:
        rows: One `Row` for every layer, in Keras's order.
        flops: Of all layers for one item; None where one does not say.
        activation_bytes: Of all outputs for one item; None where not known.

    Raises:
        ShapeError: A layer cannot take `input_shape`.

    Example:
        >>> from striate.layers import Dense
        >>> from striate.models import Sequential
        >>> summary = Summary(Sequential([Dense(2, input_shape=(3,), name="two")]))
        >>> summary.rows[0].output_shape, summary.rows[0].params, summary.flops
        ((None, 2), 8, 14)
    """

    def __init__(
        self, model: Any, input_shape: Any = None, expand_nested: bool = False, show_trainable: bool = False
    ) -> None:
        self.model, self.show_trainable = model, show_trainable
        self._measured = measure(model, input_shape)
        self.rows = [row for row in self._measured.rows if expand_nested or row.depth == 0]
        self.flops, self.activation_bytes = self._measured.flops, self._measured.activation_bytes

    def text(self, line_length: int | None = None) -> str:
        """The summary as plain text.

        Args:
            line_length: Width in characters; the terminal's, or 100 where there is none, if left out.
        """
        return self._page().text(line_length)

    def show(self, line_length: int | None = None) -> None:
        """Print it, in colour where the terminal has colours; as a table of HTML in a notebook.

        Args:
            line_length: Width in characters; the terminal's if left out.
        """
        self._page().show(line_length)

    def html(self) -> str:
        """The summary as a styled table that needs nothing else."""
        return self._page().html()

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON can hold it."""
        params = {kind: sum(weight.numel() for weight in weights) for kind, weights in self._weights().items()}
        return {
            "name": self.model.name,
            "layers": [dataclasses.asdict(row) for row in self.rows],
            "params": params,
            "flops": self.flops,
            "activation_bytes": self.activation_bytes,
        }

    def _weights(self) -> dict[str, list[torch.Tensor]]:
        """The weights by what training does with them, and the optimizer's own."""
        weights = weights_of(self.model)
        kinds = {
            "trainable": [weight for weight in weights if weight.requires_grad],
            "non_trainable": [weight for weight in weights if not weight.requires_grad],
        }
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None and optimizer.built:
            kinds["optimizer"] = [tensor for _, tensor in optimizer.variables()]
        return {"total": [weight for kind in kinds.values() for weight in kind], **kinds}

    def _page(self) -> Page:
        rows = self.rows
        columns = [
            Column("Layer (type)", [_indent(row.depth) + f"{row.name} ({row.kind})" for row in rows]),
            Column("Output Shape", [_shape_text(row.output_shape) for row in rows]),
            Column("Param #", [f"{row.params:,}{'' if row.built else ' (unbuilt)'}" for row in rows], True),
            Column("FLOPs", [count(row.flops) for row in rows], True, 2, FLOPS),
            Column("Receptive\nField", [_field_text(row.receptive_field) for row in rows], True, 3, FIELD),
            Column("Output", [memory(row.output_bytes) for row in rows], True, 4, OUTPUT),
        ]
        if not any(row.receptive_field for row in rows):
            del columns[4]
        if not self._measured.chain:
            columns.insert(3, Column("Connected to", ["\n".join(row.connected_to) or "-" for row in rows], rank=1))
        if self.show_trainable:
            marks = {True: "yes", False: "no", None: "-"}
            columns.append(Column("Trainable", [marks[row.trainable] for row in rows]))
        return Page(f'Model: "{self.model.name}"', columns, self._footer())

    def _footer(self) -> list[tuple[str, str]]:
        lines = []
        for kind, weights in self._weights().items():
            numbers = sum(weight.numel() for weight in weights)
            size = sum(weight.numel() * weight.element_size() for weight in weights)
            lines.append((f"{FOOTER[kind]} params", f"{numbers:,} ({memory(size, 2)})"))
        if self.rows and self.activation_bytes is not None:
            known = sum(row.flops or 0 for row in self.rows if row.depth == 0)
            lines.append(("FLOPs per item", f"{'at least ' if self.flops is None else ''}{count(known)}"))
            lines.append(("Activations per item", memory(self.activation_bytes)))
        return lines


def _indent(depth: int) -> str:
    return "   " * (depth - 1) + " └ " if depth else ""


def _shape_text(shape: Any) -> str:
    """A shape, or one on each line."""
    if shape is None:
        return "?"
    if is_shape(shape):
        return describe(shape)
    if isinstance(shape, dict):
        return "\n".join(f"{key}: {_shape_text(one)}" for key, one in shape.items())
    return "\n".join(map(_shape_text, shape))


def _field_text(field: tuple[int, ...] | str | None) -> str:
    """3 x 3, all, or what stands for nothing to tell."""
    if field == EVERYTHING:
        return EVERYTHING
    return " x ".join(map(str, field)) if field else "-"
