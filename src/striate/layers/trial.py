"""The shape that comes out of code that does not say it: found by running it on zeros."""

from collections.abc import Callable
from typing import Any

import torch

from striate.foundation.shapes import Shape
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

    def attempt(guess: int) -> Any:
        with torch.no_grad(), mode(module, False):
            return forward(_zeros(input_shape, guess, device, dtype))

    one, two = (attempt(guess) for guess in GUESSES) if _has_unknown(input_shape) else (attempt(GUESSES[0]),) * 2
    return _merge(one, two, _first_size(input_shape))


def _parts(structure: Any) -> list[Any]:
    return list(structure.values() if isinstance(structure, dict) else structure)


def _zeros(shape: Any, guess: int, device: torch.device, dtype: torch.dtype) -> Any:
    if isinstance(shape, dict):
        return {key: _zeros(one, guess, device, dtype) for key, one in shape.items()}
    if not is_shape(shape):
        return [_zeros(one, guess, device, dtype) for one in shape]
    return torch.zeros([1, *(guess if size is None else size for size in shape[1:])], device=device, dtype=dtype)


def _has_unknown(shape: Any) -> bool:
    return None in shape[1:] if is_shape(shape) else any(map(_has_unknown, _parts(shape)))


def _first_size(shape: Any) -> int | None:
    return shape[0] if is_shape(shape) else _first_size(_parts(shape)[0])


def _merge(one: Any, two: Any, items: int | None) -> Any:
    """The shape of two outcomes, None where they differ."""
    if isinstance(one, torch.Tensor):
        sizes: Shape = tuple(a if a == b else None for a, b in zip(one.shape[1:], two.shape[1:], strict=True))
        return (items, *sizes)
    if isinstance(one, dict):
        return {key: _merge(one[key], two[key], items) for key in one}
    return [_merge(a, b, items) for a, b in zip(one, two, strict=True)]
