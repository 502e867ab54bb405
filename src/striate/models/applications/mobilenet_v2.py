"""MobileNetV2: many channels where each is convolved by itself, few in between."""

import dataclasses
import os
from typing import Any

from striate.foundation.checks import check_number
from striate.foundation.explain import explaining
from striate.layers import Add, BatchNormalization, Conv2D, DepthwiseConv2D, ReLU, ZeroPadding2D
from striate.layers.symbol import Symbol
from striate.models.applications.frame import SIDE, Frame, Shape, divisible, halving_zeros, keras_copy
from striate.models.model import Model

# (filters, blocks, strides of the first) of each stage.
STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
EXPANSION = 6
HEAD = 1280
PUBLISHED_SIDES = (96, 128, 160, 192, SIDE)


@explaining
def MobileNetV2(  # noqa: N802 - Keras's name
    input_shape: Shape | None = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """MobileNetV2.

    Args:
        alpha: How wide it is: what numbers of filters are multiplied by.
        input_shape, include_top, weights, input_tensor, pooling, classes, classifier_activation, name: see `ResNet50`.

    Source: Sandler et al., arXiv 1801.04381.

    Example:
        >>> model = MobileNetV2((96, 96, 3), alpha=0.35, include_top=False, weights=None)
        >>> model.name, model.output_shape
        ('mobilenetv2_0.35_96', (None, 3, 3, 1280))
    """
    check_number("MobileNetV2", "alpha", alpha, "a number above 0", lambda value: value > 0)
    frame = Frame(
        "MobileNetV2", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    )
    begin = frame.begin()
    x = Conv2D(divisible(32 * alpha), 3, 2, "same", use_bias=False, name="Conv1")(begin)
    x = _rectified(_norm(x, "bn_Conv1"), "Conv1_relu")
    number = 0
    for filters, blocks, strides in STAGES:
        for turn in range(blocks):
            x = _block(x, divisible(int(filters * alpha)), strides if turn == 0 else 1, number)
            number += 1
    x = Conv2D(divisible(HEAD * max(alpha, 1.0)), 1, use_bias=False, name="Conv_1")(x)
    x = _rectified(_norm(x, "Conv_1_bn"), "out_relu")
    rows, columns = begin.shape[1:3]
    side = rows if rows == columns and rows in PUBLISHED_SIDES else SIDE
    if name is None:
        frame = dataclasses.replace(frame, name=f"mobilenetv2_{alpha:.2f}_{rows}")
    ending = "" if include_top else "_no_top"
    file = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{side}{ending}.h5"
    return frame.finish(frame.classify(x, pool=None), begin, keras_copy(file))


def _block(x: Symbol, filters: int, strides: int, number: int) -> Symbol:
    """More channels, each convolved by itself, then few; what came in is added where that fits."""
    channels, name = x.shape[-1], f"block_{number}_" if number else "expanded_conv_"
    assert channels is not None
    y = x
    if number:
        y = Conv2D(EXPANSION * channels, 1, padding="same", use_bias=False, name=f"{name}expand")(y)
        y = _rectified(_norm(y, f"{name}expand_BN"), f"{name}expand_relu")
    if strides == 2:
        y = ZeroPadding2D(halving_zeros(y, 3), name=f"{name}pad")(y)
    padding = "same" if strides == 1 else "valid"
    y = DepthwiseConv2D(3, strides, padding, use_bias=False, name=f"{name}depthwise")(y)
    y = _rectified(_norm(y, f"{name}depthwise_BN"), f"{name}depthwise_relu")
    y = _norm(Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(y), f"{name}project_BN")
    return Add(name=f"{name}add")([x, y]) if strides == 1 and channels == filters else y


def _norm(x: Symbol, name: str) -> Symbol:
    return BatchNormalization(epsilon=1e-3, momentum=0.999, name=name)(x)


def _rectified(x: Symbol, name: str) -> Symbol:
    return ReLU(6.0, name=name)(x)
