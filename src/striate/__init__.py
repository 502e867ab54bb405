"""Convolutional networks you can see through: Keras's words, PyTorch's engine.

What Keras users expect is found where they expect it, and imported when first asked for, so that `import striate` is
quick:

    >>> import striate as keras
    >>> model = keras.Sequential([keras.layers.Dense(2, input_shape=(4,))])
    >>> model.output_shape
    (None, 2)
"""

import importlib
import sys
from typing import Any

__version__ = "0.1.0"

MODULES = (
    "activations",
    "applications",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "utils",
)
_HOMES = {
    "DTypePolicy": "mixed_precision",
    "Initializer": "initializers",
    "Input": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
}

__all__ = [*MODULES, *_HOMES]


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    from striate.foundation.absent import absent  # noqa: PLC0415 - only where something is wrong

    raise absent(__name__, name, sys._getframe(1))


class _Absent:
    """Where Python asks last for a module: one of this package's that is not there is refused with the reason."""

    @staticmethod
    def find_spec(fullname: str, path: Any, target: Any = None) -> None:
        parent, _, name = fullname.rpartition(".")
        ours = parent.partition(".")[0] == __name__ and not name.startswith("_")
        if ours and path is sys.modules[parent].__path__:  # else a tool looks in places of its own
            from striate.foundation.absent import absent_module  # noqa: PLC0415 - only where something is wrong

            raise absent_module(fullname)


sys.meta_path.append(_Absent)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
