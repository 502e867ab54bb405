"""The same model once more, with weights of its own."""

from typing import Any

from striate.foundation.checks import UserError, refuse_unknown
from striate.foundation.custom_objects import custom_object_scope
from striate.foundation.explain import explaining
from striate.layers.forms import is_custom, serialize
from striate.layers.layer import Layer
from striate.models.layer_config import deserialize
from striate.models.trainer import Trainer

# Keras's arguments that striate does not support, with the defaults that ask for nothing.
KERAS_DEFAULTS = {"input_tensors": None, "clone_function": None, "call_function": None, "recursive": False}


@explaining
def clone_model(model: Any, **unknown: Any) -> Any:
    """A model with the same layers and names, new weights, and not compiled.

    Args:
        model: A `Sequential` or a functional `Model`; of a class of your own if it has a `config()`.

    Raises:
        UnsupportedError: An argument of Keras's that makes other layers, or calls them otherwise.
        UserError: It is no model, or a layer of it cannot be made again from its config.

    Example:
        >>> from striate.layers import Dense
        >>> from striate.models import Sequential
        >>> model = Sequential([Dense(2, input_shape=(3,), name="two")])
        >>> clone = clone_model(model)
        >>> clone.layers[0].name, clone.layers[0] is model.layers[0]
        ('two', False)
    """
    refuse_unknown("clone_model", unknown, ("model",), KERAS_DEFAULTS)
    if not isinstance(model, Trainer):
        raise UserError("clone_model", repr(model), "a model", "Pass a Sequential or a Model.")
    classes: dict[str, type[Layer]] = {}
    for cls in (type(module) for module in model.modules() if isinstance(module, Layer)):
        if is_custom(cls) and classes.setdefault(cls.__name__, cls) is not cls:
            raise UserError("clone_model", f"two classes called {cls.__name__}", "one of a name", "Rename one of them.")
    with custom_object_scope(classes):
        return deserialize(serialize(model))
