"""A compact convolutional network for pictures, sized by one dial."""

from dataclasses import dataclass

from striate.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
    ReLU,
    Rescaling,
)
from striate.layers.layer import Layer
from striate.models.sequential import Sequential

MOST_STAGES = 6
LARGE_SIDE = 48  # pictures with more rows begin with half the filters: their first stages cost the most


@dataclass(frozen=True)
class Width:
    """What the size dial stands for.

    Args:
        first: Filters of the first stage; each stage has twice those of the one before.
        most: Filters of a stage at most.
        convolutions: In every stage.
        units: Of the dense layer.
        dropout: The rate before and after the dense layer.
    """

    first: int
    most: int
    convolutions: int
    units: int
    dropout: float


WIDTHS = {
    "small": Width(16, 64, 1, 64, 0.2),
    "medium": Width(32, 128, 1, 128, 0.3),
    "large": Width(32, 256, 2, 256, 0.4),
}


def convnet(
    shape: tuple[int, int, int], classes: int, size: str, scale: float = 1 / 255, offset: float = 0.0
) -> Sequential:
    """Stages of convolution, batch normalization, ReLU and max pooling down to few cells, then dense layers.

    Args:
        shape: Of one picture: (height, width, channels).
        classes: Outputs, a probability each. Two classes get two outputs, so that every table, score and
            calibration has one meaning for any number of classes; softmax over two says what one sigmoid says.
        size: "small", "medium" or "large".
        scale: Factor of the pixels; part of the network, so that whoever opens the file has it.
        offset: Added to the scaled pixels.

    Example:
        >>> model = convnet((28, 28, 1), 10, "small")
        >>> model.output_shape, model.get_layer("pool_3").output.shape
        ((None, 10), (None, 3, 3, 64))
    """
    width = WIDTHS[size]
    first = width.first if max(shape[:2]) <= LARGE_SIDE else width.first // 2
    layers: list[Layer] = [Input(shape).node.layer, Rescaling(scale, offset, name="rescaling")]
    for stage in range(1, _stages(shape) + 1):
        filters = min(first * 2 ** (stage - 1), width.most)
        for turn in range(1, width.convolutions + 1):
            name = f"{stage}" if width.convolutions == 1 else f"{stage}_{turn}"
            layers += [
                Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{name}"),
                BatchNormalization(momentum=0.9, name=f"norm_{name}"),
                ReLU(name=f"relu_{name}"),
            ]
        layers.append(MaxPooling2D(name=f"pool_{stage}"))
    layers += [
        Flatten(name="flatten"),
        Dropout(width.dropout, name="dropout_1"),
        Dense(width.units, activation="relu", name="dense"),
        Dropout(width.dropout, name="dropout_2"),
        Dense(classes, activation="softmax", name="probabilities"),
    ]
    return Sequential(layers, name="convnet")


def _stages(shape: tuple[int, int, int]) -> int:
    """How often the picture is halved: until the shorter side has two or three cells."""
    side, stages = min(shape[:2]), 0
    while side >= 4 and stages < MOST_STAGES:
        side, stages = side // 2, stages + 1
    return stages
