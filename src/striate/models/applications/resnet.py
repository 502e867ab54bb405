"""Residual networks: what a few convolutions make is added to what came in."""

import os
from typing import Any

from striate.foundation.explain import explaining
from striate.layers import Activation, Add, BatchNormalization, Conv2D, MaxPooling2D, ZeroPadding2D
from striate.layers.symbol import Symbol
from striate.models.applications.frame import Frame, Shape, keras_copy, unpublished
from striate.models.model import Model

EPSILON = 1.001e-5  # Keras's
FILTERS = (64, 128, 256, 512)
# How many blocks each stage has.
BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
BOTTLENECKS = ("resnet50", "resnet101", "resnet152")


@explaining
def ResNet18(  # noqa: N802 - as Keras writes its larger ones
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "resnet18",
) -> Model:
    """ResNet with 18 layers that have weights. Keras has none; layers are called as in its larger ones.

    Args: see `ResNet50`.

    Source: He, Zhang, Ren and Sun, arXiv 1512.03385.

    Example:
        >>> ResNet18(weights=None, input_shape=(64, 64, 3), classes=10).count_params()
        11196042
    """
    frame = Frame(
        "ResNet18", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    )
    return _resnet(frame, "resnet18")


@explaining
def ResNet34(  # noqa: N802 - as Keras writes its larger ones
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "resnet34",
) -> Model:
    """ResNet with 34 layers that have weights. Keras has none; layers are called as in its larger ones.

    Args: see `ResNet50`.

    Source: He, Zhang, Ren and Sun, arXiv 1512.03385.
    """
    frame = Frame(
        "ResNet34", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    )
    return _resnet(frame, "resnet34")


@explaining
def ResNet50(  # noqa: N802 - Keras's name
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "resnet50",
) -> Model:
    """ResNet with 50 layers that have weights.

    Args:
        include_top: Whether the network ends in a layer that names classes.
        weights: The path of a file (.keras, .weights.h5, .h5 of Keras's, .safetensors); None for new ones; "imagenet"
            for Keras's own copy, where Keras has left one on this machine: nothing is ever fetched.
        input_tensor: A symbol to read instead of an input of its own.
        input_shape: (height, width, channels); (224, 224, 3) if left out.
        pooling: Without the top: None gives features (N, h, w, C), "avg" or "max" one of them for each picture, (N, C).
        classes: Outputs.
        classifier_activation: What the last layer ends in; None gives scores.
        name: The model's.

    Raises:
        UserError: An argument cannot be, or the weights are not there or of another network.

    Source: He, Zhang, Ren and Sun, arXiv 1512.03385.

    Example:
        >>> ResNet50(include_top=False, weights=None, input_shape=(64, 64, 3), pooling="avg").output_shape
        (None, 2048)
    """
    frame = Frame(
        "ResNet50", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    )
    return _resnet(frame, "resnet50")


@explaining
def ResNet101(  # noqa: N802 - Keras's name
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "resnet101",
) -> Model:
    """ResNet with 101 layers that have weights.

    Args: see `ResNet50`.

    Source: He, Zhang, Ren and Sun, arXiv 1512.03385.
    """
    frame = Frame(
        "ResNet101", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    )
    return _resnet(frame, "resnet101")


@explaining
def ResNet152(  # noqa: N802 - Keras's name
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "resnet152",
) -> Model:
    """ResNet with 152 layers that have weights.

    Args: see `ResNet50`.

    Source: He, Zhang, Ren and Sun, arXiv 1512.03385.
    """
    frame = Frame(
        "ResNet152", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    )
    return _resnet(frame, "resnet152")


def _resnet(frame: Frame, kind: str) -> Model:
    begin = frame.begin()
    x = ZeroPadding2D(3, name="conv1_pad")(begin)
    x = _rectified(_normalised(x, 64, 7, "conv1", strides=2), "conv1_relu")
    x = ZeroPadding2D(1, name="pool1_pad")(x)
    x = MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    block = _bottleneck if kind in BOTTLENECKS else _basic
    for stage, (filters, count) in enumerate(zip(FILTERS, BLOCKS[kind], strict=True), 2):
        for turn in range(1, count + 1):
            strides = 2 if turn == 1 and stage > 2 else 1
            x = block(x, filters, strides, f"conv{stage}_block{turn}")
    file = f"{kind}_weights_tf_dim_ordering_tf_kernels{'' if frame.include_top else '_notop'}.h5"
    return frame.finish(frame.classify(x), begin, keras_copy(file) if kind in BOTTLENECKS else unpublished)


def _basic(x: Symbol, filters: int, strides: int, name: str) -> Symbol:
    """Two convolutions of three cells, and what came in; where sizes differ, a convolution by one cell of it."""
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = _normalised(x, filters, 1, f"{name}_0", strides)
    y = ZeroPadding2D(1, name=f"{name}_1_pad")(x) if strides > 1 else x  # zeros on all sides, as in the paper's code
    y = _normalised(y, filters, 3, f"{name}_1", strides, "valid" if strides > 1 else "same")
    y = _normalised(_rectified(y, f"{name}_1_relu"), filters, 3, f"{name}_2", padding="same")
    return _rectified(Add(name=f"{name}_add")([shortcut, y]), f"{name}_out")


def _bottleneck(x: Symbol, filters: int, strides: int, name: str) -> Symbol:
    """A convolution of three cells between two by one cell, the first of which makes channels fewer."""
    first = name.endswith("block1")
    shortcut = _normalised(x, 4 * filters, 1, f"{name}_0", strides) if first else x
    y = _rectified(_normalised(x, filters, 1, f"{name}_1", strides), f"{name}_1_relu")
    y = _rectified(_normalised(y, filters, 3, f"{name}_2", padding="same"), f"{name}_2_relu")
    y = _normalised(y, 4 * filters, 1, f"{name}_3")
    return _rectified(Add(name=f"{name}_add")([shortcut, y]), f"{name}_out")


def _normalised(x: Symbol, filters: int, size: int, name: str, strides: int = 1, padding: str = "valid") -> Symbol:
    x = Conv2D(filters, size, strides, padding, name=f"{name}_conv")(x)
    return BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x)


def _rectified(x: Symbol, name: str) -> Symbol:
    return Activation("relu", name=name)(x)
