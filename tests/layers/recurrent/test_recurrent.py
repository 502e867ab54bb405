"""What the table of cases does not hold: masks, states that go in, come out and stay, dropout, and errors."""

import keras
import numpy as np
import pytest
import torch
from oracles.compare import assert_close, double_precision, weights_of

from striate import layers
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers.masks import mask_of, put_mask
from striate.models import Model, Sequential

N, T, F, UNITS = 4, 6, 3, 2
NAMED = ("SimpleRNN", "LSTM", "GRU")
MASKS = {
    "right": [[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0]],
    "left": [[1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1], [0, 1, 1, 1, 1, 1]],
    "holes": [[0, 1, 0, 1, 1, 0], [1, 0, 0, 0, 0, 1], [1, 1, 0, 1, 1, 1], [0, 0, 1, 0, 0, 0]],
    "nothing": [[0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]],
}


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def as_list(value):
    return list(value) if isinstance(value, list | tuple) else [value]


def pair(name: str, **arguments):
    """The layer here and in Keras, in float64 and with equal weights."""
    ours, theirs = (getattr(library, name)(UNITS, dtype="float64", **arguments) for library in (layers, keras.layers))
    x = numbers(N, T, F)
    ours(x)
    theirs(x)
    weights = [numbers(*weight.shape, seed=1 + index).numpy() for index, weight in enumerate(ours.weights)]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def assert_same(ours, theirs, inputs, run, parameters=None):
    """Outputs and gradients along random directions of a function of a layer and its inputs."""
    found = []
    for layer in (ours, theirs):
        copies = [x.clone().requires_grad_() for x in inputs]
        outputs = as_list(run(layer, *copies))
        weights = [getattr(weight, "value", weight) for weight in layer.trainable_weights]
        total = sum((output * numbers(*output.shape, seed=9)).sum() for output in outputs)
        gradients = torch.autograd.grad(total, [*copies, *weights])
        found.append([value.detach().numpy() for value in (*outputs, *gradients)])
    assert len(found[0]) == len(found[1])
    for index, (got, expected) in enumerate(zip(*found, strict=True)):
        assert_close(got, expected, 1e-12, f"array {index}")


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


@pytest.mark.parametrize("back", [False, True], ids=["ahead", "back"])
@pytest.mark.parametrize("options", [{}, {"activation": "softsign"}], ids=["fused", "steps"])
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("states", [False, True], ids=["output", "states"])
@pytest.mark.parametrize("name", NAMED)
def test_masks(name, states, kind, options, back):
    ours, theirs = pair(name, return_sequences=True, return_state=states, go_backwards=back, **options)
    mask = torch.tensor(MASKS[kind], dtype=torch.bool)
    for zero in (False, True):
        ours.zero_output_for_mask = theirs.zero_output_for_mask = zero
        assert_same(ours, theirs, [numbers(N, T, F)], lambda layer, x: layer(x, mask=mask))
        for every in (ours, theirs):
            every.return_sequences = False
        assert_same(ours, theirs, [numbers(N, T, F)], lambda layer, x: layer(x, mask=mask))
        for every in (ours, theirs):
            every.return_sequences = True


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("every", [False, True], ids=["last", "every"])
@pytest.mark.parametrize("kind", ["right", "holes"])
def test_masks_in_both_directions(kind, every, merge):
    ours, theirs = (
        library.Bidirectional(library.LSTM(UNITS, return_sequences=every, dtype="float64"), merge, dtype="float64")
        for library in (layers, keras.layers)
    )
    mask, x = torch.tensor(MASKS[kind], dtype=torch.bool), numbers(N, T, F)
    ours(x)
    theirs(x)
    ours.set_weights(weights_of(theirs))
    assert_same(ours, theirs, [x], lambda layer, x: layer(x, mask=mask))
    masks = [mask_of(output) for output in as_list(ours(x, mask=mask))]
    assert all((one is mask) if every else (one is None) for one in masks)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("options", [{}, {"activation": "softsign"}], ids=["fused", "steps"])
def test_states_go_in_and_come_out(name, options):
    ours, theirs = pair(name, return_state=True, **options)
    count = 2 if name == "LSTM" else 1
    states = [numbers(N, UNITS, seed=5 + index) for index in range(count)]
    assert_same(ours, theirs, [numbers(N, T, F), *states], lambda layer, x, *h: layer(x, initial_state=list(h)))
    shapes = [tuple(shape) for shape in theirs.compute_output_shape((None, None, F))]
    assert list(ours.compute_output_shape((None, None, F))) == shapes
    if count == 1:
        x = numbers(N, T, F)
        assert torch.equal(ours(x, initial_state=states[0])[0], ours(x, initial_state=states)[0])


@pytest.mark.parametrize("merge", ["concat", None])
def test_states_of_both_directions(merge):
    ours, theirs = (
        library.Bidirectional(
            library.LSTM(UNITS, return_sequences=True, return_state=True, dtype="float64"), merge, dtype="float64"
        )
        for library in (layers, keras.layers)
    )
    states = [numbers(N, UNITS, seed=5 + index) for index in range(4)]
    ours(numbers(N, T, F))
    theirs(numbers(N, T, F))
    ours.set_weights(weights_of(theirs))
    assert_same(ours, theirs, [numbers(N, T, F), *states], lambda layer, x, *h: layer(x, initial_state=list(h)))
    expected = [tuple(shape) for shape in theirs.compute_output_shape((None, 5, F))]
    assert list(ours.compute_output_shape((None, 5, F))) == expected


@pytest.mark.parametrize("options", [{}, {"activation": "softsign"}], ids=["fused", "steps"])
@pytest.mark.parametrize("name", NAMED)
def test_stateful_layers_go_on_where_they_were(name, options):
    ours, theirs = pair(name, stateful=True, **options)
    for layer in (ours, theirs):
        layer.reset_state()
    # Keras's own stateful layers cannot go backwards with torch: they change their states in place.
    outputs = [[layer(numbers(N, T, F, seed=seed)).detach().numpy() for seed in range(3)] for layer in (ours, theirs)]
    for got, expected in zip(*outputs, strict=True):
        assert_close(got, expected, 1e-12)
    for layer in (ours, theirs):
        layer.reset_states()
    again = [layer(numbers(N, T, F)).detach().numpy() for layer in (ours, theirs)]
    assert_close(*again, 1e-12)
    assert_close(again[0], outputs[0][0], 1e-12)


@pytest.mark.parametrize("name", NAMED)
def test_gradients_of_stateful_layers_end_where_the_batch_begins(name):
    stateful, _ = pair(name, stateful=True)
    plain = getattr(layers, name)(UNITS, dtype="float64")
    plain(numbers(N, T, F))
    plain.set_weights(stateful.get_weights())
    states = [state.clone() for state in stateful.states]
    assert all(state.abs().sum() > 0 for state in states)

    def run(layer, x):
        return layer(x, initial_state=states) if layer is plain else layer(x)

    assert_same(stateful, plain, [numbers(N, T, F)], run)


def test_stateful_layers_train_after_they_predicted():
    layer = layers.LSTM(UNITS, stateful=True)
    layer.ensure_built((N, T, F))
    with torch.inference_mode():
        layer(torch.ones(N, T, F))
    layer(torch.ones(N, T, F)).sum().backward()
    layer(torch.ones(N, T, F)).sum().backward()
    assert layer.cell.kernel.grad.abs().sum() > 0


def test_a_stateful_pair_of_directions():
    ours, theirs = (
        library.Bidirectional(library.GRU(UNITS, stateful=True, dtype="float64"), dtype="float64")
        for library in (layers, keras.layers)
    )
    ours(numbers(N, T, F))
    theirs(numbers(N, T, F))
    ours.set_weights(weights_of(theirs))
    for layer in (ours, theirs):
        layer.reset_states()
    for seed in range(2):
        got, expected = (layer(numbers(N, T, F, seed=seed)).detach().numpy() for layer in (ours, theirs))
        assert_close(got, expected, 1e-12)


def test_fused_and_step_by_step_are_the_same():
    for name, options in (("LSTM", {}), ("GRU", {}), ("LSTM", {"use_bias": False})):
        fused = getattr(layers, name)(UNITS, dtype="float64", return_sequences=True, **options)
        steps = getattr(layers, name)(UNITS, dtype="float64", return_sequences=True, use_cudnn=False, **options)
        x = numbers(N, T, F)
        fused(x)
        steps(x)
        steps.set_weights(fused.get_weights())
        for kind in MASKS.values():
            assert_same(fused, steps, [x], lambda layer, x, kind=kind: layer(x, mask=torch.tensor(kind)))


def keep(like: torch.Tensor, seed: int) -> torch.Tensor:
    """What a cell keeps in training, drawn here so that both libraries use the same."""
    return torch.tensor(np.random.default_rng(seed).integers(0, 2, like.shape) * 2.0)


@pytest.mark.parametrize("recurrent", [0.0, 0.5], ids=["input", "both"])
@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("options", [{}, {"activation": "softsign"}], ids=["fused", "steps"])
def test_dropout_drops_what_keras_drops(name, recurrent, options, monkeypatch):
    ours, theirs = pair(name, dropout=0.5, recurrent_dropout=recurrent, return_sequences=True, **options)
    gates = ours.cell.gates if recurrent else 1
    of_input = [keep(torch.empty(N, F), seed) for seed in range(gates)]
    of_state = [keep(torch.empty(N, UNITS), 100 + seed) for seed in range(gates)]

    def ours_keep(rate, count, x, width):
        if not ours.cell.training or not rate:
            return None
        assert count == gates
        return torch.stack(of_input if width == F else of_state)

    def listed(keeps):
        return keeps if getattr(theirs.cell, "dropout_mask_count", None) else keeps[0]

    monkeypatch.setattr(ours.cell, "_keep", ours_keep)
    monkeypatch.setattr(theirs.cell, "get_dropout_mask", lambda x: listed(of_input))
    monkeypatch.setattr(theirs.cell, "get_recurrent_dropout_mask", lambda x: listed(of_state) if recurrent else None)
    assert_same(ours, theirs, [numbers(N, T, F)], lambda layer, x: layer(x, training=True))
    assert_same(ours, theirs, [numbers(N, T, F)], lambda layer, x: layer(x, training=False))


def test_dropout_keeps_the_mean_and_has_a_seed():
    cell = layers.LSTMCell(3, dropout=0.2, recurrent_dropout=0.4)
    cell.training = True
    kept = cell._keep(0.2, 4, torch.ones(100_000, 1), 2)
    assert kept.shape == (4, 100_000, 2)
    assert set(kept.unique().tolist()) == {0.0, 1.25}
    assert float(kept.mean()) == pytest.approx(1, abs=0.01)
    x = torch.ones(N, T, F)
    one, other = (layers.GRU(UNITS, dropout=0.5, recurrent_dropout=0.5, seed=3) for _ in range(2))
    one(x)
    other(x)
    other.set_weights(one.get_weights())
    torch.testing.assert_close(one(x, training=True), other(x, training=True), rtol=0, atol=0)
    assert not torch.equal(one(x, training=True), one(x))


@pytest.mark.parametrize("name", ["SimpleRNNCell", "LSTMCell", "GRUCell"])
def test_cells_do_one_step(name):
    ours, theirs = (getattr(library, name)(UNITS, dtype="float64") for library in (layers, keras.layers))
    states = [numbers(N, UNITS, seed=5 + index) for index in range(2 if name == "LSTMCell" else 1)]
    x = numbers(N, F)

    def flat(result):
        output, after = result
        return [output, *as_list(after)]

    ours(x, states)
    theirs(x, states)
    ours.set_weights(weights_of(theirs))
    assert_same(ours, theirs, [x, *states], lambda cell, x, *h: flat(cell(x, list(h))))
    if len(states) == 1:
        assert torch.equal(ours(x, states[0])[1], ours(x, states)[1][0])
    assert ours.state_size == theirs.state_size
    assert ours.output_size == theirs.output_size
    config = ours.get_config()
    assert getattr(keras.layers, name).from_config(config).get_config()["units"] == UNITS
    assert getattr(layers, name).from_config(theirs.get_config()).get_config() == {**config, "name": theirs.name}


class Adding(layers.Layer):
    """A cell of one's own: adds up what comes, twice."""

    state_size = (F, F)
    output_size = F

    def build(self, input_shape):
        self.factor = self.add_weight((F,), "ones")

    def call(self, inputs, states, training=None):
        assert training is not None
        total = states[0] + inputs * self.factor
        return total, [total, states[1] + total]

    def get_initial_state(self, batch_size):
        return [torch.ones(batch_size, F), torch.zeros(batch_size, F)]


class Counting(layers.Layer):
    """A cell with one state, which says nothing about output or beginning."""

    state_size = F

    def forward(self, inputs, states):
        return states[0] + inputs, states[0] + inputs


def test_cells_of_ones_own():
    x = numbers(N, T, F).float()
    output, total, again = layers.RNN(Adding(), return_sequences=True, return_state=True)(x)
    expected = 1 + x.cumsum(1)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(total, expected[:, -1])
    torch.testing.assert_close(again, expected.sum(1))
    torch.testing.assert_close(layers.RNN([Counting(), Counting()])(x), x.cumsum(1).cumsum(1)[:, -1])
    mask = torch.tensor(MASKS["holes"])
    torch.testing.assert_close(layers.RNN(Counting())(x, mask=mask), (x * mask[..., None]).sum(1))
    both = layers.Bidirectional(layers.RNN(Counting(), return_sequences=True), "sum")(x)
    torch.testing.assert_close(both, x.cumsum(1) + x.flip(1).cumsum(1).flip(1))


@pytest.mark.parametrize("masked", [False, True])
def test_stacked_cells_with_masks_and_states(masked):
    ours, theirs = (
        library.RNN(
            [library.LSTMCell(3, dtype="float64"), library.GRUCell(2, dtype="float64")],
            return_sequences=True,
            return_state=True,
            dtype="float64",
        )
        for library in (layers, keras.layers)
    )
    mask = torch.tensor(MASKS["holes"], dtype=torch.bool) if masked else None
    x = numbers(N, T, F)
    ours(x)
    theirs(x)
    ours.set_weights(weights_of(theirs))

    def run(layer, x):
        output, first, second = layer(x, mask=mask)
        return [output, *first, *as_list(second)]

    assert_same(ours, theirs, [x], run)


def test_masks_travel_from_layer_to_layer():
    model = Sequential(
        [
            layers.Input((T, F)),
            layers.Masking(),
            layers.LSTM(3, return_sequences=True),
            layers.Bidirectional(layers.GRU(2, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(2)),
            layers.SimpleRNN(2),
        ]
    )
    theirs = keras.Sequential(
        [
            keras.layers.Input((T, F)),
            keras.layers.Masking(),
            keras.layers.LSTM(3, return_sequences=True, dtype="float32"),
            keras.layers.Bidirectional(keras.layers.GRU(2, return_sequences=True, dtype="float32"), dtype="float32"),
            keras.layers.TimeDistributed(keras.layers.Dense(2, dtype="float32"), dtype="float32"),
            keras.layers.SimpleRNN(2, dtype="float32"),
        ]
    )
    model.set_weights(weights_of(theirs))
    x = numbers(N, T, F).float().numpy() * np.array(MASKS["right"], dtype="float32")[..., None]
    got, expected = model.predict(x, verbose=0), theirs.predict(x, verbose=0)
    assert_close(got, expected, 1e-5)
    assert np.abs(got - Sequential(model.layers[1:]).predict(x, verbose=0)).max() > 1e-3


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.LSTM(0), r"^LSTMCell 'lstm_cell' got units=0; it needs a whole number of at least 1"),
        (lambda: layers.GRU(2, dropout=1), r"^GRUCell 'gru_cell' got dropout=1; it needs a rate from 0 up to but not"),
        (lambda: layers.LSTM(2, use_cudnn=1), r"got use_cudnn=1; it needs 'auto', True or False\. Leave it out\."),
        (
            lambda: layers.LSTM(2, activation="relu", use_cudnn=True, name="mine"),
            r"^LSTM 'mine' got use_cudnn=True; it needs the activations and options that torch's own",
        ),
        (
            lambda: layers.RNN(layers.Dense(2, name="two"), name="mine"),
            r"^RNN 'mine' got Dense 'two'; it needs a cell: a layer with state_size .*\. Take LSTMCell",
        ),
        (lambda: layers.RNN([], name="x"), r"^StackedRNNCells '.*' got cells=\[\]; it needs a list of cells\. Pass"),
        (lambda: layers.RNN(layers.LSTMCell, name="mine"), r"^RNN 'mine' got <class .*Call the class: LSTM\(4\)"),
        (
            lambda: layers.Bidirectional(layers.Dense(2, name="two"), name="mine"),
            r"^Bidirectional 'mine' got Dense 'two'; it needs a recurrent layer: .*\. Take TimeDistributed for",
        ),
        (
            lambda: layers.Bidirectional(
                layers.LSTM(2, name="a"), backward_layer=layers.LSTM(2, return_sequences=True, name="b"), name="mine"
            ),
            r"got return_sequences=False in LSTM 'forward_a' and return_sequences=True in LSTM 'b'; it needs the same",
        ),
        (
            lambda: layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2), name="mine"),
            r"^Bidirectional 'mine' got go_backwards=False in both layers; it needs True in one and False in the other",
        ),
        (
            lambda: layers.Bidirectional(
                layers.LSTM(2), "sum", backward_layer=layers.LSTM(3, go_backwards=True), name="mine"
            )(torch.ones(1, 2, 3)),
            r"^Bidirectional 'mine' got units that give .* and .*; it needs outputs of one size for merge_mode='sum'",
        ),
        (lambda: layers.Bidirectional(layers.LSTM(2), "max"), r"got merge_mode='max'; it needs one of 'sum', 'mul'"),
        (
            lambda: layers.LSTM(2, name="mine")(torch.ones(4, 3, 2), initial_state=torch.ones(4, 2)),
            r"^LSTM 'mine' got initial_state of \(4, 2\); it needs \(4, 2\) and \(4, 2\)\. Pass the",
        ),
        (
            lambda: layers.LSTM(2, stateful=True, name="mine")(layers.Input((5, 3))),
            r"^LSTM 'mine' got shape \(None, 5, 3\).*; it needs a known N, since it keeps states",
        ),
        (
            lambda: layers.TimeDistributed(layers.LSTM(2, return_state=True), name="mine")(torch.ones(2, 3, 4, 5)),
            r"^TimeDistributed 'mine' got shape \(2, 3, 4, 5\); it needs a layer with one output\. Call",
        ),
        (lambda: layers.TimeDistributed(3, name="mine"), r"^TimeDistributed 'mine' got 3; it needs a layer or a model"),
    ],
)
def test_refused(make, text):
    with pytest.raises(UserError, match=text):
        make()


def test_a_stateful_layer_refuses_another_number_of_items():
    layer = layers.LSTM(2, stateful=True, name="mine")
    layer(torch.ones(4, 3, 2))
    with pytest.raises(UserError, match=r"it needs N=4, for which it keeps states .*\. Feed batches of one size"):
        layer(torch.ones(3, 3, 2))


def test_arguments_of_the_cell_are_the_layers_too():
    layer = layers.LSTM(3, activation="relu", dropout=0.1)
    assert (layer.units, layer.dropout, layer.use_bias, layer.unit_forget_bias) == (3, 0.1, True, True)
    assert layer.activation is layer.cell.activation
    with pytest.raises(AttributeError):
        _ = layer.reset_after


def test_the_gate_that_forgets_begins_open():
    layer = layers.LSTM(2, bias_initializer="zeros")
    layer(torch.ones(1, 2, 3))
    assert layer.get_weights()[2].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    layer = layers.LSTM(2, unit_forget_bias=False)
    layer(torch.ones(1, 2, 3))
    assert not layer.get_weights()[2].any()


def test_layers_that_are_refused():
    for name in ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"):
        with pytest.raises(
            UnsupportedError, match=rf"^{name} got a call, .*; it needs layers that .*\. Put TimeDistri"
        ):
            getattr(layers, name)(2, 3)


def test_stacked_states_as_symbols():
    x = layers.Input((T, F))
    cells = [layers.LSTMCell(2), layers.GRUCell(3)]
    output, (h, c), last = layers.RNN(cells, return_state=True)(x)
    model = Model(x, [output, h, c, last])
    assert model.output_shape == [(None, 3), (None, 2), (None, 2), (None, 3)]
    found = model(numbers(N, T, F).float())
    expected, one, two = model.layers[1](numbers(N, T, F).float())
    for got, wanted in zip(found, (expected, *one, two), strict=True):
        torch.testing.assert_close(got, wanted)


def test_masks_given_as_numpy():
    layer, x = layers.GRU(2), torch.ones(N, T, F)
    mask = np.array(MASKS["right"], dtype=bool)
    assert torch.equal(layer(x, mask=mask), layer(x, mask=torch.tensor(mask)))


def test_weights_to_begin_with():
    first = layers.Bidirectional(layers.GRU(2))
    first(torch.ones(N, T, F))
    again = layers.Bidirectional(layers.GRU(2), weights=first.get_weights())
    assert torch.equal(again(torch.ones(N, T, F)), first(torch.ones(N, T, F)))


def test_time_distributed_models_and_masks():
    inner = Sequential([layers.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)])
    x = torch.randn(2, 5, 4, 4, 1)
    put_mask(x, torch.ones(2, 5, dtype=torch.bool))
    output = layers.TimeDistributed(inner)(x)
    torch.testing.assert_close(output, torch.stack([inner(x[:, step]) for step in range(5)], 1))
    assert mask_of(output) is mask_of(x)


def test_time_distributed_steps_do_not_meet_where_items_do():
    """Batch normalisation sees the items of one step at a time, and moves its averages at each."""
    ours, theirs = (
        library.TimeDistributed(library.BatchNormalization(dtype="float64"), dtype="float64")
        for library in (layers, keras.layers)
    )
    x = numbers(N, T, F)
    for _ in range(2):
        assert_close(ours(x, training=True).detach().numpy(), theirs(x, training=True).detach().numpy(), 1e-12)
    for got, expected in zip(ours.get_weights(), weights_of(theirs), strict=True):
        assert_close(got, expected, 1e-12)


def test_a_mask_reaches_a_recurrent_layer_at_each_step():
    ours, theirs = (
        library.TimeDistributed(library.GRU(2, dtype="float64"), dtype="float64") for library in (layers, keras.layers)
    )
    x = numbers(2, 4, T, F)
    mask = torch.tensor([MASKS["holes"], MASKS["nothing"]], dtype=torch.bool)
    ours(x)
    theirs(x)
    ours.set_weights(weights_of(theirs))
    assert_same(ours, theirs, [x], lambda layer, x: layer(x, mask=mask))


def test_an_encoder_hands_its_states_to_a_decoder():
    x, y = layers.Input((None, F)), layers.Input((None, F))
    _, *states = layers.LSTM(3, return_state=True)(x)
    output = layers.LSTM(3, return_sequences=True)(y, initial_state=states)
    model = Model([x, y], layers.Dense(2)(output))
    assert model.output_shape == (None, None, 2)
    a, b = np.ones((2, 4, F), "float32"), np.ones((2, 7, F), "float32")
    first, second, dense = (layer for layer in model.layers if layer.weights)
    h = first(a)[1:]
    torch.testing.assert_close(model([a, b]), dense(second(b, initial_state=h)))
    model.compile("sgd", "mse")
    before = first.get_weights()[0].copy()
    model.fit([a, b], np.zeros((2, 7, 2), "float32"), verbose=0)
    assert not np.array_equal(before, first.get_weights()[0])


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_a_cell_of_another_dtype_gets_its_own(dtype):
    ours, theirs = (library.RNN(library.GRUCell(2), dtype=dtype) for library in (layers, keras.layers))
    assert ours(torch.ones(1, 3, 2)).dtype == theirs(torch.ones(1, 3, 2)).dtype == getattr(torch, dtype)
