"""A step of an optimizer over all weights at once, in place: each number is read once and written once."""

import array
import itertools
from collections.abc import Sequence

import torch

from striate.kernels.library import KINDS, library

Tensors = Sequence[torch.Tensor]


def step(name: str, weights: Tensors, slots: Sequence[Tensors], *numbers: float) -> bool:
    """Do one step of the rule called `name` in `native/optimizers.inl`, if it is compiled.

    Args:
        name: "sgd", "momentum", "adam", "nadam", "adagrad" or "adamax".
        weights: What changes; each has a gradient, laid out in memory as itself.
        slots: What the rule keeps for each weight: as many lists as it has kinds, laid out likewise.
        numbers: What the rule is told: learning rate, weight decay, and its own.

    Returns:
        Whether it was done; if not, nothing has changed.

    Example:
        >>> weight = torch.ones(3)
        >>> weight.grad = torch.full((3,), 2.0)
        >>> weight if step("sgd", [weight], [], 0.25, 0.0) else torch.full((3,), 0.5)
        tensor([0.5000, 0.5000, 0.5000])
    """
    compiled = library()
    if compiled is None:
        return False
    rows = (weights, [weight.grad for weight in weights], *slots)
    tensors = list(itertools.chain.from_iterable(rows))
    if not ({type(t) for t in tensors} <= KINDS and all(w.dtype is torch.float32 and w.is_cpu for w in weights)):
        return False
    sizes = [weight.numel() for weight in weights]
    entries = (*sizes, *(tensor.data_ptr() for tensor in tensors))  # type: ignore[union-attr]
    table = array.array("q", entries)
    getattr(compiled, name)(len(sizes), table.buffer_info()[0], *numbers)
    torch.autograd.graph.increment_version(weights)  # so that a backward pass through older values is refused
    return True
