"""What `.keras` files say about one layer, and the layer that is made of it.

Only classes of striate's own registry and those the caller names are ever made: nothing is imported, looked up or
run because a file says so.
"""

import contextlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import torch

from striate.foundation.checks import UnsupportedError, UserError, nearest
from striate.layers.layer import Layer, registry
from striate.layers.structure import is_shape
from striate.models.trainer import Trainer

# Where Keras exports its layers and models from.
MODULES = ("keras", "keras.layers", "keras.models", "keras.src.models.functional", "keras.src.models.sequential")

_custom_objects: ContextVar[Mapping[str, Any]] = ContextVar("custom_objects", default={})  # noqa: B039 - never changed


@contextlib.contextmanager
def custom_classes(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Let configs name these classes and functions, too, for the duration of the block.

    Args:
        custom_objects: Name in the file to class or function.

    Raises:
        UserError: Something in it is neither.
    """
    for name, value in (custom_objects or {}).items():
        if not callable(value):
            needs = "a dict of names to classes or functions"
            raise UserError("custom_objects", f"{name!r}: {value!r}", needs, f"Pass {{{name!r}: the class}}.")
    token = _custom_objects.set({**_custom_objects.get(), **(custom_objects or {})})
    try:
        yield
    finally:
        _custom_objects.reset(token)


def has_custom_classes() -> bool:
    """Whether any are known just now."""
    return bool(_custom_objects.get())


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
    """
    cls = type(layer)
    if is_custom(cls):
        config = _custom_config(layer)
        form = {"module": None, "class_name": cls.__name__, "config": config, "registered_name": cls.__name__}
    elif is_functional(layer):
        config = layer.get_config()
        config.pop("dtype")  # Keras does not write one for models of this kind
        form = {"module": MODULES[3], "class_name": "Functional", "config": config, "registered_name": "Functional"}
    elif isinstance(layer, Trainer):
        form = {"module": "keras", "class_name": cls.__name__, "config": layer.get_config(), "registered_name": None}
    else:
        form = {
            "module": registry.module,
            "class_name": cls.__name__,
            "config": layer.get_config(),
            "registered_name": None,
        }
    shape = _built_shape(layer)
    return form if shape is None else {**form, "build_config": {"input_shape": shape}}


def deserialize(form: Any) -> Layer:
    """The layer that `serialize`, or Keras, described, with new weights.

    Raises:
        UnsupportedError: Keras has such a layer, or such an argument, and striate has not.
        UserError: It is no layer's config, or of a class that is not known.
    """
    if not isinstance(form, dict) or not isinstance(form.get("class_name"), str):
        raise UserError("A model's config", short(form), "a layer's class_name and config", FIX_DAMAGED)
    where = _described(form)
    config = form.get("config")
    if not isinstance(config, dict):
        raise UserError(where, f"config {short(config)}", "a dict of arguments", FIX_DAMAGED)
    cls = _find_class(form, where)
    if cls is registry.classes["Model"] and "layers" not in config:
        raise UserError(where, "no layers", "a list of layers", FIX_DAMAGED)
    layer = _make(cls, config if issubclass(cls, Trainer) else revive(config, where), where)
    if config.get("trainable") is False:
        layer.trainable = False
    if isinstance(layer, Trainer) and not layer.built:
        shape = (form.get("build_config") or {}).get("input_shape")
        if shape is not None:
            layer.ensure_built(_tuples(shape))
    return layer


FIX_DAMAGED = "The file is damaged, or was not written by Keras or striate; make it again."


def short(value: Any) -> str:
    """A value in an error text, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _described(form: dict[str, Any]) -> str:
    config = form.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    kind = short(form["class_name"])[1:-1]
    return kind if name is None else f"{kind} {short(name)}"


def _make(cls: type[Layer], config: dict[str, Any], where: str) -> Layer:
    # While a file is probed, weights are made on torch's meta device; what __init__ checks needs real numbers.
    probing = torch.get_default_device().type == "meta" and not issubclass(cls, Trainer)
    try:
        with torch.device("cpu") if probing else contextlib.nullcontext():
            return cls.from_config(dict(config))
    except UserError:
        raise
    except Exception as error:  # what a damaged config makes of a class can be anything
        got = f"a config it cannot be made from ({type(error).__name__}: {str(error)[:300]})"
        raise UserError(where, got, "the arguments its class takes", FIX_DAMAGED) from error


def _find_class(form: dict[str, Any], where: str) -> type[Layer]:
    """The class a config asks for, out of the registry or of `custom_classes`."""
    name, module, registered = form["class_name"], form.get("module"), form.get("registered_name")
    if module in MODULES and registered in (None, name):
        with contextlib.suppress(UserError):
            return registry.find(name, where)
    found = _find_custom(name, registered)
    if isinstance(found, type) and issubclass(found, Layer):
        return found
    if found is not None:
        raise UserError("custom_objects", f"{name!r}: {found!r}", "a subclass of Layer", "Pass the layer's class.")
    if name == "Lambda":
        fix = "Use layers (Rescaling, Activation, ...), or build the model in code and load its weights alone."
        raise UnsupportedError(where, "a Lambda layer, which is Python code", "layers: no code is read from files", fix)
    if module in MODULES and registered in (None, name):
        needs = "one of striate's layers"
        raise UnsupportedError(where, f"Keras's layer {name!r}", needs, nearest(name, registry.classes))
    if isinstance(module, str) and module.startswith("keras.src.ops"):
        fix = "Write the Keras model with layers (Add, Rescaling, ...) instead of operators and keras.ops."
        raise UnsupportedError(where, f"Keras's operation {module}.{name}", "layers", fix)
    got = f"the class {short(registered or name)} of module {short(module)}"
    needs = "a layer of striate's, or one that custom_objects names: nothing is imported because a file says so"
    raise UserError(where, got, needs, f"Pass custom_objects={{{name!r}: the class}} if it is a layer of yours.")


def _find_custom(name: Any, registered: Any) -> Any:
    """What the caller named, by Keras's registered name (package>Name) or by the class's own."""
    custom = _custom_objects.get()
    for key in (registered, name, str(registered).rpartition(">")[2]):
        if isinstance(key, str) and key in custom:
            return custom[key]
    return None


def revive(value: Any, where: str) -> Any:
    """A layer's arguments with objects of custom classes made, and code refused."""
    if isinstance(value, list):
        return [revive(item, where) for item in value]
    if not isinstance(value, dict):
        return value
    name, inner = value.get("class_name"), value.get("config")
    if name == "__lambda__":
        fix = "Use a named function, or build the model in code and load its weights alone."
        raise UnsupportedError(where, "a lambda, which is Python code", "names: no code is read from files", fix)
    found = _find_custom(inner if name == "function" else name, value.get("registered_name")) if name else None
    if isinstance(found, type):
        arguments = inner if isinstance(inner, dict) else {}
        make: Callable[..., Any] | None = getattr(found, "from_config", None)
        return make(arguments) if make else found(**arguments)
    if found is not None:
        return found
    return {key: revive(item, where) for key, item in value.items()}


def _custom_config(layer: Layer) -> dict[str, Any]:
    """The config of a layer of the user's own class, if that class can be made from it."""
    cls = type(layer)
    fix = "Return every argument of __init__ from config(), or save the weights alone (save_weights)."
    needs = "a config() that makes it again, since files carry no code"
    if isinstance(layer, Trainer) and not _has_own_config(layer):
        raise UserError(layer.where, f"a {cls.__name__} to save, a subclass without config()", needs, fix)
    config = layer.get_config()
    arguments = config
    if isinstance(layer, registry.classes["Sequential"]):
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
    """The shape of the input that a layer made its weights for, where it has any; N is not part of it."""
    if isinstance(layer, Trainer) and (is_functional(layer) or not is_custom(type(layer))):
        return None  # these say it in another way
    shape = layer.nodes[0].inputs[0].shape if layer.nodes and layer.nodes[0].inputs else layer.seen_shape
    return [None, *shape[1:]] if layer.built and layer.weights and shape and is_shape(shape) else None


def _tuples(shape: Any) -> Any:
    return tuple(_tuples(size) for size in shape) if isinstance(shape, list) else shape
