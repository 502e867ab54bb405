"""The shape that comes out of code that does not say it: found by running it on zeros."""

from collections.abc import Callable
from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.foundation.nested import as_lists, flatten, map_structure
from striate.foundation.shapes import Shape
from striate.layers.faults import too_large
from striate.layers.loss_adder import losses_dropped
from striate.layers.structure import is_shape, mode

GUESSES = (64, 96)


def shape_by_trial(module: torch.nn.Module, forward: Callable[..., Any], input_shape: Any) -> Any:
    """Run `forward` on zeros of one item, without gradients and in inference mode, and look at the shape.

    Sizes that are not known are tried as 64 and as 96; what differs in the outcome is not known either.

    Args:
        module: Whose device and dtype the zeros are made of.
        forward: What is run.
        input_shape: One shape, or a list or dict of shapes.

    Returns:
        One shape, or a list or dict, with N as in the input.
    """
    first = next(module.parameters(), None)
    device = first.device if first is not None else torch.device("cpu")
    dtype = first.dtype if first is not None and first.is_floating_point() else torch.float32

    shapes = flatten(input_shape, is_leaf=is_shape)
    if not shapes or not all(is_shape(shape) and shape and all((size or 0) >= 0 for size in shape) for shape in shapes):
        needs = "a shape, N included, or a list or dict of shapes"
        raise UserError(type(module).__name__, f"input_shape={input_shape!r}", needs, "Pass for example (None, 4).")
    items = shapes[0][0]

    def attempt(guess: int) -> Any:
        def zeros(shape: Shape) -> torch.Tensor:
            sizes = [1, *(guess if size is None else size for size in shape[1:])]
            try:
                return torch.zeros(sizes, device=device, dtype=dtype)
            except RuntimeError as error:
                refusal = too_large(type(module).__name__, "an input", tuple(sizes), "Choose smaller sizes.", error)
                raise refusal or error from error

        with torch.no_grad(), losses_dropped(), mode(module, False):
            return as_lists(forward(map_structure(zeros, as_lists(input_shape, is_leaf=is_shape), is_leaf=is_shape)))

    def agreed(one: torch.Tensor, two: torch.Tensor) -> Shape:
        return (items, *(a if a == b else None for a, b in zip(one.shape[1:], two.shape[1:], strict=True)))

    unknown = any(None in shape[1:] for shape in shapes)
    one, two = (attempt(guess) for guess in GUESSES) if unknown else (attempt(GUESSES[0]),) * 2
    return map_structure(agreed, one, two)
