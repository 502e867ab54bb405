"""From arrays to tensors and back, and what can be asked of them."""

from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UnsupportedError
from striate.ops.table import dtype_of, op, to_tensor


@op()
def convert_to_tensor(
    x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None
) -> torch.Tensor:
    """A tensor of an array, a number or nested lists; Python's own floats become float32, its whole numbers int32.

    Raises:
        UserError: It is no array.

    Example:
        >>> convert_to_tensor([[1, 2], [3, 4.5]])
        tensor([[1.0000, 2.0000],
                [3.0000, 4.5000]])
    """
    for name, value in (("sparse", sparse), ("ragged", ragged)):
        if value:
            needs = f"{name}=None: striate has no such tensors"
            raise UnsupportedError("ops.convert_to_tensor", f"{name}={value!r}", needs, f"Leave {name} out.")
    return to_tensor(x, dtype_of("ops.convert_to_tensor", dtype))


@op()
def array(x: Any, dtype: Any = None) -> torch.Tensor:
    """As `convert_to_tensor`."""
    return convert_to_tensor(x, dtype)


@op()
def convert_to_numpy(x: Any) -> np.ndarray:
    """A NumPy array of a tensor, also of one on another device or with gradients.

    Example:
        >>> convert_to_numpy(torch.ones(2, requires_grad=True))
        array([1., 1.], dtype=float32)
    """
    tensor = to_tensor(x).detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy().copy()  # NumPy has no bfloat16


@op()
def cast(x: torch.Tensor, dtype: Any) -> torch.Tensor:
    """The same numbers in another dtype; what is cut off is cut off towards zero.

    Example:
        >>> cast([1.9, -1.9], "int32")
        tensor([ 1, -1], dtype=torch.int32)
    """
    return x.to(dtype_of("ops.cast", dtype, x.dtype))


@op()
def saturate_cast(x: torch.Tensor, dtype: Any) -> torch.Tensor:
    """As `cast`, but what the dtype cannot hold becomes the nearest number that it can."""
    target = dtype_of("ops.saturate_cast", dtype, x.dtype)
    assert target is not None
    if target.is_floating_point or target == torch.bool:
        return x.to(target)
    limits = torch.iinfo(target)
    return x.clamp(limits.min, limits.max).to(target)


@op()
def shape(x: torch.Tensor) -> tuple[int, ...]:
    """The shape as a tuple.

    Example:
        >>> shape([[1, 2, 3]])
        (1, 3)
    """
    return tuple(x.shape)


@op()
def ndim(x: torch.Tensor) -> int:
    """How many axes there are."""
    return x.ndim


@op()
def size(x: torch.Tensor) -> torch.Tensor:
    """How many numbers there are."""
    return torch.tensor(x.numel())


@op()
def dtype(x: torch.Tensor) -> str:
    """The name of the dtype: "float32"."""
    return str(x.dtype).removeprefix("torch.")


@op()
def is_tensor(x: Any) -> bool:
    """Whether it is a torch tensor."""
    return isinstance(x, torch.Tensor)


@op()
def copy(x: torch.Tensor) -> torch.Tensor:
    """A copy with memory of its own."""
    return x.clone()


@op()
def stop_gradient(variable: torch.Tensor) -> torch.Tensor:
    """The same numbers, through which no gradient flows back.

    Example:
        >>> stop_gradient(torch.ones(2, requires_grad=True)).requires_grad
        False
    """
    return variable.detach()
