"""The layer that is made of what `.keras` files say about it; `layers/forms.py` writes what is read here.

Only classes of striate's own registry and those the caller names are ever made: nothing is imported, looked up or
run because a file says so.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import torch

from striate.foundation.checks import UnsupportedError, UserError, nearest
from striate.foundation.custom_objects import INSTEAD_OF_CODE, find_custom
from striate.foundation.wording import ExplainedError
from striate.layers.forms import FUNCTIONAL
from striate.layers.layer import Layer, registry
from striate.layers.overrides import BUILD, refuse_files
from striate.layers.refused import INSTEAD_OF_LAMBDA
from striate.models.trainer import Trainer

# Where Keras exports its layers and models from.
MODULES = ("keras", "keras.layers", "keras.models", FUNCTIONAL, "keras.src.models.sequential")


def deserialize(form: Any) -> Layer:
    """The layer that `serialize` in `layers/forms.py`, or Keras, described, with new weights.

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
    refuse_files(layer, BUILD)
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
    except Exception as error:  # what a damaged config makes of a class can be anything
        if isinstance(error, UserError) and not isinstance(error, ExplainedError):
            raise
        said = error.__cause__ or error  # Python's own words are shorter here than the explanation
        got = f"a config it cannot be made from ({type(said).__name__}: {str(said)[:300]})"
        raise UserError(where, got, "the arguments its class takes", FIX_DAMAGED) from error


def _find_class(form: dict[str, Any], where: str) -> type[Layer]:
    """The class a config asks for, out of the registry or of the custom objects."""
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
        needs = "layers: no code is read from files"
        raise UnsupportedError(where, "a Lambda layer, which is Python code", needs, INSTEAD_OF_LAMBDA)
    if module in MODULES and registered in (None, name):
        needs = "one of striate's layers"
        raise UnsupportedError(where, f"Keras's layer {name!r}", needs, nearest(name, registry.classes))
    got = f"the class {short(registered or name)} of module {short(module)}"
    needs = "a layer of striate's, or one that custom_objects names: nothing is imported because a file says so"
    raise UserError(where, got, needs, INSTEAD_OF_CODE.format(name, "class"))


def _find_custom(name: Any, registered: Any) -> Any:
    """What the program named, by Keras's registered name (package>Name) or by the class's own."""
    return find_custom(registered, name, str(registered).rpartition(">")[2])


def revive(value: Any, where: str) -> Any:
    """A layer's arguments with layers and objects of custom classes made, and code refused."""
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
    if value.get("module") in MODULES and isinstance(inner, dict) and name != "DTypePolicy":
        return deserialize(value)
    return {key: revive(item, where) for key, item in value.items()}


def _tuples(shape: Any) -> Any:
    return tuple(_tuples(size) for size in shape) if isinstance(shape, list) else shape
