"""Methods that Keras calls where striate does not: a class of the user's own that has one is refused there."""

from collections.abc import Iterable

from striate.foundation.checks import UnsupportedError
from striate.foundation.explain import is_ours
from striate.layers.layer import Layer

PREDICTION = ("predict_step", "make_predict_function")
STEPS = ("make_train_function", "make_test_function", *PREDICTION)
# What files are written and read by.
BUILD = ("get_build_config", "build_from_config")
COMPILE = ("get_compile_config", "compile_from_config")
STORE = ("save_own_variables", "load_own_variables", "save_assets")


def refuse_steps(model: Layer, methods: Iterable[str] = STEPS) -> None:
    """Refuse a model that says itself how steps are put together.

    Raises:
        UnsupportedError: It does.
    """
    _refuse(model, methods, "striate's training step", "Write a loop of your own around the model, or leave {} out.")


def refuse_files(layer: Layer, methods: Iterable[str]) -> None:
    """Refuse a layer that says itself what files hold of it.

    Raises:
        UnsupportedError: It does.
    """
    fix = "Leave {} out, and return every argument of __init__ from get_config()."
    _refuse(layer, methods, "what striate writes and reads: the config, and the weights in order", fix)


def _refuse(layer: Layer, methods: Iterable[str], needs: str, fix: str) -> None:
    for method in methods:
        writer = next((cls for cls in type(layer).__mro__ if method in vars(cls)), None)
        if method in vars(layer) or (writer is not None and not is_ours(writer.__module__)):
            raise UnsupportedError(layer.where, f"a {method} of its own", needs, fix.format(method))
