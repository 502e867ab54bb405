"""How a model was compiled, as Keras writes it into files."""

from collections.abc import Callable
from functools import partial
from typing import Any

from striate.foundation.checks import UserError
from striate.foundation.nested import map_structure
from striate.layers.overrides import COMPILE, refuse_files
from striate.models.layer_config import FIX_DAMAGED, revive, short
from striate.models.trainer import Trainer
from striate.training import losses, metrics, optimizers
from striate.training.objective import is_config

Convert = Callable[[Any], Any]
PARTS: dict[str, tuple[Convert, Convert]] = {
    "optimizer": (optimizers.serialize, optimizers.get),
    "loss": (losses.serialize, losses.get),
    "metrics": (metrics.serialize, metrics.get),
    "weighted_metrics": (metrics.serialize, metrics.get),
}


def serialize_compile(given: dict[str, Any]) -> dict[str, Any]:
    """What `compile` was given, as `.keras` files hold it.

    Raises:
        UserError: The optimizer is one that Keras's files cannot hold.
    """
    form = {part: _convert(write, given.get(part)) for part, (write, _) in PARTS.items()}
    return {**form, "loss_weights": given.get("loss_weights")}


def compile_from(model: Trainer, form: Any) -> None:
    """Compile a model as a file says.

    Raises:
        UserError: Something in it is not known or not supported.
    """
    where = "compile_config"
    refuse_files(model, COMPILE)
    if not isinstance(form, dict):
        raise UserError(where, short(form), "a dict of compile's arguments", FIX_DAMAGED)
    arguments = revive(form, where)
    for part, (_, read) in PARTS.items():
        arguments[part] = _convert(partial(_make, read), arguments.get(part))
    # Keras notes whether its backend could compile; that changes speed, not results.
    arguments.pop("jit_compile", None)
    if arguments["optimizer"] is None:
        raise UserError(where, "no optimizer", "one", FIX_DAMAGED)
    model.compile(**arguments)


def _make(read: Convert, entry: Any) -> Any:
    """What a config describes; functions of the caller's own stay as they are."""
    return read(entry) if isinstance(entry, dict) else entry


def _convert(convert: Convert, structure: Any) -> Any:
    """The same lists and dicts with their objects converted; names stay as they are."""

    def convert_one(leaf: Any) -> Any:
        if leaf is None or isinstance(leaf, str):
            return leaf
        return convert(leaf() if isinstance(leaf, type) else leaf)

    return map_structure(convert_one, structure, is_leaf=is_config)
