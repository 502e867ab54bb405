"""VGG-16 and VGG-19: nothing but convolutions of three cells, pooling and large dense layers."""

import os
from typing import Any

from striate.foundation.explain import explaining
from striate.layers import Conv2D, Dense, Flatten, MaxPooling2D
from striate.layers.symbol import Symbol
from striate.models.applications.frame import Frame, Shape, keras_copy
from striate.models.model import Model

FILTERS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # of each stage
UNITS = 4096


@explaining
def VGG16(  # noqa: N802 - Keras's name
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "vgg16",
) -> Model:
    """VGG with 16 layers that have weights.

    Args: see `ResNet50`.

    Source: Simonyan and Zisserman, arXiv 1409.1556.

    Example:
        >>> VGG16(include_top=False, weights=None, input_shape=(64, 64, 3)).output_shape
        (None, 2, 2, 512)
    """
    frame = Frame(
        "VGG16", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    )
    return _vgg(frame, "vgg16")


@explaining
def VGG19(  # noqa: N802 - Keras's name
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: Symbol | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "vgg19",
) -> Model:
    """VGG with 19 layers that have weights.

    Args: see `ResNet50`.

    Source: Simonyan and Zisserman, arXiv 1409.1556.
    """
    frame = Frame(
        "VGG19", include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    )
    return _vgg(frame, "vgg19")


def _vgg(frame: Frame, kind: str) -> Model:
    x = begin = frame.begin()
    for stage, (filters, count) in enumerate(zip(FILTERS, CONVOLUTIONS[kind], strict=True), 1):
        for turn in range(1, count + 1):
            x = Conv2D(filters, 3, padding="same", activation="relu", name=f"block{stage}_conv{turn}")(x)
        x = MaxPooling2D(2, name=f"block{stage}_pool")(x)
    if frame.include_top:
        x = Flatten(name="flatten")(x)
        for name in ("fc1", "fc2"):
            x = Dense(UNITS, activation="relu", name=name)(x)
        x = Dense(frame.classes, activation=frame.classifier_activation, name="predictions")(x)
    else:
        x = frame.pool(x)
    file = f"{kind}_weights_tf_dim_ordering_tf_kernels{'' if frame.include_top else '_notop'}.h5"
    return frame.finish(x, begin, keras_copy(file))
