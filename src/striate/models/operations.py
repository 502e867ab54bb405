"""Operations on symbols as Keras's files hold them: forms like those of layers, of classes in `keras.src.ops`."""

from collections.abc import Callable
from typing import Any

from striate.foundation.checks import UnsupportedError, UserError, nearest
from striate.foundation.nested import map_structure
from striate.layers.options import KERAS_DEFAULTS
from striate.layers.symbol import Symbol, symbols_in
from striate.ops.arguments import Place, from_form, to_form
from striate.ops.operation import Operation
from striate.ops.records import Record, by_class

# Where Keras keeps the classes of its operations; only those of striate's own table are ever made.
OPERATIONS = "keras.src.ops"
MODULES = (f"{OPERATIONS}.", "keras.src.activations.")
FIX_DAMAGED = "The file is damaged, or was not written by Keras or striate; make it again."


def is_stand_in(value: Any) -> bool:
    """Whether it stands for a symbol among a call's arguments."""
    if not isinstance(value, dict) or value.get("class_name") != "__keras_tensor__":
        return False
    return isinstance(value.get("config"), dict) and "keras_history" in value["config"]


def is_operation(form: Any) -> bool:
    """Whether a form is an operation's, and no layer's."""
    return isinstance(form, dict) and str(form.get("module")).startswith(MODULES)


def operation_form(operation: Operation, stand_in: Callable[[Symbol], dict[str, Any]]) -> dict[str, Any]:
    """An operation and its call as `.keras` files hold them.

    Args:
        stand_in: Keras's stand-in for a symbol.
    """
    record = operation.record
    symbols = symbols_in(operation.nodes[0].args)

    def put(leaf: Any) -> Any:
        return stand_in(symbols[leaf.index]) if isinstance(leaf, Place) else leaf

    written = {name: to_form(value) for name, value in operation.arguments.items()}
    config = {name: value for name, value in written.items() if name not in record.called_with}
    args = [value for name in record.called_with for value in _spread(record, name, written)]
    return {
        "module": record.module,
        "class_name": record.class_name,
        "config": {"name": operation.name, **config},
        "registered_name": record.class_name,
        "name": operation.name,
        "inbound_nodes": [{"args": map_structure(put, args), "kwargs": {}}],
    }


def read_operation(form: dict[str, Any]) -> tuple[Operation, dict[str, Any]]:
    """The operation that a form describes, and its call as a layer's: on one stand-in, or on a list of them.

    Raises:
        UnsupportedError: Striate has no such operation.
        UserError: The form is damaged.
    """
    module, kind, config = str(form.get("module")), str(form.get("class_name")), form.get("config")
    where = f"{kind} {form.get('name')!r}"[:100]
    if (module, kind) not in by_class():
        fix = nearest(kind, [name for _, name in by_class()])
        raise UnsupportedError(where, f"Keras's operation {module}.{kind}"[:200], "one of striate's", fix)
    record = by_class()[module, kind]
    calls = form.get("inbound_nodes")
    call = calls[0] if isinstance(calls, list) and len(calls) == 1 else None
    if not isinstance(config, dict) or not isinstance(call, dict) or not isinstance(call.get("args"), list):
        raise UserError(where, "a form that says no call", "a config and one call with its arguments", FIX_DAMAGED)
    known = record.signature.parameters
    rest = {name: value for name, value in config.items() if name in known or not _asks_nothing(name, value)}
    given = _by_name(record, call["args"], where) | dict(call.get("kwargs") or {}) | rest
    stand_ins: list[Any] = []

    def take(leaf: Any) -> Any:
        if not is_stand_in(leaf):
            return leaf
        if leaf not in stand_ins:
            stand_ins.append(leaf)
        return Place(stand_ins.index(leaf))

    arguments = from_form(map_structure(take, given, is_leaf=is_stand_in), where)
    if not stand_ins:
        raise UserError(where, "a call on no array", "at least one that another layer gives", FIX_DAMAGED)
    try:
        operation = Operation(record, _in_order(record, arguments), form.get("name"))
    except TypeError as error:
        raise UserError(where, f"arguments it does not take ({error})", "those of Keras's", FIX_DAMAGED) from error
    return operation, {"args": [stand_ins[0] if len(stand_ins) == 1 else stand_ins], "kwargs": {}}


def _asks_nothing(name: str, value: Any) -> bool:
    """Whether what a config says beside the operation's arguments changes nothing."""
    return name in ("name", "dtype") or (name in KERAS_DEFAULTS and value == KERAS_DEFAULTS[name])


def _spread(record: Record, name: str, written: dict[str, Any]) -> list[Any]:
    """The argument in a list, or those that Python collects under one name."""
    several = record.signature.parameters[name].kind.name == "VAR_POSITIONAL"
    return list(written.get(name, ())) if several else [written[name]]


def _by_name(record: Record, args: list[Any], where: str) -> dict[str, Any]:
    """The arguments of a call, which come in order, by name."""
    names = record.called_with
    if names and record.signature.parameters[names[-1]].kind.name == "VAR_POSITIONAL":
        return dict(zip(names[:-1], args, strict=False)) | {names[-1]: tuple(args[len(names) - 1 :])}
    if len(args) > len(names):
        raise UserError(where, f"{len(args)} arguments in a call", f"at most {len(names)}", FIX_DAMAGED)
    return dict(zip(names, args, strict=False))


def _in_order(record: Record, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments in the order of the function's, with its defaults; a key of several parts as Python wants it.

    Raises:
        TypeError: One is missing, or not known.
    """
    if record.name == "get_item" and isinstance(arguments.get("key"), list):
        arguments["key"] = tuple(arguments["key"])
    parameters = record.signature.parameters
    several = [name for name in parameters if parameters[name].kind.name == "VAR_POSITIONAL"]
    single = {name: value for name, value in arguments.items() if name not in several}
    bound = record.signature.bind_partial(**single) if several else record.signature.bind(**single)
    bound.apply_defaults()
    return {name: arguments[name] if name in several else value for name, value in bound.arguments.items()}
