"""Names, order and defaults of arguments are Keras's."""

import inspect
from typing import Any

import keras
import pytest

from striate import layers
from striate.layers.layer import registry
from striate.layers.options import KERAS_DEFAULTS

# Not in Keras, or not called as there.
OWN = {"TorchModule", "Sequential", "Model"}
KERAS_LAYERS = [name for name in registry.classes if name not in OWN]


def arguments_of(cls: type, known: Any = None) -> dict[str, Any]:
    """Arguments and defaults, those of every layer and those striate refuses left out."""
    common = {"self", "args", "kwargs", "options", "name", "dtype", "trainable", "input_shape", "unknown"}
    found = {p.name: p.default for p in inspect.signature(cls.__init__).parameters.values() if p.name not in common}
    return {name: _plain(value) for name, value in found.items() if known is None or name in known}


def _plain(value: Any) -> Any:
    """One number for all axes is as good as one for each."""
    same = isinstance(value, tuple) and len(set(value)) == 1
    return value[0] if same else value


@pytest.mark.parametrize("name", KERAS_LAYERS)
def test_arguments_are_those_of_keras(name: str):
    ours = arguments_of(registry.classes[name])
    theirs = arguments_of(getattr(keras.layers, name))
    supported = {argument: default for argument, default in theirs.items() if argument not in KERAS_DEFAULTS}
    assert list(ours.items()) == list(supported.items())


@pytest.mark.parametrize("name", KERAS_LAYERS)
def test_what_is_refused_has_the_default_of_keras(name: str):
    theirs = arguments_of(getattr(keras.layers, name), KERAS_DEFAULTS)
    for argument, default in theirs.items():
        assert default in (None, KERAS_DEFAULTS[argument])  # None asks for nothing, too


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("AvgPool2D", "AveragePooling2D"),
        ("MaxPool2D", "MaxPooling2D"),
        ("GlobalAvgPool2D", "GlobalAveragePooling2D"),
        ("GlobalMaxPool2D", "GlobalMaxPooling2D"),
        ("Convolution2D", "Conv2D"),
    ],
)
def test_aliases_are_those_of_keras(alias: str, name: str):
    assert getattr(layers, alias) is getattr(layers, name)
    assert getattr(keras.layers, alias) is getattr(keras.layers, name)


def test_everything_public_is_exported():
    for name in registry.classes:
        if name not in ("Sequential", "Model"):
            assert name in layers.__all__
    assert list(layers.__all__) == sorted(layers.__all__)


@pytest.mark.parametrize("name", KERAS_LAYERS)
def test_automatic_names_are_those_of_keras(name: str):
    needed = {"Conv2D": (1, 1), "Dense": (1,), "Dropout": (0.5,), "Activation": ("relu",), "Rescaling": (1.0,),
              "AveragePooling2D": (2,), "InputLayer": ((3,),)}.get(name, ())  # fmt: skip
    ours = registry.classes[name](*needed).name
    theirs = getattr(keras.layers, name)(*needed).name
    assert ours.rstrip("_0123456789") == theirs.rstrip("_0123456789")


def test_input_has_the_arguments_of_keras():
    ours = list(inspect.signature(layers.Input).parameters.values())
    theirs = inspect.signature(keras.layers.Input).parameters
    for parameter in ours:
        if parameter.kind is not parameter.VAR_KEYWORD:
            assert theirs[parameter.name].default == parameter.default
