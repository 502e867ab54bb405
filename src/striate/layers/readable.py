"""What layers can calculate with, and what they refuse."""

from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError
from striate.foundation.nested import flatten

# For the types of numbers that torch does not calculate with the next wider one, which holds every value.
READABLE = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64, np.dtype(np.longdouble).name: np.float64}


def from_array(array: np.ndarray, where: str) -> torch.Tensor:
    """An array of numbers as a tensor, of the same memory unless torch cannot read that.

    Raises:
        UserError: It holds something else, such as dates.
    """
    if array.dtype.kind not in "biufc":
        needs = "numbers"
        raise UserError(where, f"an array of dtype {array.dtype}", needs, "Convert it: x.astype('float32').")
    wanted = READABLE.get(array.dtype.name, array.dtype.newbyteorder("="))
    array = array.astype(wanted, copy=not array.flags.writeable)
    reads = array.flags.aligned and all(stride >= 0 for stride in array.strides)
    return torch.from_numpy(array if reads else array.copy())


def check_numbers(where: str, values: Any) -> None:
    """Refuse what layers that calculate cannot read: texts, complex numbers, sparse tensors, nothing at all.

    Raises:
        UserError: One of them is among the values, or in a list or dict there.
    """
    for value in values:
        leaves = flatten(value)
        if not leaves:
            raise UserError(where, repr(value), "a tensor or a NumPy array", "Pass np.asarray(x).")
        for leaf in leaves:
            if isinstance(leaf, np.ndarray):
                fix = "Turn words into numbers first, with TextVectorization."
                raise UserError(where, f"an array of dtype {leaf.dtype}", "numbers", fix)
            if isinstance(leaf, torch.Tensor) and (leaf.is_complex() or leaf.layout is not torch.strided):
                fix = "Take its abs(), or real and imag as two channels." if leaf.is_complex() else "Call x.to_dense()."
                kind = str(leaf.dtype if leaf.is_complex() else leaf.layout).removeprefix("torch.")
                raise UserError(where, f"a tensor of {kind}", "real numbers in a dense tensor", fix)


def check_device(where: str, module: torch.nn.Module, values: Any) -> None:
    """Refuse tensors that are elsewhere than the module's weights; for when torch could not compute.

    Raises:
        UserError: One of the values is.
    """
    own = next((weight.device for weight in module.parameters()), None)
    for leaf in flatten(values):
        if own is not None and isinstance(leaf, torch.Tensor) and leaf.device != own:
            fix = f"Move one of them: x.to({str(own)!r})."
            raise UserError(where, f"a tensor on {leaf.device}", f"one on {own}, where its weights are", fix)
