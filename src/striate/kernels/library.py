"""The compiled library: found, asked what the processor can run, and called.

`setup.py` compiles `native/` into one file beside this one, where there is a compiler. Without it, on another
processor or with `STRIATE_KERNELS=reference`, everything runs as plain torch.
"""

import ctypes
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.autograd import forward_ad

from striate.foundation.checks import check_choice
from striate.kernels.digest import digest

FILE = Path(__file__).with_name("_native.so")
SOURCES = Path(__file__).with_name("native")
UNITS = ("avx512", "avx2", "generic")
"""Instruction sets, the best first."""
REFERENCE = "reference"
FULL = (torch.float32,)
OR_HALF = (torch.float32, torch.bfloat16)
KINDS = {torch.Tensor, torch.nn.Parameter}
"""What is read by address; subclasses may mean something else by their numbers."""

_NUMBER, _COUNT, _ADDRESS, _THREADS = ctypes.c_double, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int
_LISTS = (_COUNT, _ADDRESS, _NUMBER, _NUMBER)  # of weights, the table, learning rate and decay
_NORM = (*[_COUNT] * 2, *[_ADDRESS] * 3, _NUMBER, ctypes.c_int, ctypes.c_float)  # x, weights, epsilon, ReLU
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "max_pool": (_ADDRESS, ctypes.c_int, *[_ADDRESS] * 3, _THREADS),
    "max_pool_backward": (_ADDRESS, ctypes.c_int, *[_ADDRESS] * 4, _THREADS),
    "conv_pool": (*[_ADDRESS] * 6, _THREADS),
    "conv_pool_backward": (*[_ADDRESS] * 7, _THREADS),
    "conv_global_max": (*[_ADDRESS] * 4, ctypes.c_int, *[_ADDRESS] * 2, _THREADS),
    "conv_global_max_backward": (*[_ADDRESS] * 3, ctypes.c_int, *[_ADDRESS] * 6, _THREADS),
    "winograd": (*[_ADDRESS] * 4, ctypes.c_int, ctypes.c_int, _ADDRESS, _THREADS),
    "winograd_weights": (*[_COUNT] * 2, *[_ADDRESS] * 2, _THREADS),
    "winograd_backward": (*[_ADDRESS] * 4, _THREADS),
    "conv_lines": (*[_ADDRESS] * 4, ctypes.c_int, ctypes.c_int, _ADDRESS, _THREADS),
    "conv_lines_weights": (*[_ADDRESS] * 3, _THREADS),
    "conv_lines_backward": (*[_ADDRESS] * 4, _THREADS),
    "convolve": (*[_ADDRESS] * 5, ctypes.c_int, ctypes.c_float, _ADDRESS, _THREADS),
    "pool_windows": (*[_ADDRESS] * 2, ctypes.c_int, _ADDRESS, _THREADS),
    "activate": (*[_COUNT] * 2, _ADDRESS, ctypes.c_int, _ADDRESS, _THREADS),
    "run_program": (_ADDRESS, _COUNT, _THREADS),
    "run_in_groups": (*[_ADDRESS] * 2, *[_COUNT] * 4, _THREADS),
    "widths": (*[_ADDRESS] * 2, _THREADS),
    "dense": (*[_COUNT] * 3, *[_ADDRESS] * 3, ctypes.c_int, _ADDRESS, _THREADS),
    "dense_backward": (*[_COUNT] * 3, *[_ADDRESS] * 7, _THREADS),
    "dense_backward_adam": (*[_COUNT] * 3, *[_ADDRESS] * 8, *[_NUMBER] * 6, _THREADS),
    "batch_norm": (*_NORM, *[_ADDRESS] * 3, ctypes.c_float, *[_ADDRESS] * 3, _THREADS),
    "fold_norm": (_COUNT, *[_ADDRESS] * 4, _NUMBER, _ADDRESS, _THREADS),
    "scale_channels": (*[_COUNT] * 2, *[_ADDRESS] * 3, ctypes.c_int, ctypes.c_float, _ADDRESS, _THREADS),
    "batch_norm_backward": (*[_COUNT] * 2, *[_ADDRESS] * 4, ctypes.c_int, ctypes.c_float, *[_ADDRESS] * 5, _THREADS),
    "depthwise": (*[_ADDRESS] * 4, ctypes.c_int, ctypes.c_float, _ADDRESS, _THREADS),
    "depthwise_backward": (*[_ADDRESS] * 4, ctypes.c_float, *[_ADDRESS] * 4, _THREADS),
    "pointwise": (*[_COUNT] * 3, *[_ADDRESS] * 3, _THREADS),
    "pointwise_backward": (*[_COUNT] * 3, *[_ADDRESS] * 6, _THREADS),
    "dropout": (_COUNT, _ADDRESS, _COUNT, ctypes.c_int, ctypes.c_float, _ADDRESS, _THREADS),
    "sgd": (*_LISTS, _THREADS),
    "momentum": (*_LISTS, _NUMBER, ctypes.c_int, _THREADS),
    "adam": (*_LISTS, *[_NUMBER] * 4, ctypes.c_int, _THREADS),
    "nadam": (*_LISTS, *[_NUMBER] * 6, _THREADS),
    "adagrad": (*_LISTS, _NUMBER, _THREADS),
    "adamax": (*_LISTS, *[_NUMBER] * 4, _THREADS),
}
"""What each function takes; see the sources."""

Function = Callable[..., None]


class Library:
    """The functions of one instruction set, by name: `library.max_pool(...)`.

    The last argument of each is the number of threads, and is filled in: as many as torch uses.
    """

    def __init__(self, handle: ctypes.CDLL, unit: str) -> None:
        self.unit = unit
        self._handle = handle

    def __getattr__(self, name: str) -> Function:
        if name not in SIGNATURES:
            raise AttributeError(name)
        function = getattr(self._handle, f"{name}_{self.unit}")
        function.argtypes, function.restype = SIGNATURES[name], ctypes.c_int
        get_num_threads = torch.get_num_threads

        def call(*arguments: Any) -> None:
            if function(*arguments, get_num_threads()):
                raise MemoryError(f"{name} needs memory of its own, and there is none")

        setattr(self, name, call)
        return call


@functools.cache
def _handle() -> ctypes.CDLL | None:
    """The file, loaded; torch is there already, and with it the OpenMP runtime that the file needs."""
    try:
        handle = ctypes.CDLL(str(FILE))
        handle.striate_supports.argtypes = (ctypes.c_char_p,)
        handle.striate_digest.restype = ctypes.c_char_p
        known = handle.striate_digest().decode()
    except (OSError, AttributeError):
        return None
    # Beside sources that have changed since, as after a pull, it would be called with other arguments than it takes.
    return handle if not SOURCES.exists() or known == digest(SOURCES) else None


def units() -> list[str]:
    """The instruction sets that can be used here, the best first; none where nothing is compiled."""
    return [unit for unit in UNITS if supports(unit)]


def supports(name: str) -> bool:
    """Whether the processor, as far as the file knows it, can run a unit, or is of a kind: "slow_bfloat16"."""
    handle = _handle()
    return handle is not None and bool(handle.striate_supports(name.encode()))


@functools.cache
def library(unit: str | None = None) -> Library | None:
    """The functions for an instruction set; None where plain torch is to run.

    Args:
        unit: One of `UNITS`, or "reference"; left out, what the environment variable `STRIATE_KERNELS` says, or else
            the best that the processor has.

    Raises:
        UserError: There is none of that name, or not here.
    """
    unit = unit or os.environ.get("STRIATE_KERNELS") or None
    here = units()
    if unit is not None:
        check_choice("STRIATE_KERNELS", "unit", unit, (*here, REFERENCE))
    best = unit or next(iter(here), REFERENCE)
    handle = _handle()
    return None if handle is None or best == REFERENCE else Library(handle, best)


def compiled() -> Library:
    """The functions, where it is known that they are there."""
    found = library()
    assert found is not None
    return found


def plain(*tensors: torch.Tensor | None, dtypes: Sequence[torch.dtype] = FULL) -> bool:
    """Whether the compiled functions can read these: float32 numbers on the CPU, and nobody else looks on.

    To be asked first: in a trace, even a comparison of sizes leaves something behind.

    With `dtypes`, numbers of these count, too, which can be read once they are float32.

    Tensors of subclasses, and those that a transform, a trace or a mode of torch's looks at, are read by torch alone.
    """
    return not _watched() and readable(*tensors, dtypes=dtypes)


def readable(*tensors: torch.Tensor | None, dtypes: Sequence[torch.dtype] = FULL) -> bool:
    """Whether the numbers of these can be read by address; the part of `plain` that depends on them."""
    for tensor in tensors:
        if tensor is not None and (
            type(tensor) not in KINDS
            or not tensor.is_cpu
            or tensor.dtype not in dtypes
            or tensor.layout is not torch.strided
            or tensor.is_neg()
        ):
            return False
    return True


def _watched() -> bool:
    """Whether somebody wants to see each of torch's operations: what is computed here would be lost on them."""
    return (
        torch.compiler.is_compiling()  # first: torch.compile reads no further, nor could it
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._len_torch_function_stack() > 0
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._get_tracing_state() is not None
        or forward_ad._current_level >= 0
    )


def wants_gradient(*tensors: torch.Tensor | None) -> bool:
    """Whether a gradient of any of these will be asked for."""
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def laid_out(kernel: torch.Tensor) -> torch.Tensor:
    """A convolution's kernel (window, C, filters) as (filters, window, C), in this order in memory."""
    return kernel.detach().movedim(-1, 0).contiguous()


def address(tensor: torch.Tensor | None) -> int | None:
    """Where its numbers begin."""
    return None if tensor is None else tensor.data_ptr()


def fits_last_axis(vector: torch.Tensor | None, array: torch.Tensor) -> bool:
    """Whether it has one number for each place of the array's last axis, or is None."""
    return vector is None or vector.shape == array.shape[-1:]
