"""SwapEMAWeights, and averaged weights at the end of `fit`, against Keras's."""

import keras
import numpy as np
import pytest
from oracles.compare import double_precision
from twins import X, Y, assert_same, fit, twins

from striate import callbacks
from striate.foundation.checks import UserError


@pytest.fixture(autouse=True)
def precision():
    with double_precision():
        yield


EMA = {"use_ema": True, "ema_momentum": 0.75, "learning_rate": 2**-6}


def seen(kind, model):
    """A callback that writes down the first weight wherever it is told something."""
    weights = []

    def look():
        weights.append(np.array(model.get_weights()[0]))

    hooks = dict.fromkeys(("on_test_begin", "on_test_end", "on_train_end"), lambda logs: look())
    hooks |= dict.fromkeys(("on_epoch_begin", "on_epoch_end", "on_train_batch_end"), lambda number, logs: look())
    return kind(**hooks), weights


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("swap", [None, False, True])
def test_training_and_every_look_are_as_in_keras(swap, optimizer):
    ours, theirs = twins(optimizer, **EMA)
    histories, looks = [], []
    for model, k in ((ours, callbacks), (theirs, keras.callbacks)):
        watcher, weights = seen(k.LambdaCallback, model)
        first = [] if swap is None else [k.SwapEMAWeights(swap_on_epoch=swap)]
        histories.append(fit(model, [*first, watcher], epochs=3))
        looks.append(weights)
    assert_same(ours, theirs, *histories)
    assert len(looks[0]) == len(looks[1])
    for mine, other in zip(*looks, strict=True):
        np.testing.assert_allclose(mine, other, 1e-9, 1e-12)


def test_validation_is_of_the_averages():
    figures = [fit(twins(**EMA)[0], given, epochs=2)["val_loss"] for given in ([], [callbacks.SwapEMAWeights()])]
    assert figures[0] != figures[1]


def trained():
    """A model whose weights are not its averages: training was interrupted before they took their place."""
    ours, theirs = twins(**EMA)
    stop = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: interrupt() if epoch == 2 else None)
    fit(ours, [stop], epochs=3)
    return ours, theirs


def interrupt():
    raise KeyboardInterrupt


def test_looks_give_the_weights_back(capsys):
    model, _ = trained()
    before = [weight.copy() for weight in model.get_weights()]
    plain = model.evaluate(X, Y, verbose=0), model.predict(X, verbose=0)
    swap = callbacks.SwapEMAWeights()
    averaged = model.evaluate(X, Y, verbose=0, callbacks=[swap]), model.predict(X, verbose=0, callbacks=[swap])
    for weight, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)
    model.optimizer.swap_averages()
    assert averaged[0] == model.evaluate(X, Y, verbose=0) != plain[0]
    np.testing.assert_array_equal(averaged[1], model.predict(X, verbose=0))
    assert not np.array_equal(averaged[1], plain[1])


@pytest.mark.parametrize("hook", ["on_test_begin", "on_epoch_end"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interruption_gives_the_weights_back(hook, error, capsys):
    ours, _ = twins(**EMA)
    before = []

    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            before[:] = [weight.copy() for weight in ours.get_weights()]

        def stop(self):
            assert ours.optimizer.averages_in_model
            raise error

    stop = Stop()
    setattr(stop, hook, lambda *args: stop.stop())
    try:
        fit(ours, [callbacks.SwapEMAWeights(swap_on_epoch=True), stop])
    except OSError:
        assert error is OSError
    assert not ours.optimizer.averages_in_model
    for weight, expected in zip(ours.get_weights()[:2], before, strict=False):
        np.testing.assert_array_equal(weight, expected)


def test_a_training_that_stops_early_ends_with_the_averages():
    ours, _ = twins(**EMA)
    swap, early = callbacks.SwapEMAWeights(swap_on_epoch=True), callbacks.EarlyStopping("loss", mode="max", patience=1)
    fit(ours, [swap, early])
    other, _ = twins(**EMA)
    fit(other, [], epochs=early.stopped_epoch + 1)
    assert 0 < early.stopped_epoch < 5
    for mine, expected in zip(ours.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_refusals():
    with pytest.raises(UserError, match="SwapEMAWeights got swap_on_epoch=1; it needs True or False"):
        callbacks.SwapEMAWeights(1)
    ours, _ = twins()
    begun = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: pytest.fail("training has begun"))
    with pytest.raises(
        UserError, match="SwapEMAWeights got SGD with use_ema=False; it needs an optimizer that keeps av"
    ):
        fit(ours, [callbacks.SwapEMAWeights(), begun])
    with pytest.raises(UserError, match=r"Compile with for example Adam\(use_ema=True\)\."):
        ours.predict(X, callbacks=[callbacks.SwapEMAWeights()])
    swap = callbacks.SwapEMAWeights()
    swap.close()
    with pytest.raises(UserError, match="SwapEMAWeights got a model that is not compiled"):
        swap.on_test_begin()
