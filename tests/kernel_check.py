"""Compiled operations against their definitions: by every instruction set that is here, in guarded memory.

A test of an operation is one line: `check(dense, (x, kernel, bias), depth=7)`. Its definition is the function of the
same name in `striate.kernels.reference`, here in float64.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from striate.kernels import library as native
from striate.kernels import reference
from striate.kernels.library import Library, library, units

if SANITIZED := os.environ.get("STRIATE_SANITIZED"):
    native.FILE = Path(SANITIZED)  # what scripts/sanitize.sh has compiled
    assert units(), f"{SANITIZED} cannot be loaded"
if not units():
    pytest.skip("nothing is compiled here", allow_module_level=True)

ENGINES = [(unit, threads) for unit in units() for threads in (1, 2)]
LANES = (1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33)
"""Sizes around the 4, 8 and 16 numbers that instruction sets work on at a time."""
EPSILON = torch.finfo(torch.float32).eps
# Numbers before and after each array that nobody may touch; odd, so that no array is aligned. Sanitizers see more if
# arrays lie in memory of just their size.
BAND = 0 if SANITIZED else 67

Damage = Callable[[torch.Tensor], Any]
_EMPTY, _EMPTY_LIKE, _NEW_EMPTY = torch.empty, torch.empty_like, torch.Tensor.new_empty


class Memory:
    """Arrays between two bands, all bytes of all of them 255 at first: NaN, where nothing else is written."""

    def __init__(self) -> None:
        self.arrays: list[tuple[torch.Tensor, torch.Tensor]] = []

    def like(self, tensor: torch.Tensor) -> torch.Tensor:
        """An array of the same shape, strides and dtype."""
        size = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True)) + 1
        whole = _EMPTY((2 * BAND + size) * tensor.itemsize, dtype=torch.uint8).fill_(255)
        array = torch.tensor([], dtype=tensor.dtype)
        array.set_(whole.untyped_storage(), BAND, tensor.shape, tensor.stride())
        self.arrays.append((whole, array))
        return array

    @contextlib.contextmanager
    def handed_out(self) -> Iterator[None]:
        """Whoever asks torch for memory gets it here."""
        with (
            mock.patch.object(torch, "empty", lambda *a, **k: self.like(_EMPTY(*a, **k))),
            mock.patch.object(torch, "empty_like", lambda *a, **k: self.like(_EMPTY_LIKE(*a, **k))),
            mock.patch.object(torch.Tensor, "new_empty", lambda *a, **k: self.like(_NEW_EMPTY(*a, **k))),
        ):
            yield

    def check(self) -> None:
        """Nothing was written before or after any of the arrays."""
        for whole, array in self.arrays:
            edge = BAND * array.itemsize
            outside = torch.cat([whole[:edge], whole[len(whole) - edge :]])
            assert bool((outside == 255).all()), f"written outside of an array of shape {tuple(array.shape)}"


@contextlib.contextmanager
def running(unit: str, threads: int = 1) -> Iterator[None]:
    """Let operations be computed by an instruction set, or by "reference"."""
    before = torch.get_num_threads()
    with mock.patch.dict(os.environ, STRIATE_KERNELS=unit):
        library.cache_clear()
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            library.cache_clear()


@contextlib.contextmanager
def watched(memory: Memory | None = None, damage: dict[str, Damage] | None = None) -> Iterator[list[str]]:
    """The names of the compiled functions that are called meanwhile.

    Args:
        memory: Where they write.
        damage: What to do to all that a function has written, by its name: is it noticed?
    """
    found = Library.__getattr__
    names: list[str] = []
    written: set[int] = set()

    def getattr_(self: Library, name: str) -> Any:
        call = found(self, name)

        def watched_call(*arguments: Any) -> None:
            names.append(name)
            call(*arguments)
            new = [array for _, array in (memory.arrays if memory else ()) if array.data_ptr() in arguments]
            for array in [array for array in new if array.data_ptr() not in written]:
                written.add(array.data_ptr())
                (damage or {}).get(name, id)(array)

        setattr(self, name, watched_call)
        return watched_call

    library.cache_clear()
    try:
        with mock.patch.object(Library, "__getattr__", getattr_):
            yield names
    finally:
        library.cache_clear()


@contextlib.contextmanager
def another_dtype() -> Iterator[None]:
    """Make float64 what torch takes where nothing is said."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def check(
    op: Callable[..., Any],
    arguments: Sequence[Any],
    depth: float = 0,
    frozen: Sequence[int] = (),
    layout: str = "misaligned",
    second: bool = False,
    functions: Sequence[str] | None = None,
    definition: Callable[..., Any] | None = None,
    damage: dict[str, Damage] | None = None,
    engines: Sequence[tuple[str, int]] | None = None,
) -> None:
    """Outputs and gradients are those of the definition in float64, whatever computes them, and no array overflows.

    Args:
        op: An operation.
        arguments: Of the operation; its tensors hold float32.
        depth: How many epsilons of the largest number results may be off, or of 1 if that is more: the numbers in the
            longest sum. 0 asks for the same numbers.
        frozen: The positions of the tensors that no gradient is asked for.
        layout: How tensors lie in memory; see `LAYOUTS`.
        second: Whether gradients of the gradients are compared, too.
        functions: The compiled functions that it has to call; left out, those of its name, and with `_backward`.
        definition: If it is not the function of the same name.
        damage: See `watched`.
        engines: Instruction sets and threads, if not all.
    """
    arguments = [LAYOUTS[layout](value) if isinstance(value, torch.Tensor) else value for value in arguments]
    wanted = [i for i, value in enumerate(arguments) if isinstance(value, torch.Tensor) and i not in frozen]
    functions = functions or [op.__name__, f"{op.__name__}_backward"]
    needed = {name for name in functions if not name.endswith("_backward") or (wanted and not second)}
    double = [value.double() if isinstance(value, torch.Tensor) else value for value in arguments]
    expected = results(definition or getattr(reference, op.__name__), double, wanted, layout, second)
    before = [value.clone() for value in arguments if isinstance(value, torch.Tensor)]
    for unit, threads in engines or ENGINES:
        found = []
        for _ in range(threads):  # the same bits every time
            memory = Memory()
            with running(unit, threads), watched(memory, damage) as names, memory.handed_out(), another_dtype():
                found.append(results(op, arguments, wanted, layout, second))
            where = f"{op.__name__} of {unit} with {threads} threads"
            assert needed <= {*names}, f"{where} ran as its definition: {names}"
            memory.check()
        compare(found[-1], expected, depth, where)
        for one, two in zip(found[0], found[-1], strict=True):
            assert torch.equal(one.contiguous().view(torch.int32), two.contiguous().view(torch.int32)), where
    after = [value for value in arguments if isinstance(value, torch.Tensor)]
    for was, now in zip(before, after, strict=True):
        torch.testing.assert_close(now, was, rtol=0, atol=0, equal_nan=True, msg="an input has changed")


def check_falls_back(
    op: Callable[..., Any], arguments: Sequence[Any], definition: Callable[..., Any] | None = None
) -> None:
    """What the compiled functions cannot do, the definition does, errors included."""
    expected, found = [], []
    with watched() as names:
        for function, kept in ((definition or getattr(reference, op.__name__), expected), (op, found)):
            try:
                kept.append(function(*arguments))
            except (RuntimeError, IndexError) as error:
                kept.append(f"{type(error).__name__}: {error}")
    assert names == []
    assert isinstance(found[0], str) == isinstance(expected[0], str)
    assert found == expected if isinstance(found[0], str) else torch.equal(found[0], expected[0])


def results(
    op: Callable[..., Any], arguments: Sequence[Any], wanted: Sequence[int], layout: str, second: bool
) -> list[torch.Tensor]:
    """The outputs, the gradients by the arguments in `wanted` for random gradients of the outputs, and theirs."""
    values = list(arguments)
    leaves = [value.detach().requires_grad_() for value in (arguments[i] for i in wanted)]
    for i, leaf in zip(wanted, leaves, strict=True):
        values[i] = leaf
    y = op(*values)
    outputs = list(y) if isinstance(y, tuple) else [y]
    differentiable = [output for output in outputs if output.requires_grad]
    found = list(outputs)
    if leaves:
        random = torch.Generator().manual_seed(0)
        like = [torch.randint(-3, 4, y.shape, generator=random).to(y.dtype) for y in differentiable]
        dy = [LAYOUTS[layout](one).requires_grad_(second) for one in like]
        first = torch.autograd.grad(differentiable, leaves, dy, create_graph=second)
        found += first
        if second:
            weights = [torch.randint(-3, 4, one.shape, generator=random).to(one.dtype) for one in first]
            sources = [*leaves, *dy]
            again = torch.autograd.grad([g for g in first if g.requires_grad], sources, weights, allow_unused=True)
            pairs = zip(again, sources, strict=True)
            found += [torch.zeros_like(source) if one is None else one for one, source in pairs]
    return [one.detach() for one in found]


def compare(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor], depth: float, where: str) -> None:
    """Each array is the expected one, up to `depth` epsilons of its largest number."""
    for index, (one, two) in enumerate(zip(found, expected, strict=True)):
        largest = two.nan_to_num(0, 0, 0).abs().max().item() if two.numel() else 0
        assert one.dtype == torch.float32, where
        torch.testing.assert_close(
            one.double(),
            two.double(),
            rtol=0,
            atol=depth * EPSILON * max(1, largest),
            equal_nan=True,
            msg=lambda text, index=index: f"{where}, result {index}: {text}",
        )


def whole(*shape: int, most: int = 3, seed: int = 0) -> torch.Tensor:
    """Random whole numbers: sums of their products are exact in any order, and many are equal."""
    random = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randint(-most, most + 1, shape, generator=random).float()


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random numbers around 0."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def _misaligned(tensor: torch.Tensor) -> torch.Tensor:
    return Memory().like(_EMPTY_LIKE(tensor, memory_format=torch.contiguous_format)).copy_(tensor)


def _strided(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.repeat_interleave(2, -1)[..., ::2]


def _transposed(tensor: torch.Tensor) -> torch.Tensor:
    axes = list(reversed(range(tensor.ndim)))
    return tensor.permute(axes).contiguous().permute(axes)


def _expanded(tensor: torch.Tensor) -> torch.Tensor:
    return tensor[:1].expand_as(tensor)


LAYOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "misaligned": _misaligned,
    "strided": _strided,  # every other number
    "transposed": _transposed,  # first axis innermost
    "expanded": _expanded,  # the same numbers all along the first axis
}
