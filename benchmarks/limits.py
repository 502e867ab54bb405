"""How fast this machine could do a step at best: its peaks, measured, and what a network asks of them.

A step of training is taken as three times the products of inference (outputs, and gradients of inputs and weights).
Its memory traffic is that of a step in which everything between two layers with weights is one kernel, and nothing
stays in a cache from one to the next: what goes into such a layer is written and read, read again for the gradient of
the weights, and its own gradient written and read; a weight is read, and in Adam's update weight and two moments are
read and written. What a real step does beyond that is not the machine's fault.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from striate.kernels.dense import MOST_ROWS, dense
from striate.layers import BatchNormalization
from striate.models import Model
from striate.models.summary import Summary

INPUT_PASSES = {True: 5, False: 2}  # over what goes into a layer with weights, in training and not
FIRST_PASSES = {True: 2, False: 1}  # over the network's input, which has no gradient and is there already
WEIGHT_PASSES = {True: 7, False: 1}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Peaks:
    """What the machine can do in a second."""

    flops: float
    bytes: float


def measure_peaks(precision: str, size: int = 2048, cells: int = 2**26) -> Peaks:
    """The best of some products of matrices, torch's and our own, and of some copies that no cache holds.

    Our own is in float32, in which blocks may compute under bfloat16, too: it is the faster where the processor has
    no products of bfloat16, and where MKL takes its AVX2 path on a processor with AVX-512.
    """
    a, b = torch.rand(2, size, size, dtype=DTYPES[precision])
    rows, weights = torch.rand(MOST_ROWS, size // 2), torch.rand(size // 2, size // 2)
    torchs = 2 * size**3 / _fastest(lambda: a @ b)
    ours = 2 * rows.numel() * len(weights) / _fastest(lambda: dense(rows, weights, None), 50)
    source, target = torch.rand(cells), torch.rand(cells)
    return Peaks(max(torchs, ours), 2 * 4 * cells / _fastest(lambda: target.copy_(source)))


def flops_of(model: Model) -> int:
    """Of the layers that say how many, for one item; lookups, pools and the like say nothing."""
    return sum(row.flops or 0 for row in Summary(model).rows)


def bytes_of(model: Model, batch: int, training: bool, precision: str) -> int:
    """The memory traffic of a step; weights are float32."""
    assert model.graph is not None
    shapes = model.graph.shapes((batch, *model.input_shape[1:]))
    weighted = [node for node in model.graph.nodes if node.inputs and list(node.layer.parameters())]
    if not training:  # it is folded into the layer before
        weighted = [node for node in weighted if not isinstance(node.layer, BatchNormalization)]
    counted = {symbol for node in weighted for symbol in node.inputs}
    passes = sum(
        torch.Size(shapes[id(symbol)]).numel() * (INPUT_PASSES if symbol.node.inputs else FIRST_PASSES)[training]
        for symbol in counted
    )
    weights = sum(weight.numel() for weight in model.parameters())
    return passes * DTYPES[precision].itemsize + 4 * WEIGHT_PASSES[training] * weights


def limit(model: Model, batch: int, training: bool, precision: str, peaks: Peaks) -> dict[str, float]:
    """Seconds of a step at best, for its products and for its memory traffic."""
    return {
        "products": flops_of(model) * batch * (3 if training else 1) / peaks.flops,
        "memory": bytes_of(model, batch, training, precision) / peaks.bytes,
    }


def _fastest(work: Callable[[], object], times: int = 10) -> float:
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found)
