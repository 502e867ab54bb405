"""A clone has the layers and names of its model, and weights of its own."""

import pytest
import torch
from model_files import convnet, stir

from striate.foundation.checks import UserError
from striate.layers import Activation, Add, Dense, Input, TorchModule
from striate.layers.layer import Layer
from striate.models import Model, Sequential, clone_model


class Scale(Layer):
    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def forward(self, x):
        return x * self.factor

    def config(self):
        return {"factor": self.factor}


def functional():
    x = Input((4,), name="x")
    shared = Dense(4, name="shared")
    inner = Sequential([Dense(4, name="deep"), Scale(2.0, name="mine")], name="inner")
    return Model(x, Add(name="sum")([shared(x), inner(shared(x))]), name="outer")


@pytest.mark.parametrize("build", [convnet, functional], ids=lambda build: build.__name__)
def test_same_layers_new_weights(build):
    model = stir(build())
    model.compile("adam", "mse")
    before = [weight.clone() for weight in model.weights]
    clone = clone_model(model)
    assert type(clone) is type(model)
    assert [(layer.name, type(layer)) for layer in clone.layers] == [
        (layer.name, type(layer)) for layer in model.layers
    ]
    assert clone.name == model.name
    assert clone.compile_config is None
    assert [weight.shape for weight in clone.weights] == [weight.shape for weight in model.weights]
    assert not {id(weight) for weight in clone.weights} & {id(weight) for weight in model.weights}
    assert not all(torch.equal(*pair) for pair in zip(clone.weights, model.weights, strict=True))
    assert all(torch.equal(*pair) for pair in zip(model.weights, before, strict=True))
    clone.set_weights(model.get_weights())
    x = torch.rand(2, *model.input_shape[1:])
    assert torch.equal(clone(x), model(x))


def test_one_that_waits_for_its_input():
    assert not clone_model(Sequential([Dense(2)])).built


REFUSED = {
    "no model": (lambda: Dense(2), r"^clone_model got .*; it needs a model\. Pass a Sequential or a Model\.$"),
    "a torch module inside": (
        lambda: Sequential([Input((2,)), TorchModule(torch.nn.Linear(2, 2), name="t")]),
        r"^TorchModule 't' got a Linear to save; it needs a layer, since files carry no code",
    ),
    "a function": (
        lambda: Sequential([Input((2,)), Activation(torch.sin)]),
        r"^An activation to be saved got the function",
    ),
    "two classes of a name": (
        lambda: Sequential([Input((2,)), Scale(1.0), type("Scale", (Scale,), {})(2.0, name="other")]),
        r"^clone_model got two classes called Scale; it needs one of a name\. Rename one of them\.$",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    make, text = REFUSED[case]
    with pytest.raises(UserError, match=text):
        clone_model(make())
