"""Names, order and defaults of arguments are Keras's."""

import inspect
from typing import Any

import keras
import pytest

from oracles.compare import Case, make
from striate import layers
from striate.layers.layer import registry
from striate.layers.options import KERAS_DEFAULTS

# Not in Keras, or not called as there.
OWN = {"TorchModule", "Sequential", "Model"}
KERAS_LAYERS = [name for name in registry.classes if name not in OWN]


def arguments_of(cls: type, known: Any = None) -> dict[str, Any]:
    """Arguments and defaults, those of every layer and those striate refuses left out."""
    common = {"self", "args", "kwargs", "options", "name", "dtype", "trainable", "input_shape", "unknown"}
    if cls.__init__ is layers.Layer.__init__:
        common |= {"activity_regularizer"}  # which some of Keras's layers have among their own arguments, too
    found = {p.name: p.default for p in inspect.signature(cls.__init__).parameters.values() if p.name not in common}
    return {name: _plain(value) for name, value in found.items() if known is None or name in known}


def _plain(value: Any) -> Any:
    """One number for all axes is as good as one for each."""
    same = isinstance(value, tuple) and len(set(value)) == 1
    return _plain(value[0]) if same else value


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
        (alias.format(axes), name.format(axes))
        for axes in (1, 2, 3)
        for alias, name in (
            ("AvgPool{}D", "AveragePooling{}D"),
            ("MaxPool{}D", "MaxPooling{}D"),
            ("GlobalAvgPool{}D", "GlobalAveragePooling{}D"),
            ("GlobalMaxPool{}D", "GlobalMaxPooling{}D"),
            ("Convolution{}D", "Conv{}D"),
            ("Convolution{}DTranspose", "Conv{}DTranspose"),
            ("SeparableConvolution{}D", "SeparableConv{}D"),
        )
        if hasattr(keras.layers, alias.format(axes))
    ],
)
def test_aliases_are_those_of_keras(alias: str, name: str):
    assert getattr(layers, alias) is getattr(layers, name)
    assert getattr(keras.layers, alias) is getattr(keras.layers, name)


def test_everything_public_is_exported():
    for name in registry.classes:
        if name not in ("Sequential", "Model"):
            assert name in layers.__all__
    assert len(layers.__all__) == len(set(layers.__all__))
    assert all(hasattr(layers, name) for name in layers.__all__)


@pytest.mark.parametrize("name", [name for name in KERAS_LAYERS if name != "TextVectorization"])  # needs TensorFlow
def test_automatic_names_are_those_of_keras(name: str):
    special = {"Activation": ("relu",), "InputLayer": ((3,),), "Reshape": ((3,),), "Permute": ((1,),)}
    if name.endswith(("Dropout", "Dropout1D", "Dropout2D", "Dropout3D")):
        special[name] = (0.5,)
    cell = Case("LSTMCell", {"units": 1})
    special |= {"RNN": (cell,), "StackedRNNCells": ([cell],), "Bidirectional": (Case("LSTM", {"units": 1}),)}
    special |= {"TimeDistributed": (Case("Dense", {"units": 1}),)}
    required = [value for value in arguments_of(registry.classes[name]).values() if value is inspect.Parameter.empty]
    needed = special.get(name, (1,) * len(required))

    def argument(library: Any, value: Any) -> Any:
        if isinstance(value, list):
            return [argument(library, item) for item in value]
        return make(library, value) if isinstance(value, Case) else value

    ours, theirs = (
        getattr(library, name)(*(argument(library, value) for value in needed)).name
        for library in (layers, keras.layers)
    )
    assert ours.rstrip("_0123456789") == theirs.rstrip("_0123456789")


def test_input_has_the_arguments_of_keras():
    ours = list(inspect.signature(layers.Input).parameters.values())
    theirs = inspect.signature(keras.layers.Input).parameters
    for parameter in ours:
        if parameter.kind is not parameter.VAR_KEYWORD:
            assert theirs[parameter.name].default == parameter.default
