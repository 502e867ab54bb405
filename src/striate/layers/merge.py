"""Layers with several inputs."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, is_int
from striate.foundation.shapes import Shape, Size, describe
from striate.layers.layer import Layer, registry
from striate.layers.structure import is_shape

Tensors = Sequence[torch.Tensor]
Masks = Sequence[torch.Tensor | None]


class Merge(Layer):
    """Base of the layers called on a list."""

    only_numbers: ClassVar[bool] = True
    supports_masking = True
    # How many inputs there must be; None for one or more.
    count: ClassVar[int | None] = None

    def check_list(self, input_shape: Any) -> list[Shape]:
        """The shapes, if there are as many as there must be, of the same number of items."""
        listed = isinstance(input_shape, list | tuple) and not is_shape(input_shape)
        if not listed or not all(map(is_shape, input_shape)) or self.count not in (None, len(input_shape)):
            needs = "a list of inputs" if self.count is None else f"a list of {self.count} inputs"
            fix = f"Call it on a list: {type(self).__name__}(...)([a, b])."
            raise self.refuse_shape(input_shape, needs, fix)
        shapes = [tuple(shape) for shape in input_shape]
        if not all(shapes) or len({shape[0] for shape in shapes} - {None}) > 1:
            raise self.refuse_shape(input_shape, "inputs of as many items each", "Feed batches of one size.")
        return shapes

    def items(self, shapes: list[Shape]) -> Size:
        """How many items there are, as far as one of the shapes tells."""
        return next((shape[0] for shape in shapes if shape[0] is not None), None)


class ElementwiseMerge(Merge):
    """Base of the merges that take one number of each input, for every cell of the output.

    Axes of 1 stretch to the others' size. Inputs with fewer axes get axes of 1 after the first.
    """

    def forward(self, inputs: Tensors) -> torch.Tensor:
        return self.merge(self.aligned(inputs))

    def merge(self, inputs: Tensors) -> torch.Tensor:
        """The result for inputs with the same number of axes."""
        raise NotImplementedError

    def aligned(self, inputs: Tensors) -> list[torch.Tensor]:
        """The inputs with the same number of axes."""
        axes = max(x.ndim for x in inputs)
        return [x if x.ndim == axes else x.reshape(x.shape[0], *(1,) * (axes - x.ndim), *x.shape[1:]) for x in inputs]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = self.check_list(input_shape)
        result = shapes[0][1:]
        for shape in shapes[1:]:
            stretched = _stretched(result, shape[1:])
            if stretched is None:
                fix = "Make them equal, for example with a 1 x 1 Conv2D on the shorter way."
                raise self.refuse_shape(shapes, "inputs of equal shape, or with axes of 1 to stretch", fix)
            result = stretched
        return (self.items(shapes), *result)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """A step counts if it counts in one of the inputs; every one, if an input has no mask."""
        if mask is None or any(one is None for one in mask):
            return None
        first, *others = mask
        for other in others:
            first = first | other
        return first


def _stretched(one: Shape, two: Shape) -> Shape | None:
    """The shape that both stretch to, axes counted from the last; None if there is none."""
    short, long = sorted((one, two), key=len)
    pairs = list(zip((1,) * (len(long) - len(short)) + short, long, strict=True))
    if not all(a == b or {a, b} & {1, None} for a, b in pairs):
        return None
    return tuple(None if None in (a, b) else b if a == 1 else a for a, b in pairs)


def _for_cells(mask: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The mask of steps with axes of 1 for the others that the input has."""
    return mask.reshape(*mask.shape, *(1,) * (x.ndim - mask.ndim))


def _masks_for(inputs: Tensors, mask: Any) -> Masks:
    """The mask of every input, if all have the same number of axes: otherwise steps are no longer on axis 1."""
    if mask is None or len({x.ndim for x in inputs}) > 1:
        return [None] * len(inputs)
    return [None if one is None else _for_cells(one, x) for one, x in zip(mask, inputs, strict=True)]


@registry.register()
class Add(ElementwiseMerge):
    """The sum of its inputs, element by element.

    Input: a list of arrays whose shapes are equal, or stretch to each other. Output: their common shape.

    Example:
        >>> Add()([torch.ones(1, 2), torch.ones(1, 2)])
        tensor([[2., 2.]])
    """

    def merge(self, inputs: Tensors) -> torch.Tensor:
        total = inputs[0]
        for other in inputs[1:]:
            total = total + other
        return total


@registry.register()
class Subtract(ElementwiseMerge):
    """The first input minus the second.

    Input: a list of two arrays whose shapes are equal, or stretch to each other. Output: their common shape.

    Example:
        >>> Subtract()([torch.ones(1, 2), torch.ones(1, 2)])
        tensor([[0., 0.]])
    """

    count = 2

    def merge(self, inputs: Tensors) -> torch.Tensor:
        return inputs[0] - inputs[1]


@registry.register()
class Multiply(ElementwiseMerge):
    """The product of its inputs, element by element; steps that a mask leaves out count as 1.

    Input: a list of arrays whose shapes are equal, or stretch to each other. Output: their common shape; where masks
    leave a step out of all the inputs, it is 0.

    Example:
        >>> Multiply()([torch.full((1, 2), 2.0), torch.full((1, 2), 3.0)])
        tensor([[6., 6.]])
    """

    def forward(self, inputs: Tensors, mask: Any = None) -> torch.Tensor:
        masks = _masks_for(inputs, mask)
        total, counts = None, None
        for x, one in zip(self.aligned(inputs), masks, strict=True):
            if one is not None:
                x = torch.where(one, x, 1)
                counts = one if counts is None else counts | one
            total = x if total is None else total * x
        assert total is not None
        return total if counts is None or any(one is None for one in masks) else torch.where(counts, total, 0)


@registry.register()
class Average(Add):
    """The mean of its inputs, element by element.

    Input: a list of arrays whose shapes are equal, or stretch to each other. Output: their common shape.

    Example:
        >>> Average()([torch.zeros(1, 2), torch.ones(1, 2)])
        tensor([[0.5000, 0.5000]])
    """

    def merge(self, inputs: Tensors) -> torch.Tensor:
        return super().merge(inputs) / len(inputs)


class _Extreme(ElementwiseMerge):
    """Base of Maximum and Minimum: steps that a mask leaves out of one input are not compared."""

    choose: ClassVar[Callable[..., torch.Tensor]]

    def forward(self, inputs: Tensors, mask: Any = None) -> torch.Tensor:
        masks = _masks_for(inputs, mask)
        best, *others = self.aligned(inputs)
        counts = masks[0]
        for x, one in zip(others, masks[1:], strict=True):
            x = x if one is None else torch.where(one, x, best)
            best = best if counts is None else torch.where(counts, best, x)
            counts = None if one is None or counts is None else counts | one
            best = type(self).choose(best, x)
        return best


@registry.register()
class Maximum(_Extreme):
    """The largest of its inputs, element by element; without those that a mask leaves out.

    Input: a list of arrays whose shapes are equal, or stretch to each other. Output: their common shape.

    Example:
        >>> Maximum()([torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 2.0]])])
        tensor([[3., 5.]])
    """

    choose = staticmethod(torch.maximum)


@registry.register()
class Minimum(_Extreme):
    """The smallest of its inputs, element by element; without those that a mask leaves out.

    Input: a list of arrays whose shapes are equal, or stretch to each other. Output: their common shape.

    Example:
        >>> Minimum()([torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 2.0]])])
        tensor([[1., 2.]])
    """

    choose = staticmethod(torch.minimum)


@registry.register()
class Concatenate(Merge):
    """Its inputs one after the other along an axis.

    Input: a list of arrays that differ along the axis only. Output: as they, the axis as long as all together.

    Args:
        axis: Along which they are joined.

    Raises:
        UserError: The axis is no whole number, or the one of the batch.
        ShapeError: The inputs differ elsewhere, or have no such axis.

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

    def forward(self, inputs: Tensors) -> torch.Tensor:
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

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The masks one after the other; along the last axis a step counts if it counts in one of the inputs."""
        if mask is None:
            return None
        cells = []
        for x, one in zip(inputs, mask, strict=True):
            one = torch.ones_like(x, dtype=torch.bool) if one is None else one
            cells.append(_for_cells(one, x).expand(x.shape))
        return torch.cat(cells, self.axis).any(-1)

    def config(self) -> dict[str, Any]:
        return {"axis": self.axis}
