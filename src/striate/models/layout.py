"""Where every weight of a model is in Keras's weight files: layers/conv2d/vars/0, layers/conv2d_1/vars/0, ..."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import torch

from striate.foundation.names import snake_case
from striate.layers.input import InputLayer
from striate.layers.layer import Layer
from striate.layers.overrides import STORE, refuse_files
from striate.layers.preprocessing.text import TextVectorization
from striate.layers.preprocessing.vocabulary import Vocabulary
from striate.models.trainer import Trainer


class Group(NamedTuple):
    """The weights of one layer (or torch module), without those of what is inside it.

    Args:
        path: Its group in the file; "" for the model itself.
        where: How errors name it.
        name: Its own name, written beside the weights; None for torch modules.
        weights: Names and tensors, in Keras's order.
        keys: What they are called in the file; None for their numbers.
        vocabulary: What is kept in a text file beside the weights.
        names: Of the layers around it, outermost first, and its own; none for the model.
    """

    path: str
    where: str
    name: str | None
    weights: dict[str, torch.Tensor]
    keys: tuple[str, ...] | None = None
    vocabulary: Vocabulary | None = None
    names: tuple[str, ...] = ()

    def key(self, index: int) -> str:
        """What a weight is called in the file."""
        return str(index) if self.keys is None else self.keys[index]


def groups(model: Trainer) -> list[Group]:
    """The groups of a model's weight file, the model's own first.

    Layers count by class in the model's order, whatever their names; a shared one is where it is first met.

    Example:
        >>> from striate.layers import Dense
        >>> from striate.models import Sequential
        >>> model = Sequential([Dense(2, input_shape=(3,)), Dense(1)])
        >>> [(group.path, list(group.weights)) for group in groups(model)][1:]
        [('layers/dense', ['kernel', 'bias']), ('layers/dense_1', ['kernel', 'bias'])]
    """
    return list(_visit(model, "", (), set()))


def _visit(module: torch.nn.Module, path: str, around: tuple[str, ...], seen: set[int]) -> Iterator[Group]:
    if id(module) in seen:
        return
    seen.add(id(module))
    names = (*around, module.name if isinstance(module, Layer) else path.rpartition("/")[2]) if path else ()
    if isinstance(module, TextVectorization):
        yield from _text_groups(module, path, names)
        return
    if isinstance(module, Layer):
        refuse_files(module, STORE)
    yield _group(module, path, names)
    children = {name: child for name, child in module._modules.items() if child is not None}
    # The input of a Sequential is not among Keras's attributes; a graph's is among its layers.
    attributes = {name: child for name, child in children.items() if not isinstance(child, InputLayer)}
    # Keras goes through attributes by name, private ones last, and knows `layers` as one of them; models made of
    # a graph or a list begin with it.
    order = sorted(attributes, key=_private_last)
    if isinstance(module, Trainer):
        graph_or_list = getattr(module, "graph", None) is not None or hasattr(module, "pop")
        order = ["layers", *order] if graph_or_list else sorted(["layers", *order], key=_private_last)
    for name in order:
        inner = f"{path}/{name}" if path else name
        if name == "layers" and isinstance(module, Trainer):
            yield from _visit_all(list(module.layers), inner, names, seen)  # type: ignore[arg-type]
        elif isinstance(attributes[name], torch.nn.ModuleList | torch.nn.ModuleDict):
            yield from _visit_all(list(attributes[name].children()), inner, names, seen)
        else:
            yield from _visit(attributes[name], inner, names, seen)


def _visit_all(modules: list[torch.nn.Module], path: str, around: tuple[str, ...], seen: set[int]) -> Iterator[Group]:
    used: Counter[str] = Counter()
    for module in modules:
        kind = _kind(module)
        used[kind] += 1
        place = f"{path}/{kind}" + (f"_{used[kind] - 1}" if used[kind] > 1 else "")
        yield from _visit(module, place, around, seen)


def _kind(module: torch.nn.Module) -> str:
    """What Keras calls the class: a functional model is "functional" there."""
    name = type(module).__name__
    return "functional" if name == "Model" else snake_case(name)


def _group(module: torch.nn.Module, path: str, names: tuple[str, ...]) -> Group:
    weights = dict([*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)])
    if isinstance(module, Layer):
        return Group(path, module.where, module.name, weights, names=names)
    return Group(path, f"{type(module).__name__} at {path!r}", None, weights, names=names)


def _text_groups(layer: TextVectorization, path: str, names: tuple[str, ...]) -> Iterator[Group]:
    """Keras has a layer inside this one that keeps the same once more."""
    words = layer.vocabulary
    weights = {"idf_weights": torch.from_numpy(words.weights)} if words.weighs else {}
    for place in (path, f"{path}/_lookup_layer"):
        yield Group(place, layer.where, layer.name, weights, tuple(weights), None if layer.in_config else words, names)


def _private_last(name: str) -> str:
    return f"~{name}" if name.startswith("_") else name
