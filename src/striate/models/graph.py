"""The graph between inputs and outputs: found once, then run, measured or drawn."""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError
from striate.foundation.nested import flatten
from striate.foundation.shapes import Shape
from striate.layers.input import TEXT
from striate.layers.layer import Layer
from striate.layers.structure import in_dtype, is_shape, mode_is_set
from striate.layers.symbol import Node, ShapeError, Symbol, in_context, replace_symbols, symbols_in
from striate.models.plan import Plan


class Graph:
    """The calls of layers that lead from input symbols to output symbols.

    Args:
        inputs: A symbol, or a list, tuple or dict of symbols.
        outputs: Likewise.

    Raises:
        UserError: An output does not follow from the inputs, or two layers share a name.

    Example:
        >>> from striate.layers import Dense, Input
        >>> x = Input((4,))
        >>> [layer.name for layer in Graph(x, Dense(2, name="two")(x)).layers][1:]
        ['two']
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.input_symbols = _checked_symbols("inputs", inputs)
        self.takes_texts = any(symbol.dtype == TEXT for symbol in self.input_symbols)
        self.output_symbols = _checked_symbols("outputs", outputs)
        if len({id(symbol) for symbol in self.input_symbols}) < len(self.input_symbols):
            names = ", ".join(repr(symbol.name) for symbol in self.input_symbols)
            raise UserError("Model", f"inputs {names}", "every input once", "Make an Input of its own for each.")
        self.nodes, found = self._sort_nodes()
        self.layers = self._order_layers(found)
        self._are_simple = [node.is_simple for node in self.nodes]
        self._unneeded_after = self._find_unneeded()
        self._before = self._find_joined()
        self._left_out = {node for nodes in self._before.values() for node in nodes}
        _check_names(self.layers)

    def _sort_nodes(self) -> tuple[list[Node], dict[Layer, int]]:
        """Nodes in an order in which they can run, and layers by when they were first met going backwards."""
        begin = {id(symbol) for symbol in self.input_symbols}
        order: list[Node] = []
        met: dict[Layer, int] = {}
        done: set[int] = set()
        # Depth first without recursion: networks may be deeper than Python's stack. Dicts by sorted keys: so Keras
        # finds layers, and so its files number them.
        stack = [(symbol, False) for symbol in reversed(symbols_in(self.outputs, sort_keys=True))]
        while stack:
            symbol, parents_done = stack.pop()
            node = symbol.node
            if parents_done:
                order.append(node)
                continue
            if id(node) in done or (id(symbol) in begin and node.inputs):
                continue
            if not node.inputs and id(symbol) not in begin:
                fix = "List it among the inputs, or start from the symbols that are."
                raise UserError("Model", f"outputs that depend on Input {symbol.name!r}", "every input named", fix)
            done.add(id(node))
            met.setdefault(node.layer, len(met))
            stack.append((symbol, True))
            sources = symbols_in((node.args, node.kwargs), sort_keys=True)
            stack.extend((source, False) for source in reversed(sources))
        for symbol in self.input_symbols:  # inputs that no output needs still take their place
            if id(symbol.node) not in done and not symbol.node.inputs:
                order.insert(0, symbol.node)
                met[symbol.node.layer] = -1
        return order, met

    def _order_layers(self, met: dict[Layer, int]) -> list[Layer]:
        """Layers as Keras orders them, which `.keras` files rely on: farthest from the outputs first."""
        inside = {id(node) for node in self.nodes}
        depth: dict[int, int] = {}
        layer_depth: dict[Layer, int] = {}
        for node in reversed(self.nodes):
            here = max(depth.get(id(node), 0), layer_depth.get(node.layer, 0))
            depth[id(node)] = layer_depth[node.layer] = here
            for source in node.inputs:
                if id(source.node) in inside:
                    depth[id(source.node)] = max(here + 1, depth.get(id(source.node), 0))
        return sorted(layer_depth, key=lambda layer: (-layer_depth[layer], met[layer]))

    def _find_unneeded(self) -> list[list[Symbol]]:
        """For every node the symbols that nothing later reads, so that their memory can go."""
        read = {id(symbol) for symbol in self.output_symbols}
        unneeded: list[list[Symbol]] = []
        for node in reversed(self.nodes):
            last = {id(symbol): symbol for symbol in node.inputs if id(symbol) not in read}
            read |= last.keys()
            unneeded.append(list(last.values()))
        return unneeded[::-1]

    def _find_joined(self) -> dict[Node, list[Node]]:
        """Nodes whose layer does the work of those right before it, too: see `Layer.takes_over`."""
        readers = Counter(id(symbol) for node in self.nodes for symbol in node.inputs)
        readers.update(id(symbol) for symbol in self.output_symbols)
        joined: dict[Node, list[Node]] = {}
        for node in self.nodes:
            if node.kwargs or len(node.inputs) != 1 or readers[id(node.inputs[0])] > 1:
                continue
            source = node.inputs[0].node
            before = [*joined.get(source, []), source]
            alone = source.kwargs or source.layer.activity_regularizer  # which is to see what comes out
            if not alone and node.layer.takes_over([earlier.layer for earlier in before]):
                joined.pop(source, None)
                joined[node] = before
        return joined

    @functools.cached_property
    def plan(self) -> Plan:
        """Which nodes run as one."""
        return Plan(self.nodes, self.output_symbols)

    def run(self, inputs: Any) -> Any:
        """Compute the outputs for arrays in the structure of `self.inputs`."""
        plan = self.plan

        def call(node: Node, args: Any, kwargs: Any) -> Any:
            if node in self._left_out or node in plan.inside:
                return args[0]
            if node in plan.blocks:
                return plan.blocks[node](args[0])
            if node in self._before:
                return node.layer(*args, after=[earlier.layer for earlier in self._before[node]])
            if mode_is_set():
                kwargs.pop("training", None)
            return node.layer(*args, **kwargs)

        return self._follow(self.bind(inputs), call)

    def bind(self, inputs: Any) -> dict[int, Any]:
        """Arrays in the structure of `self.inputs`, as each of the input symbols (by id) expects them."""
        return self._bind(inputs, _fit_array)

    def shapes(self, inputs: Any) -> dict[int, Shape]:
        """The shape of every symbol (by id) for input shapes in the structure of `self.inputs`.

        Raises:
            ShapeError: A layer cannot take what would reach it.
        """

        def shape_out(node: Node, args: Any, kwargs: Any) -> Any:
            try:
                return node.layer.compute_output_shape(args[0])
            except ShapeError as error:
                raise in_context(error, node.inputs[0], node.layer.rank) from None

        known = self._bind(inputs, _fit_shape)
        self._follow(known, shape_out, keep=True)
        return known

    def _bind(self, inputs: Any, fit: Callable[[Symbol, Any], Any]) -> dict[int, Any]:
        """Arrays, or shapes, by the id of the input symbol they stand for."""
        names = [symbol.name for symbol in self.input_symbols]
        if isinstance(inputs, dict):
            names = list(self.inputs) if isinstance(self.inputs, dict) else names
            missing = [name for name in names if name not in inputs]
            if missing:
                got = f"inputs named {', '.join(map(repr, inputs))}"
                raise UserError("Model", got, f"{', '.join(map(repr, names))}", f"Add {missing[0]!r}.")
            values = [inputs[name] for name in names]
        else:
            values = flatten(inputs, is_leaf=is_shape)
        if len(values) != len(names):
            fix = "Pass one array for every input, in this order, or a dict by name."
            raise UserError("Model", f"{len(values)} inputs", f"{len(names)} ({', '.join(names)})", fix)
        return {id(symbol): fit(symbol, value) for symbol, value in zip(self.input_symbols, values, strict=True)}

    def _follow(self, values: dict[int, Any], step: Any, keep: bool = False) -> Any:
        """Go through the nodes in order, `step` turning arguments into outputs."""
        for node, simple, unneeded in zip(self.nodes, self._are_simple, self._unneeded_after, strict=True):
            if simple:  # as most are: nothing to look for
                if id(node.outputs) not in values:
                    values[id(node.outputs)] = step(node, (values[id(node.args[0])],), {})
            else:
                self._follow_node(node, values, step)
            for symbol in () if keep else unneeded:
                del values[id(symbol)]
        return replace_symbols(self.outputs, lambda symbol: values[id(symbol)])

    def _follow_node(self, node: Node, values: dict[int, Any], step: Any) -> None:
        """Let `step` turn the arguments of a call, symbols anywhere inside, into its outputs."""
        outputs = symbols_in(node.outputs)
        if all(id(symbol) in values for symbol in outputs):
            return  # an input
        args, kwargs = replace_symbols((node.args, node.kwargs), lambda symbol: values[id(symbol)])
        result = step(node, args, kwargs)
        if len(outputs) == 1 and not isinstance(node.outputs, list | dict):
            values[id(outputs[0])] = result
        else:
            values.update(zip(map(id, outputs), flatten(result, is_leaf=is_shape), strict=True))


def _fit_array(symbol: Symbol, value: Any) -> Any:
    """The array as the input expects it: in its floating dtype, a missing channel axis of one added."""
    if symbol.dtype == TEXT:
        return _fit_texts(symbol, value)
    if isinstance(value, np.ndarray):
        fix = "Look at the order of the inputs, or turn words into numbers before."
        raise UserError(f"Input {symbol.name!r}", "texts", f"numbers (dtype={symbol.dtype!r})", fix)
    if not isinstance(value, torch.Tensor):
        needs = "a tensor or a NumPy array"
        raise UserError(f"Input {symbol.name!r}", f"a {type(value).__name__}", needs, "Pass np.asarray(x).")
    if value.ndim == symbol.ndim - 1 and symbol.shape[-1] == 1:
        value = value.unsqueeze(-1)
    return in_dtype(value, getattr(torch, symbol.dtype), integers=True)


def _fit_texts(symbol: Symbol, value: Any) -> np.ndarray:
    """Texts in an array (N, 1), or as the input says."""
    if isinstance(value, torch.Tensor):
        fix = "Pass an array of texts, np.array([...])."
        raise UserError(f"Input {symbol.name!r}", "a tensor of numbers", "texts (dtype='string')", fix)
    texts = np.asarray(value, dtype=object)
    if texts.ndim == symbol.ndim + 1 and texts.shape[-1] == 1:
        return texts[..., 0]
    return texts[:, None] if texts.ndim == symbol.ndim - 1 and symbol.shape[-1] == 1 else texts


def _fit_shape(symbol: Symbol, shape: Shape) -> Shape:
    """The shape that `_fit_array` makes of it, refused where the input was declared otherwise."""
    if not is_shape(shape):
        needs = f"a shape, as {symbol.shape}"
        raise UserError(f"Input {symbol.name!r}", f"shape {shape!r}", needs, "Call the model on an array of it.")
    if len(shape) == symbol.ndim - 1 and symbol.shape[-1] == 1:
        shape = (*shape, 1)
    elif symbol.dtype == TEXT and len(shape) == symbol.ndim + 1 and shape[-1] == 1:
        shape = shape[:-1]
    return symbol.node.layer.compute_output_shape(shape) if not symbol.node.inputs else shape


def _checked_symbols(argument: str, structure: Any) -> list[Symbol]:
    symbols = symbols_in(structure)
    if not symbols or len(symbols) != len(flatten(structure, is_leaf=is_shape)):
        fix = "Start with Input(shape) and call layers on what it returns."
        raise UserError("Model", f"{argument}={structure!r}", "symbols (or a list or dict of them)", fix)
    return symbols


def _check_names(layers: list[Layer]) -> None:
    seen: dict[str, Layer] = {}
    for layer in layers:
        if seen.setdefault(layer.name, layer) is not layer:
            fix = "Give one of them another name=."
            raise UserError("Model", f"two layers called {layer.name!r}", "names that are unique", fix)
