"""MobileNetV3: as MobileNetV2, with channels weighed by their means and a smoother activation."""

import os
from typing import Any, NamedTuple

from striate.foundation.checks import check_number
from striate.foundation.explain import explaining
from striate.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Multiply,
    ReLU,
    Rescaling,
    ZeroPadding2D,
)
from striate.layers.symbol import Symbol
from striate.models.applications.frame import Frame, Shape, divisible, halving_zeros, keras_copy
from striate.models.model import Model

SQUEEZE = 0.25  # of its channels a block's weighing has


class Bottleneck(NamedTuple):
    """One block of the paper's tables 1 and 2.

    Attributes:
        expansion: Its channels in between over those that it reads.
        filters: Its channels at the end.
        wide: Whether the window has 5 cells; else 3.
        strides: Steps of the window.
        weighed: Whether channels are weighed by their means.
        swish: Whether the activation is hard swish; else ReLU.
    """

    expansion: float
    filters: int
    wide: bool
    strides: int
    weighed: bool
    swish: bool


def _table(rows: str) -> tuple[Bottleneck, ...]:
    """Blocks, one a line: channels read, channels in between, filters, window, strides, and letters S and H.

    Example:
        >>> _table("16 64 24 3 2 S")
        (Bottleneck(expansion=4.0, filters=24, wide=False, strides=2, weighed=True, swish=False),)
    """
    found = []
    for row in rows.strip().splitlines():
        read, between, filters, window, strides, *letters = row.split()
        flags = "".join(letters)
        expansion = int(between) / int(read)
        found.append(Bottleneck(expansion, int(filters), window == "5", int(strides), "S" in flags, "H" in flags))
    return tuple(found)


SMALL = _table(
    """
    16  16 16 3 2 S
    16  72 24 3 2
    24  88 24 3 1
    24  96 40 5 2 SH
    40 240 40 5 1 SH
    40 240 40 5 1 SH
    40 120 48 5 1 SH
    48 144 48 5 1 SH
    48 288 96 5 2 SH
    96 576 96 5 1 SH
    96 576 96 5 1 SH
    """
)
LARGE = _table(
    """
     16  16  16 3 1
     16  64  24 3 2
     24  72  24 3 1
     24  72  40 5 2 S
     40 120  40 5 1 S
     40 120  40 5 1 S
     40 240  80 3 2 H
     80 200  80 3 1 H
     80 184  80 3 1 H
     80 184  80 3 1 H
     80 480 112 3 1 SH
    112 672 112 3 1 SH
    112 672 160 5 2 SH
    160 960 160 5 1 SH
    160 960 160 5 1 SH
    """
)


@explaining
def MobileNetV3Small(  # noqa: N802 - Keras's name
    input_shape: Shape | None = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str | None = "MobileNetV3Small",
) -> Model:
    """MobileNetV3 for little power; it reads pixels from 0 to 255.

    Args: see `MobileNetV3Large`.

    Source: Howard et al., arXiv 1905.02244.

    Example:
        >>> MobileNetV3Small((64, 64, 3), include_top=False, weights=None, pooling="avg").output_shape
        (None, 576)
    """
    frame = Frame(
        "MobileNetV3Small",
        include_top,
        weights,
        input_tensor,
        input_shape,
        pooling,
        classes,
        classifier_activation,
        name,
    )
    return _mobilenet_v3(frame, SMALL, 1024, alpha, minimalistic, dropout_rate, include_preprocessing)


@explaining
def MobileNetV3Large(  # noqa: N802 - Keras's name
    input_shape: Shape | None = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str | None = "MobileNetV3Large",
) -> Model:
    """MobileNetV3 for more power; it reads pixels from 0 to 255.

    Args:
        alpha: How wide it is: what numbers of filters are multiplied by.
        minimalistic: Leave out windows of five cells, weighing and hard swish.
        dropout_rate: The share of means that training leaves out before the last layer.
        include_preprocessing: Whether the first layer brings pixels from 0..255 to -1..1.
        input_shape, include_top, weights, input_tensor, classes, pooling, classifier_activation, name: see `ResNet50`;
            sizes left out vary.

    Source: Howard et al., arXiv 1905.02244.
    """
    frame = Frame(
        "MobileNetV3Large",
        include_top,
        weights,
        input_tensor,
        input_shape,
        pooling,
        classes,
        classifier_activation,
        name,
    )
    return _mobilenet_v3(frame, LARGE, 1280, alpha, minimalistic, dropout_rate, include_preprocessing)


def _mobilenet_v3(
    frame: Frame,
    blocks: tuple[Bottleneck, ...],
    units: int,
    alpha: float,
    minimalistic: bool,
    dropout_rate: float,
    rescaled: bool,
) -> Model:
    check_number(frame.where, "alpha", alpha, "a number above 0", lambda value: value > 0)
    swish = _relu if minimalistic else _hard_swish
    begin = frame.begin((None, None, 3))
    x = Rescaling(1 / 127.5, -1.0)(begin) if rescaled else begin
    x = Conv2D(16, 3, 2, "same", use_bias=False, name="conv")(x)
    x = swish(_norm(x, "conv_bn"))
    for number, block in enumerate(blocks):
        if minimalistic:
            block = block._replace(wide=False, weighed=False, swish=False)
        x = _bottleneck(x, block, divisible(block.filters * alpha), number)
    assert x.shape[-1] is not None
    x = Conv2D(divisible(6 * x.shape[-1]), 1, padding="same", use_bias=False, name="conv_1")(x)
    x = swish(_norm(x, "conv_1_bn"))
    if frame.include_top:
        x = GlobalAveragePooling2D(keepdims=True)(x)
        width = divisible(units * alpha) if alpha > 1 else units
        x = swish(Conv2D(width, 1, padding="same", name="conv_2")(x))
        x = Dropout(dropout_rate)(x) if dropout_rate > 0 else x
        x = Flatten()(Conv2D(frame.classes, 1, padding="same", name="logits")(x))
        x = Activation(frame.classifier_activation, name="predictions")(x)
    else:
        x = frame.pool(x, "avg_pool", "max_pool")
    kind = ("small" if blocks is SMALL else "large") + ("_minimalistic" if minimalistic else "")
    ending = "" if frame.include_top else "_no_top_v2"
    return frame.finish(x, begin, keras_copy(f"weights_mobilenet_v3_{kind}_224_{alpha}_float{ending}.h5"))


def _bottleneck(x: Symbol, block: Bottleneck, filters: int, number: int) -> Symbol:
    channels, name = x.shape[-1], f"expanded_conv_{number}_" if number else "expanded_conv_"
    assert channels is not None
    between, size = divisible(channels * block.expansion), 5 if block.wide else 3
    activate = _hard_swish if block.swish else _relu
    y = x
    if number:
        y = Conv2D(between, 1, padding="same", use_bias=False, name=f"{name}expand")(y)
        y = activate(_norm(y, f"{name}expand_bn"))
    if block.strides == 2:
        y = ZeroPadding2D(halving_zeros(y, size), name=f"{name}depthwise_pad")(y)
    padding = "same" if block.strides == 1 else "valid"
    y = DepthwiseConv2D(size, block.strides, padding, use_bias=False, name=f"{name}depthwise")(y)
    y = activate(_norm(y, f"{name}depthwise_bn"))
    if block.weighed:
        y = _weighed(y, between, f"{name}squeeze_excite_")
    y = Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(y)
    y = _norm(y, f"{name}project_bn")
    return Add(name=f"{name}add")([x, y]) if block.strides == 1 and channels == filters else y


def _weighed(x: Symbol, channels: int, name: str) -> Symbol:
    """Each channel times a number from 0 to 1 that the means of all channels decide."""
    y = GlobalAveragePooling2D(keepdims=True, name=f"{name}avg_pool")(x)
    y = Conv2D(divisible(channels * SQUEEZE), 1, padding="same", name=f"{name}conv")(y)
    y = ReLU(name=f"{name}relu")(y)
    y = Conv2D(channels, 1, padding="same", name=f"{name}conv_1")(y)
    return Multiply(name=f"{name}mul")([x, ReLU(6.0)(y + 3.0) * (1.0 / 6.0)])


def _norm(x: Symbol, name: str) -> Symbol:
    return BatchNormalization(epsilon=1e-3, momentum=0.999, name=name)(x)


def _relu(x: Symbol) -> Symbol:
    return ReLU()(x)


def _hard_swish(x: Symbol) -> Symbol:
    return Activation("hard_swish")(x)
