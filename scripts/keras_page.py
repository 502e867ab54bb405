"""Writes docs/keras.md: which of Keras's public names striate has, and why not the others.

Run it with `python scripts/keras_page.py`. It looks at the public names of the installed Keras and at what can be
imported from striate; the reasons below are all that is written by hand.
"""

import fnmatch
import importlib
import inspect
import os
import types
from pathlib import Path
from typing import Any, NoReturn

os.environ.setdefault("KERAS_BACKEND", "torch")

PAGE = Path(__file__).parents[1] / "docs" / "keras.md"
COMMAND = "python scripts/keras_page.py"

# Where a program about convolutional networks finds its words in Keras, in the order of the page.
PLACES = {
    "layers": "Layers",
    "models": "Models",
    "activations": "Activations",
    "initializers": "Initializers",
    "regularizers": "Regularizers",
    "constraints": "Constraints",
    "losses": "Losses",
    "metrics": "Metrics",
    "optimizers": "Optimizers",
    "optimizers.schedules": "Learning rate schedules",
    "mixed_precision": "Precisions",
    "config": "Configuration",
    "callbacks": "Callbacks",
    "utils": "Utilities",
    "saving": "Saving",
    "datasets": "Data sets",
    "ops": "Operations",
    "ops.image": "Operations on pictures",
    "random": "Random arrays",
    "applications": "Applications",
}

LATER = "not written yet"
# Why a name is not there: the first pattern that fits. What fits none is not written yet.
REASONS = {
    "applications.*": "weights would have to be fetched, and striate never uses the network",
    "datasets.imdb": "texts, not pictures; Keras's copy is pickled",
    "datasets.reuters": "texts, not pictures; Keras's copy is pickled",
    "datasets.*": "tables, not pictures; read a copy with NumPy",
    "layers.Lambda": "files carry no code; write a subclass of Layer",
    "layers.TFSMLayer": "needs TensorFlow",
    "layers.JaxLayer": "needs JAX",
    "layers.FlaxLayer": "needs JAX",
    "layers.TorchModuleWrapper": "`TorchModule` does this, for channels-last networks",
    "layers.*Spectrogram": "sound, not pictures",
    "layers.String*": "texts, not pictures",
    "layers.Integer*": "tables, not pictures",
    "layers.Hash*": "tables, not pictures",
    "layers.Discretization": "tables, not pictures",
    "layers.CategoryEncoding": "tables, not pictures; `utils.to_categorical` and `ops.one_hot` encode classes",
    "layers.MaxNumBoundingBoxes": "boxes are not handled",
    "*.*serialize*": "models are saved and loaded as `.keras` files (`model.save`, `load_model`)",
    "losses.[cC][tT][cC]": "for speech and handwriting, not pictures",
    "optimizers.OptimizerMap": "one optimizer trains all weights",
    "optimizers.MultiOptimizer": "one optimizer trains all weights",
    "config.*flash_attention*": "torch chooses how attention is computed",
    "config.*epsilon": "every layer, loss and optimizer takes an epsilon of its own",
    "config.*image_data_format": "arrays are channels-last; layers take data_format",
    "config.*max_*": "`epochs` and `steps_per_epoch` of `fit` say it",
    "config.*backend": "torch computes",
    "config.is_nnx_enabled": "needs JAX",
    "config.enable_unsafe_deserialization": "files never run code",
    "config.*interactive_logging*": "`verbose=` decides what is shown",
    "config.*traceback_filtering*": "errors of striate's own are short",
    "callbacks.RemoteMonitor": "striate never uses the network",
    "callbacks.OrbaxCheckpoint": "needs JAX; `BackupAndRestore` and `ModelCheckpoint` keep what is learnt",
    "callbacks.ProgbarLogger": "`ProgressBar` shows progress",
    "utils.get_file": "striate never uses the network; pass the path of a file that is there",
    "utils.model_to_dot": "striate draws without Graphviz: `plot_model` writes SVG",
    "utils.Progbar": "`ProgressBar` shows progress of `fit`",
    "utils.FeatureSpace": "tables, not pictures",
    "utils.audio_dataset_from_directory": "sound, not pictures",
    "utils.*interactive_logging*": "`verbose=` decides what is shown",
    "utils.*_x_y_sample_weight": "for a `train_step` of one's own, which striate refuses",
    "utils.is_keras_tensor": "there are no Keras tensors; `Input` returns symbols",
    "utils.Config": "a plain dict does",
    "utils.standardize_dtype": "torch's dtypes are used",
    "utils.get_source_inputs": "`model.inputs` names them",
    "saving.KerasFileEditor": "a `.keras` file is edited with Keras, and opens in striate",
    "saving.save_weights": "`model.save_weights` writes them",
    "saving.load_weights": "`model.load_weights` reads them",
    "initializers.[sS][tT][fF][tT]*": "sound, not pictures",
    "ops.*stft": "sound, not pictures",
    "ops.extract_sequences": "sound, not pictures",
    "ops.ctc_*": "for speech and handwriting, not pictures",
    "ops.custom_gradient": "torch.autograd.Function does this",
    "ops.associative_scan": "`ops.scan` computes the same, step by step",
    "ops.vectorize": "`ops.vectorized_map` maps over arrays",
    "ops.jvp": "torch.func.jvp does this",
    "ops.view*": "a tensor has torch's own methods: x.view(dtype)",
    "ops.rearrange": "`ops.reshape` and `ops.transpose` say the same",
}


def public_names(place: Any) -> list[str]:
    """The names that a namespace of Keras's exports, but for the modules in it; data sets are modules."""
    names = [name for name in dir(place) if not name.startswith("_")]
    if place.__name__.endswith("datasets"):
        return names
    return [name for name in names if not isinstance(getattr(place, name), types.ModuleType)]


def find(path: str, package: str) -> Any:
    """The namespace `package.path`, None where there is none."""
    found = importlib.import_module(package)
    for part in path.split("."):
        found = getattr(found, part, None)
        if found is None:
            return None
    return found


def is_there(place: Any, name: str) -> bool:
    """Whether striate has a name, and it does something else than refuse."""
    value = getattr(place, name, None)
    if value is None:
        return False
    return not (inspect.isfunction(value) and value.__annotations__.get("return") is NoReturn)


def reason(path: str, name: str) -> str:
    """Why striate does not have a name of Keras's."""
    return next((text for pattern, text in REASONS.items() if fnmatch.fnmatchcase(f"{path}.{name}", pattern)), LATER)


def section(path: str, title: str) -> list[str]:
    """What the page says about one namespace."""
    keras_place, own_place = find(path, "keras"), find(path, "striate")
    names = public_names(keras_place)
    there = [name for name in names if own_place is not None and is_there(own_place, name)]
    refused: dict[str, list[str]] = {}
    for name in names:
        if name not in there:
            refused.setdefault(reason(path, name), []).append(name)
    lines = [f"## {title}", "", f"`keras.{path}`: {len(there)} of {len(names)}.", ""]
    if there:
        lines += [_listed(there), ""]
    if refused:
        lines += ["| refused | why |", "|---|---|"]
        order = sorted(refused, key=lambda text: (text == LATER, text))
        lines += [f"| {_listed(refused[text])} | {text} |" for text in order] + [""]
    return lines


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def page() -> str:
    """The whole page."""
    lines = [
        "# Keras's names in striate",
        "",
        f"Made by `{COMMAND}` from the public names of Keras 3; a test fails where this page is out of date.",
        "",
        "What is listed first in a section is there, with Keras's arguments, defaults and meaning. What stands in a",
        'table is not, and asking for it is an error, never something else done in silence; "not written yet" means',
        "that nothing speaks against it.",
        "",
    ]
    for path, title in PLACES.items():
        lines += section(path, title)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE}.")
