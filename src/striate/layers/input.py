"""Where a network begins."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_int
from striate.foundation.shapes import Shape
from striate.layers.layer import Layer, registry
from striate.layers.options import check_item_shape
from striate.layers.structure import is_shape
from striate.layers.symbol import Node, Symbol

# The dtype of texts, for which torch has none.
TEXT = "string"


@registry.register()
class InputLayer(Layer):
    """Holds the shape and dtype of what comes in; computes nothing.

    Args:
        shape: The shape of one item, without N.
        batch_size: N, where it is fixed.
        dtype: Of what comes in; "string" for texts, which TextVectorization takes.
        batch_shape: shape and batch_size in one, as Keras files hold it.
    """

    shows_outputs: ClassVar[bool] = False

    def __init__(
        self,
        shape: tuple[int | None, ...] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        batch_shape: tuple[int | None, ...] | None = None,
        **options: Any,
    ) -> None:
        texts = isinstance(dtype, str) and dtype == TEXT
        super().__init__(dtype=None if texts else dtype, **options)
        self.dtype = TEXT if texts else self.dtype
        if batch_shape is not None:
            if not is_shape(batch_shape) or not batch_shape:
                needs = "a shape that begins with the number of items, or None"
                fix = "Pass for example batch_shape=(None, 64, 64, 3)."
                raise UserError(self.where, f"batch_shape={batch_shape!r}", needs, fix)
            batch_size, shape = batch_shape[0], tuple(batch_shape[1:])
        if shape is None:
            raise UserError(self.where, "no shape", "the shape of one item", "Pass for example shape=(64, 64, 3).")
        size = None if batch_size is None else check_int(self.where, "batch_size", batch_size)
        self.batch_shape: Shape = (size, *check_item_shape(self.where, shape))
        self.built = True
        node = Node(self, (), {})
        node.outputs = Symbol(self.batch_shape, self.dtype, node)
        self.nodes.append(node)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        expected = self.batch_shape
        fits = (
            is_shape(input_shape)
            and len(input_shape) == len(expected)
            and all(None in (own, given) or own == given for own, given in zip(expected, input_shape, strict=False))
        )
        if not fits:
            raise self.refuse_shape(
                input_shape, str(expected), "Reshape or resize the input, or build the model for it."
            )
        return tuple(input_shape)

    def config(self) -> dict[str, Any]:
        return {"batch_shape": list(self.batch_shape)}

    def get_config(self) -> dict[str, Any]:
        """As Keras holds it: its dtype is the data's."""
        return {**self.config(), "dtype": self.dtype, "name": self.name}


def Input(  # noqa: N802 - Keras's name
    shape: tuple[int | None, ...] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    name: str | None = None,
    batch_shape: tuple[int | None, ...] | None = None,
    **unknown: Any,
) -> Symbol:
    """The symbol that stands for what comes in.

    Args:
        shape: The shape of one item, without N; None for sizes that vary.
        batch_size: N, where it is fixed.
        dtype: "float32" if left out.
        name: Of the input.
        batch_shape: shape and batch_size in one.

    Example:
        >>> Input((64, 64, 3), name="picture")
        <Symbol 'picture' shape=(None, 64, 64, 3) dtype=float32>
    """
    layer = InputLayer(shape, batch_size, dtype, batch_shape, name=name or None, **unknown)
    return layer.nodes[0].outputs
