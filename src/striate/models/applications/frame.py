"""What the networks of this folder share: arguments, how they begin and end, and where their weights come from."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from striate.data.local import keras_home
from striate.foundation.checks import UserError, check_choice, check_int
from striate.layers import Dense, GlobalAveragePooling2D, GlobalMaxPooling2D, Input, activation_names
from striate.layers import activation as activations
from striate.layers.symbol import Symbol
from striate.models.model import Model

SIDE = 224  # rows and columns of a picture where nobody says
SMALLEST = 32
IMAGENET = "imagenet"
IMAGENET_CLASSES = 1000
Shape = tuple[int | None, ...]
Load = Callable[[Model, str], None]
FIX = "Pass weights=None, or weights= the path of a file; EfficientNetLite0 has its weights in a package."


@dataclass(frozen=True)
class Frame:
    """The arguments that every network takes, checked; see `ResNet50` for their meaning.

    Raises:
        UserError: One of them cannot be.
    """

    where: str
    include_top: bool
    weights: str | os.PathLike[str] | None
    input_tensor: Symbol | None
    input_shape: Shape | None
    pooling: str | None
    classes: int
    classifier_activation: Any
    name: str | None

    def __post_init__(self) -> None:
        check_int(self.where, "classes", self.classes)
        if self.pooling is not None:
            check_choice(self.where, "pooling", self.pooling, ("avg", "max"))
        if self.input_tensor is not None and not isinstance(self.input_tensor, Symbol):
            got, fix = f"input_tensor of type {type(self.input_tensor).__name__}", "Pass what Input(...) returns."
            raise UserError(self.where, got, "a symbol", fix)
        self._check_shape()
        if self.weights == IMAGENET and self.include_top:
            self._check_classifier()

    def _check_shape(self) -> None:
        shape = self.input_shape
        if shape is None:
            return
        needs, fix = f"(height, width, channels) of at least {SMALLEST} cells", "Pass for example (224, 224, 3)."
        fits = isinstance(shape, Sequence) and len(shape) == 3 and isinstance(shape[2], int)
        if not fits or any(side is not None and side < SMALLEST for side in shape[:2]):
            raise UserError(self.where, f"input_shape={shape!r}", needs, fix)
        if self.input_tensor is not None and tuple(self.input_tensor.shape[1:]) != tuple(shape):
            got = f"input_shape={shape!r} beside an input_tensor of shape {self.input_tensor.shape}"
            raise UserError(self.where, got, "one shape", "Leave input_shape out.")

    def _check_classifier(self) -> None:
        if self.classes != IMAGENET_CLASSES:
            fix = "Pass include_top=False and add layers of your own, or weights=None."
            needs = f"the {IMAGENET_CLASSES} of weights={IMAGENET!r}"
            raise UserError(self.where, f"classes={self.classes}", needs, fix)
        if activation_names.find(self.classifier_activation, self.where) not in (
            activations.softmax,
            activations.linear,
        ):
            got, fix = f"classifier_activation={self.classifier_activation!r}", "Pass weights=None with another."
            raise UserError(self.where, got, f"'softmax' or None with weights={IMAGENET!r}", fix)

    def begin(self, free: Shape = (SIDE, SIDE, 3)) -> Symbol:
        """What the network reads: of shape `free` where nobody says and the top is there, which may want it."""
        if self.input_tensor is not None:
            return self.input_tensor
        return Input(self.input_shape or (free if self.include_top else (None, None, 3)))

    def classify(self, x: Symbol, pool: str | None = "avg_pool") -> Symbol:
        """The usual end: means over the picture, and a fully connected layer; without it what `pooling` says."""
        if not self.include_top:
            return self.pool(x, pool, pool and "max_pool")
        x = GlobalAveragePooling2D(name=pool)(x)
        return Dense(self.classes, activation=self.classifier_activation, name="predictions")(x)

    def pool(self, x: Symbol, average: str | None = None, greatest: str | None = None) -> Symbol:
        """What `pooling` says, by layers of these names."""
        if self.pooling is None:
            return x
        kind, name = {"avg": (GlobalAveragePooling2D, average), "max": (GlobalMaxPooling2D, greatest)}[self.pooling]
        return kind(name=name)(x)

    def finish(self, outputs: Symbol, begin: Symbol, load: Load) -> Model:
        """The network, with its weights.

        Args:
            outputs: What it gives.
            begin: What `begin` returned.
            load: Fills it with the weights for ImageNet.

        Raises:
            UserError: The weights are not there, or of another network.
        """
        sources = _sources(begin)
        model = Model(sources[0] if len(sources) == 1 else sources, outputs, name=self.name)
        if self.weights == IMAGENET:
            load(model, self.where)
        elif self.weights is not None:
            model.load_weights(self.weights)
        return model


def keras_copy(file: str) -> Load:
    """What loads the weights that Keras publishes in a file of this name, if Keras has left it on this machine."""

    def load(model: Model, where: str) -> None:
        place = keras_home() / "models" / file
        if not place.is_file():
            got, needs = (
                f"weights={IMAGENET!r} and no {str(place)!r}",
                "weights on this machine: striate fetches nothing",
            )
            raise UserError(where, got, needs, FIX)
        model.load_weights(place)

    return load


def unpublished(model: Model, where: str) -> None:
    """Refuse weights for ImageNet that nobody publishes."""
    raise UserError(where, f"weights={IMAGENET!r}", "None, or the path of a file: Keras publishes none for it", FIX)


def divisible(channels: float, by: int = 8) -> int:
    """The number of channels nearest to a wanted one that `by` divides, not less than nine tenths of it.

    Example:
        >>> divisible(33.6), divisible(11), divisible(3)
        (32, 16, 8)
    """
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded


def halving_zeros(x: Symbol, kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The zeros around an array, over which windows with steps of two then stand as TensorFlow has them.

    Example:
        >>> halving_zeros(Input((32, 31, 3)), 3)
        ((0, 1), (1, 1))
    """
    half = kernel // 2
    rows, columns = ((half - (side is None or side % 2 == 0), half) for side in x.shape[1:3])
    return rows, columns


def _sources(symbol: Symbol) -> list[Symbol]:
    """The inputs that a symbol is computed from."""
    found: dict[int, Symbol] = {}
    seen, waiting = set(), [symbol]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if one.node.inputs:
            waiting += reversed(one.node.inputs)
        else:
            found[id(one)] = one
    return list(found.values())
