"""Walks a model and measures every layer: shapes, FLOPs, receptive field, memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from striate.foundation.nested import flatten, map_structure
from striate.foundation.shapes import ReceptiveField, product
from striate.layers.global_pooling import GlobalPooling
from striate.layers.holder import named_parts, weights_of
from striate.layers.layer import Layer, registry
from striate.layers.recurrent import RNN, Bidirectional, TimeDistributed
from striate.layers.structure import is_shape, shape_of
from striate.layers.symbol import Node, Symbol, replace_symbols, symbols_in
from striate.layers.wrapper import TorchModule
from striate.models.graph import Graph
from striate.ops.operation import Operation

# What one cell sees of the input: a field per spatial axis (none for vectors), everything, or not known.
Field = tuple[ReceptiveField, ...] | str | None
EVERYTHING = "all"


@dataclass(frozen=True)
class Row:
    """One layer of a summary.

    Args:
        name: The layer's name.
        kind: Its class.
        output_shape: Of its (last) call, N included; a list for several outputs; None where not known yet.
        params: Numbers that its weights hold.
        flops: Multiplications and additions for one item, over all its calls; None where not known.
        receptive_field: Input cells that one output cell sees, per spatial axis; "all"; None where not known.
        output_bytes: Of its outputs for one item; None where not known.
        connected_to: The layers that feed it.
        trainable: Whether training changes its weights; None where it has none.
        depth: 0, or how many models it is inside of.
        built: Whether its weights exist.
    """

    name: str
    kind: str
    output_shape: Any
    params: int
    flops: int | None
    receptive_field: tuple[int, ...] | str | None
    output_bytes: int | None
    connected_to: tuple[str, ...]
    trainable: bool | None
    depth: int
    built: bool


@dataclass
class Measured:
    """The rows of a model, with what only the whole can tell.

    Args:
        rows: Of its layers and of those inside them, in order.
        flops: For one item; None where a layer does not say.
        activation_bytes: Of all outputs for one item; None where not known.
        fields: What each of the model's outputs sees.
        chain: Whether the layers follow each other one by one.
    """

    rows: list[Row]
    flops: int | None
    activation_bytes: int | None
    fields: list[Field]
    chain: bool


@dataclass
class _Call:
    """What one call of a layer gives and costs."""

    output_shape: Any
    output_bytes: int | None
    flops: int | None
    activation_bytes: int | None
    field: Field = None
    sources: tuple[str, ...] = ()
    inner: Sequence[Row] = ()


def measure(model: Any, input_shape: Any = None, seen: Sequence[Field] | None = None, depth: int = 0) -> Measured:
    """Measure a model, built or not, and leave it as it is.

    Args:
        model: A model.
        input_shape: Measure for this input (N included; a list for several) instead of the declared one.
        seen: What the cells of its inputs see of an outer model's input.
        depth: How many models it is inside of.

    Raises:
        ShapeError: A layer cannot take `input_shape`.
    """
    if model.graph is None:
        return _measure_parts(model, input_shape, depth)
    return _measure_graph(model, input_shape, seen, depth)


def _measure_graph(model: Any, input_shape: Any, seen: Sequence[Field] | None, depth: int) -> Measured:
    graph: Graph = model.graph
    symbols = [*graph.input_symbols, *(s for node in graph.nodes for s in symbols_in(node.outputs))]
    shapes = {id(s): s.shape for s in symbols} if input_shape is None else graph.shapes(input_shape)
    starts = seen or [(ReceptiveField(),) * max(symbol.ndim - 2, 0) for symbol in graph.input_symbols]
    fields: dict[int, Field] = {id(s): field for s, field in zip(graph.input_symbols, starts, strict=True)}
    calls: dict[Layer, list[_Call]] = {}
    for node in graph.nodes:
        calls.setdefault(node.layer, []).append(_call_of_node(node, shapes, fields, depth))
    every = [call for of_layer in calls.values() for call in of_layer]
    return Measured(
        [row for layer in model.operations for row in _rows(layer.name, layer, calls.get(layer, []), depth)],
        _sum(call.flops for call in every),
        _sum(call.activation_bytes for call in every),
        [fields[id(symbol)] for symbol in graph.output_symbols],
        _is_chain(graph),
    )


def _call_of_node(node: Node, shapes: dict[int, Any], fields: dict[int, Field], depth: int) -> _Call:
    """Measure one node, and note what its outputs see in `fields`."""
    outputs = symbols_in(node.outputs)
    shape = replace_symbols(node.outputs, lambda symbol: shapes[id(symbol)])
    size = _sum(_bytes(shapes[id(symbol)], getattr(torch, symbol.dtype)) for symbol in outputs)
    if not node.inputs:
        return _Call(shape, size, 0, 0, fields[id(outputs[0])])
    incoming = replace_symbols(node.args[0] if node.args else node.inputs[0], lambda symbol: shapes[id(symbol)])
    seen = [fields[id(symbol)] for symbol in node.inputs]
    sources = tuple(map(_source_name, node.inputs))
    if hasattr(node.layer, "graph"):
        inside = measure(node.layer, incoming, seen, depth + 1)
        after, flops, kept, inner = inside.fields, inside.flops, inside.activation_bytes, inside.rows
    else:
        after = [_see_through(node.layer, seen, shapes[id(symbol)]) for symbol in outputs]
        flops, kept, inner = _flops(node.layer, incoming), size, []
    fields.update(zip(map(id, outputs), after, strict=True))
    return _Call(shape, size, flops, kept, after[0], sources, inner)


def _see_through(layer: Layer, seen: Sequence[Field], output_shape: Any) -> Field:
    """What a cell after `layer` sees, if what comes in sees `seen`."""
    if EVERYTHING in seen or isinstance(layer, GlobalPooling | RNN | Bidirectional):
        return EVERYTHING
    known = [field for field in seen if isinstance(field, tuple)]
    own = type(layer) in registry.classes.values() and not isinstance(layer, TorchModule | TimeDistributed)
    own = own or (isinstance(layer, Operation) and layer.is_pointwise)
    axes = len(known[0]) if known else 0
    if not own or len(known) < len(seen) or any(len(field) != axes for field in known):
        return None
    if axes != max(len(output_shape) - 2, 0):
        return EVERYTHING if len(output_shape) <= 2 else None
    widest = tuple(ReceptiveField(*map(max, zip(*branches, strict=True))) for branches in zip(*known, strict=True))
    window = layer.window()
    if window is None:
        return widest
    return tuple(field.through(*step) for field, step in zip(widest, window.per_axis(), strict=True))


def _measure_parts(model: Any, input_shape: Any, depth: int) -> Measured:
    """As `_measure_graph` for a model without a graph: a subclass, or a Sequential that is not built yet."""
    calls = _watch(model, input_shape if input_shape is not None else model.seen_shape, depth)
    parts = [(part.name if isinstance(part, Layer) else name, part) for name, part in dict.fromkeys(named_parts(model))]
    every = [call for of_part in calls.values() for call in of_part]
    return Measured(
        [row for name, part in parts for row in _rows(name, part, calls.get(part, []), depth)],
        _sum(call.flops for call in every) if calls else None,
        _sum(call.activation_bytes for call in every) if calls else None,
        [None],
        True,
    )


def _watch(model: Any, input_shape: Any, depth: int) -> dict[torch.nn.Module, list[_Call]]:
    """The calls of a model's parts while it runs on zeros once; none if it was never run, or sizes are not known."""
    calls: dict[torch.nn.Module, list[_Call]] = {}
    if not model.built or input_shape is None:
        return calls
    shape = _open_batch(input_shape)
    if not _is_known(shape):
        return calls

    def note(part: torch.nn.Module, inputs: Any, output: Any) -> None:
        incoming, outgoing = (_open_batch(shape_of(value)) for value in (inputs[0] if inputs else (), output))
        tensors = [leaf for leaf in flatten(output) if isinstance(leaf, torch.Tensor)]
        size = _sum(_bytes(tensor.shape, tensor.dtype) for tensor in tensors)
        if hasattr(part, "graph"):
            inside = measure(part, incoming, depth=depth + 1)
            call = _Call(outgoing, size, inside.flops, inside.activation_bytes, inner=inside.rows)
        else:
            call = _Call(outgoing, size, _flops(part, incoming), size)
        calls.setdefault(part, []).append(call)

    hooks = [part.register_forward_hook(note) for part in dict.fromkeys(part for _, part in named_parts(model))]
    try:
        model.try_shape(shape)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _rows(name: str, layer: torch.nn.Module, calls: Sequence[_Call], depth: int) -> list[Row]:
    """The row of a layer and, one deeper, those of the layers inside."""
    weights = weights_of(layer)
    fields = [
        f if f is None or isinstance(f, str) else tuple(axis.cells for axis in f) for f in (c.field for c in calls)
    ]
    largest = None if None in fields else EVERYTHING if EVERYTHING in fields else max(fields, default=None)  # type: ignore[type-var]
    row = Row(
        name,
        getattr(layer, "kind", type(layer).__name__),
        calls[-1].output_shape if calls else None,
        sum(weight.numel() for weight in weights),
        _sum(call.flops for call in calls) if calls else None,
        largest,
        _sum(call.output_bytes for call in calls) if calls else None,
        tuple(dict.fromkeys(source for call in calls for source in call.sources)),
        any(getattr(layer, "trainable", weight.requires_grad) for weight in weights) if weights else None,
        depth,
        getattr(layer, "built", True),
    )
    return [row, *(calls[0].inner if calls else _rows_inside(layer, depth))]


def _rows_inside(layer: torch.nn.Module, depth: int) -> Sequence[Row]:
    """The rows inside a model that was not called yet."""
    return measure(layer, depth=depth + 1).rows if hasattr(layer, "graph") else []


def _flops(layer: torch.nn.Module, input_shape: Any) -> int | None:
    """FLOPs for one item; None where sizes are not known, or a layer with weights does not say."""
    if not isinstance(layer, Layer) or type(layer).flops is Layer.flops:
        return None if weights_of(layer) else 0
    return layer.flops(input_shape) if _is_known(input_shape) else None


def _is_chain(graph: Graph) -> bool:
    """Whether the layers follow each other one by one, so that connections need no telling."""
    before: list[Symbol] = []
    for node in graph.nodes:
        if len(node.inputs) > 1 or (before and node.inputs != before):
            return False
        before = symbols_in(node.outputs)
    return len(before) == 1 and len({node.layer for node in graph.nodes}) == len(graph.nodes)


def _source_name(symbol: Symbol) -> str:
    """The layer a symbol comes from; Keras's [call][output] follows only where it tells anything."""
    node = symbol.node
    if len(node.layer.nodes) == 1 and isinstance(node.outputs, Symbol):
        return symbol.name
    return f"{symbol.name}[{node.layer.nodes.index(node)}][{symbol.index}]"


def _sum(values: Iterable[int | None]) -> int | None:
    """The sum; None if one of them is not known."""
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _bytes(shape: Sequence[int | None], dtype: torch.dtype) -> int | None:
    """What one item of an array takes."""
    cells = product(shape[1:])
    return None if cells is None else cells * dtype.itemsize


def _is_known(shape: Any) -> bool:
    """Whether all sizes but N are known, in one shape or a structure of them."""
    return all(None not in one[1:] for one in flatten(shape, is_leaf=is_shape))


def _open_batch(shape: Any) -> Any:
    """The shape, or structure of shapes, for any number of items."""
    return map_structure(lambda one: (None, *one[1:]), shape, is_leaf=is_shape)
