"""The options that every layer has, and those of Keras's that none has."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError
from striate.foundation.shapes import Shape, describe
from striate.layers.structure import is_shape

# Keras's layer arguments that striate does not support, with the defaults that ask for nothing.
KERAS_DEFAULTS = {
    "implementation": 2,
    "lora_rank": None,
    "lora_alpha": None,
    "quantization_config": None,
    "autocast": True,
    "rms_scaling": False,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
    "synchronized": False,
    "optional": False,
    "input_tensor": None,
    "sparse": False,
    "ragged": False,
}


def check_name(where: str, name: Any) -> str | None:
    """Return `name` if torch and files can hold it; None stands for one that is to be made.

    Raises:
        UserError: They cannot.
    """
    held = name is None or (isinstance(name, str) and name and not set(name) & {"/", "\0"})
    if not held or (name and any("\ud800" <= letter <= "\udfff" for letter in name)):
        raise UserError(where, f"name={name!r}", "a text without '/'", "Choose another name.")
    return name


def check_item_shape(where: str, shape: Any) -> Shape:
    """Return the shape of one item (without N) as a tuple, each size a positive int or None.

    Raises:
        UserError: It is anything else.
    """
    if not is_shape(shape) or any(size is not None and size < 1 for size in shape):
        needs = "positive whole numbers (None for a size not known), without the batch axis"
        raise UserError(where, f"input shape {shape!r}", needs, "Pass for example (64, 64, 3).")
    return tuple(None if size is None else int(size) for size in shape)


def check_weights(where: str, own: list[torch.Tensor], given: list[Any]) -> list[torch.Tensor]:
    """Return the given arrays as tensors, if they fit the weights one by one.

    Raises:
        UserError: Their number or a shape differs, or one holds no numbers.
    """
    fix = "Pass what get_weights() returns."
    if not isinstance(given, list | tuple):
        raise UserError(where, f"a {type(given).__name__} for weights", f"a list of {len(own)} arrays", fix)
    if len(given) != len(own):
        fix = fix if own else "Build the layer first (call it, or give input_shape)."
        raise UserError(where, f"{len(given)} weights", f"{len(own)}", fix)
    values = []
    for index, (weight, value) in enumerate(zip(own, given, strict=True)):
        if not isinstance(value, torch.Tensor):
            try:
                array = np.array(value)
            except ValueError:
                raise UserError(where, f"weight {index} with rows of several lengths", "an array", fix) from None
            if array.dtype.kind not in "fiub":
                raise UserError(where, f"weight {index} of {array.dtype}", "numbers", fix)
            value = torch.from_numpy(array)
        if value.shape != weight.shape:
            got = f"weight {index} of shape {describe(value.shape)}"
            raise UserError(where, got, describe(weight.shape), fix)
        values.append(value)
    return values


@functools.cache
def arguments_of(method: Callable[..., Any]) -> frozenset[str]:
    """The names of a function's arguments."""
    return frozenset(inspect.signature(method).parameters)


def argument_names(cls: type) -> list[str]:
    """The arguments of a class's `__init__` and of those it hands options on to."""
    names: list[str] = []
    for part in cls.__mro__:
        if part.__module__.partition(".")[0] != "torch" and "__init__" in vars(part):
            code = getattr(inspect.unwrap(vars(part)["__init__"]), "__code__", None)
            names += code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount] if code else []
    return names
