"""What `pieces.py` compares: each layer, loss, metric and optimizer of striate's, and the same in plain PyTorch."""

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
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


def pool(name: str) -> nn.Module:
    """A pooling module of torch's over windows of two."""
    return Last(getattr(nn, name)(2))


class OnList(nn.Module):
    """What torch does with several arrays, as a module of a list of them."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: list[torch.Tensor]) -> torch.Tensor:
        return self.function(*x)


class First(nn.Module):
    """The first of what a recurrent module of torch returns; of its last step, if told so."""

    def __init__(self, module: nn.Module, last: bool = True) -> None:
        super().__init__()
        self.module, self.last = module, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = self.module(x)[0]
        return outputs[:, -1] if self.last else outputs

    @torch.no_grad()
    def take_weights(self, layer: Any) -> None:
        """Compute the same as `layer`, or gradients would fade at another pace.

        On their way they become denormal numbers, for which processors take many times as long.
        """
        directions = [layer] if hasattr(layer, "cell") else [layer.forward_layer, layer.backward_layer]
        weights = [weight for direction in directions for weight in direction.cell.torch_weights()]
        for parameter, weight in zip(self.module.parameters(), weights, strict=True):
            parameter.copy_(weight)


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def separable(kind: Any) -> nn.Module:
    """Depthwise and pointwise convolution of torch, one after the other."""
    return Last(nn.Sequential(kind(64, 64, 3, groups=64, bias=False), kind(64, 64, 1)))


# What each layer is called on: the rank of its window for the shapes above, or what makes its inputs.
PICTURES = functools.partial(torch.randn, *SHAPES[2])
PAIR: Callable[[], list[torch.Tensor]] = lambda: [PICTURES().requires_grad_(), PICTURES().requires_grad_()]  # noqa: E731
WORDS: Callable[[], torch.Tensor] = lambda: torch.randint(0, 10_000, (BATCH, 256))  # noqa: E731
LAYERS: dict[str, tuple[Any, Callable[[], Any], Callable[[], Any]]] = {
    "Conv1D": (1, lambda: layers.Conv1D(64, 3), lambda: Last(nn.Conv1d(64, 64, 3))),
    "Conv2D": (2, lambda: layers.Conv2D(64, 3), lambda: Last(nn.Conv2d(64, 64, 3))),
    "Conv2D same": (2, lambda: layers.Conv2D(64, 3, padding="same"), lambda: Last(nn.Conv2d(64, 64, 3, padding=1))),
    "Conv2D strides 2": (2, lambda: layers.Conv2D(64, 3, 2), lambda: Last(nn.Conv2d(64, 64, 3, 2))),
    "Conv2D 1x1": (2, lambda: layers.Conv2D(64, 1), lambda: Last(nn.Conv2d(64, 64, 1))),
    "Conv2D 1x1 strides 2": (2, lambda: layers.Conv2D(64, 1, 2), lambda: Last(nn.Conv2d(64, 64, 1, 2))),
    "Conv2D dilated": (
        2,
        lambda: layers.Conv2D(64, 3, dilation_rate=2),
        lambda: Last(nn.Conv2d(64, 64, 3, dilation=2)),
    ),
    "Conv2D in groups": (2, lambda: layers.Conv2D(64, 3, groups=4), lambda: Last(nn.Conv2d(64, 64, 3, groups=4))),
    "Conv3D": (3, lambda: layers.Conv3D(16, 3), lambda: Last(nn.Conv3d(16, 16, 3))),
    "Conv1DTranspose": (1, lambda: layers.Conv1DTranspose(64, 3, 2), lambda: Last(nn.ConvTranspose1d(64, 64, 3, 2))),
    "Conv2DTranspose": (2, lambda: layers.Conv2DTranspose(64, 3, 2), lambda: Last(nn.ConvTranspose2d(64, 64, 3, 2))),
    "Conv3DTranspose": (3, lambda: layers.Conv3DTranspose(16, 3, 2), lambda: Last(nn.ConvTranspose3d(16, 16, 3, 2))),
    "DepthwiseConv1D": (1, lambda: layers.DepthwiseConv1D(3), lambda: Last(nn.Conv1d(64, 64, 3, groups=64))),
    "DepthwiseConv2D": (2, lambda: layers.DepthwiseConv2D(3), lambda: Last(nn.Conv2d(64, 64, 3, groups=64))),
    "SeparableConv1D": (1, lambda: layers.SeparableConv1D(64, 3), lambda: separable(nn.Conv1d)),
    "SeparableConv2D": (2, lambda: layers.SeparableConv2D(64, 3), lambda: separable(nn.Conv2d)),
    **{
        f"{name}{axes}D": (
            axes,
            functools.partial(getattr(layers, f"{name}{axes}D"), 2),
            functools.partial(pool, f"{torchs}{axes}d"),
        )
        for name, torchs in (("MaxPooling", "MaxPool"), ("AveragePooling", "AvgPool"))
        for axes in (1, 2, 3)
    },
    **{
        f"{name}{axes}D": (axes, getattr(layers, f"{name}{axes}D"), lambda axes=axes, how=how: Function(how(axes)))
        for name, how in (
            ("GlobalAveragePooling", lambda axes: lambda x: x.mean(tuple(range(1, axes + 1)))),
            ("GlobalMaxPooling", lambda axes: lambda x: x.amax(tuple(range(1, axes + 1)))),
        )
        for axes in (1, 2, 3)
    },
    "BatchNormalization": (2, lambda: layers.BatchNormalization(), lambda: Last(nn.BatchNorm2d(64))),
    "LayerNormalization": (1, lambda: layers.LayerNormalization(), lambda: nn.LayerNorm(64)),
    "GroupNormalization": (2, lambda: layers.GroupNormalization(8), lambda: Last(nn.GroupNorm(8, 64))),
    "UnitNormalization": (2, lambda: layers.UnitNormalization(), lambda: Function(lambda x: F.normalize(x, dim=-1))),
    "Dense": (1, lambda: layers.Dense(64), lambda: nn.Linear(64, 64)),
    "ReLU": (2, lambda: layers.ReLU(), lambda: nn.ReLU()),
    "ReLU up to 6": (2, lambda: layers.ReLU(max_value=6), lambda: nn.ReLU6()),
    "LeakyReLU": (2, lambda: layers.LeakyReLU(0.3), lambda: nn.LeakyReLU(0.3)),
    "PReLU": (2, lambda: layers.PReLU(shared_axes=[1, 2]), lambda: Last(nn.PReLU(64))),
    "ELU": (2, lambda: layers.ELU(), lambda: nn.ELU()),
    **{
        name: (2, functools.partial(layers.Activation, name), make)
        for name, make in (
            ("gelu", nn.GELU),
            ("silu", nn.SiLU),
            ("mish", nn.Mish),
            ("selu", nn.SELU),
            ("softplus", nn.Softplus),
            ("sigmoid", nn.Sigmoid),
            ("tanh", nn.Tanh),
            ("hard_swish", nn.Hardswish),
        )
    },
    "Softmax": (1, lambda: layers.Softmax(), lambda: nn.Softmax(-1)),
    "Dropout": (2, lambda: layers.Dropout(0.5), lambda: nn.Dropout(0.5)),
    "SpatialDropout1D": (1, lambda: layers.SpatialDropout1D(0.5), lambda: Last(nn.Dropout1d(0.5))),
    "SpatialDropout2D": (2, lambda: layers.SpatialDropout2D(0.5), lambda: Last(nn.Dropout2d(0.5))),
    "AlphaDropout": (2, lambda: layers.AlphaDropout(0.5), lambda: nn.AlphaDropout(0.5)),
    "GaussianNoise": (
        2,
        lambda: layers.GaussianNoise(0.5),
        lambda: Function(lambda x: x + torch.randn_like(x) * 0.5),
    ),
    "Flatten": (2, lambda: layers.Flatten(), lambda: nn.Flatten()),
    "Permute": (2, lambda: layers.Permute((3, 1, 2)), lambda: Function(lambda x: x.permute(0, 3, 1, 2))),
    "Rescaling": (2, lambda: layers.Rescaling(1 / 255, -1), lambda: Function(lambda x: x * (1 / 255) - 1)),
    "ZeroPadding2D": (2, lambda: layers.ZeroPadding2D(1), lambda: Last(nn.ZeroPad2d(1))),
    "Cropping2D": (2, lambda: layers.Cropping2D(1), lambda: Function(lambda x: x[:, 1:-1, 1:-1])),
    "UpSampling1D": (1, lambda: layers.UpSampling1D(), lambda: Last(nn.Upsample(scale_factor=2))),
    "UpSampling2D": (2, lambda: layers.UpSampling2D(), lambda: Last(nn.Upsample(scale_factor=2))),
    "UpSampling2D bilinear": (
        2,
        lambda: layers.UpSampling2D(interpolation="bilinear"),
        lambda: Last(nn.Upsample(scale_factor=2, mode="bilinear")),
    ),
    "UpSampling3D": (3, lambda: layers.UpSampling3D(), lambda: Last(nn.Upsample(scale_factor=2))),
    "Add": (PAIR, lambda: layers.Add(), lambda: OnList(torch.add)),
    "Multiply": (PAIR, lambda: layers.Multiply(), lambda: OnList(torch.mul)),
    "Maximum": (PAIR, lambda: layers.Maximum(), lambda: OnList(torch.maximum)),
    "Concatenate": (PAIR, lambda: layers.Concatenate(), lambda: OnList(lambda *x: torch.cat(x, -1))),
    "Embedding": (WORDS, lambda: layers.Embedding(10_000, 64), lambda: nn.Embedding(10_000, 64)),
    "LSTM": (1, lambda: layers.LSTM(64), lambda: First(nn.LSTM(64, 64, batch_first=True))),
    "GRU": (1, lambda: layers.GRU(64), lambda: First(nn.GRU(64, 64, batch_first=True))),
    "SimpleRNN": (1, lambda: layers.SimpleRNN(64), lambda: First(nn.RNN(64, 64, batch_first=True))),
    "Bidirectional LSTM": (
        1,
        lambda: layers.Bidirectional(layers.LSTM(64, return_sequences=True)),
        lambda: First(nn.LSTM(64, 64, batch_first=True, bidirectional=True), last=False),
    ),
}

CLASSES = torch.randint(0, 100, (4096,), generator=torch.Generator().manual_seed(0))
LOGITS = torch.randn(4096, 100, generator=torch.Generator().manual_seed(1))
TARGETS, SHARES = torch.randn(4096, 100), LOGITS.softmax(-1)
HOT, SIGNS = F.one_hot(CLASSES, 100).float(), torch.sign(TARGETS)
ONES = (CLASSES % 2).float()[:, None]
ODDS = LOGITS[:, :1].contiguous()
Loss = Callable[[torch.Tensor], Any]
LOSSES: dict[str, tuple[Loss, Loss, torch.Tensor]] = {
    "SparseCategoricalCrossentropy": (
        functools.partial(losses.SparseCategoricalCrossentropy(from_logits=True), CLASSES),
        lambda x: F.cross_entropy(x, CLASSES),
        LOGITS,
    ),
    "CategoricalCrossentropy": (
        functools.partial(losses.CategoricalCrossentropy(from_logits=True), HOT),
        lambda x: F.cross_entropy(x, HOT),
        LOGITS,
    ),
    "BinaryCrossentropy": (
        functools.partial(losses.BinaryCrossentropy(from_logits=True), ONES),
        lambda x: F.binary_cross_entropy_with_logits(x, ONES),
        ODDS,
    ),
    "BinaryCrossentropy of probabilities": (
        functools.partial(losses.BinaryCrossentropy(), ONES),
        lambda x: F.binary_cross_entropy(x.clamp(1e-7, 1 - 1e-7), ONES),
        ODDS.sigmoid(),
    ),
    "MeanSquaredError": (
        functools.partial(losses.MeanSquaredError(), TARGETS),
        lambda x: F.mse_loss(x, TARGETS),
        LOGITS,
    ),
    "MeanAbsoluteError": (
        functools.partial(losses.MeanAbsoluteError(), TARGETS),
        lambda x: F.l1_loss(x, TARGETS),
        LOGITS,
    ),
    "Huber": (functools.partial(losses.Huber(), TARGETS), lambda x: F.huber_loss(x, TARGETS), LOGITS),
    "KLDivergence": (
        functools.partial(losses.KLDivergence(), SHARES),
        lambda x: F.kl_div(x.clamp(1e-7, 1).log(), SHARES.clamp(1e-7, 1), reduction="batchmean"),
        SHARES.flip(0).contiguous(),
    ),
    "Poisson": (
        functools.partial(losses.Poisson(), SHARES),
        lambda x: F.poisson_nll_loss(x, SHARES, log_input=False, eps=1e-7),
        SHARES.flip(0).contiguous(),
    ),
    "Hinge": (functools.partial(losses.Hinge(), SIGNS), lambda x: (1 - SIGNS * x).clamp(min=0).mean(), LOGITS),
    "CosineSimilarity": (
        functools.partial(losses.CosineSimilarity(), TARGETS),
        lambda x: -F.cosine_similarity(x, TARGETS).mean(),
        LOGITS,
    ),
    "Dice": (
        functools.partial(losses.Dice(), ONES),
        lambda x: 1 - (2 * (x * ONES).sum() + 1e-7) / (x.sum() + ONES.sum() + 1e-7),
        ODDS.sigmoid(),
    ),
}


def adding(function: Callable[..., Any], *arrays: torch.Tensor) -> Work:
    """What a program without metrics writes: totals over batches of what `function` gives for one."""
    totals = [torch.zeros_like(value) for value in function(*arrays)]

    def work() -> None:
        for total, value in zip(totals, function(*arrays), strict=True):
            total.add_(value)

    return work


def share(right: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """How many are right, of how many."""
    return right.sum(), torch.tensor(right.numel())


def confusion(y_true: torch.Tensor, y_pred: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """How often each of 100 classes was taken for which."""
    return (torch.bincount(y_true * 100 + y_pred, minlength=10_000).reshape(100, 100),)


def positives(said: torch.Tensor, true: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """True and false positives at a threshold of a half."""
    said, true = said > 0.5, true > 0.5
    return (said & true).sum(), (said & ~true).sum()


METRICS: dict[str, tuple[Work, Work]] = {
    "SparseCategoricalAccuracy": (
        functools.partial(metrics.SparseCategoricalAccuracy().update_state, CLASSES, LOGITS),
        adding(lambda x: share(x.argmax(-1) == CLASSES), LOGITS),
    ),
    "BinaryAccuracy": (
        functools.partial(metrics.BinaryAccuracy().update_state, ONES, ODDS),
        adding(lambda x: share((x > 0.5) == (ONES > 0.5)), ODDS),
    ),
    "SparseTopKCategoricalAccuracy": (
        functools.partial(metrics.SparseTopKCategoricalAccuracy().update_state, CLASSES, LOGITS),
        adding(lambda x: share((x.topk(5).indices == CLASSES[:, None]).any(-1)), LOGITS),
    ),
    "MeanSquaredError metric": (
        functools.partial(metrics.MeanSquaredError().update_state, TARGETS, LOGITS),
        adding(lambda x: (F.mse_loss(x, TARGETS) * len(x), torch.tensor(len(x))), LOGITS),
    ),
    "MeanIoU": (
        functools.partial(metrics.MeanIoU(100).update_state, CLASSES, CLASSES.flip(0)),
        adding(confusion, CLASSES, CLASSES.flip(0)),
    ),
    "Precision": (
        functools.partial(metrics.Precision().update_state, ONES, ODDS.sigmoid()),
        adding(positives, ODDS.sigmoid(), ONES),
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
