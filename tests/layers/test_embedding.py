"""Embedding and Masking: which numbers, masks, and what is refused. Outputs are in the oracle's table."""

from typing import Any

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Dense, Embedding, Identity, Input, Masking
from striate.layers.masks import mask_of
from striate.layers.symbol import ShapeError
from striate.models import Model, Sequential

WORDS = np.array([[1, 0, 3], [0, 0, 2]])


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64", "uint8"])
@pytest.mark.parametrize("mask_zero", [True, False])
def test_rows_and_masks_are_those_of_keras_for_every_kind_of_whole_number(dtype: str, mask_zero: bool):
    rows = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    ours = Embedding(4, 5, mask_zero=mask_zero, weights=rows)
    theirs = keras.layers.Embedding(4, 5, mask_zero=mask_zero, weights=rows)
    x = WORDS.astype(dtype)
    got, expected = ours(x), theirs(x)
    np.testing.assert_array_equal(got.detach(), expected.detach())
    masks = mask_of(got), keras.src.backend.get_keras_mask(expected)
    assert (masks[0] is None) == (masks[1] is None) == (not mask_zero)
    if mask_zero:
        np.testing.assert_array_equal(masks[0], masks[1])
    assert ours.supports_masking == theirs.supports_masking == mask_zero


@pytest.mark.parametrize(
    "weights", [np.ones((3, 2)), [np.ones((3, 2))], torch.ones(3, 2)], ids=["array", "list", "torch"]
)
def test_weights_given_are_there_from_the_beginning(weights: Any):
    layer = Embedding(3, 2, weights=weights)
    assert layer.built
    np.testing.assert_array_equal(layer.get_weights()[0], np.ones((3, 2)))
    assert layer.embeddings is layer.weights[0]


@pytest.mark.parametrize(
    ("words", "wrong"),
    [([[0, 3]], "3"), ([[7, -1]], "7"), ([[0, -1]], "-1"), ([[0.0, 1.5]], "1.5"), ([[float("nan")]], "nan"),
     ([[3.0]], "3")],
)  # fmt: skip
def test_a_number_without_a_row_is_named(words: Any, wrong: str):
    text = (
        rf"^Embedding 'words' got the number {wrong} to look up; it needs whole numbers from 0 to 2, one less than inp"
    )
    with pytest.raises(UserError, match=text):
        Embedding(3, 2, name="words")(torch.tensor(words))


def test_a_number_without_a_row_is_named_in_a_model():
    model = Sequential([Input((2,)), Embedding(3, 2, name="words"), Dense(1)])
    with pytest.raises(UserError, match=r"Embedding 'words' got the number 3 to look up"):
        model.predict(np.array([[1, 3]]), verbose=0)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Embedding(0, 2), r"Embedding '\w+' got input_dim=0; it needs a whole number of at least 1"),
        (lambda: Embedding(3, 2.5), r"output_dim=2.5; it needs a whole number of at least 1"),
        (lambda: Embedding(3, 2, "normale"), r"got initializer 'normale'; .* Did you mean"),
        (lambda: Embedding(3, 2, mask_zero=1), r"mask_zero=1; it needs True or False"),
        (lambda: Embedding(3, 2, weights=np.ones((2, 3))), r"weight 0 of shape \(2, 3\); it needs \(3, 2\)"),
        (lambda: Masking("none"), r"Masking '\w+' got mask_value='none'; it needs a number"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()


@pytest.mark.parametrize("argument", ["lora_rank", "lora_alpha", "quantization_config"])
def test_what_keras_has_and_striate_has_not_is_refused(argument: str):
    with pytest.raises(
        UnsupportedError, match=rf"Embedding got {argument}=4; it needs {argument}=None: striate does not"
    ):
        Embedding(3, 2, **{argument: 4})


def test_input_length_of_older_keras_is_not_needed():
    with pytest.warns(UserWarning, match="Embedding needs no input_length since Keras 3"):
        assert Embedding(3, 2, input_length=7).compute_output_shape((None, 5)) == (None, 5, 2)


def test_a_list_is_no_input():
    with pytest.raises(
        ShapeError, match=r"Embedding 'e' got shape .*; it needs \(N, ...\)\. Pass one array with a batch"
    ):
        Embedding(3, 2, name="e").compute_output_shape([(2, 3), (2, 3)])


@pytest.mark.parametrize("value", [0.0, 0.1, -1])
def test_masks_of_masking_are_those_of_keras(value: float):
    x = np.random.default_rng(1).normal(size=(3, 4, 2)).astype("float32")
    x[0, 1] = x[2, 2:] = x[1, 0, 0] = value  # in the last only one of two numbers
    ours, theirs = Masking(value)(x), keras.layers.Masking(value)(x)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(mask_of(ours), keras.src.backend.get_keras_mask(theirs))
    assert mask_of(ours).sum() == 9


def test_masks_travel_from_embedding_through_a_model():
    x = Input((3,))
    model = Model(x, Identity()(Dense(2)(Embedding(4, 5, mask_zero=True)(x))))
    np.testing.assert_array_equal(mask_of(model(torch.from_numpy(WORDS))), WORDS != 0)


def test_identity_gives_back_one_array_or_several():
    x, y = torch.ones(2, 3), torch.zeros(2)
    assert Identity()(x) is x
    assert Identity()([x, y])[1] is y
    one, two = Identity()([Input((3,)), Input((4,), dtype="int32")])
    assert (one.shape, two.shape) == ((None, 3), (None, 4))
