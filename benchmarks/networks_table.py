"""What `networks.py` measures: networks that everyone knows, in striate's own layers, with their sizes and losses.

Each function takes the rate of dropout and, so that tests can make it small, its sizes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from striate.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    Input,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    ReLU,
    ZeroPadding2D,
)
from striate.models import Model, Sequential

BINARY, CLASSES = "binary_crossentropy", "sparse_categorical_crossentropy"


def tutorial(dropout: float, size: int = 64) -> Model:
    """The network of the README, as in the tutorials on cats and dogs."""
    return Sequential(
        [
            Conv2D(32, (3, 3), activation="relu", input_shape=(size, size, 3)),
            MaxPooling2D(pool_size=(2, 2)),
            Flatten(),
            Dense(128, activation="relu"),
            Dense(1, activation="sigmoid"),
        ]
    )


def mnist(dropout: float, size: int = 28) -> Model:
    """Keras's example "Simple MNIST convnet"."""
    return Sequential(
        [
            Input((size, size, 1)),
            Conv2D(32, 3, activation="relu"),
            MaxPooling2D(2),
            Conv2D(64, 3, activation="relu"),
            MaxPooling2D(2),
            Flatten(),
            Dropout(dropout),
            Dense(10, activation="softmax"),
        ]
    )


def cifar(dropout: float, size: int = 32) -> Model:
    """TensorFlow's tutorial "Convolutional Neural Network (CNN)" on CIFAR-10."""
    return Sequential(
        [
            Input((size, size, 3)),
            Conv2D(32, 3, activation="relu"),
            MaxPooling2D(2),
            Conv2D(64, 3, activation="relu"),
            MaxPooling2D(2),
            Conv2D(64, 3, activation="relu"),
            Flatten(),
            Dense(64, activation="relu"),
            Dense(10, activation="softmax"),
        ]
    )


def cats_dogs(dropout: float, size: int = 180) -> Model:
    """The convnet on cats and dogs of Chollet's Deep Learning with Python, chapter 8, with one block less."""
    model = Sequential([Input((size, size, 3))])
    for filters in (32, 64, 128, 256):
        model.add(Conv2D(filters, 3, activation="relu"))
        model.add(MaxPooling2D(2))
    for layer in (Flatten(), Dropout(dropout), Dense(1, activation="sigmoid")):
        model.add(layer)
    return model


def normalised(x: Any, filters: int, size: int = 3, strides: int = 1, relu: bool = True) -> Any:
    """Convolution, batch normalization and perhaps ReLU; with strides, as many zeros on both sides."""
    if strides > 1 and size > 1:
        x = ZeroPadding2D(size // 2)(x)
    x = Conv2D(filters, size, strides, "same" if strides == 1 else "valid", use_bias=False)(x)
    x = BatchNormalization(epsilon=1e-5, momentum=0.9)(x)
    return Activation("relu")(x) if relu else x


def vgg11(dropout: float, size: int = 32, width: int = 64) -> Model:
    """VGG-11 with batch normalization (Simonyan and Zisserman, arXiv 1409.1556) for small pictures: one Dense layer."""
    x = inputs = Input((size, size, 3))
    for stage in ((1,), (2,), (4, 4), (8, 8), (8, 8)):
        for factor in stage:
            x = normalised(x, factor * width)
        x = MaxPooling2D(2)(x)
    return Model(inputs, Dense(10, activation="softmax")(Flatten()(x)))


def resnet18(dropout: float, size: int = 32, width: int = 64) -> Model:
    """ResNet-18 (He et al., arXiv 1512.03385) for small pictures: it begins with a 3 x 3 window and without a pool."""
    inputs = Input((size, size, 3))
    x = normalised(inputs, width)
    for stage in range(4):
        for block in range(2):
            filters, strides = width * 2**stage, 2 if stage and not block else 1
            shortcut = normalised(x, filters, 1, strides, relu=False) if strides > 1 else x
            y = normalised(normalised(x, filters, 3, strides), filters, relu=False)
            x = Activation("relu")(Add()([y, shortcut]))
    return Model(inputs, Dense(10, activation="softmax")(GlobalAveragePooling2D()(x)))


def mobilenet_v2(dropout: float, size: int = 64, width: float = 1.0) -> Model:
    """MobileNetV2 (Sandler et al., arXiv 1801.04381): expansion, channels, repeats and stride of each stage."""
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    inputs = Input((size, size, 3))
    x = _capped(normalised(inputs, int(32 * width), 3, 2, relu=False))
    for expansion, channels, repeats, first in stages:
        for repeat in range(repeats):
            x = _inverted(x, expansion, int(channels * width), 1 if repeat else first)
    x = GlobalAveragePooling2D()(_capped(normalised(x, int(1280 * width), 1, relu=False)))
    return Model(inputs, Dense(10, activation="softmax")(Dropout(dropout)(x)))


def _inverted(x: Any, expansion: int, filters: int, strides: int) -> Any:
    """Wider by a 1 x 1 convolution, a window for each channel, narrower again; what came in is added if it fits."""
    channels = x.shape[-1]
    y = x if expansion == 1 else _capped(normalised(x, expansion * channels, 1, relu=False))
    if strides > 1:
        y = ZeroPadding2D(1)(y)
    y = DepthwiseConv2D(3, strides, "same" if strides == 1 else "valid", use_bias=False)(y)
    y = _capped(BatchNormalization(epsilon=1e-5, momentum=0.9)(y))
    y = normalised(y, filters, 1, relu=False)
    return Add()([x, y]) if strides == 1 and channels == filters else y


def _capped(x: Any) -> Any:
    return ReLU(6.0)(x)


def unet(dropout: float, size: int = 128, width: int = 16, depth: int = 4) -> Model:
    """U-Net (Ronneberger et al., arXiv 1505.04597) with batch normalization: a class for every pixel."""
    x = inputs = Input((size, size, 3))
    passed = []
    for level in range(depth):
        x = normalised(normalised(x, width * 2**level), width * 2**level)
        passed.append(x)
        x = MaxPooling2D(2)(x)
    x = normalised(normalised(x, width * 2**depth), width * 2**depth)
    for level in reversed(range(depth)):
        x = Conv2DTranspose(width * 2**level, 2, strides=2)(x)
        x = Concatenate()([passed[level], x])
        x = normalised(normalised(x, width * 2**level), width * 2**level)
    return Model(inputs, Conv2D(3, 1, activation="softmax")(x))


def text_cnn(dropout: float, length: int = 64, words: int = 10_000, width: int = 300) -> Model:
    """The sentence classifier of Kim, arXiv 1408.5882 (CNN-rand): windows of three, four and five words."""
    inputs = Input((length,), dtype="int32")
    x = Embedding(words, width)(inputs)
    found = [GlobalMaxPooling1D()(Conv1D(100, size, activation="relu")(x)) for size in (3, 4, 5)]
    return Model(inputs, Dense(1, activation="sigmoid")(Dropout(dropout)(Concatenate()(found))))


def fcn(dropout: float, length: int = 512, channels: int = 3, width: int = 128) -> Model:
    """The fully convolutional network for series of Wang et al., arXiv 1611.06455."""
    x = inputs = Input((length, channels))
    for factor, size in ((1, 8), (2, 5), (1, 3)):
        x = Activation("relu")(BatchNormalization()(Conv1D(factor * width, size, padding="same")(x)))
    return Model(inputs, Dense(5, activation="softmax")(GlobalAveragePooling1D()(x)))


def inception_time(dropout: float, length: int = 512, channels: int = 3, width: int = 32, depth: int = 6) -> Model:
    """InceptionTime (Fawaz et al., arXiv 1909.04939): windows of 40, 20 and 10 steps, a shortcut over three modules."""
    x = passed = inputs = Input((length, channels))
    for module in range(depth):
        x = _inception(x, width)
        if module % 3 == 2:
            shortcut = BatchNormalization()(Conv1D(4 * width, 1, padding="same", use_bias=False)(passed))
            x = passed = Activation("relu")(Add()([shortcut, x]))
    return Model(inputs, Dense(5, activation="softmax")(GlobalAveragePooling1D()(x)))


def _inception(x: Any, width: int) -> Any:
    """A bottleneck, three windows over it, and a pool beside them."""
    same = {"padding": "same", "use_bias": False}
    narrow = Conv1D(width, 1, **same)(x) if x.shape[-1] > 1 else x
    found = [Conv1D(width, size, **same)(narrow) for size in (40, 20, 10)]
    found.append(Conv1D(width, 1, **same)(MaxPooling1D(3, strides=1, padding="same")(x)))
    return Activation("relu")(BatchNormalization()(Concatenate()(found)))


def volumes(dropout: float, size: int = 32, width: int = 16) -> Model:
    """Keras's example "3D image classification from CT scans", smaller: three blocks instead of four."""
    x = inputs = Input((size, size, size, 1))
    for factor in (1, 2, 4):
        x = BatchNormalization()(MaxPooling3D(2)(Conv3D(factor * width, 3, activation="relu", padding="same")(x)))
    x = Dense(64, activation="relu")(GlobalAveragePooling3D()(x))
    return Model(inputs, Dense(1, activation="sigmoid")(Dropout(dropout)(x)))


@dataclass(frozen=True)
class Network:
    """A row of the table.

    Args:
        make: Gives the model, for a rate of dropout and, in tests, other sizes.
        batch: Items in a step of training.
        loss: By Keras's name.
        tiny: Sizes for tests.
        dropout: The rate that it is trained with.
        words: How many words there are, where it reads words.
        rate: Adam's learning rate: on noise, the usual 1e-3 drives networks into saturation within some steps; and
            the deeper one with batch normalization is, the more a difference of rounding grows with each step. So
            PyTorch's losses in its two memory layouts are 6e-3 apart after ten steps of MobileNetV2 with 1e-4.
    """

    make: Callable[..., Model]
    batch: int
    loss: str = CLASSES
    tiny: dict[str, int] = field(default_factory=dict)
    dropout: float = 0.5
    words: int | None = None
    rate: float = 1e-4

    def data(self, model: Model, items: int) -> tuple[np.ndarray, np.ndarray]:
        """Noise around zero, or words, and labels drawn by chance; the same in every process."""
        chance = np.random.default_rng(0)
        shape, (*cells, classes) = (items, *model.input_shape[1:]), model.output_shape[1:]
        if self.words:
            x = chance.integers(0, self.words, shape).astype(np.int32)
        else:
            x = chance.random(shape, dtype=np.float32) - 0.5
        if self.loss == BINARY:
            return x, chance.integers(0, 2, (items, 1)).astype(np.float32)
        return x, chance.integers(0, classes, (items, *cells)).astype(np.int64)


NETWORKS = {
    "tutorial": Network(tutorial, 32, BINARY, {"size": 10}),
    "mnist": Network(mnist, 128, tiny={"size": 14}),
    "cifar": Network(cifar, 32, tiny={"size": 18}),
    "cats_dogs": Network(cats_dogs, 32, BINARY, {"size": 48}, rate=1e-5),
    "vgg11": Network(vgg11, 32, tiny={"width": 4}, rate=1e-6),
    "resnet18": Network(resnet18, 16, tiny={"size": 16, "width": 4}, rate=1e-6),
    "mobilenet_v2": Network(mobilenet_v2, 32, tiny={"size": 32, "width": 0.25}, dropout=0.2, rate=1e-6),
    "unet": Network(unet, 8, tiny={"size": 16, "width": 4, "depth": 2}, rate=1e-5),
    "text_cnn": Network(text_cnn, 50, BINARY, {"length": 9, "words": 50, "width": 7}, words=10_000),
    "fcn": Network(fcn, 16, tiny={"length": 20, "width": 4}, rate=1e-5),
    "inception_time": Network(inception_time, 16, tiny={"length": 24, "width": 4, "depth": 3}, rate=1e-5),
    "volumes": Network(volumes, 8, BINARY, {"size": 9, "width": 3}, dropout=0.3, rate=1e-5),
}
