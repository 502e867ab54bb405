"""Models as Keras 3 describes them in JSON, and the models that are made of such descriptions."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from striate.foundation.checks import UnsupportedError, UserError, is_int
from striate.foundation.nested import as_lists, flatten, map_structure, pack
from striate.layers.forms import is_custom, is_functional, serialize
from striate.layers.input import InputLayer
from striate.layers.layer import Layer
from striate.layers.symbol import Node, Symbol, replace_symbols, symbols_in
from striate.models.graph import Graph
from striate.models.layer_config import FIX_DAMAGED, deserialize, short
from striate.models.operations import OPERATIONS, is_operation, is_stand_in, operation_form, read_operation
from striate.ops.operation import Operation

# What layers of striate's own may be called with beside their input.
NAMED_ARGUMENTS = ("initial_state", "mask")
# Where a symbol comes from in Keras's words: a layer's name, which call of it, which output of that call.
History = tuple[str, int, int]


def layers_config(stack: list[Layer], graph: Graph | None) -> dict[str, Any]:
    """The config of a `Sequential`: its layers, an InputLayer first where the shape of the input is known."""
    start = [] if graph is None or isinstance(stack[0], InputLayer) else [graph.input_symbols[0].node.layer]
    config: dict[str, Any] = {"layers": [serialize(layer) for layer in [*start, *stack]]}
    if graph is not None:
        config["build_input_shape"] = list(graph.input_symbols[0].shape)
    return config


def layers_from_config(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the `Sequential` that `config` describes.

    Raises:
        UserError: It is no such config, or one of its layers cannot be made.
    """
    rest = dict(config)
    layers = [deserialize(form) for form in _checked_list("Sequential", "layers", rest.pop("layers", None))]
    shape = rest.pop("build_input_shape", None)
    if shape is not None and layers and not isinstance(layers[0], InputLayer):
        layers.insert(0, InputLayer(batch_shape=shape))
    return {**rest, "layers": layers}


def graph_config(graph: Graph) -> dict[str, Any]:
    """The config of a functional model: every layer with the calls of it, then inputs and outputs."""
    inside = {id(node) for node in graph.nodes}
    nodes = {layer.name: [node for node in layer.nodes if id(node) in inside] for layer in graph.layers}
    histories = {
        id(symbol): (name, call, index)
        for name, calls in nodes.items()
        for call, node in enumerate(calls)
        for index, symbol in enumerate(_in_keras_order(node.layer, symbols_in(node.outputs)))
    }
    starts = _added_inputs(graph, histories)
    layers = [{**serialize(layer), "name": layer.name, "inbound_nodes": []} for layer in starts]
    for layer in graph.layers:
        if isinstance(layer, Operation):
            layers.append(operation_form(layer, lambda symbol: _stand_in(symbol, histories)))
            continue
        calls = [_call_config(node, histories) for node in nodes[layer.name] if node.inputs]
        layers.append({**serialize(layer), "name": layer.name, "inbound_nodes": calls})

    def place(symbol: Symbol) -> list[Any]:
        name, call, index = histories[id(symbol)]
        # Keras counts the calls of a functional model from 1 here, and from 0 everywhere else.
        first = int(name in nodes and is_functional(symbol.node.layer))
        return [name, call + first, index]

    return {
        "layers": layers,
        "input_layers": as_lists(replace_symbols(graph.inputs, place)),
        "output_layers": as_lists(replace_symbols(graph.outputs, place)),
    }


def graph_from_config(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the functional `Model` that `config` describes; one without layers is the arguments.

    Raises:
        UserError: It is no such config, one of its layers cannot be made, or the graph does not hold together.
    """
    rest = dict(config)
    if "layers" not in config:  # a subclass with a config of its own
        return rest
    calls = _Calls(_checked_list("Functional", "layers", rest.pop("layers", None)), rest.get("output_layers"))
    calls.make_all()
    inputs, outputs = (_single(calls.find_all(rest.pop(key, None))) for key in ("input_layers", "output_layers"))
    return {**rest, "inputs": inputs, "outputs": outputs}


# Writing ------------------------------------------------------------------------------------------


def _added_inputs(graph: Graph, histories: dict[int, History]) -> list[InputLayer]:
    """InputLayers for inputs that a layer outside the graph made, as Keras adds them; noted in `histories`."""
    added: list[InputLayer] = []
    for symbol in graph.input_symbols:
        if symbol.node.inputs:
            name = f"{symbol.name}_input_{len(added)}"
            added.append(InputLayer(batch_shape=symbol.shape, dtype=symbol.dtype, name=name))
            histories[id(symbol)] = (name, 0, 0)
    return added


def _call_config(node: Node, histories: dict[int, History]) -> dict[str, Any]:
    """One call of a layer, with Keras's stand-ins for the symbols among its arguments."""
    args, kwargs = replace_symbols((node.args, node.kwargs), lambda symbol: _stand_in(symbol, histories))
    return {"args": as_lists(args), "kwargs": as_lists(kwargs)}


def _stand_in(symbol: Symbol, histories: dict[int, History]) -> dict[str, Any]:
    history = list(histories[id(symbol)])
    config = {"shape": list(symbol.shape), "dtype": symbol.dtype, "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def _in_keras_order(layer: Layer, outputs: list[Any]) -> list[Any]:
    """The outputs of a call as Keras counts them: those of a model inside by the sorted keys of its dicts."""
    graph = getattr(layer, "graph", None)
    if graph is None:
        return outputs
    return flatten(pack(graph.outputs, outputs), sort_keys=True)


# Reading ------------------------------------------------------------------------------------------


class _Calls:
    """The layers of a functional config, and the symbols that calling them has made so far.

    Args:
        forms: The layers' configs, each with a name and its "inbound_nodes".
        used: The config's "output_layers".
    """

    def __init__(self, forms: list[Any], used: Any = None) -> None:
        self.layers: dict[str, Layer] = {}
        self.waiting: dict[str, deque[dict[str, Any]]] = {}
        self.outputs: dict[str, list[list[Symbol]]] = {}
        self.masks = _mask_makers(forms, used)
        for form in forms:
            if isinstance(form, dict) and form.get("name") in self.masks:
                continue
            layer: Layer
            if is_operation(form):
                layer, call = read_operation(form)
                form = {**form, "inbound_nodes": [call]}
            else:
                layer = deserialize(form)
            name = form.get("name", layer.name)
            if name != layer.name or name in self.layers:
                raise _damaged(f"a layer with the name {short(name)}", "the layer's own name, each one once")
            self.layers[name], self.outputs[name] = layer, []
            calls = _checked_list(layer.where, "inbound_nodes", form.get("inbound_nodes", []))
            self.waiting[name] = deque(_without(self.masks, _checked_call(layer, call)) for call in calls)
            if isinstance(layer, InputLayer):
                self.outputs[name].append([layer.nodes[0].outputs])

    def make_all(self) -> None:
        """Call every layer as the config says, each as soon as what it is called on is there."""
        while self.waiting:
            before = sum(map(len, self.outputs.values())), len(self.waiting)
            for name, calls in list(self.waiting.items()):
                while calls and all(self._is_made(history) for history in _histories_in(calls[0])):
                    self._make(self.layers[name], calls.popleft())
                if not calls:
                    del self.waiting[name]
            if before == (sum(map(len, self.outputs.values())), len(self.waiting)):
                raise _damaged(
                    f"calls of {short(list(self.waiting))} that wait for each other", "a graph without loops"
                )

    def find_all(self, structure: Any) -> Any:
        """The symbols for "input_layers" or "output_layers": [layer, call, output] within lists and dicts."""

        def find(place: Any) -> Symbol:
            if not _is_place(place):
                raise _damaged(f"inputs or outputs {short(place)}", "lists of a layer's name and two numbers")
            name, call, index = _checked_history(place)
            return self._find((name, call - is_functional(self._layer(name)), index))

        return map_structure(find, structure, is_leaf=_is_place)

    def _layer(self, name: str) -> Layer:
        if name not in self.layers:
            raise _damaged(f"a call of {short(name)}, which is not there", "only layers of the list")
        return self.layers[name]

    def _is_made(self, history: History) -> bool:
        return history[1] < len(self.outputs[self._layer(history[0]).name])

    def _find(self, history: History) -> Symbol:
        name, call, index = history
        if call < 0 or not self._is_made(history) or index >= len(self.outputs[name][call]):
            raise _damaged(f"output {index} of call {call} of {short(name)}", "only calls and outputs that there are")
        return self.outputs[name][call][index]

    def _make(self, layer: Layer, call: dict[str, Any]) -> None:
        args, kwargs = (self._revive(call[part]) for part in ("args", "kwargs"))
        # A mask that is not there is None, or lists of it.
        kwargs = {key: value for key, value in kwargs.items() if any(leaf is not None for leaf in flatten(value))}
        training = _said_training(layer, kwargs.pop("training", None))
        if not is_custom(type(layer)):
            named = {key: kwargs.pop(key) for key in NAMED_ARGUMENTS if key in kwargs and layer._takes(key)}
            args, kwargs = [*args, *kwargs.values()], named
            if len(args) == 2 and layer._takes("initial_state"):
                kwargs["initial_state"] = args.pop()
            if len(args) != 1:
                needs = "one input (or a list of them) and nothing else"
                fix = "Build the model in code and load its weights alone."
                raise UnsupportedError(layer.where, f"a call with the arguments {short(call)}", needs, fix)
        if isinstance(layer, InputLayer) or not symbols_in((args, kwargs)):
            raise _damaged(f"a call of {layer.where} on {short(call)}", "calls on what other layers give")
        made = symbols_in(layer(*args, training=training, **kwargs))
        self.outputs[layer.name].append(_in_keras_order(layer, made))

    def _revive(self, value: Any) -> Any:
        """A call's argument with symbols in the place of Keras's stand-ins."""

        def find(leaf: Any) -> Any:
            return self._find(_checked_history(leaf["config"]["keras_history"])) if is_stand_in(leaf) else leaf

        return map_structure(find, value, is_leaf=is_stand_in)


def _said_training(layer: Layer, noted: Any) -> bool | None:
    """What a call said about `training`, which Keras notes for calls that said nothing, too."""
    if noted is not None and not isinstance(noted, bool):
        raise UserError(layer.where, f"a call with training={short(noted)}", "true, false or null", FIX_DAMAGED)
    return None if noted is layer.noted_training else noted


def _mask_makers(forms: list[Any], outputs: Any) -> set[str]:
    """The names of Keras's operations that only make masks: here masks travel on the tensors."""
    sources: dict[str, set[str]] = {}
    waiting = [place[0] for place in flatten(outputs, is_leaf=_is_place) if _is_place(place)]
    for form in forms:
        if isinstance(form, dict) and isinstance(form.get("name"), str):
            calls = [call for call in flatten(form.get("inbound_nodes"), is_leaf=_is_call) if _is_call(call)]
            named = [[call["args"], {**call["kwargs"], "mask": None}] for call in calls]
            found = {history[0] for history in _histories_in(named)}
            if str(form.get("module")).startswith(OPERATIONS):
                sources[form["name"]] = found
            else:
                waiting += found
    makers = set(sources)
    while waiting:
        name = waiting.pop()
        if name in makers:
            makers.remove(name)
            waiting += sources[name]
    return makers


def _without(masks: set[str], call: dict[str, Any]) -> dict[str, Any]:
    """The call without a mask that one of these operations made."""
    made = {history[0] for history in _histories_in(call["kwargs"].get("mask"))}
    return {**call, "kwargs": {**call["kwargs"], "mask": None}} if made and made <= masks else call


def _single(structure: Any) -> Any:
    """A list of one as that one: Keras's models give the same for both."""
    return structure[0] if isinstance(structure, list) and len(structure) == 1 else structure


def _is_place(value: Any) -> bool:
    """Whether it says where an input or output comes from: [layer, call, output]."""
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)


def _histories_in(value: Any) -> Iterator[History]:
    """Where the symbols come from that a call's arguments stand for."""
    stand_ins = filter(is_stand_in, flatten(value, is_leaf=is_stand_in))
    return (_checked_history(stand_in["config"]["keras_history"]) for stand_in in stand_ins)


def _checked_history(value: Any) -> History:
    numbers = value[1:] if _is_place(value) else ()
    if not numbers or not all(is_int(number) and number >= 0 for number in numbers):
        raise _damaged(f"keras_history={short(value)}", "a layer's name and two whole numbers")
    return value[0], value[1], value[2]


def _checked_list(where: str, key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise UserError(where, f"{key}={short(value)}", "a list", FIX_DAMAGED)
    return value


def _is_call(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("args"), list) and isinstance(value.get("kwargs"), dict)


def _checked_call(layer: Layer, call: Any) -> dict[str, Any]:
    if isinstance(call, list):
        fix = "Open the file with Keras 3 and save it again."
        raise UnsupportedError(layer.where, "inbound_nodes as Keras 2 wrote them", "a file of Keras 3", fix)
    if not _is_call(call):
        raise UserError(layer.where, f"a call {short(call)}", "a dict of args and kwargs", FIX_DAMAGED)
    return call


def _damaged(got: str, needs: str) -> UserError:
    return UserError("A functional model's config", got, needs, FIX_DAMAGED)
