"""Layers with several inputs."""

from typing import Any

import torch

from striate.foundation.checks import UserError, is_int
from striate.foundation.shapes import Shape, describe
from striate.layers.layer import Layer, registry
from striate.layers.structure import is_shape


class Merge(Layer):
    """Base of the layers called on a list."""

    def check_list(self, input_shape: Any) -> list[Shape]:
        """The shapes, if they are at least two."""
        if is_shape(input_shape) or not isinstance(input_shape, list | tuple) or len(input_shape) < 2:
            fix = f"Call it on a list: {type(self).__name__}()([a, b])."
            raise self.refuse_shape(input_shape, "a list of at least two inputs", fix)
        return [tuple(shape) for shape in input_shape]


@registry.register()
class Add(Merge):
    """The sum of its inputs, element by element.

    Input: a list of arrays whose shapes are equal, or broadcast. Output: their common shape.

    Example:
        >>> Add()([torch.ones(1, 2), torch.ones(1, 2)])
        tensor([[2., 2.]])
    """

    def forward(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        total = inputs[0]
        for other in inputs[1:]:
            total = total + other
        return total

    def compute_output_shape(self, input_shape: Any) -> Shape:
        result, *others = self.check_list(input_shape)
        for other in others:
            pairs = list(zip(result, other, strict=False))
            if len(result) != len(other) or not all(one == two or {one, two} & {1, None} for one, two in pairs):
                fix = "Make them equal, for example with a 1 x 1 Conv2D on the shorter way."
                raise self.refuse_shape([result, other], "inputs of equal shape", fix)
            result = tuple(two if one == 1 else one if two == 1 else one or two for one, two in pairs)
        return result


@registry.register()
class Concatenate(Merge):
    """Its inputs one after the other along an axis.

    Input: a list of arrays that differ along the axis only. Output: as they, the axis as long as all together.

    Args:
        axis: Along which they are joined.

    Example:
        >>> Concatenate()([torch.zeros(1, 4, 4, 2), torch.zeros(1, 4, 4, 3)]).shape
        torch.Size([1, 4, 4, 5])
    """

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        if not is_int(axis) or axis == 0:
            needs = "a whole number other than 0, the batch axis"
            raise UserError(self.where, f"axis={axis!r}", needs, "Pass axis=-1 to join channels.")
        self.axis = int(axis)

    def forward(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(inputs), self.axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = self.check_list(input_shape)
        first = shapes[0]
        if not -len(first) < self.axis < len(first) or self.axis == -len(first):
            raise self.refuse_shape(input_shape, f"an axis {self.axis}", "Change axis.")
        axis = self.axis % len(first)
        for shape in shapes[1:]:
            pairs = [(one, two) for at, (one, two) in enumerate(zip(first, shape, strict=False)) if at != axis]
            if len(shape) != len(first) or any(one != two and None not in (one, two) for one, two in pairs):
                fix = f"Make {describe(first)} and {describe(shape)} equal elsewhere, by padding or cropping."
                raise self.refuse_shape(input_shape, f"inputs that differ along axis {self.axis} only", fix)
        sizes = [shape[axis] for shape in shapes]
        total = None if None in sizes else sum(size for size in sizes if size is not None)
        rest = [next((s[at] for s in shapes if s[at] is not None), None) for at in range(len(first))]
        return (*rest[:axis], total, *rest[axis + 1 :])

    def config(self) -> dict[str, Any]:
        return {"axis": self.axis}
