"""Precisions against Keras: dtypes, numbers and files."""

import keras
import numpy as np
import pytest
import torch

import striate.layers
import striate.models
from striate.foundation.checks import UserError
from striate.layers import Dense, Input
from striate.layers.policy import DTypePolicy, dtype_policy, set_dtype_policy
from striate.models import Sequential, load_model

X = np.random.default_rng(3).normal(size=(16, 8, 8, 3)).astype("float32")
Y = (X.mean((1, 2, 3)) > 0).astype("float32")


@pytest.fixture(autouse=True)
def policies_put_back():
    yield
    set_dtype_policy("float32")
    keras.config.set_dtype_policy("float32")


def convnet(k, **options):
    return k.models.Sequential(
        [
            k.layers.Input((8, 8, 3)),
            k.layers.Conv2D(4, 3, activation="relu", **options),
            k.layers.BatchNormalization(**options),
            k.layers.MaxPooling2D(**options),
            k.layers.Flatten(**options),
            k.layers.Dropout(0.0, **options),
            k.layers.Dense(1, "sigmoid", dtype="float32"),
        ]
    )


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16", "float16", "mixed_bfloat16", "mixed_float16"])
def test_policies_mean_what_they_mean_in_keras(name):
    ours, theirs = DTypePolicy(name), keras.DTypePolicy(name)
    assert (ours.variable_dtype, ours.compute_dtype) == (theirs.variable_dtype, theirs.compute_dtype)
    layer = Dense(2, dtype=name)
    twin = keras.layers.Dense(2, dtype=name)
    layer.build((None, 3)), twin.build((None, 3))
    assert layer.compute_dtype == twin.compute_dtype
    assert {str(weight.dtype).removeprefix("torch.") for weight in layer.weights} == {twin.variable_dtype}
    assert layer.get_config()["dtype"]["config"] == {"name": name}
    assert Dense.from_config(twin.get_config()).dtype_policy.name == name


@pytest.mark.parametrize("training", [False, True])
def test_mixed_precision_computes_as_in_keras(training):
    theirs, ours = (convnet(k, dtype="mixed_bfloat16") for k in (keras, striate))
    ours.set_weights(theirs.get_weights())
    one, other = torch.from_numpy(X), torch.from_numpy(X)
    for mine, twin in zip(ours.layers, theirs.layers, strict=True):
        one, other = mine(one, training=training), twin(other, training=training)
        assert one.dtype == other.dtype
        # Half of bfloat16's last digit, of numbers that reach about 4.
        np.testing.assert_allclose(one.detach().float(), other.detach().float(), rtol=2**-7, atol=2**-6)
    assert one.dtype == torch.float32


def test_the_global_policy_is_that_of_new_layers():
    assert dtype_policy().name == "float32"
    set_dtype_policy("mixed_bfloat16")
    model = Sequential([Input((4,)), Dense(2), Dense(1, dtype="float32")])
    assert [layer.dtype_policy.name for layer in model.layers] == ["mixed_bfloat16", "float32"]
    assert model(np.ones((1, 4))).dtype == torch.float32
    assert model.layers[0].output.dtype == "bfloat16"
    assert model.predict(np.ones((3, 4)), verbose=0).dtype == np.float32


def test_training_in_mixed_precision_learns_and_keeps_weights_whole():
    torch.manual_seed(0)
    model = convnet(striate, dtype="mixed_bfloat16")
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(X, Y, epochs=60, verbose=0).history
    assert history["loss"][-1] < 0.3 < history["loss"][0]
    assert {weight.dtype for weight in model.weights} == {torch.float32}


def test_files_keep_the_policy_both_ways(tmp_path):
    ours = convnet(striate, dtype="mixed_bfloat16")
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    back = load_model(tmp_path / "theirs.keras")
    assert [layer.dtype_policy.name for layer in back.layers] == [layer.dtype_policy.name for layer in theirs.layers]
    assert torch.equal(back(X), ours(X))
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X, verbose=0), atol=2**-8)


def test_converting_the_weights_ends_mixing():
    layer = Dense(2, dtype="mixed_bfloat16")
    layer(torch.ones(1, 3))
    layer.double()
    assert (layer.dtype, layer.compute_dtype) == ("float64", "float64")
    assert layer(torch.ones(1, 3)).dtype == torch.float64


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Dense(2, dtype="mixed_bfloat"), "got dtype='mixed_bfloat'; .*Did you mean 'mixed_bfloat16'"),
        (lambda: DTypePolicy("half"), "DTypePolicy got name='half'; it needs one of 'float32'"),
        (lambda: set_dtype_policy("float8"), "set_dtype_policy got dtype='float8'; it needs one of"),
    ],
)
def test_unknown_policies_are_refused(make, text):
    with pytest.raises(UserError, match=text):
        make()
