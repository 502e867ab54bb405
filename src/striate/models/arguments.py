"""What compile, fit, evaluate and predict are given, checked and put in order."""

import inspect
from collections.abc import Callable
from typing import Any

from striate.data.arrays import make_feed
from striate.data.feed import Feed
from striate.foundation.checks import UnsupportedError, UserError, check_int, check_number, refuse_unknown
from striate.layers.layer import Layer

# What fit, evaluate and predict of Keras 2 took for processes that read ahead, with the values that ask for nothing.
FIT_DEFAULTS = {"max_queue_size": 10, "workers": 1, "use_multiprocessing": False}


def refuse_jit(where: str, jit_compile: Any) -> None:
    """Refuse a compilation that would be asked for.

    Raises:
        UnsupportedError: It is asked for.
    """
    if not (jit_compile is None or jit_compile is False or (isinstance(jit_compile, str) and jit_compile == "auto")):
        needs = "'auto' or False: layers check shapes and carry masks in Python, and are run as they are"
        raise UnsupportedError(where, f"jit_compile={jit_compile!r}", needs, "Leave jit_compile out.")


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


def check_split(validation_split: Any, validation_data: Any) -> bool:
    """Whether a share of the samples is to be set aside.

    Raises:
        UserError: The share is no number, or there are other samples to validate on.
    """
    needs = "a fraction of at least 0 and below 1"
    if validation_split is None or not check_number("fit", "validation_split", validation_split, needs):
        return False
    if validation_data is not None:
        raise UserError("fit", "validation_split and validation_data", "one of them", "Pass one of them.")
    return True


def validation_feed(data: Any, batch_size: int | None, steps: int | None) -> Feed | None:
    """What to validate on, of what fit was given as validation_data; None of None."""
    if data is None:
        return None
    if isinstance(data, tuple | list) and 2 <= len(data) <= 3:
        x, y, weight = (*data, None)[:3]
        return make_feed(x, y, weight, batch_size=batch_size, steps=steps, where="validation_data")
    return make_feed(data, steps=steps, where="validation_data")
