"""Steps that weights take while gradients are computed: what a gradient is needed for once need not be written down."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch

_this_thread = threading.local()  # gradients on the CPU are computed by the thread that asks for them


class EarlyStep(NamedTuple):
    """What Adam keeps of a weight, and the numbers of its step; see `native/optimizers.inl`."""

    mean: torch.Tensor
    square: torch.Tensor
    numbers: tuple[float, ...]


@contextmanager
def stepping_early(steps: Sequence[tuple[torch.Tensor, EarlyStep]]) -> Iterator[dict[int, EarlyStep]]:
    """Let weights take their steps as soon as their gradients are known; what is left in the dict was not taken."""
    _this_thread.steps = waiting = {id(weight): step for weight, step in steps}
    try:
        yield waiting
    finally:
        _this_thread.steps = {}


def take_step(weight: torch.Tensor) -> EarlyStep | None:
    """The step that this weight is to take now, once; None if it is to have a gradient."""
    return getattr(_this_thread, "steps", {}).pop(id(weight), None)


def read_once(loss: torch.Tensor, weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Those of the weights that one operation alone has read on the way to the loss.

    Example:
        >>> a, b = (torch.ones(2, requires_grad=True) for _ in range(2))
        >>> [weight is b for weight in read_once((a * a + b).sum(), [a, b])]
        [True]
    """
    wanted, reads = {id(weight): weight for weight in weights}, Counter[int]()
    seen, stack = set(), [loss.grad_fn]
    while wanted and stack:
        node = stack.pop()
        for source, _ in () if node is None else node.next_functions:
            leaf = getattr(source, "variable", None)
            if leaf is not None:
                reads[id(leaf)] += 1
            elif source is not None and source not in seen:
                seen.add(source)
                stack.append(source)
    return [weight for key, weight in wanted.items() if reads[key] == 1]
