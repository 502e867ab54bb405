"""Dot: products of two inputs, summed over an axis of each."""

from collections.abc import Sequence
from typing import Any

import torch

from striate.foundation.checks import UserError, check_flag, is_int
from striate.foundation.shapes import Shape, Size
from striate.layers.layer import registry
from striate.layers.merge import Merge, Tensors


@registry.register()
class Dot(Merge):
    """The sum of products of two inputs along an axis of each, for every pair of cells of the other axes.

    Input: a list of two arrays, (N, ...) and (N, ...), whose two axes are as long. Output: N, then the other axes of
    the first, then those of the second; (N, 1) where there are none.

    Args:
        axes: The axis of both, or one for each.
        normalize: Whether both are divided by their lengths along these axes first: what comes out are then cosines.

    Raises:
        UserError: axes are no whole numbers, or the one of the batch.
        ShapeError: The inputs have no such axes, or axes of different sizes.

    Example:
        >>> Dot(axes=(1, 2))([torch.ones(2, 3, 5), torch.ones(2, 10, 3)]).shape
        torch.Size([2, 5, 10])
    """

    count = 2

    def __init__(self, axes: int | tuple[int, int], normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        pair = (axes, axes) if is_int(axes) else axes
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(is_int(axis) and axis != 0 for axis in pair)):
            needs = "a whole number other than 0, the batch axis, or two of them"
            raise UserError(self.where, f"axes={axes!r}", needs, "Pass axes=-1 for the last axis of both.")
        self.axes: Any = int(axes) if is_int(axes) else [int(axis) for axis in pair]
        self.normalize = check_flag(self.where, "normalize", normalize)

    def axis_of(self, number: int, shape: Sequence[Size]) -> int:
        """The axis of one of the inputs, from the front."""
        return (self.axes if isinstance(self.axes, int) else self.axes[number]) % len(shape)

    def forward(self, inputs: Tensors) -> torch.Tensor:
        pair = [x.movedim(self.axis_of(number, x.shape), -1) for number, x in enumerate(inputs)]
        if self.normalize:
            pair = [x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp(min=1e-7) for x in pair]
        x, y = pair
        products = x.reshape(x.shape[0], -1, x.shape[-1]) @ y.reshape(y.shape[0], -1, y.shape[-1]).transpose(1, 2)
        return products.reshape(x.shape[0], *(x.shape[1:-1] + y.shape[1:-1] or (1,)))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = self.check_list(input_shape)
        given = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        for axis, shape in zip(given, shapes, strict=True):
            if not -len(shape) < axis < len(shape):
                raise self.refuse_shape(input_shape, f"inputs with the axes {tuple(given)}", "Change axes.")
        axes = [self.axis_of(number, shape) for number, shape in enumerate(shapes)]
        sizes = {shape[axis] for axis, shape in zip(axes, shapes, strict=True)} - {None}
        if len(sizes) > 1:
            needs = f"inputs as long as each other along the axes {tuple(axes)}"
            raise self.refuse_shape(input_shape, needs, "Change axes, or give both the same size there.")
        x, y = ((*shape[1:axis], *shape[axis + 1 :]) for axis, shape in zip(axes, shapes, strict=True))
        return (self.items(shapes), *(x + y or (1,)))

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """None: what comes out has no steps."""
        return None

    def config(self) -> dict[str, Any]:
        return {"axes": self.axes, "normalize": self.normalize}
