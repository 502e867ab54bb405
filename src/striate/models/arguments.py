"""What compile, fit, evaluate and predict are given, checked and put in order."""

import inspect
from collections.abc import Callable
from typing import Any

from striate.data.arrays import make_feed
from striate.data.feed import Feed
from striate.foundation.checks import UnsupportedError, check_int, refuse_unknown
from striate.layers.layer import Layer

# What fit, evaluate and predict of Keras 2 took for processes that read ahead, with the values that ask for nothing.
FIT_DEFAULTS = {"max_queue_size": 10, "workers": 1, "use_multiprocessing": False}
# Methods by which Keras programs change what a step is.
OWN_STEPS = ("train_step", "test_step", "predict_step", "compute_loss")


def refuse_jit(where: str, jit_compile: Any) -> None:
    """Refuse a compilation that would be asked for.

    Raises:
        UnsupportedError: It is asked for.
    """
    if jit_compile is not None and jit_compile is not False and jit_compile != "auto":
        needs = "'auto' or False: layers check shapes and carry masks in Python, and are run as they are"
        raise UnsupportedError(where, f"jit_compile={jit_compile!r}", needs, "Leave jit_compile out.")


def refuse_own_steps(model: Layer) -> None:
    """Refuse a model whose class says itself what a step is.

    Raises:
        UnsupportedError: It does.
    """
    for method in OWN_STEPS:
        if hasattr(model, method):
            fix = f"Write a loop of your own around the model, or leave {method} out."
            raise UnsupportedError(model.where, f"a {method} of its own", "striate's training step", fix)


def computes_in_float16(model: Layer) -> bool:
    """Whether the policy of a model, or of a layer in it, is "mixed_float16"."""
    return any(isinstance(inner, Layer) and inner.mixed == "float16" for inner in model.modules())


def refuse_leftovers(method: Callable[..., Any], unknown: dict[str, Any]) -> None:
    """Refuse what a method does not know, by its name.

    Raises:
        UserError: There is something.
    """
    known = [name for name in inspect.signature(method).parameters if name != "unknown"] if unknown else []
    refuse_unknown(method.__name__, unknown, known, FIT_DEFAULTS)


def check_steps(where: str, **steps: int | None) -> None:
    """Refuse numbers of batches that are none.

    Raises:
        UserError: One is neither None nor a whole number of at least 1.
    """
    for argument, number in steps.items():
        if number is not None:
            check_int(where, argument, number)


def validation_feed(data: Any, batch_size: int | None, steps: int | None) -> Feed | None:
    """What to validate on, of what fit was given as validation_data; None of None."""
    if data is None:
        return None
    if isinstance(data, tuple | list) and 2 <= len(data) <= 3:
        x, y, weight = (*data, None)[:3]
        return make_feed(x, y, weight, batch_size=batch_size, steps=steps, where="validation_data")
    return make_feed(data, steps=steps, where="validation_data")
