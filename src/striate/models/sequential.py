"""Sequential: layers one after the other."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.foundation.custom_objects import custom_object_scope
from striate.foundation.explain import naming
from striate.layers.building import unchanged_on_error
from striate.layers.input import TEXT, InputLayer
from striate.layers.layer import Layer, registry
from striate.layers.structure import is_shape
from striate.layers.symbol import Symbol
from striate.layers.wrapper import as_layer
from striate.models.config import layers_config, layers_from_config
from striate.models.graph import Graph
from striate.models.model import SHAPE_FIX, Model


@registry.register()
class Sequential(Model):
    """A network of layers one after the other.

    Its weights exist as soon as the shape of its input is known: from an `Input` or `input_shape=` in the first
    layer, from `build`, or from the first data.

    Args:
        layers: Layers, or torch modules, or none yet.
        name: Made from the class name if left out.

    Raises:
        UserError: Something is no layer, or two layers share a name.
        ShapeError: A layer cannot take what the one before it gives.

    Example:
        >>> from striate.layers import Conv2D, Dense, Flatten, MaxPooling2D
        >>> model = Sequential([Conv2D(8, 3, activation="relu", input_shape=(28, 28, 1)), MaxPooling2D()])
        >>> model.add(Flatten())
        >>> model.add(Dense(10, activation="softmax"))
        >>> model.output_shape
        (None, 10)
    """

    def __init__(self, layers: Any = None, *, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name, **options)
        self._stack: list[Layer] = []
        if isinstance(layers, torch.nn.Module | Symbol) and not isinstance(layers, torch.nn.ModuleList):
            raise UserError(self.where, repr(layers), "a list of layers", "Put it in brackets: Sequential([layer]).")
        if not (layers is None or isinstance(layers, Iterable)):
            raise UserError(self.where, f"layers={layers!r}", "a list of layers", "Pass for example [Dense(2)].")
        self._extend(layers or [])

    @naming
    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer at the end; when it is refused, the model is unchanged.

        Args:
            layer: A layer, a torch module, or what `Input` returns (first only).
            rebuild: Keras's; the model is always up to date here.
        """
        self._extend([layer])

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer off and return it.

        Raises:
            UserError: There is none.
        """
        if not self.layers:
            raise UserError(self.where, "pop()", "at least one layer", "Add layers first.")
        layer, rest = self._stack[-1], self._stack[:-1]
        if self.graph is None:
            self._take(rest, None)
        else:
            node = self.graph.output_symbols[0].node
            self._take(rest, Graph(self.graph.inputs, node.args[0]) if rest else None)
            layer.nodes.remove(node)  # this model's call of it: there may be others
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Make the weights.

        Args:
            input_shape: Of the input, N included.

        Raises:
            UserError: It is no shape.
            ShapeError: A layer cannot take what the one before it gives, or the weights are there already and are
                for another shape; the model is unchanged.
        """
        if input_shape is None:
            return
        if not is_shape(input_shape) or len(input_shape) < 2 - self.takes_texts:
            raise UserError(f"{self.where}.build", f"input_shape={input_shape!r}", "a shape, N included", SHAPE_FIX)
        if self.graph is not None:
            super().compute_output_shape(input_shape)
        elif self._stack:
            dtype = TEXT if self.takes_texts else self.dtype
            start = InputLayer(batch_shape=(None, *input_shape[1:]), dtype=dtype).nodes[0].outputs
            self._take(self._stack, _grow(start, self._stack, start))

    @property
    def takes_texts(self) -> bool:  # type: ignore[override]
        return super().takes_texts if self.graph is not None else bool(self._stack) and self._stack[0].takes_texts

    def says_shape(self) -> bool:
        return True

    @naming
    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.graph is None:
            self.build(input_shape)
        if self.graph is None:
            raise UserError(self.where, "no layers", "at least one layer", "Add layers first.")
        return super().compute_output_shape(input_shape)

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without the input."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    @property
    def operations(self) -> list[Layer]:
        return self.layers

    def config(self) -> dict[str, Any]:
        return layers_config(self._stack, self.graph)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> "Sequential":
        with custom_object_scope(custom_objects):
            return cls(**layers_from_config(config))

    def _extend(self, added: Any) -> None:
        """Put layers at the end: all of them, or none."""
        stack = list(self._stack)
        names = {layer.name for layer in stack}
        for layer in (_as_layer(given, self.where) for given in added):
            if layer.name in names:
                needs = f"names that are unique; there is a layer {layer.name!r} already"
                raise UserError(self.where, layer.where, needs, "Make a new layer, or give it another name=.")
            if isinstance(layer, InputLayer) and stack:
                raise UserError(self.where, f"{layer.where} after other layers", "it first", "Put Input first.")
            names.add(layer.name)
            stack.append(layer)
        self.check_free(stack)
        if self.graph is not None:
            self._take(stack, _grow(self.graph.inputs, stack[len(self._stack) :], self.graph.outputs))
        elif not self._stack and stack and (start := _start_of(stack[0])) is not None:
            self._take(stack, _grow(start, stack, start))
        else:
            self._take(stack, None)

    def _take(self, layers: list[Layer], graph: Graph | None) -> None:
        start = [] if graph is None else [symbol.node.layer for symbol in graph.input_symbols]
        self.hold([*start, *(layer for layer in layers if layer not in start)])
        self._stack, self.graph = layers, graph
        self._accepted = None
        self.built = graph is not None


def _grow(inputs: Any, layers: list[Layer], symbol: Symbol) -> Graph:
    """The graph from the inputs to layers called one after the other on a symbol; on error they are as before."""
    with unchanged_on_error(layers):
        for layer in layers:
            if not isinstance(layer, InputLayer):
                symbol = layer(symbol)
        return Graph(inputs, symbol)


def _as_layer(layer: Any, where: str) -> Layer:
    if isinstance(layer, Symbol):
        if layer.node.inputs:
            needs = "layers, not what calling them returned"
            raise UserError(where, repr(layer), needs, "Pass the layer itself, or use Model(inputs, outputs).")
        return layer.node.layer
    return as_layer(layer, where)


def _start_of(layer: Layer) -> Symbol | None:
    """The symbol a first layer begins with, if it says what it takes."""
    if isinstance(layer, InputLayer):
        return layer.nodes[0].outputs
    shape = None if layer.declared_shape is None else (None, *layer.declared_shape)
    if shape is None and isinstance(layer, Model) and layer.graph is not None and len(layer.inputs) == 1:
        shape = layer.input_shape
    return None if shape is None else InputLayer(batch_shape=shape).nodes[0].outputs
