"""Models and weights to files: `.keras`, which real Keras opens too, `.weights.h5` and `.safetensors`."""

import datetime
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from striate.foundation.checks import UserError, refuse_unknown
from striate.foundation.custom_objects import custom_object_scope
from striate.foundation.explain import explaining
from striate.foundation.files import atomic_path
from striate.layers.forms import serialize
from striate.layers.overrides import COMPILE, refuse_files
from striate.models.compile_config import serialize_compile
from striate.models.layout import groups
from striate.models.loading import (
    CONFIG,
    METADATA,
    WEIGHTS,
    asset,
    check_built,
    check_name,
    load_model,
    load_weights,
    make_model,
    optimizer_groups,
)
from striate.models.safetensors_file import write_safetensors
from striate.models.skeleton import write_weights
from striate.models.trainer import Trainer

__all__ = ["load_model", "load_weights", "model_from_json", "model_to_json", "save_model", "save_weights"]

# The version of Keras whose files these are.
KERAS_VERSION = "3.15.1"


@explaining
def model_to_json(model: Trainer, **options: Any) -> str:
    """A model's layers, without weights, as text that Keras's `model_from_json` reads, too.

    Args:
        model: As for `save_model`.
        options: What json.dumps takes: indent=2.

    Raises:
        UserError: A layer cannot be saved.
    """
    check_built(f"{model.where}.to_json", model)
    return json.dumps(serialize(model), **options)


@explaining
def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Trainer:
    """The model that `model.to_json()` of Keras or striate described, with new weights.

    Args:
        json_string: The text.
        custom_objects: Names in it to classes of your own.

    Raises:
        UserError: It is no model's JSON, or names what is not known.

    Example:
        >>> from striate.models import Sequential
        >>> from striate.layers import Dense
        >>> model_from_json(Sequential([Dense(2, input_shape=(3,))]).to_json()).output_shape
        (None, 2)
    """
    try:
        form = json.loads(json_string)
    except (TypeError, ValueError) as error:
        got, needs = f"no JSON ({error})", "the text that model.to_json() gave"
        raise UserError("model_from_json", got, needs, "For a .keras file use load_model.") from error
    with custom_object_scope(custom_objects):
        return make_model(form)


@explaining
def save_model(
    model: Trainer,
    path: str | os.PathLike[str],
    overwrite: bool = True,
    include_optimizer: bool = True,
    **unknown: Any,
) -> None:
    """Write a model to a `.keras` file: its layers, its weights and, if it is compiled, how training stands.

    The file appears in one go: whoever reads it finds the old one or the new one, whole.

    Args:
        model: A `Sequential` or functional model, or one of a class with a `config()`.
        path: Ends in .keras.
        overwrite: Whether a file that is there may be replaced.
        include_optimizer: Whether optimizer, loss and metrics go along.

    Raises:
        UserError: The name does not end in .keras, the file may not be replaced, a layer cannot be saved, or the
            folder cannot be written to.
    """
    where = f"{model.where}.save"
    refuse_unknown(where, unknown, ("overwrite", "include_optimizer"), {"save_format": None, "zipped": None})
    target = _check_target(where, path, (".keras",), overwrite)
    compiled = include_optimizer and model.compile_config is not None
    form = serialize(model)
    if compiled:
        form["compile_config"] = _serialize_compile(model)
    weights = groups(model)
    if compiled:
        weights += optimizer_groups(model)
    vocabularies = {asset(group): "\n".join(group.vocabulary.lines()) for group in weights if group.vocabulary}
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    texts = {METADATA: {"keras_version": KERAS_VERSION, "date_saved": now}, CONFIG: form}
    entries = {name: _to_json(where, value) for name, value in texts.items()}
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, text in entries.items():
            archive.writestr(zipfile.ZipInfo(name), text)
        with archive.open(zipfile.ZipInfo(WEIGHTS), "w", force_zip64=True) as file:
            write_weights(file, weights)
        for name, text in vocabularies.items():
            archive.writestr(zipfile.ZipInfo(name), text)


@explaining
def save_weights(model: Trainer, path: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write the weights of a model alone, in one go.

    Args:
        model: One that has weights.
        path: Ends in .safetensors (keyed by the names of `state_dict()`) or .weights.h5 (in Keras's layout).
        overwrite: Whether a file that is there may be replaced.

    Raises:
        UserError: The name ends otherwise, the file may not be replaced, or it cannot be written.
    """
    where = f"{model.where}.save_weights"
    target = _check_target(where, path, (".safetensors", ".weights.h5"), overwrite)
    check_built(where, model)
    with atomic_path(target) as temporary:
        if target.name.endswith(".safetensors"):
            write_safetensors(temporary, model)
        else:
            with temporary.open("wb") as file:
                write_weights(file, groups(model))


def _serialize_compile(model: Trainer) -> dict[str, Any]:
    try:
        refuse_files(model, COMPILE)
        return serialize_compile(model.compile_config or {})
    except UserError as error:
        fix = f"{error.fix} Or pass include_optimizer=False."
        raise type(error)(error.where, error.got, error.needs, fix) from error


def _check_target(where: str, path: Any, suffixes: tuple[str, ...], overwrite: bool) -> Path:
    target = check_name(where, path, suffixes)
    if target.is_dir():
        raise UserError(where, f"the folder {str(path)!r}", "a file", "Choose another name.")
    if not overwrite and target.exists():
        fix = "Choose another name, or pass overwrite=True."
        raise UserError(where, f"overwrite=False and {str(path)!r}, which is there", "a file that is not there", fix)
    return target


def _to_json(where: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, default=_to_plain)
    except (TypeError, ValueError, RecursionError) as error:
        needs = "numbers, texts, lists and dicts in the configs of its layers"
        raise UserError(where, f"something JSON cannot hold ({error})", needs, "Change that argument.") from error


def _to_plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r}")
