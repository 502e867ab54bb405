"""Arguments that programs of Keras 2 pass and Keras 3 still takes."""

import keras
import pytest

import striate
from striate import layers
from striate.foundation.checks import UserError

pytestmark = pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`", "ignore:.*input_length")


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind.Dense(3, input_dim=4),
        lambda kind: kind.Dense(3, input_shape=(4,)),
        lambda kind: kind.Activation("relu", input_dim=4),
        lambda kind: kind.Embedding(5, 2, input_length=3, input_shape=(3,)),
        lambda kind: kind.Embedding(5, 2, input_length=3),
    ],
)
def test_shapes_of_first_layers(make):
    model, twin = striate.Sequential([make(layers)]), keras.Sequential([make(keras.layers)])
    assert model.built == twin.built
    if twin.built:
        assert (model.input_shape, model.output_shape) == (twin.input_shape, twin.output_shape)
    assert set(model.layers[0].get_config()) <= set(twin.layers[0].get_config())


def test_what_is_no_size_is_refused():
    with pytest.raises(UserError, match=r"Dense '\w+' got input_dim=0; it needs a whole number of at least 1"):
        layers.Dense(3, input_dim=0)
    with pytest.raises(UserError, match="got input_dim and input_shape; it needs one of them"):
        layers.Dense(3, input_dim=4, input_shape=(4,))
    with pytest.raises(ValueError, match="input_shape"):
        keras.layers.Dense(3, input_dim=4, input_shape=(4,))
