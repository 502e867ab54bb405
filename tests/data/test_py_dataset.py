import keras
import numpy as np
import pytest
import torch

from striate import utils
from striate.data import make_feed
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Dense
from striate.models import Sequential

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def rows_of(base):
    """The same class over one base class or another."""

    class Rows(base):
        def __init__(self, **options):
            super().__init__(**options)
            self.begun = self.ended = 0

        def __len__(self):
            return 5

        def __getitem__(self, index):
            part = slice(4 * index, 4 * index + 4)
            return X[part], Y[part]

        def on_epoch_begin(self):
            self.begun += 1

        def on_epoch_end(self):
            self.ended += 1

    return Rows


Rows = rows_of(utils.PyDataset)


def model():
    torch.manual_seed(0)
    network = Sequential([Dense(1, input_shape=(3,), kernel_initializer="ones")])
    network.compile("sgd", "mse")
    return network


@pytest.mark.parametrize("base", [utils.PyDataset, utils.Sequence, keras.utils.PyDataset])
@pytest.mark.parametrize("options", [{}, {"workers": 3}])
def test_fit_sees_what_arrays_would_show(base, options):
    ours, arrays = model(), model()
    data = rows_of(base)(**options)
    history = ours.fit(data, epochs=3, verbose=0, shuffle=False)
    expected = arrays.fit(X, Y, batch_size=4, epochs=3, verbose=0, shuffle=False)
    assert history.history == expected.history
    assert (data.begun, data.ended) == (3, 3)
    assert ours.evaluate(Rows(), verbose=0) == arrays.evaluate(X, Y, batch_size=4, verbose=0)
    np.testing.assert_array_equal(ours.predict(Rows(), verbose=0), arrays.predict(X, batch_size=4, verbose=0))


def test_batches_are_shuffled_anew_every_epoch_and_the_same_for_a_seed():
    def firsts(seed, number, start=0):
        feed = make_feed(Rows(), shuffle=True, seed=seed)
        return [float(batch.x[0, 0]) for batch in feed.epoch(number, start)]

    every = sorted(float(x) for x in X[::4, 0])
    assert firsts(1, 0) == firsts(1, 0)
    assert sorted(firsts(1, 0)) == sorted(firsts(1, 1)) == every
    assert firsts(1, 0) != firsts(1, 1)
    assert firsts(1, 1, start=2) == firsts(1, 1)[2:]


def test_hooks_are_called_when_steps_cut_an_epoch_short():
    data = Rows()
    model().fit(data, epochs=2, steps_per_epoch=2, verbose=0)
    assert (data.begun, data.ended) == (2, 2)


class Endless(utils.PyDataset):
    def __getitem__(self, index):
        return np.full((2, 3), index, "float32"), np.zeros((2, 1), "float32")


def test_without_end_every_epoch_goes_on():
    feed = make_feed(Endless(), steps=3)
    assert [[float(batch.x[0, 0]) for batch in feed.epoch(number)] for number in (0, 1)] == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(UserError, match=r"fit got a Endless without end; .* Write __len__, or pass steps_per_epoch"):
        model().fit(Endless(), verbose=0)


def test_refusals():
    with pytest.raises(UserError, match="fit got y beside a Rows"):
        model().fit(Rows(), Y, verbose=0)
    with pytest.raises(UserError, match="Rows got workers=-1"):
        Rows(workers=-1)
    with pytest.raises(UnsupportedError, match=r"Rows got use_multiprocessing=True; .* Pass workers=4 alone"):
        Rows(use_multiprocessing=True)
    with pytest.raises(UserError, match="PyDataset got no __getitem__"):
        _ = utils.PyDataset()[0]
