"""What a layer says when torch cannot compute what it was called with."""

import math
from typing import Any

from striate.foundation.checks import UserError
from striate.foundation.explain import is_users
from striate.foundation.shapes import Shape, describe
from striate.foundation.wording import ExplainedError, explained
from striate.layers.readable import check_device
from striate.layers.structure import is_shape, shape_of

_LARGE = 2**28  # bytes; what fails below that fails for other reasons than its size
_SIGNS = ("alloc", "memory", "overflow", "too large", "too big")  # of size, in what torch and Python say


def refusal_of(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException) -> UserError | None:
    """The refusal for what a layer's `forward` stumbled over; None for an error that is to be passed on.

    Raises:
        UserError: An input is on another device than the weights.
    """
    if isinstance(error, ExplainedError):  # an activation's or an operation's, which do not know the layer
        return UserError(f"{error.where} in {layer.where}", error.got, error.needs, error.fix)
    if isinstance(error, RuntimeError):
        check_device(layer.where, layer, inputs)
    if is_users(error):
        return None
    shape: Any = layer.compute_output_shape(shape_of(inputs[0])) if inputs and layer.says_shape() else None
    large = None
    if is_shape(shape):
        got = f"an input of shape {describe(shape_of(inputs[0]))} for an output"
        large = too_large(layer.where, got, shape, "Choose smaller sizes, or a smaller batch.", error)
    return large or explained(layer.where, layer.forward, inputs, kwargs, error)


def too_large(where: str, what: str, shape: Shape, fix: str, error: BaseException) -> UserError | None:
    """The refusal for an array that no memory holds, if its size is why it could not be made, as the error tells."""
    size, cause = 4 * math.prod(shape), error.__cause__ or error  # type: ignore[arg-type]
    about_size = isinstance(cause, MemoryError) or any(sign in str(cause).lower() for sign in _SIGNS)
    if size < _LARGE or not about_size:
        return None
    got = f"{what} of shape {describe(shape)}, which is {size / 2**30:,.1f} GiB"
    return UserError(where, got, "as much memory, which this machine does not have", fix)
