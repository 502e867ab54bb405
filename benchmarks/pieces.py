"""How long each layer, loss, metric and optimizer step takes beside the same in plain PyTorch.

Both sides compute the same numbers from the same memory (channels_last, fused optimizers); layers and losses run
forward and backward. A ratio above 1 says that striate is faster.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from measure import arguments, report, spread, tell
from pieces_table import LAYERS, LOSSES, METRICS, OPTIMIZERS, SHAPES, First, Work
from torch import nn

from striate.training.memory import keep_freed_memory


def layer_work(module: nn.Module, x: Any) -> Work:
    """Forward and backward of a layer or module that has its weights, in training."""
    module.train()

    def work() -> None:
        y = module(x)
        y.backward(y.detach())

    return work


def loss_work(loss: Callable[[torch.Tensor], Any], prediction: torch.Tensor) -> Work:
    """Forward and backward of a loss."""
    x = prediction.clone().requires_grad_()
    return lambda: loss(x).backward()


def step_work(make: Callable[[Any], Any]) -> Work:
    """A step of an optimizer over the weights of a small ResNet, in sizes."""
    chance = torch.Generator().manual_seed(0)
    sizes = [(64, 64, 3, 3)] * 16 + [(64,)] * 32 + [(1000, 512), (1000,)]
    weights = [nn.Parameter(torch.randn(size, generator=chance)) for size in sizes]
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=chance)
    optimizer = make(weights)
    return lambda: optimizer.step()


def ours(make: Callable[[], Any]) -> Callable[[Any], Any]:
    """A striate optimizer that is told its weights."""

    def built(weights: list[nn.Parameter]) -> Any:
        optimizer = make()
        optimizer.build([(str(index), weight) for index, weight in enumerate(weights)])
        return optimizer

    return built


def pairs() -> dict[str, tuple[Work, Work]]:
    """What is compared: striate's side and torch's."""
    found: dict[str, tuple[Work, Work]] = {}
    for name, (inputs, mine, theirs) in LAYERS.items():
        x = inputs() if callable(inputs) else torch.randn(SHAPES[inputs], requires_grad=True)
        layer, module = mine(), theirs()
        layer(x)
        if isinstance(module, First):
            module.take_weights(layer)
        found[name] = layer_work(layer, x), layer_work(module, x)
    found |= {name: (loss_work(mine, x), loss_work(theirs, x)) for name, (mine, theirs, x) in LOSSES.items()}
    found |= METRICS
    found |= {name: (step_work(ours(mine)), step_work(theirs)) for name, (mine, theirs) in OPTIMIZERS.items()}
    return found


def compare(mine: Work, theirs: Work, rounds: int) -> tuple[float, dict[str, float]]:
    """Seconds of torch's side, and how many times as long as striate it takes, turn and turn about."""

    def seconds(work: Work, times: int = 1) -> float:
        begin = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - begin) / times

    for work in (mine, theirs) * 2:
        work()
    times = max(1, int(0.02 / max(1e-6, seconds(theirs))))
    found = [(seconds(mine, times), seconds(theirs, times)) for _ in range(rounds)]
    return statistics.median(other for _, other in found), spread([other / own for own, other in found])


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each (default 15)")
    parser.add_argument("--only", default="", help="those with this in their name")
    options = parser.parse_args()
    keep_freed_memory()  # as `fit` does, for both sides: else page faults decide who is the faster
    results = {}
    for name, (mine, theirs) in pairs().items():
        if options.only.lower() in name.lower():
            base, ratio = compare(mine, theirs, options.rounds)
            results[name] = {"torch_seconds": base, **ratio}
    lines = [f"{name:<30} {1e3 * row['torch_seconds']:8.3f} ms   {tell(row, 2)}" for name, row in results.items()]
    report(options, {"ratios": results, "rounds": options.rounds}, ["torch's time; torch's time / striate's", *lines])


if __name__ == "__main__":
    main()
