"""Models with recurrent layers: files there and back between striate and real Keras, calls with states and masks."""

import keras
import numpy as np
import pytest
import torch
from model_files import assert_same_outputs, keras_predict, open_in_keras, stir

from striate import layers, models
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Input, Layer
from striate.models import Model, Sequential, clone_model, load_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

HERE = type("striate", (), {"layers": layers, "models": models})
N, T, F = 4, 6, 3
X = np.random.default_rng(0).normal(size=(N, T, F)).astype("float32")
X[1, 3:] = X[2, 1:] = 0
WORDS = np.random.default_rng(1).integers(0, 5, (N, T)).astype("float32")


def masks(k):
    """Masking, through every layer that takes one or hands it on."""
    x = k.layers.Input((None, F))
    y = k.layers.Masking()(x)
    y = k.layers.LSTM(4, return_sequences=True, dropout=0.2)(y)
    y = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True, reset_after=False))(y)
    y = k.layers.TimeDistributed(k.models.Sequential([k.layers.Input((6,)), k.layers.Dense(5)]))(y)
    return k.models.Model(x, k.layers.RNN([k.layers.LSTMCell(2), k.layers.SimpleRNNCell(3)])(y)), X


def words(k):
    """Embedding's mask, in two branches."""
    x = k.layers.Input((T,))
    y = k.layers.Embedding(5, 4, mask_zero=True)(x)
    one, two = k.layers.GRU(3)(y), k.layers.Bidirectional(k.layers.SimpleRNN(2), merge_mode="ave")(y)
    return k.models.Model(x, k.layers.Concatenate()([one, two])), WORDS


def states(k):
    """An encoder's states into a decoder, and out."""
    x, y = k.layers.Input((T, F)), k.layers.Input((None, F))
    _, *found = k.layers.LSTM(4, return_state=True)(x)
    output, *last = k.layers.LSTM(4, return_sequences=True, return_state=True)(y, initial_state=found)
    again = k.layers.GRU(4)(output, initial_state=last[0])
    return k.models.Model([x, y], [k.layers.Dense(2)(output), again, *last]), [X, X[:, :4]]


def directions(k):
    """States of both directions into both."""
    x = k.layers.Input((T, F))
    output, *found = k.layers.Bidirectional(k.layers.LSTM(2, return_sequences=True, return_state=True))(x)
    return k.models.Model(x, k.layers.Bidirectional(k.layers.LSTM(2))(output, initial_state=found)), X


def listed(k):
    """A Sequential."""
    return k.models.Sequential(
        [
            k.layers.Input((T, F)),
            k.layers.Masking(),
            k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True), backward_layer=None),
            k.layers.TimeDistributed(k.layers.Dense(3)),
            k.layers.SimpleRNN(2, go_backwards=True),
        ]
    ), X


@pytest.mark.parametrize("build", [masks, words, states, directions, listed])
def test_both_ways(build, tmp_path):
    (ours, x), (theirs, _) = build(HERE), build(keras)
    stir(ours)
    stir(theirs)
    expected = ours.predict(x, verbose=0)
    assert_same_outputs(keras_predict(theirs, x), expected)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    assert_same_outputs(keras_predict(open_in_keras(tmp_path / "ours.keras"), x), expected)
    assert_same_outputs(load_model(tmp_path / "theirs.keras").predict(x, verbose=0), expected)
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    for model, name in ((theirs, "ours"), (ours, "theirs")):
        model.set_weights([np.zeros(weight.shape, "float32") for weight in model.weights])
        model.load_weights(tmp_path / f"{name}.weights.h5")
        assert_same_outputs(model.predict(x, verbose=0), expected)


def test_stateful_layers_both_ways(tmp_path):
    def build(k):
        return k.models.Sequential(
            [
                k.layers.Input(batch_shape=(N, T, F)),
                k.layers.LSTM(3, stateful=True, return_sequences=True),
                k.layers.Bidirectional(k.layers.GRU(2, stateful=True)),
            ]
        )

    ours, theirs = stir(build(HERE)), stir(build(keras))
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    here, there = load_model(tmp_path / "theirs.keras"), open_in_keras(tmp_path / "ours.keras")
    for layer in there.layers:
        layer.reset_state()
    first = here.predict(X, batch_size=N, verbose=0)
    assert_same_outputs(there.predict(X, batch_size=N, verbose=0), first)
    second = here.predict(X, batch_size=N, verbose=0)
    assert_same_outputs(there.predict(X, batch_size=N, verbose=0), second)
    assert np.abs(first - second).max() > 1e-3


class Doubling(Layer):
    """A cell of one's own."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units))

    def forward(self, inputs, states):
        output = inputs @ self.kernel + 2 * states[0]
        return output, [output]

    def config(self):
        return {"units": self.units}


def test_cells_of_ones_own_in_files(tmp_path):
    model = Sequential(
        [Input((T, F)), layers.Bidirectional(layers.RNN(Doubling(2), return_sequences=True)), layers.RNN([Doubling(3)])]
    )
    model.save(tmp_path / "model.keras")
    with pytest.raises(UserError, match=r"got the class 'Doubling' inside; it needs a layer of striate's, or one"):
        load_model(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras", custom_objects={"Doubling": Doubling})
    torch.testing.assert_close(loaded(X), model(X), rtol=0, atol=0)
    clone = clone_model(model)
    clone.set_weights(model.get_weights())
    torch.testing.assert_close(clone(X), model(X), rtol=0, atol=0)


def test_operations_that_do_more_than_mask_are_read(tmp_path):
    x = keras.layers.Input((T,))
    y = keras.layers.Embedding(5, 4, mask_zero=True)(keras.ops.abs(x))
    theirs = keras.Model(x, keras.layers.LSTM(2)(y))
    theirs.save(tmp_path / "theirs.keras")
    numbers = np.array([[-1, 2, -3, 0, 0][:T]] * 2, "float32")
    numbers = np.pad(numbers, ((0, 0), (0, T - numbers.shape[1])))
    expected = theirs.predict(numbers, verbose=0)
    np.testing.assert_allclose(load_model(tmp_path / "theirs.keras").predict(numbers, verbose=0), expected, rtol=1e-5)


def test_a_layer_striate_lacks_around_or_inside_is_named(tmp_path):
    x = keras.layers.Input((3, 4, 4, 1))
    keras.Model(x, keras.layers.ConvLSTM2D(2, 2)(x)).save(tmp_path / "theirs.keras")
    with pytest.raises(UnsupportedError, match=r"ConvLSTM2D '.*' got Keras's layer 'ConvLSTM2D'; it needs one of"):
        load_model(tmp_path / "theirs.keras")


@pytest.mark.parametrize("build", [masks, states])
def test_a_step_of_training_is_that_of_keras(build):
    found = []
    for k in (HERE, keras):
        model, x = build(k)
        for layer in model.layers:
            if hasattr(layer, "cell") and hasattr(layer.cell, "dropout"):
                layer.cell.dropout = 0.0
        stir(model)
        model.compile("sgd", ["mse"] * 4 if build is states else "mse")
        predicted = model.predict(x, verbose=0)
        several = isinstance(predicted, list)
        y = [np.ones_like(one) for one in predicted] if several else np.ones_like(predicted)
        model.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0)
        found.append(model.predict(x, verbose=0))
    assert_same_outputs(*found, tolerance=1e-5)


def test_summaries_count_what_recurrent_layers_do():
    model, _ = listed(HERE)
    text = []
    model.summary(print_fn=text.append)
    theirs, _ = listed(keras)
    assert model.count_params() == theirs.count_params()
    assert "bidirectional" in text[0]
    lstm = layers.LSTM(5)
    # Each step: four gates, each the sum of two products and a bias, and four functions and products for each value.
    assert lstm.flops((None, 7, 3)) == 7 * (20 * 2 * (3 + 5) + 20 + 4 * 20)
    assert layers.Bidirectional(layers.LSTM(5)).flops((None, 7, 3)) == 2 * lstm.flops((None, 7, 3))
    assert layers.TimeDistributed(layers.Dense(2)).flops((None, 7, 3)) == 7 * layers.Dense(2).flops((None, 3))


def test_every_cell_sees_the_whole_sequence():
    x = Input((8, 1))
    model = Model(x, layers.LSTM(2, return_sequences=True)(layers.Conv1D(2, 3)(x)))
    from striate.models.measure import measure

    fields = [row.receptive_field for row in measure(model).rows]
    assert fields[1:] == [(3,), "all"]
