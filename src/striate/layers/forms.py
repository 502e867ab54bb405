"""What `.keras` files say about one layer, those inside it included."""

import inspect
import json
from typing import Any

from striate.foundation.checks import UserError
from striate.foundation.custom_objects import INSTEAD_OF_CODE, get_registered_name
from striate.layers.layer import Layer, registry
from striate.layers.overrides import BUILD, refuse_files
from striate.layers.structure import is_shape

FUNCTIONAL = "keras.src.models.functional"


def is_custom(cls: type) -> bool:
    """Whether a layer's class is the user's own."""
    return registry.classes.get(cls.__name__) is not cls


def is_functional(layer: Layer) -> bool:
    """Whether it is what Keras calls a functional model: one with a graph that is not a `Sequential`."""
    return getattr(layer, "graph", None) is not None and not isinstance(layer, registry.classes["Sequential"])


def serialize(layer: Layer) -> dict[str, Any]:
    """A layer as `.keras` files hold it.

    Raises:
        UserError: Its config would not make it again.

    Example:
        >>> from striate.layers import Flatten
        >>> serialize(Flatten())["class_name"]
        'Flatten'
    """
    cls = type(layer)
    refuse_files(layer, BUILD)
    if is_custom(cls):
        config = _custom_config(layer)
        name = get_registered_name(cls)
        form = {"module": None, "class_name": cls.__name__, "config": config, "registered_name": name}
    elif is_functional(layer):
        config = layer.get_config()
        config.pop("dtype")  # Keras does not write one for models of this kind
        form = {"module": FUNCTIONAL, "class_name": "Functional", "config": config, "registered_name": "Functional"}
    else:
        module = "keras" if _is_model(layer) else registry.module
        form = {"module": module, "class_name": cls.__name__, "config": layer.get_config(), "registered_name": None}
    shape = _built_shape(layer)
    return form if shape is None else {**form, "build_config": {"input_shape": shape}}


def inner_layer(where: str, value: Any, needs: str = "a layer") -> Layer:
    """The layer that another one is made with: itself, or made from its form.

    Raises:
        UserError: It is neither.
    """
    if isinstance(value, dict):
        _check_known(where, value.get("class_name"))
        return registry.get(value, where)
    if isinstance(value, Layer):
        return value
    fix = "Call the class: LSTM(4), not LSTM." if isinstance(value, type) else "Pass a layer."
    raise UserError(where, repr(value), needs, fix)


def _check_known(where: str, name: Any) -> None:
    try:
        registry.find(str(name), where)
    except UserError:
        needs = "a layer of striate's, or one that custom_objects names: nothing is imported because a file says so"
        raise UserError(where, f"the class {name!r} inside", needs, INSTEAD_OF_CODE.format(name, "class")) from None


def inner_form(layer: Layer) -> dict[str, Any]:
    """The form of a layer inside another one, which says the shape that both were built for."""
    form = serialize(layer)
    form.pop("build_config", None)
    return form


def remake(layer: Layer, **changes: Any) -> Layer:
    """The same layer once more, with weights of its own and some arguments changed.

    Example:
        >>> from striate.layers import Dense
        >>> remake(Dense(2, activation="relu"), name="other").name
        'other'
    """
    config = {**layer.get_config(), **changes}
    for name in config:
        inside = getattr(layer, name, None)
        if isinstance(inside, Layer):  # may be of a class that its form does not lead to
            config[name] = remake(inside)
    return type(layer).from_config(config)


def _is_model(layer: Layer) -> bool:
    return hasattr(layer, "graph")


def _custom_config(layer: Layer) -> dict[str, Any]:
    """The config of a layer of the user's own class, if that class can be made from it."""
    cls = type(layer)
    fix = "Return every argument of __init__ from config(), or save the weights alone (save_weights)."
    needs = "a config() that makes it again, since files carry no code"
    if _is_model(layer) and not _has_own_config(layer):
        raise UserError(layer.where, f"a {cls.__name__} to save, a subclass without config()", needs, fix)
    config = layer.get_config()
    arguments = config
    if isinstance(layer, registry.classes.get("Sequential", ())):
        arguments = {"layers": [], "name": layer.name}
    elif is_functional(layer):
        arguments = {"inputs": None, "outputs": None, "name": layer.name}
    try:
        json.dumps(config, allow_nan=False)
        inspect.signature(cls).bind(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(layer.where, f"a config() that cannot be read back ({error})", needs, fix) from error
    return config


def _has_own_config(layer: Layer) -> bool:
    """Whether a model's class, or the graph or the layers it holds, say how to make it again."""
    model = registry.classes["Model"]
    own = type(layer).config is not model.config or type(layer).get_config is not model.get_config
    return own or is_functional(layer)


def _built_shape(layer: Layer) -> Any:
    """The shape of the input that a layer made its weights for, where it has any.

    N is not part of it, but for layers that keep a state for every item.
    """
    if _is_model(layer) and (is_functional(layer) or not is_custom(type(layer))):
        return None  # these say it in another way
    shape = layer.nodes[0].inputs[0].shape if layer.nodes and layer.nodes[0].inputs else layer.seen_shape
    if not (layer.built and layer.weights and shape and is_shape(shape)):
        return None
    return [shape[0] if getattr(layer, "stateful", False) else None, *shape[1:]]
