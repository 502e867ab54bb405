"""Blocks of depthwise convolutions compute what their layers would, whatever follows or is changed."""

import pytest
import torch
from plan_models import assert_close, gradients, without_plan

from striate import layers
from striate.models import Model, Sequential
from striate.utils import set_random_seed

X = torch.randn(3, 9, 10, 5, generator=torch.Generator().manual_seed(1))
TOLERANCE = 5e-4


def network(zeros=(1, 2), norm=True, activation="relu6", **options):
    """Zeros, a depthwise convolution, batch normalisation and an activation, as mobile networks have them."""
    set_random_seed(3)
    stack = [
        *([] if zeros is None else [layers.ZeroPadding2D(zeros, name="zeros")]),
        layers.DepthwiseConv2D(3, name="conv", **options),
        *([layers.BatchNormalization(momentum=0.7, name="norm")] if norm else []),
        *([] if activation is None else [layers.Activation(activation, name="act")]),
    ]
    model = Sequential([layers.Input(X.shape[1:]), *stack])
    numbers = torch.Generator().manual_seed(2)
    model.set_weights([torch.rand(weight.shape, generator=numbers).numpy() + 0.1 for weight in model.get_weights()])
    return model


def compare(model):
    """Outputs, gradients and statistics, in both modes, then what is predicted."""
    off = without_plan(model)
    for training in (False, True):
        found = [gradients(one, X, training=training) for one in (model, off)]
        for one, two in zip(*found, strict=True):  # normalised, what is left of sums of gradients is small
            assert (one - two).abs().max() <= TOLERANCE * max(1, two.abs().max()) if one.numel() else True
    assert_close(list(model.buffers()), list(off.buffers()))
    with torch.no_grad():
        assert_close(model(X), off(X), tolerance=TOLERANCE)


def test_it_says_what_runs_how():
    model = network(strides=2)
    said = [model.plan.describe()]
    with torch.no_grad():
        model(X)
    said.append(model.plan.describe())
    model(X, training=True)
    said.append(model.plan.describe())
    block = (
        "ZeroPadding2D 'zeros' + DepthwiseConv2D 'conv' + BatchNormalization 'norm' + Activation 'act': "
        "depthwise convolution + batch normalisation + ReLU"
    )
    assert said == [
        f"{block} (not called yet)",
        f"{block} (one kernel, folded into one)",
        f"{block} (one kernel, then statistics of the batch)",
    ]


@pytest.mark.parametrize("activation", [None, "relu", "relu6", "tanh"])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("zeros", [None, 1, ((0, 1), (2, 0))])
def test_whatever_stands_around_the_convolution(zeros, norm, activation):
    model = network(zeros, norm, activation, strides=2)
    whole = activation != "tanh"
    assert len(next(iter(model.plan.blocks.values())).layers) == len(model.layers) - (not whole)
    compare(model)


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same"},
        {"padding": "same", "strides": 2},
        {"strides": 3, "use_bias": False},
        {"dilation_rate": 2, "padding": "same"},
    ],
)
@pytest.mark.parametrize("zeros", [None, 1])
def test_windows(zeros, options):
    compare(network(zeros, **options))


@pytest.mark.parametrize("activation", ["relu", "relu6", "tanh"])
def test_an_activation_of_its_own(activation):
    model = network(norm=False, activation="relu", padding="same")
    model.get_layer("conv").activation = activation  # after the plan was made
    compare(model)
    set_random_seed(3)
    conv = layers.DepthwiseConv2D(3, activation=activation)
    compare(Sequential([layers.Input(X.shape[1:]), conv, layers.BatchNormalization(), layers.ReLU()]))


@pytest.mark.parametrize("depth_multiplier", [1, 2])
def test_several_windows_for_each_channel_are_torchs(depth_multiplier):
    model = network(depth_multiplier=depth_multiplier)
    kinds = {type(block).__name__ for block in model.plan.blocks.values()}
    assert kinds == {"DepthwiseNormalization" if depth_multiplier == 1 else "Normalization"}
    compare(model)


def test_channels_first_is_torchs():
    set_random_seed(3)
    model = Sequential([layers.Input(X.shape[1:]), layers.DepthwiseConv2D(3, data_format="channels_first")])
    assert not model.plan.blocks
    compare(model)


CHANGES = {
    "other sides": lambda model: setattr(model.get_layer("zeros"), "sides", ((2, 0), (0, 1))),
    "other strides": lambda model: setattr(model.get_layer("conv"), "strides", (1, 2)),
    "another padding": lambda model: setattr(model.get_layer("conv"), "padding", "same"),
    "no bias": lambda model: setattr(model.get_layer("conv"), "bias", None),
    "a frozen norm": lambda model: setattr(model.get_layer("norm"), "trainable", False),
    "another momentum": lambda model: setattr(model.get_layer("norm"), "momentum", 0.1),
    "a norm that keeps its statistics": lambda model: setattr(model.get_layer("norm"), "momentum", 1.0),
    "a frozen convolution": lambda model: setattr(model.get_layer("conv"), "trainable", False),
    "a weight of its own": lambda model: torch.nn.utils.parametrize.register_parametrization(
        model.get_layer("conv"), "kernel", torch.nn.Softplus()
    ),
    "in double precision": lambda model: model.to(torch.float64),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_after_the_first_call_count(change):
    model = network()
    model(X)
    CHANGES[change](model)
    compare(model)


@pytest.mark.parametrize("name", ["zeros", "conv", "norm", "act"])
def test_hooks_see_what_layers_give(name):
    model, seen = network(), []
    model(X)
    model.get_layer(name).register_forward_hook(lambda _, inputs, output: seen.append(output))
    model(X)
    assert_close(seen, [Model(model.input, model.get_layer(name).output)(X)] * len(seen))
    assert seen


def test_zeros_that_somebody_else_reads_stay():
    inputs = layers.Input(X.shape[1:])
    zeros = layers.ZeroPadding2D(1)(inputs)
    model = Model(inputs, [layers.DepthwiseConv2D(3)(zeros), zeros])
    assert [len(block.layers) for block in model.plan.blocks.values()] == [1]
    assert_close(model(X), without_plan(model)(X))
