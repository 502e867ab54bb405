"""What layers compute in: by their own policies as in Keras, and under an autocast from outside."""

import keras
import numpy as np
import pytest
import torch

import striate
from striate import layers
from striate.layers import Add, Dense, TorchModule
from striate.layers.policy import set_dtype_policy

POLICIES = ["float32", "float64", "bfloat16", "float16", "mixed_bfloat16", "mixed_float16"]
PICTURE, SERIES, ROW = (2, 8, 8, 4), (2, 6, 4), (2, 4)
TABLE = {
    "Conv2D": ({"filters": 2, "kernel_size": 3, "activation": "relu"}, PICTURE),
    "Conv2DTranspose": ({"filters": 2, "kernel_size": 3}, PICTURE),
    "DepthwiseConv2D": ({"kernel_size": 3}, PICTURE),
    "SeparableConv2D": ({"filters": 2, "kernel_size": 3}, PICTURE),
    "Conv1D": ({"filters": 2, "kernel_size": 3}, SERIES),
    "BatchNormalization": ({}, PICTURE),
    "LayerNormalization": ({}, PICTURE),
    "GroupNormalization": ({"groups": 2}, PICTURE),
    "UnitNormalization": ({}, ROW),
    "MaxPooling2D": ({}, PICTURE),
    "AveragePooling2D": ({"pool_size": 3}, PICTURE),
    "GlobalAveragePooling2D": ({}, PICTURE),
    "UpSampling2D": ({"interpolation": "bilinear"}, PICTURE),
    "ZeroPadding2D": ({}, PICTURE),
    "Flatten": ({}, PICTURE),
    "Reshape": ({"target_shape": (4,)}, ROW),
    "Dropout": ({"rate": 0.5}, ROW),
    "GaussianNoise": ({"stddev": 0.5}, ROW),
    "Dense": ({"units": 3, "activation": "softmax"}, ROW),
    "Softmax": ({}, ROW),
    "ReLU": ({}, ROW),
    "PReLU": ({}, ROW),
    "Activation": ({"activation": "gelu"}, ROW),
    "Rescaling": ({"scale": 0.5}, PICTURE),
    "Embedding": ({"input_dim": 5, "output_dim": 3}, "classes"),
    "Masking": ({}, SERIES),
    # Keras cannot make orthogonal weights in half precision.
    "SimpleRNN": ({"units": 3, "recurrent_initializer": "glorot_uniform"}, SERIES),
    "LSTM": ({"units": 3, "recurrent_initializer": "glorot_uniform"}, SERIES),
    "GRU": ({"units": 3, "recurrent_initializer": "glorot_uniform", "return_sequences": True}, SERIES),
}


@pytest.fixture(autouse=True)
def policies_put_back():
    yield
    set_dtype_policy("float32")
    keras.config.set_dtype_policy("float32")


def values(shape):
    rng = np.random.default_rng(2)
    return rng.integers(0, 5, (2, 6)) if shape == "classes" else rng.normal(size=shape).astype("float32")


def dtype_of(tensor):
    return str(tensor.dtype).removeprefix("torch.")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", TABLE)
def test_dtypes_of_inputs_weights_and_outputs_are_keras(name, policy, training):
    arguments, shape = TABLE[name]
    ours, theirs = (getattr(k, name)(**arguments, dtype=policy) for k in (layers, keras.layers))
    x = torch.from_numpy(values(shape))
    one, other = ours(x, training=training), theirs(x, training=training)
    assert (ours.dtype, ours.compute_dtype) == (theirs.variable_dtype, theirs.compute_dtype)
    assert dtype_of(one) == dtype_of(other)
    weights = [dtype_of(weight) for weight in ours.weights if weight.is_floating_point()]
    assert weights == [weight.dtype for weight in theirs.weights if "float" in weight.dtype]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", [name for name in TABLE if name not in ("Dropout", "GaussianNoise")])
def test_numbers_are_keras_but_for_rounding(name, policy):
    """Each of a layer's few steps rounds to 8 bits (11 in float16), here and there at other places.

    Recurrent layers take 6 steps over, each from what the one before has rounded.
    """
    arguments, shape = TABLE[name]
    ours, theirs = (getattr(k, name)(**arguments, dtype=policy) for k in (layers, keras.layers))
    x = torch.from_numpy(values(shape))
    ours(x), theirs(x)
    ours.set_weights([np.asarray(weight.value.detach()) for weight in theirs.weights])
    one, other = (layer(x, training=True).detach().double().numpy() for layer in (ours, theirs))
    unit = 2.0**-8 if policy == "mixed_bfloat16" else 2.0**-11
    steps = 12 if name in ("SimpleRNN", "LSTM", "GRU") else 4
    np.testing.assert_allclose(one, other, rtol=0, atol=steps * unit * np.abs(other).max())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "mixed_float16", "float64"])
def test_a_layer_that_was_told_a_dtype_keeps_to_it_under_autocast(dtype):
    layer, x = Dense(2, dtype=dtype), torch.ones(1, 3)
    expected = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x.bfloat16())
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


def test_a_layer_that_was_told_none_follows_autocast_also_when_read_from_a_file():
    for layer in (Dense(2), Dense.from_config(keras.layers.Dense(2, dtype="float32").get_config())):
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(torch.ones(1, 3)).dtype == torch.bfloat16
    told = Dense.from_config(keras.layers.Dense(2, dtype="mixed_float16").get_config())
    set_dtype_policy("mixed_float16")
    for layer in (told, Dense(2)):
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(torch.ones(1, 3)).dtype == torch.float16


def test_layers_that_take_lists_and_torchs_own_mix_too():
    x = torch.full((1, 2), 1 / 3)
    assert Add(dtype="mixed_bfloat16")([x, x]).dtype == torch.bfloat16
    module = TorchModule(torch.nn.Linear(2, 2), dtype="mixed_bfloat16")
    assert module(x).dtype == torch.bfloat16


def test_addresses_are_keras():
    for k in (striate, keras):
        k.mixed_precision.set_global_policy("mixed_bfloat16")
        assert k.mixed_precision.global_policy() == k.DTypePolicy("mixed_bfloat16")
        assert k.mixed_precision.Policy().compute_dtype == k.config.dtype_policy().compute_dtype == "bfloat16"
        assert k.layers.Dense(2).dtype_policy.name == "mixed_bfloat16"
        k.config.set_dtype_policy(k.mixed_precision.Policy("float32"))
        assert k.mixed_precision.dtype_policy().name == k.config.floatx() == "float32"
        k.config.set_floatx("float32")
    with pytest.raises(striate.foundation.checks.UnsupportedError, match=r"set_floatx got value='float64'; it needs"):
        striate.config.set_floatx("float64")


@pytest.mark.parametrize("cells", [(2, 2, 2), (2, 5, 3), (3, 2, 2)])
def test_gradients_of_small_volumes_in_bfloat16(cells):
    """oneDNN's, where channels lie last, read memory that nobody has written."""
    layer, x = layers.Conv3D(8, 3, padding="same"), torch.randn(4, *cells, 8)
    y = layer(x)
    dy = torch.randn_like(y)
    (expected,) = torch.autograd.grad(y, layer.kernel, dy)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    (found,) = torch.autograd.grad(y, layer.kernel, dy.to(y.dtype))
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05 * expected.abs().max().item())
