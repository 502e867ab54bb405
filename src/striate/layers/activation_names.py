"""Activations by name: what layers are given, and what files hold."""

from typing import Any

from striate.foundation.checks import UserError, nearest
from striate.foundation.custom_objects import INSTEAD_OF_CODE, find_custom, get_registered_name
from striate.foundation.explain import explaining
from striate.layers.activation import ALIASES, FUNCTIONS, OTHERS, Function, glu, linear, threshold


@explaining
def find(identifier: Any, where: str = "Activation") -> Function:
    """The function for a name or a Keras config; None is the identity, a callable is itself.

    A name may be one of the user's own, registered or in a `custom_object_scope`.

    Raises:
        UserError: There is none of that name; the nearest is suggested.

    Example:
        >>> find("relu")([-1.0, 2.0])
        tensor([0., 2.])
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):  # Keras writes functions as {"class_name": "function", "config": "relu"}
        identifier = identifier.get("config")
    if isinstance(identifier, str):
        name = ALIASES.get(identifier.lower(), identifier.lower())
        if name in FUNCTIONS or name in OTHERS:
            return {**FUNCTIONS, **OTHERS}[name]
        own = find_custom(identifier)
        if own is not None and not isinstance(own, type):
            return own
        if ">" in identifier:  # a registered name, which a file has
            needs, fix = "one that this program has registered", INSTEAD_OF_CODE.format(identifier, "function")
            raise UserError(where, f"activation={identifier!r}", needs, fix)
    elif callable(identifier) and not isinstance(identifier, type):
        return identifier
    needs = "the name of a known activation, or a function of one tensor"
    raise UserError(where, f"activation={identifier!r}", needs, nearest(str(identifier), [*FUNCTIONS, *ALIASES]))


def get(identifier: Any, where: str = "Activation") -> Function:
    """As `find`, for a layer to end with: the function must keep the shape and need nothing but a tensor.

    Raises:
        UserError: There is none of that name, or it is "glu" or "threshold".
    """
    function = find(identifier, where)
    if function is threshold:
        fix = "Pass a function of one tensor that calls activations.threshold with its two numbers."
        raise UserError(where, "activation='threshold'", "a function that takes a tensor and nothing else", fix)
    if function is glu:
        fix = "Put Activation('glu') after the layer; it halves the last axis."
        raise UserError(where, "activation='glu'", "a function that keeps the shape", fix)
    return function


@explaining
def serialize(activation: Function) -> str | dict[str, Any]:
    """The name of a function, as files hold it; of a function of the user's own the form with its registered name.

    Raises:
        UserError: It is the user's own function and not registered: files carry no code.
    """
    for name, known in {**FUNCTIONS, **OTHERS}.items():
        if activation is known:
            return name
    own = get_registered_name(activation) if hasattr(activation, "__name__") else None
    if find_custom(own) is activation:
        return {"module": "builtins", "class_name": "function", "config": own, "registered_name": "function"}
    needs = "one known by name, since files carry no code"
    got = f"the function {getattr(activation, '__name__', activation)!r}"
    fix = "Register it with @register_keras_serializable(), use a named activation, or save the weights alone."
    raise UserError("An activation to be saved", got, needs, fix)
