"""How long each layer, loss, metric and optimizer step takes beside the same in plain PyTorch.

Both sides compute the same numbers from the same memory (channels_last, fused optimizers); layers and losses run
forward and backward. A ratio above 1 says that striate is faster.
"""

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from measure import arguments, report, spread, tell
from torch import nn

from striate import layers, losses, metrics, optimizers

BATCH = 32
SHAPES = {1: (BATCH, 256, 64), 2: (BATCH, 56, 56, 64), 3: (8, 16, 28, 28, 16)}
Work = Callable[[], Any]


class Last(nn.Module):
    """A channels-first module of torch on channels-last arrays, whose memory it sees as it is."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x.movedim(-1, 1)).movedim(1, -1)


LAYERS: dict[str, tuple[int, Callable[[], Any], Callable[[], Any]]] = {
    "Conv1D": (1, lambda: layers.Conv1D(64, 3), lambda: Last(nn.Conv1d(64, 64, 3))),
    "Conv2D": (2, lambda: layers.Conv2D(64, 3), lambda: Last(nn.Conv2d(64, 64, 3))),
    "Conv2D same": (2, lambda: layers.Conv2D(64, 3, padding="same"), lambda: Last(nn.Conv2d(64, 64, 3, padding=1))),
    "Conv2D strides 2": (2, lambda: layers.Conv2D(64, 3, 2), lambda: Last(nn.Conv2d(64, 64, 3, 2))),
    "Conv2D 1x1": (2, lambda: layers.Conv2D(64, 1), lambda: Last(nn.Conv2d(64, 64, 1))),
    "Conv3D": (3, lambda: layers.Conv3D(16, 3), lambda: Last(nn.Conv3d(16, 16, 3))),
    "Conv2DTranspose": (2, lambda: layers.Conv2DTranspose(64, 3, 2), lambda: Last(nn.ConvTranspose2d(64, 64, 3, 2))),
    "DepthwiseConv2D": (2, lambda: layers.DepthwiseConv2D(3), lambda: Last(nn.Conv2d(64, 64, 3, groups=64))),
    "MaxPooling2D": (2, lambda: layers.MaxPooling2D(), lambda: Last(nn.MaxPool2d(2))),
    "AveragePooling2D": (2, lambda: layers.AveragePooling2D(), lambda: Last(nn.AvgPool2d(2))),
    "GlobalAveragePooling2D": (
        2,
        lambda: layers.GlobalAveragePooling2D(),
        lambda: nn.Sequential(Last(nn.AdaptiveAvgPool2d(1)), nn.Flatten()),
    ),
    "BatchNormalization": (2, lambda: layers.BatchNormalization(), lambda: Last(nn.BatchNorm2d(64))),
    "LayerNormalization": (1, lambda: layers.LayerNormalization(), lambda: nn.LayerNorm(64)),
    "GroupNormalization": (2, lambda: layers.GroupNormalization(8), lambda: Last(nn.GroupNorm(8, 64))),
    "Dense": (1, lambda: layers.Dense(64), lambda: nn.Linear(64, 64)),
    "ReLU": (2, lambda: layers.ReLU(), lambda: nn.ReLU()),
    "LeakyReLU": (2, lambda: layers.LeakyReLU(0.3), lambda: nn.LeakyReLU(0.3)),
    "PReLU": (2, lambda: layers.PReLU(shared_axes=[1, 2]), lambda: Last(nn.PReLU(64))),
    "gelu": (2, lambda: layers.Activation("gelu"), lambda: nn.GELU()),
    "Softmax": (1, lambda: layers.Softmax(), lambda: nn.Softmax(-1)),
    "Dropout": (2, lambda: layers.Dropout(0.5), lambda: nn.Dropout(0.5)),
    "SpatialDropout2D": (2, lambda: layers.SpatialDropout2D(0.5), lambda: Last(nn.Dropout2d(0.5))),
    "Flatten": (2, lambda: layers.Flatten(), lambda: nn.Flatten()),
    "ZeroPadding2D": (2, lambda: layers.ZeroPadding2D(1), lambda: Last(nn.ZeroPad2d(1))),
    "UpSampling2D": (2, lambda: layers.UpSampling2D(), lambda: Last(nn.Upsample(scale_factor=2))),
}

CLASSES = torch.randint(0, 100, (4096,), generator=torch.Generator().manual_seed(0))
LOGITS = torch.randn(4096, 100, generator=torch.Generator().manual_seed(1))
ONES = (CLASSES % 2).float()[:, None]
LOSSES: dict[str, tuple[Callable[[torch.Tensor], Any], Callable[[torch.Tensor], Any], torch.Tensor]] = {
    "SparseCategoricalCrossentropy": (
        functools.partial(losses.SparseCategoricalCrossentropy(from_logits=True), CLASSES),
        lambda x: F.cross_entropy(x, CLASSES),
        LOGITS,
    ),
    "BinaryCrossentropy": (
        functools.partial(losses.BinaryCrossentropy(from_logits=True), ONES),
        lambda x: F.binary_cross_entropy_with_logits(x, ONES),
        LOGITS[:, :1].contiguous(),
    ),
    "MeanSquaredError": (
        functools.partial(losses.MeanSquaredError(), LOGITS),
        lambda x: F.mse_loss(x, LOGITS),
        LOGITS + 1,
    ),
}
METRICS: dict[str, tuple[Work, Work]] = {
    "SparseCategoricalAccuracy": (
        functools.partial(metrics.SparseCategoricalAccuracy().update_state, CLASSES, LOGITS),
        lambda: (LOGITS.argmax(-1) == CLASSES).float().mean(),
    ),
    "BinaryAccuracy": (
        functools.partial(metrics.BinaryAccuracy().update_state, ONES, LOGITS[:, :1]),
        lambda: ((LOGITS[:, :1] > 0.5) == (ONES > 0.5)).float().mean(),
    ),
}
OPTIMIZERS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "SGD": (lambda: optimizers.SGD(1e-3), lambda w: torch.optim.SGD(w, 1e-3, fused=True)),
    "SGD momentum": (
        lambda: optimizers.SGD(1e-3, momentum=0.9),
        lambda w: torch.optim.SGD(w, 1e-3, momentum=0.9, fused=True),
    ),
    "Adam": (lambda: optimizers.Adam(1e-3), lambda w: torch.optim.Adam(w, 1e-3, fused=True)),
    "AdamW": (lambda: optimizers.AdamW(1e-3), lambda w: torch.optim.AdamW(w, 1e-3, fused=True)),
    "RMSprop": (lambda: optimizers.RMSprop(1e-3), lambda w: torch.optim.RMSprop(w, 1e-3, foreach=True)),
    "Adagrad": (lambda: optimizers.Adagrad(1e-3), lambda w: torch.optim.Adagrad(w, 1e-3, fused=True)),
    "Adadelta": (lambda: optimizers.Adadelta(1e-3), lambda w: torch.optim.Adadelta(w, 1e-3, foreach=True)),
    "Adamax": (lambda: optimizers.Adamax(1e-3), lambda w: torch.optim.Adamax(w, 1e-3, foreach=True)),
    "Nadam": (lambda: optimizers.Nadam(1e-3), lambda w: torch.optim.NAdam(w, 1e-3, foreach=True)),
}


def layer_work(make: Callable[[], Any], x: torch.Tensor) -> Work:
    """Forward and backward of a layer or module, in training."""
    module = make()
    module.train()(x)
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
    for name, (rank, mine, theirs) in LAYERS.items():
        x = torch.randn(SHAPES[rank], requires_grad=True)
        found[name] = layer_work(mine, x), layer_work(theirs, x)
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
    results = {}
    for name, (mine, theirs) in pairs().items():
        if options.only.lower() in name.lower():
            base, ratio = compare(mine, theirs, options.rounds)
            results[name] = {"torch_seconds": base, **ratio}
    lines = [f"{name:<30} {1e3 * row['torch_seconds']:8.3f} ms   {tell(row, 2)}" for name, row in results.items()]
    report(options, {"ratios": results, "rounds": options.rounds}, ["torch's time; torch's time / striate's", *lines])


if __name__ == "__main__":
    main()
