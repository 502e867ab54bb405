"""One layer as Keras's config says it: what is written, what is made of it, and what is never made."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UnsupportedError, UserError
from striate.foundation.custom_objects import custom_object_scope
from striate.layers import Activation, BatchNormalization, Conv2D, Dense, Input
from striate.layers.forms import serialize
from striate.layers.layer import Layer, registry
from striate.models import Model, Sequential
from striate.models.layer_config import deserialize


class Scale(Layer):
    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def forward(self, x):
        return x * self.factor

    def compute_output_shape(self, input_shape):
        return input_shape

    def config(self):
        return {"factor": self.factor}


class Forgetful(Scale):
    def config(self):
        return {}


class KerasStyle(Layer):
    def __init__(self, width=3, **kwargs):
        super().__init__(**kwargs)
        self.width = width

    def get_config(self):
        config = super().get_config()
        config.update({"width": self.width})
        return config


def form(class_name="Dense", module="keras.layers", registered_name=None, **config):
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}


@pytest.mark.parametrize(
    "layer", [Dense(3, activation="relu"), Conv2D(2, (3, 2), padding="same"), BatchNormalization(trainable=False)]
)
def test_what_is_written_makes_the_same_layer_here_and_in_keras(layer):
    text = json.loads(json.dumps(serialize(layer)))
    assert deserialize(text).get_config() == layer.get_config()
    theirs = keras.saving.deserialize_keras_object(text)
    assert type(theirs).__name__ == type(layer).__name__
    again = deserialize(json.loads(json.dumps(keras.saving.serialize_keras_object(theirs))))
    assert again.get_config() == layer.get_config()


def test_the_shape_a_layer_was_built_for_is_written():
    assert "build_config" not in serialize(Dense(2))
    layer = Dense(2)
    layer(Input((7,)))
    assert serialize(layer)["build_config"] == {"input_shape": [None, 7]}


def test_a_frozen_model_is_frozen_again():
    model = Sequential([Input((3,)), Dense(2)])
    model.trainable = False
    assert deserialize(serialize(model)).trainable_weights == []


REFUSED = {
    "a Lambda": (
        form("Lambda", function="cos"),
        UnsupportedError,
        r"^Lambda got a Lambda layer, which is Python code; it needs layers: no code is read from files\. Use",
    ),
    "a lambda": (
        form("Activation", activation={"class_name": "__lambda__", "config": {"value": ["4wEA"]}}),
        UnsupportedError,
        r"^Activation got a lambda, which is Python code; .* Use a named function",
    ),
    "a layer only Keras has": (
        form("ConvLSTM2D", filters=1, kernel_size=1),
        UnsupportedError,
        r"^ConvLSTM2D got Keras's layer 'ConvLSTM2D'; it needs one of striate's layers\. Did you mean",
    ),
    "an operation in a layer's place": (
        form("Add", module="keras.src.ops.numpy", name="add_1"),
        UserError,
        r"^Add 'add_1' got the class 'Add' of module 'keras.src.ops.numpy'; it needs a layer of striate's, or one that",
    ),
    "a registered class": (
        form("Scale", module="builtins", registered_name="my>Scale", factor=2),
        UserError,
        r"got the class 'my>Scale' of module 'builtins'; .* or pass custom_objects=\{'Scale': the class\}",
    ),
    "a class of ones own that hides behind a known one": (
        form("Dense", registered_name="evil>Dense", units=1),
        UserError,
        "got the class 'evil>Dense' of module 'keras.layers'",
    ),
    "os.system": (
        form("system", module="os", name="x"),
        UserError,
        r"^system 'x' got the class 'system' of module 'os'",
    ),
    "a dotted class": (form("os.system"), UserError, r"^os.system got Keras's layer 'os.system'"),
    "builtins": (
        form("eval", module="builtins"),
        UserError,
        "the class 'eval' of module 'builtins'; .* nothing is imported",
    ),
    "a known class of another module": (
        form(module="builtins", units=1),
        UserError,
        "the class 'Dense' of module 'builtins'",
    ),
    "no module": (form(module=None, units=1), UserError, "the class 'Dense' of module None"),
    "a module that is a list": (form(module=["keras"], units=1), UserError, r"the class 'Dense' of module \['keras'\]"),
    "an unknown argument": (
        form(units=1, speed=2),
        UserError,
        r"^Dense got an unknown argument speed=2; .* 'seed'|speed",
    ),
    "an unsupported argument": (
        form(units=1, lora_rank=4),
        UnsupportedError,
        r"^Dense got lora_rank=4; .* Leave lora_rank out",
    ),
    "an unknown initializer": (
        form(units=1, kernel_initializer={"module": "os", "class_name": "system", "config": {}}, name="d"),
        UserError,
        r"^Dense 'd' got initializer 'system'; it needs a known initializer",
    ),
    "an unknown activation": (form(units=1, activation="__import__", name="d"), UserError, "activation='__import__'"),
    "zero units": (
        form(units=0, name="d"),
        UserError,
        r"^Dense 'd' got units=0; it needs a whole number of at least 1",
    ),
    "a missing argument": (
        form(name="d"),
        UserError,
        r"^Dense 'd' got a config it cannot be made from \(TypeError: .*'units'\); it needs the arguments its class",
    ),
    "a name that is a path": (form(units=1, name="../d"), UserError, r"got name='\.\./d'; it needs a text without"),
    "a module in the place of a layer": (form("TorchModule", module="keras.layers"), UserError, "cannot be made from"),
    "no layer": (
        [1],
        UserError,
        r"^A model's config got \[1\]; it needs a layer's class_name and config\. The file is damaged",
    ),
    "a class that is a number": (
        {"class_name": 3, "config": {}},
        UserError,
        r"^A model's config got \{'class_name': 3",
    ),
    "a config that is a list": (
        {"class_name": "Dense", "config": []},
        UserError,
        r"^Dense got config \[\]; it needs a dict",
    ),
    "a model without layers": (
        form("Functional", module="keras"),
        UserError,
        r"^Functional got no layers; it needs",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    given, error, text = REFUSED[case]
    with pytest.raises(error, match=text):
        deserialize(given)


@pytest.mark.parametrize("value", [None, True, -1, 2.5, "x", [], {}, [[]], 10**30, float("nan")])
@pytest.mark.parametrize("class_name", sorted(registry.classes))
def test_wrong_values_are_refused_and_nothing_else(class_name, value):
    needed = {"Dense": ["units"], "Conv2D": ["filters", "kernel_size"], "Dropout": ["rate"], "Rescaling": ["scale"]}
    for argument in [*needed.get(class_name, []), "name", "dtype", "trainable", "input_shape", "axis", "data_format"]:
        config = {"units": 2, "filters": 2, "kernel_size": 1, "rate": 0.1, "scale": 1.0}
        config = {name: config[name] for name in needed.get(class_name, [])} | {argument: value}
        try:
            layer = deserialize(form(class_name, **config))
        except UserError:
            continue
        assert argument != "name" or isinstance(value, str | None)
        text = json.dumps(serialize(layer))
        assert json.dumps(serialize(deserialize(json.loads(text)))) == text  # what is taken is meant


def test_long_values_are_cut_in_the_text():
    with pytest.raises(UserError) as caught:
        deserialize(["x" * 10**6])
    assert len(str(caught.value)) < 1000


def test_nothing_is_imported_because_a_file_says_so():
    code = """
import sys
from striate.foundation.checks import UserError
from striate.models.layer_config import deserialize
for module, name in (("antigravity", "fly"), ("this", "s"), ("antigravity.fly", "Dense")):
    try:
        deserialize({"module": module, "class_name": name, "config": {}, "registered_name": None})
    except UserError:
        pass
assert not {"antigravity", "this"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# Classes of ones own ------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [Scale(2.5, name="mine"), KerasStyle(7, name="mine")])
def test_a_class_of_ones_own_is_made_where_it_is_named(layer):
    cls = type(layer)
    text = json.loads(json.dumps(serialize(layer)))
    assert text["registered_name"] == cls.__name__
    with pytest.raises(UserError, match=f"or pass custom_objects={{{{?'{cls.__name__}': the class"):
        deserialize(text)
    with custom_object_scope({cls.__name__: cls}):
        assert deserialize(text).get_config() == layer.get_config()
    with pytest.raises(UserError, match="the class"):  # known no longer
        deserialize(text)


def test_registered_names_of_keras_find_the_class():
    with custom_object_scope({"Scale": Scale}):
        assert deserialize(form("Scale", "my.module", "package>Scale", factor=2)).factor == 2
    with custom_object_scope({"package>Scale": Scale}):
        assert deserialize(form("Scale", "my.module", "package>Scale", factor=2)).factor == 2


def test_a_layer_striate_lacks_can_be_given():
    with custom_object_scope({"ConvLSTM2D": Scale}):
        assert isinstance(deserialize(form("ConvLSTM2D", factor=2)), Scale)


def test_known_classes_stay_what_they_are():
    with custom_object_scope({"Dense": Scale}):
        assert isinstance(deserialize(form(units=2)), Dense)


def test_functions_and_objects_of_ones_own_inside_a_config():
    def double(x):
        return 2 * x

    from striate.layers.regularizers import Regularizer

    class Cubic(Regularizer):
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, weight):
            return self.factor * weight.abs().pow(3).sum()

    named = {"module": "builtins", "class_name": "function", "config": "double", "registered_name": "double"}
    cubic = {"module": "x", "class_name": "Cubic", "config": {"factor": 2.0}, "registered_name": "x>Cubic"}
    with custom_object_scope({"double": double, "Cubic": Cubic}):
        assert deserialize(form("Activation", activation=named))(torch.ones(1)).item() == 2
        layer = deserialize(form(units=1, kernel_regularizer=cubic, kernel_initializer="ones"))
    layer(torch.ones(1, 3))
    assert layer.penalty().item() == pytest.approx(6)


def test_what_cannot_be_read_back_is_not_written():
    text = r"^Forgetful 'mine' got a config\(\) that cannot be read back \(missing a required argument: 'factor'\); it"
    with pytest.raises(UserError, match=text):
        serialize(Forgetful(2, name="mine"))
    with pytest.raises(UserError, match=r"cannot be read back \(.*not JSON serializable"):
        serialize(Scale(torch.ones(1)))
    with pytest.raises(UserError, match=r"cannot be read back \(Out of range float"):
        serialize(Scale(float("nan")))
    with pytest.raises(UserError, match=r"^An activation to be saved got the function '<lambda>'"):
        serialize(Activation(lambda x: x))


def test_subclasses_of_model():
    class Net(Model):
        def __init__(self, width=3, **options):
            super().__init__(**options)
            self.inside = Dense(width)

        def forward(self, x):
            return self.inside(x)

    class Described(Net):
        def config(self):
            return {"width": self.inside.units}

    text = (
        r"^Net 'n' got a Net to save, a subclass without config\(\); it needs a config\(\) that makes .* Return every"
    )
    with pytest.raises(UserError, match=text):
        serialize(Net(name="n"))
    model = Described(5, name="d")
    model(torch.zeros(2, 4))
    with custom_object_scope({"Described": Described}):
        twin = deserialize(json.loads(json.dumps(serialize(model))))
    assert (twin.name, twin.inside.units, twin.inside.kernel.shape) == ("d", 5, (4, 5))


def test_subclasses_made_of_a_graph_or_a_list():
    class Graphed(Model):
        pass

    class Narrow(Model):
        def __init__(self, width):
            x = Input((3,))
            super().__init__(x, Dense(width)(x))

    class Stack(Sequential):
        pass

    x = Input((3,))
    for model in (Graphed(x, Dense(2)(x)), Stack([Input((3,)), Dense(2)])):
        with custom_object_scope({type(model).__name__: type(model)}):
            twin = deserialize(json.loads(json.dumps(serialize(model))))
        assert type(twin) is type(model)
        assert twin.output_shape == (None, 2)
    with pytest.raises(
        UserError, match=r"^Narrow 'narrow' got a config\(\) that cannot be read back \(missing a required"
    ):
        serialize(Narrow(2))


@pytest.mark.parametrize("value", [3, "Dense", None])
def test_custom_objects_that_are_no_classes(value):
    with (
        pytest.raises(UserError, match=r"^custom_objects got 'Dense': .*; it needs a dict of names to classes"),
        custom_object_scope({"Dense": value}),
    ):
        pass


def test_a_function_in_the_place_of_a_layer():
    with (
        custom_object_scope({"Mine": np.sin}),
        pytest.raises(UserError, match=r"^custom_objects got 'Mine': .*; it needs a subclass of Layer"),
    ):
        deserialize(form("Mine", module=None))
