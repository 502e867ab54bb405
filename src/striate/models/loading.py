"""Models and weights out of files that nobody vouches for."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch

from striate.foundation.checks import UserError, check_flag, refuse_unknown
from striate.foundation.custom_objects import custom_object_scope, has_custom_objects
from striate.foundation.explain import explaining
from striate.models.archive import Archive
from striate.models.compile_config import compile_from
from striate.models.layer_config import deserialize
from striate.models.layout import Group, groups
from striate.models.legacy_file import LegacyFile
from striate.models.safetensors_file import read_safetensors
from striate.models.trainer import Trainer
from striate.models.weights_file import WeightsFile

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
MAX_METADATA, MAX_CONFIG, MAX_VOCABULARY = 2**16, 8 * 2**20, 2**28


@explaining
def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """The model in a `.keras` file that striate or Keras 3 wrote.

    Nothing in the file is run, imported or unpacked to disk, and memory is taken only for weights it really holds.

    Args:
        filepath: The file.
        custom_objects: Name in the file to class or function, for layers, losses and metrics of your own.
        compile: Whether to compile the model as it was, with the optimizer's state.
        safe_mode: True; there is no other mode.

    Raises:
        UnsupportedError: It holds something of Keras's that striate does not have.
        UserError: It is damaged or not a model file; the text names the file and the trouble.

    Example:
        >>> import tempfile
        >>> from striate.layers import Dense
        >>> from striate.models import Sequential
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Sequential([Dense(2, input_shape=(3,))]).save(f"{folder}/model.keras")
        ...     load_model(f"{folder}/model.keras").output_shape
        (None, 2)
    """
    if safe_mode is not True:
        fix = "Leave safe_mode out; pass classes of your own as custom_objects."
        raise UserError("load_model", f"safe_mode={safe_mode!r}", "safe_mode=True: files never run code", fix)
    source = check_name("load_model", filepath, (".keras",))
    with _naming(source), Archive(source) as archive, custom_object_scope(custom_objects):
        form = _read_config(archive)
        probe = _probe(form)
        with WeightsFile(archive.open(WEIGHTS, _size_limit(probe)), archive.where) as file:
            if probe is not None:
                file.check(probe)
            model = make_model(form)
            weights = groups(model)
            file.check(weights)
            _assign(file.read(weights))
            for group in weights:
                if group.vocabulary is not None:
                    group.vocabulary.restore(_lines(archive, asset(group)))
            if compile and form.get("compile_config"):
                _compile(model, form["compile_config"], file)
    return model


@explaining
def load_weights(
    model: Trainer,
    path: str | os.PathLike[str],
    skip_mismatch: bool = False,
    by_name: bool = False,
    **unknown: Any,
) -> None:
    """Read weights into a model: all of them or, on error, none.

    Args:
        model: One that has weights.
        path: A .safetensors, .weights.h5 or .keras file of the same model, or an .h5 file of Keras 1 or 2.
        skip_mismatch: For such an .h5 file: leave out weights of another shape, with a warning.
        by_name: For such an .h5 file: only the layers whose names are in both.

    Raises:
        UnsupportedError: Keras's skip_mismatch or by_name was asked for with another file.
        UserError: The file is damaged, or of another model.
    """
    where = f"{model.where}.load_weights"
    choices = {"skip_mismatch": skip_mismatch, "by_name": by_name}
    for argument, value in choices.items():
        check_flag(where, argument, value)
    refuse_unknown(where, unknown, choices, {"objects_to_skip": None})
    source = check_name(where, path, (".safetensors", ".weights.h5", ".keras", ".h5", ".hdf5"))
    check_built(where, model)
    with _naming(source):
        if source.name.endswith(".weights.h5") or not source.name.endswith((".h5", ".hdf5")):
            refuse_unknown(where, choices, (), dict.fromkeys(choices, False))
            _assign(_read_all(model, source))
            return
        weights = groups(model)
        with source.open("rb") as file, LegacyFile(file, _describe(source), **choices) as reader:
            reader.check(weights)
            _assign(list(reader.read(weights)))


def _read_all(model: Trainer, source: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Every weight of a model with the values that a file has for it."""
    if source.name.endswith(".safetensors"):
        return read_safetensors(source, model)
    weights = groups(model)
    with contextlib.ExitStack() as stack:
        file: IO[bytes]
        if source.name.endswith(".keras"):
            file = stack.enter_context(Archive(source)).open(WEIGHTS, _size_limit(weights))
        else:
            file = stack.enter_context(source.open("rb"))
        reader = stack.enter_context(WeightsFile(file, _describe(source)))
        reader.check(weights)
        return list(reader.read(weights))


def optimizer_group(model: Trainer) -> Group:
    """What the optimizer keeps, as a group of the weight file."""
    return _optimizer_group(model.optimizer, "optimizer")


def optimizer_groups(model: Trainer) -> list[Group]:
    """The same for writing: Keras looks for what an optimizer inside another keeps in a second place, too."""
    inner = getattr(model.optimizer, "inner_optimizer", None)
    seconds = [] if inner is None else [_optimizer_group(inner, "optimizer/inner_optimizer")]
    return [optimizer_group(model), *seconds]


def _optimizer_group(optimizer: Any, path: str) -> Group:
    variables = enumerate(optimizer.variables())
    weights = {f"{index} {name}": tensor for index, (name, tensor) in variables}
    return Group(path, f"Optimizer {optimizer.name!r}", optimizer.name, weights)


def check_name(where: str, path: Any, suffixes: tuple[str, ...]) -> Path:
    """The path, if it is one and ends as it should."""
    names = " or ".join(suffixes)
    if not isinstance(path, str | os.PathLike) or not str(path).endswith(suffixes):
        fix = f"Change its ending, for example to 'model{suffixes[0]}'."
        raise UserError(where, f"the file {path!r}", f"a path that ends in {names}", fix)
    return Path(path)


def check_built(where: str, model: Trainer) -> None:
    """Refuse a model whose weights are not made yet."""
    if not model.built:
        fix = "Call build(input_shape), or the model on data, first."
        raise UserError(where, "a model without weights", "one whose weights are made", fix)


def _read_config(archive: Archive) -> dict[str, Any]:
    """The config of a model, out of a file of Keras 3's."""
    version = archive.read_json(METADATA, MAX_METADATA).get("keras_version")
    if not isinstance(version, str):
        raise archive.damaged(f"{METADATA!r} without a keras_version")
    if version.startswith(("0.", "1.", "2.")):
        fix = "Open it with Keras 3 and save it again."
        raise UserError(archive.where, f"a file of Keras {version}", "one of Keras 3 or striate", fix)
    return archive.read_json(CONFIG, MAX_CONFIG)


def make_model(form: dict[str, Any]) -> Trainer:
    """The model that a file's config describes, with new weights.

    Raises:
        UserError: It describes something else, or names what is not known.
    """
    model = deserialize(form)
    if not isinstance(model, Trainer):
        fix = "Save a model, not a layer."
        raise UserError("The config", f"a {type(model).__name__} in the place of the model", "a model", fix)
    return model


def asset(group: Group) -> str:
    """Where in a model file a group's vocabulary is."""
    return f"assets/{group.path}/vocabulary.txt"


def _lines(archive: Archive, name: str) -> list[str]:
    """The lines of a text file; empty ones at the end are none, as in Keras."""
    try:
        lines = archive.read(name, MAX_VOCABULARY).decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise archive.damaged(f"{name!r} that is no UTF-8 ({error})") from error
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    return lines


def _probe(form: dict[str, Any]) -> list[Group] | None:
    """What weights a config asks for, found without taking the memory for them.

    Returns:
        None where classes of the user's own cannot be built without real tensors.
    """
    try:
        with torch.device("meta"):
            return groups(make_model(form))
    except Exception:
        if has_custom_objects():
            return None
        raise


def _size_limit(weights: list[Group] | None) -> int:
    """How large a file with these weights may be: with an optimizer's state, and room for structure."""
    if weights is None or has_custom_objects():
        return 2**62
    return 2**20 + sum(2**16 + 16 * sum(tensor.nbytes for tensor in group.weights.values()) for group in weights)


def _assign(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
    with torch.no_grad():
        for tensor, values in pairs:
            tensor.copy_(values)


def _compile(model: Trainer, form: Any, file: WeightsFile) -> None:
    """Compile a model as it was, and give the optimizer its state."""
    try:
        compile_from(model, form)
        parameters = list(model.parameters())
        if not parameters:
            return
        model.optimizer.build(parameters)
        group, count = optimizer_group(model), file.count(optimizer_group(model))
        if count <= model.optimizer.untrained < len(group.weights):  # compiled, never trained
            return
        file.check([*groups(model), group])
        model.optimizer.set_variables([values for _, values in file.read([group])])
    except UserError as error:
        raise type(error)(error.where, error.got, error.needs, f"{error.fix} Or pass compile=False.") from error


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let every error name the file; whatever a damaged one makes happen comes out as a `UserError`."""
    where = _describe(path)
    try:
        yield
    except UserError as error:
        if error.where.startswith(where):
            raise
        raise type(error)(f"{where}: {error.where}", error.got, error.needs, error.fix) from error
    except Exception as error:
        got = f"contents that cannot be used ({type(error).__name__}: {str(error)[:300]})"
        raise UserError(where, got, "a whole file of Keras 3 or striate", "Save or fetch it again.") from error


def _describe(path: Path) -> str:
    return f"{'Model' if path.name.endswith('.keras') else 'Weights'} file {str(path)!r}"
