"""From a graph of layers to the steps of a program, for inputs of one shape.

A rule for each kind of layer says which steps it becomes; a layer without one is called as it is. What follows a step
directly, and is read by nobody else, may become part of it: batch normalisation, ReLU, a sum, a pool.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch

from striate.foundation.shapes import Shape
from striate.kernels.library import plain
from striate.kernels.program import contiguous_strides
from striate.layers import activation as activations
from striate.layers.layer import Layer
from striate.layers.masking import Masking
from striate.layers.symbol import Node, Symbol, replace_symbols
from striate.models.graph import Graph
from striate.models.lowering_steps import (
    Activate,
    Call,
    Combine,
    Compiled,
    Convolve,
    Copy,
    Scale,
    Slide,
    Step,
    call_of,
    in_five,
)
from striate.models.values import Storage, Value, new_value

Rule = Callable[["Lowering", Any, list[Value], Shape], Value | None]
COMPILED = (activations.sigmoid, activations.silu, activations.softmax)
"""In the order of their numbers."""
RULES: dict[type[Layer], Rule] = {}
"""By the exact type of a layer; a rule gives None where it cannot do what the layer is told."""


def rule(*kinds: type[Layer]) -> Callable[[Rule], Rule]:
    """Make a function the rule for kinds of layers."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


class NotLoweredError(Exception):
    """What in a graph is nothing for a program; whoever asked calls the layers instead."""


class Lowering:
    """The steps that compute a graph's outputs.

    Args:
        graph: Of a model.
        shapes: Of the inputs, in order.

    Attributes:
        steps: In order.
        inputs, outputs: Arrays, in order.

    Raises:
        NotLoweredError: Something in the graph is nothing for a program.
    """

    def __init__(self, graph: Graph, shapes: Sequence[tuple[int, ...]]) -> None:
        self.steps: list[Step] = []
        self.readers: Counter[int] = Counter()
        self.values: dict[int, Value] = {}
        self.inputs = [_brought(shape) for shape in shapes]
        self.outputs = self.lower_graph(graph, self.inputs)

    def lower_graph(self, graph: Graph, inputs: Sequence[Value]) -> list[Value]:
        """Add a graph's steps; the arrays that come out."""
        read = [*(symbol for node in graph.nodes for symbol in node.inputs), *graph.output_symbols]
        self.readers |= Counter(map(id, read))  # of a model that is called twice, the same again
        for symbol, value in zip(graph.input_symbols, inputs, strict=True):
            self.values[id(symbol)] = Value(value.shape, value.storage)
        by_symbol = dict(zip(map(id, graph.input_symbols), [value.shape for value in inputs], strict=True))
        shapes = graph.shapes(replace_symbols(graph.inputs, lambda symbol: by_symbol[id(symbol)]))
        begin = {id(symbol) for symbol in graph.input_symbols}
        for node in graph.nodes:
            if not (isinstance(node.outputs, Symbol) and id(node.outputs) in begin):
                self._lower(node, shapes)
        found = [self.values[id(symbol)] for symbol in graph.output_symbols]
        return [Value(value.shape, value.storage) for value in found]

    def _lower(self, node: Node, shapes: dict[int, Shape]) -> None:
        layer = node.layer
        if not isinstance(node.outputs, Symbol):
            raise NotLoweredError(f"{layer.where}, which gives several arrays")
        if _makes_masks(layer):
            raise NotLoweredError(f"{layer.where}, which masks steps")
        shape = shapes[id(node.outputs)]
        inputs = [self.values[id(symbol)] for symbol in node.inputs]
        for symbol, read in zip(node.inputs, inputs, strict=True):
            if self.readers[id(symbol)] > 1:
                read.step = None
        value: Value | None = None
        if self._is_plain(node):
            value = self._enter(layer, inputs) if has_graph(layer) else RULES[type(layer)](self, layer, inputs, shape)
        if value is None:
            value = _brought(shape)
            self.steps.append(call_of(node, value, inputs, replace_symbols))
        self.values[id(node.outputs)] = value

    def _enter(self, model: Any, inputs: list[Value]) -> Value | None:
        """What a model within the model gives."""
        one = len(model.graph.output_symbols) == 1 and len(model.graph.input_symbols) == len(inputs)
        return self.lower_graph(model.graph, inputs)[0] if one else None

    @staticmethod
    def _is_plain(node: Node) -> bool:
        """Whether a rule may take the place of the call: nothing special is said or listened to."""
        layer = node.layer
        return (
            (type(layer) in RULES or has_graph(layer))
            and not is_watched(layer)
            and not set(node.kwargs) - {"training"}
            and layer.mixed is None
            and layer.dtype == node.outputs.dtype == "float32"
            and all(symbol.dtype == "float32" for symbol in node.inputs)
            and all(plain(weight) for weight in (*layer._parameters.values(), *layer._buffers.values()))
        )

    # What rules are written in --------------------------------------------------------------------

    def add(self, step: Compiled) -> Value:
        """Add a step; the array that it writes, which the next in line may become a part of."""
        self.steps.append(step)
        step.output.step = step
        return step.output

    def move_to_end(self, step: Step) -> None:
        """Let a step, which nothing has read yet, come last."""
        self.steps.remove(step)
        self.steps.append(step)

    def activate(self, value: Value, name: str, function: Callable[[torch.Tensor], torch.Tensor]) -> Value:
        """What a function makes of an array."""
        if function in COMPILED:
            in_place = value.step is not None and not value.storage.is_kept  # where nobody else reads it
            output = Value(value.shape, value.storage) if in_place else new_value(value.shape)
            return self.add(Activate(output, [value], name, which=COMPILED.index(function)))
        output = _brought(value.shape)
        self.steps.append(Call(output, [value], name, function))
        return output

    def activated(self, layer: Any, y: Value) -> Value:
        """What a layer's own activation makes of what it computes."""
        if layer.activation is activations.linear:
            return y
        if layer.activation is activations.relu:
            return self.rectify(y)
        if layer.activation is activations.relu6:
            return self.rectify(y, 6.0)
        return self.activate(y, f"{layer.where}'s activation", layer.activation)

    def rectify(self, value: Value, cap: float = math.nan) -> Value:
        """ReLU of an array."""
        step = value.step
        if isinstance(step, Slide | Scale | Combine) and not step.rectified and math.isnan(step.cap):
            step.rectified, step.cap = True, cap
            return Value(value.shape, value.storage, step)
        output = new_value(value.shape)
        return self.add(Scale(output, [value], "ReLU", rectified=True, cap=cap))


def has_graph(layer: Layer) -> bool:
    """Whether it is a model that computes by its graph, and in no precision of its own."""
    graph = isinstance(getattr(layer, "graph", None), Graph)
    return graph and not is_watched(layer) and getattr(layer, "_precision", "float32") == "float32"


def is_watched(layer: Layer) -> bool:
    """Whether somebody listens to calls of a layer, or has changed how it computes."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer))


def alias(value: Value, shape: Shape) -> Value:
    """The same numbers in another shape."""
    return Value(tuple(int(size or 0) for size in shape), value.storage, value.step)


def joined(lowering: Lowering, values: Sequence[Value], shape: Shape) -> Value:
    """Arrays side by side along their last axis."""
    whole = new_value(shape)
    strides, start = strides_of(whole.shape), 0
    for value in values:
        to = (*strides, start)
        step = value.step
        writes = isinstance(step, Convolve) and not (step.to or step.pooled or step.suits_tiles)
        if isinstance(step, Convolve) and writes and step.added is None:
            flat = step.source[0] != whole.shape[0]  # a product of all rows
            step.to, step.output = ((whole.shape[-1],) * 4 + (start,) if flat else to), whole
            step.name += f", into {len(values)} side by side"
        else:
            lowering.steps.append(Copy(whole, [value], "side by side", to=to))
        start += value.shape[-1]
    return Value(whole.shape, whole.storage)


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """From one item, plane, row and column of (N, ..., C) to the next."""
    return contiguous_strides(in_five(shape))


def _brought(shape: Shape) -> Value:
    """An array that does not lie in the program's memory."""
    known = tuple(int(size or 0) for size in shape)
    return Value(known, Storage(math.prod(known)))


def _makes_masks(layer: Layer) -> bool:
    own = not type(layer).__module__.startswith("striate.") and type(layer).compute_mask is not Layer.compute_mask
    return own or isinstance(layer, Masking) or bool(getattr(layer, "mask_zero", False))
