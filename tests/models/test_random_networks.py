"""Random convolutional networks, made here and in Keras: equal weights give equal numbers, across files as well."""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st
from model_files import assert_same_outputs, open_in_keras
from oracles.compare import double_precision

import striate.layers
import striate.models
from striate.layers.policy import dtype_policy, set_dtype_policy
from striate.layers.symbol import ShapeError
from striate.models import load_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

Network = tuple[tuple[int, ...], list[tuple[str, dict[str, Any]]]]
"""The shape of one item, and the layers by name and arguments; a merge takes the result of two layers before."""

ACTIVATIONS = st.sampled_from(["linear", "relu", "relu6", "gelu", "silu", "hard_swish", "selu", "softplus", "tanh"])
FEW, PADDINGS, FLAG = st.integers(1, 3), st.sampled_from(["valid", "same"]), st.booleans()
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")


def rows(axes: int) -> dict[str, dict[str, st.SearchStrategy[Any]]]:
    """The layers for inputs with so many spatial axes, and what their arguments are drawn from."""
    sizes = st.tuples(*[FEW] * axes)
    window = {"kernel_size": sizes, "padding": PADDINGS, "activation": ACTIVATIONS, "use_bias": FLAG}
    filters = {"filters": st.integers(1, 4)}
    pool = {"pool_size": sizes, "strides": st.none() | sizes}
    found = {
        f"Conv{axes}D": {**filters, **window, "strides": sizes},
        f"Conv{axes}DTranspose": {**filters, **window, "strides": sizes},
        f"MaxPooling{axes}D": {**pool, "padding": PADDINGS},
        f"AveragePooling{axes}D": pool,  # Keras's torch backend pads these in a way of its own
        f"UpSampling{axes}D": {"size": FEW},
        f"ZeroPadding{axes}D": {"padding": FEW},
        f"Cropping{axes}D": {"cropping": st.just(1)},
        f"SpatialDropout{axes}D": {"rate": st.just(0.5)},
        "BatchNormalization": {"momentum": st.just(0.5), "scale": FLAG},
        "LayerNormalization": {"epsilon": st.sampled_from([1e-3, 1e-1])},
        "GroupNormalization": {"groups": st.sampled_from([1, -1]), "epsilon": st.just(0.1)},
        "LeakyReLU": {"negative_slope": st.sampled_from([0.1, 0.5])},
        "PReLU": {"shared_axes": st.sampled_from([None, [1]])},
        "Dense": {"units": FEW, "activation": ACTIVATIONS},
        "Rescaling": {"scale": st.just(0.5), "offset": st.just(-1.0)},
    }
    if axes < 3:
        found[f"DepthwiseConv{axes}D"] = {**window, "depth_multiplier": st.integers(1, 2)}
        found[f"SeparableConv{axes}D"] = {**filters, **window, "depth_multiplier": st.integers(1, 2)}
    return found


ROWS = {axes: rows(axes) for axes in (1, 2, 3)}
ENDS = ("GlobalAveragePooling{}D", "GlobalMaxPooling{}D", "Flatten")


@st.composite
def networks(draw: Any) -> Network:
    """Layers that fit one after the other, merges of results that fit, and a dense layer at the end."""
    axes = draw(st.sampled_from([1, 2, 2, 2, 3]))
    shape = (*draw(st.tuples(*[st.integers(4, 8)] * axes)), draw(st.integers(1, 4)))
    steps: list[tuple[str, dict[str, Any]]] = []
    names = st.sampled_from([*ROWS[axes], f"Conv{axes}D", f"Conv{axes}D", *MERGES])
    for _ in range(draw(st.integers(2, 8))):
        name = draw(names)
        options = ROWS[axes].get(name, {})
        step = (name, {argument: draw(values) for argument, values in options.items()})
        if fits(shape, [*steps, step]):
            steps.append(step)
    return shape, [*steps, (draw(st.sampled_from(ENDS)).format(axes), {}), ("Dense", {"units": 3})]


def fits(shape: tuple[int, ...], steps: list[tuple[str, dict[str, Any]]]) -> bool:
    """Whether each layer takes what the ones before it give, and the results stay small."""
    try:
        size = build(striate, (shape, steps)).outputs[0].shape
    except (ShapeError, IndexError):
        return False
    return np.prod(size[1:]) < 20_000


def build(lib: Any, network: Network) -> Any:
    """The functional model of a network in one library."""
    shape, steps = network
    results = [lib.layers.Input(shape, name="input")]
    for index, (name, arguments) in enumerate(steps):
        on = [results[-1], results[-3]] if name in MERGES else results[-1]
        results.append(getattr(lib.layers, name)(**arguments, name=f"layer{index}")(on))
    return lib.models.Model(results[0], results[-1])


@pytest.fixture(scope="module", autouse=True)
def all_digits():
    """float64 on both sides: what differs then is meaning, not rounding."""
    before = dtype_policy()
    set_dtype_policy("float64")
    with double_precision():
        yield
    set_dtype_policy(before)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks())
def test_random_networks_compute_what_keras_computes(network: Network):
    note(repr(network))
    ours, theirs = build(striate, network), build(keras, network)
    assert [layer.output.shape for layer in ours.layers] == [layer.output.shape for layer in theirs.layers]
    random = np.random.default_rng(0)
    # Positive, since one of them may be a variance.
    weights = [random.uniform(0.1, 0.6, weight.shape) for weight in theirs.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    x = torch.tensor(random.normal(size=(3, *network[0])))
    with torch.backends.mkldnn.flags(enabled=False):  # which dies of some that Keras makes: see layers/convolution.py
        expected = output_and_gradients(theirs, x)
    assert_same_outputs(output_and_gradients(ours, x), expected, 1e-9)
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder, "there.keras"), Path(folder, "back.keras")
        ours.save(there)
        theirs.save(back)
        assert_same_outputs(open_in_keras(there)(x), ours(x), 1e-9)
        assert_same_outputs(load_model(back)(x), ours(x), 1e-9)


def output_and_gradients(model: Any, x: torch.Tensor) -> list[torch.Tensor]:
    """What comes out, and the gradients of its squares by the input and every weight that it depends on."""
    inputs = x.clone().requires_grad_()
    parameters = [getattr(weight, "value", weight) for weight in model.trainable_weights]
    output = model(inputs)
    gradients = torch.autograd.grad((output**2).sum(), [inputs, *parameters], allow_unused=True)
    return [output, *(torch.zeros(0) if one is None else one for one in gradients)]
