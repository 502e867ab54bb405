"""What Keras records of arithmetic on symbols, x + y or 3 * x, as the layers that compute the same."""

from typing import Any

# Where Keras keeps the functions that it records as layers.
OPERATIONS = "keras.src.ops"
# With a number: the argument of Rescaling (scale * x + offset) that is the number.
WITH_NUMBER = {"Add": "offset", "Multiply": "scale"}
WITH_ARRAY = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
# What a float32 can hold; so neither NaN nor infinity.
LARGEST = 3e38
FLOATS = ("float16", "bfloat16", "float32", "float64")


def as_layer_form(form: dict[str, Any]) -> dict[str, Any]:
    """The config of a layer in the place of an operation's; any other config as it is.

    Example:
        >>> x = {"class_name": "__keras_tensor__",
        ...      "config": {"shape": [None, 2], "dtype": "float32", "keras_history": ["x", 0, 0]}}
        >>> plus = {"module": "keras.src.ops.numpy", "class_name": "Add", "config": {"name": "add"}, "name": "add",
        ...         "inbound_nodes": [{"args": [x, 3.0], "kwargs": {}}]}
        >>> as_layer_form(plus)["class_name"], as_layer_form(plus)["config"]
        ('Rescaling', {'name': 'add', 'dtype': 'float32', 'scale': 1.0, 'offset': 3.0})
    """
    kind, calls = form.get("class_name"), form.get("inbound_nodes")
    if form.get("module") != f"{OPERATIONS}.numpy" or not isinstance(kind, str):
        return form
    if not isinstance(calls, list) or len(calls) != 1:
        return form
    args = calls[0].get("args") if isinstance(calls[0], dict) and not calls[0].get("kwargs") else None
    if not isinstance(args, list) or len(args) != 2:
        return form
    arrays = [value for value in args if _is_float_array(value)]
    numbers = [value for value in args if isinstance(value, float | int) and abs(value) <= LARGEST]
    if len(arrays) == len(numbers) == 1 and kind in WITH_NUMBER:
        return _layer(form, "Rescaling", arrays[0], arrays[0], **{"scale": 1.0, WITH_NUMBER[kind]: float(numbers[0])})
    if len(arrays) == 2 and kind in WITH_ARRAY and _are_alike(*arrays):
        return _layer(form, kind, arrays[0], arrays)
    return form


def is_stand_in(value: Any) -> bool:
    """Whether it stands for a symbol among a call's arguments."""
    if not isinstance(value, dict) or value.get("class_name") != "__keras_tensor__":
        return False
    return isinstance(value.get("config"), dict) and "keras_history" in value["config"]


def _layer(form: dict[str, Any], kind: str, first: dict[str, Any], argument: Any, **options: Any) -> dict[str, Any]:
    config = {"name": form.get("name"), "dtype": first["config"]["dtype"], **options}
    call = {"args": [argument], "kwargs": {}}
    changed = {"module": "keras.layers", "class_name": kind, "registered_name": None, "config": config}
    return {**form, **changed, "inbound_nodes": [call]}


def _is_float_array(value: Any) -> bool:
    return is_stand_in(value) and value["config"].get("dtype") in FLOATS


def _are_alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether layers that join arrays treat them as operators do: those of fewer axes they would stretch otherwise."""
    shapes = [value["config"].get("shape") for value in (one, other)]
    same_rank = all(isinstance(shape, list) for shape in shapes) and len(shapes[0]) == len(shapes[1])
    return same_rank and one["config"]["dtype"] == other["config"]["dtype"]
