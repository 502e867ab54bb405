"""Writes docs/keras.md: which of Keras's public names striate has, and why not the others.

Run it with `python scripts/keras_page.py`. It looks at the public names of the installed Keras and at what can be
imported from striate; the reasons stand in striate/foundation/absent.py, where errors read them, too.
"""

import importlib
import inspect
import os
import types
from pathlib import Path
from typing import Any, NoReturn

from striate.foundation.absent import LATER, reason

os.environ.setdefault("KERAS_BACKEND", "torch")

PAGE = Path(__file__).parents[1] / "docs" / "keras.md"
COMMAND = "python scripts/keras_page.py"

# Keras's namespaces, in the order of the page: first those that striate has.
PLACES = {
    "": "At the top",
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
    "preprocessing": "Preprocessing",
    "preprocessing.image": "Preprocessing of pictures",
    "preprocessing.sequence": "Preprocessing of sequences",
    "backend": "Backend",
    "dtype_policies": "Policies of dtypes",
    "quantizers": "Quantizers",
    "distillation": "Distillation",
    "distribution": "Several devices",
    "export": "Export",
    "tree": "Nested values",
    "utils.bounding_boxes": "Boxes",
    "visualization": "Drawing",
    "wrappers": "Wrappers for scikit-learn",
    "legacy.saving": "Old addresses: saving",
    "optimizers.legacy": "Old addresses: optimizers",
    "utils.legacy": "Old addresses: utilities",
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
    for part in filter(None, path.split(".")):
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


def section(path: str, title: str) -> list[str]:
    """What the page says about one namespace."""
    keras_place, own_place = find(path, "keras"), find(path, "striate")
    names = public_names(keras_place)
    there = [name for name in names if own_place is not None and is_there(own_place, name)]
    refused: dict[str, list[str]] = {}
    for name in names:
        if name not in there:
            why = reason(path, name)
            if why is None:
                raise LookupError(f"{path}.{name} has no reason; write one into striate/foundation/absent.py")
            refused.setdefault(why, []).append(name)
    lines = [f"## {title}", "", f"`{'.'.join(filter(None, ('keras', path)))}`: {len(there)} of {len(names)}.", ""]
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
        "that nothing speaks against it. The page covers every namespace of Keras's but `keras.src`, which is private,",
        "and `ops.nn`, `ops.numpy` and `ops.linalg`, whose names `ops` has, too.",
        "",
    ]
    for path, title in PLACES.items():
        lines += section(path, title)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE}.")
