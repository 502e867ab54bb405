"""Blocks that end with the sum of a residual way compute what their layers would, whatever is added or changed."""

import pytest
import torch
from plan_models import assert_close, gradients, without_plan

from striate import layers
from striate.models import Model
from striate.models.residual_blocks import Residual
from striate.utils import set_random_seed

X = torch.randn(3, 9, 10, 6, generator=torch.Generator().manual_seed(1))
TOLERANCE = 5e-4


def way(x, kind="conv"):
    if kind == "conv":
        x = layers.Conv2D(6, 3, padding="same", name="conv")(x)
    elif kind == "product":
        x = layers.Conv2D(6, 1, use_bias=False, name="conv")(x)
    elif kind == "depthwise":
        x = layers.DepthwiseConv2D(3, padding="same", name="conv")(x)
    return layers.BatchNormalization(momentum=0.7, name="norm")(x)


def network(kind="conv", activation="relu", first=True, passed=None, after=None):
    """A way, what is added to it, and an activation."""
    set_random_seed(3)
    inputs = layers.Input(X.shape[1:])
    x = layers.Conv2D(6, 1, activation="tanh", name="before")(inputs)
    y, other = way(x, kind), x if passed is None else passed(x)
    y = layers.Add(name="add")([y, other] if first else [other, y])
    if activation is not None:
        y = layers.Activation(activation, name="act")(y)
    model = Model(inputs, y if after is None else after(y))
    numbers = torch.Generator().manual_seed(2)
    model.set_weights([torch.rand(weight.shape, generator=numbers).numpy() + 0.1 for weight in model.get_weights()])
    return model


def residual(model):
    """The only block of its kind."""
    (found,) = [block for block in model.plan.blocks.values() if isinstance(block, Residual)]
    return found


def compare(model, x=X):
    """Outputs, gradients and statistics, in both modes, then what is predicted."""
    off = without_plan(model)
    for training in (False, True):
        found = [gradients(one, x, training=training) for one in (model, off)]
        for one, two in zip(*found, strict=True):  # normalised, what is left of sums of gradients is small
            assert (one - two).abs().max() <= TOLERANCE * max(1, two.abs().max()) if one.numel() else True
    assert_close(list(model.buffers()), list(off.buffers()))
    with torch.no_grad():
        assert_close(model(x), off(x), tolerance=TOLERANCE)


def test_it_says_what_runs_how():
    model = network()
    said = [model.plan.describe().splitlines()[-1]]
    for training in (True, False):
        with torch.no_grad():
            model(X, training=training)
        said.append(model.plan.describe().splitlines()[-1])
    block = (
        "Conv2D 'conv' + BatchNormalization 'norm' + Add 'add' + Activation 'act': "
        "convolution + batch normalisation + sum + ReLU"
    )
    convolution = "torch's convolution"
    assert said == [
        f"{block} (not called yet)",
        f"{block} ({convolution}, then statistics of the batch)",
        f"{block} ({convolution}, folded into one, then layers as they are: moving statistics)",
    ]


@pytest.mark.parametrize("kind", ["conv", "product", "depthwise", "norm"])
@pytest.mark.parametrize("activation", [None, "relu", "relu6", "tanh"])
@pytest.mark.parametrize("first", [False, True])
def test_whatever_stands_around_the_sum(kind, activation, first):
    model = network(kind, activation, first)
    count = (2 if kind == "norm" else 3) + (activation in ("relu", "relu6"))
    assert len(residual(model).layers) == count
    compare(model)
    assert "sum" not in residual(model).inner.said
    assert residual(model).said.endswith("moving statistics")


PASSED = {
    "a way of the same kind": lambda x: layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same")(x)),
    "the input's channels": lambda x: layers.Conv2D(6, 1)(x),
    "one row": lambda x: layers.AveragePooling2D((9, 1))(x),
    "one pixel": lambda x: layers.GlobalAveragePooling2D(keepdims=True)(x),
}


@pytest.mark.parametrize("name", PASSED)
def test_whatever_is_added(name):
    model = network(passed=PASSED[name])
    compare(model)
    model(X, training=True)
    assert residual(model).said.endswith("two shapes" if name.startswith("one") else "statistics of the batch")


def test_sums_that_something_else_has_to_do():
    inputs = layers.Input(X.shape[1:])
    y = way(inputs)
    ways = layers.BatchNormalization()(inputs), layers.BatchNormalization()(inputs)
    for outputs in (
        layers.Add()([y, y]),
        layers.Add()([y, inputs, inputs]),
        layers.Multiply()([y, inputs]),
        [layers.Add()([y, inputs]), y],
        layers.Add()([y, layers.ReLU()(y)]),
        layers.Add()([layers.ReLU()(way) for way in ways]),
    ):
        assert not any(isinstance(block, Residual) for block in Model(inputs, outputs).plan.blocks.values())


def test_a_sum_that_two_layers_read_has_no_relu_inside():
    model = network(activation=None, after=lambda y: layers.Concatenate()([layers.ReLU()(y), y]))
    assert [type(layer).__name__ for layer in residual(model).layers][-1] == "Add"
    compare(model)


CHANGES = {
    "hooks on Add 'add'": lambda add: add.register_forward_hook(lambda *_: None),
    "Add 'add' penalises what it gives": lambda add: setattr(add, "activity_regularizer", lambda x: x.sum()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_to_the_sum(name):
    model = network()
    CHANGES[name](residual(model).add)
    model(X, training=True)
    assert residual(model).said.endswith(f"layers as they are: {name}")


def test_hooks_on_the_convolution_are_called():
    model, seen = network(), []
    model.get_layer("conv").register_forward_hook(lambda *_: seen.append(1))
    model.get_layer("add").register_forward_hook(lambda *_: seen.append(2))
    model(X, training=True)
    assert seen == [1, 2]


def test_frozen_and_other_dtypes():
    model = network()
    model.get_layer("norm").trainable = False
    compare(model)
    compare(network().double(), X.double())


def test_autocast():
    model = network()
    off = without_plan(model)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = (one(X, training=True).float() for one in (model, off))
    assert residual(model).said.endswith("layers as they are: autocast")
    assert (found - expected).abs().max() <= 0.1


def test_gradients_of_gradients():
    model = network("product")
    found = []
    for one in (model, without_plan(model)):
        x = X.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(one(x, training=True).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(gradient.square().sum(), x)[0])
    assert_close(*found, tolerance=5e-3)
