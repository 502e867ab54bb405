import math

import keras
import numpy as np
import pytest
import torch
from twins import X, Y, twins

from striate import callbacks, metrics
from striate.foundation.checks import UserError
from striate.layers import Dense
from striate.models import Sequential
from striate.training.diagnose import NotFiniteError


def begun(kind):
    """A callback that writes down what begins and ends."""
    told = []
    hooks = {
        "on_train_batch_end": lambda batch, logs: told.append(("batch", batch)),
        "on_epoch_end": lambda epoch, logs: told.append(("epoch", epoch)),
        "on_test_end": lambda logs: told.append(("test", None)),
        "on_train_end": lambda logs: told.append(("end", None)),
    }
    return kind(**hooks), told


def labels_that_explode():
    """Batches of which one, in the second epoch, has labels too large to be squared."""
    for batch in range(100):
        rows = slice(8 * (batch % 3), 8 * (batch % 3) + 8)
        yield X[rows], Y[rows] * (1e30 if batch == 4 else 1.0)


def test_training_ends_where_keras_ends_it():
    found = []
    for model, k in zip(twins(metrics=["mae"]), (callbacks, keras.callbacks), strict=True):
        watcher, told = begun(k.LambdaCallback)
        more = {"validation_data": (X[30:], Y[30:]), "steps_per_epoch": 3, "epochs": 5, "verbose": 0, "shuffle": False}
        history = model.fit(labels_that_explode(), callbacks=[k.TerminateOnNaN(), watcher], **more).history
        found.append((told, history))
    (mine, ours), (other, theirs) = found
    assert mine == other
    assert mine[-3:] == [("test", None), ("epoch", 1), ("end", None)]
    assert mine[-4] == ("batch", 1)
    assert list(ours) == list(theirs)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], 1e-5)
    np.testing.assert_allclose(ours["mae"][0], theirs["mae"][0], 1e-5)  # of the second epoch Keras's is infinite
    assert np.isfinite(ours["val_loss"]).all()
    assert ours["loss"][1] == math.inf


def network():
    torch.manual_seed(0)
    model = Sequential([Dense(2, input_shape=(5,)), Dense(1)])
    model.compile("sgd", "mse")
    return model


def weights_before_the_bad_batch():
    """What the first batch of the second epoch leaves."""
    model = network()
    more = {"steps_per_epoch": 1, "epochs": 4, "verbose": 0}
    model.fit(labels_that_explode(), **more)
    return model.get_weights()


def test_the_weights_stay_as_before_the_batch(capsys):
    model = network()
    callback = callbacks.TerminateOnNaN()
    model.fit(labels_that_explode(), steps_per_epoch=3, epochs=5, verbose=0, callbacks=[callback])
    for mine, expected in zip(model.get_weights(), weights_before_the_bad_batch(), strict=True):
        np.testing.assert_array_equal(mine, expected)
    assert capsys.readouterr().out == "Batch 1: the loss is inf, training ends\n"


@pytest.mark.parametrize("given", [[], [callbacks.TerminateOnNaN(raise_error=True)]])
def test_else_such_a_loss_is_an_error_of_both_kinds(given):
    for kind in (UserError, RuntimeError, NotFiniteError):
        with pytest.raises(
            kind, match=r"fit got loss inf at batch 1; .*; it needs a finite loss\. Lower the learning rate"
        ):
            network().fit(labels_that_explode(), steps_per_epoch=3, epochs=5, verbose=0, callbacks=given)


def test_in_a_loop_of_ones_own(capsys):
    model = network()
    for kind in (callbacks, keras.callbacks):
        for loss, stops in ((1.0, False), (None, False), (math.nan, True), (np.float32(-math.inf), True)):
            model.stop_training = False
            callback = kind.TerminateOnNaN()
            callback.set_model(model)
            callback.on_train_batch_end(2, {} if loss is None else {"loss": loss})
            assert model.stop_training == stops
    assert capsys.readouterr().out.splitlines()[:2] == [
        "Batch 2: the loss is nan, training ends",
        "Batch 2: the loss is -inf, training ends",
    ]
    with pytest.raises(RuntimeError, match="TerminateOnNaN got loss nan at batch 2; it needs a finite loss"):
        callbacks.TerminateOnNaN(raise_error=True).on_train_batch_end(2, {"loss": torch.tensor(math.nan)})
    with pytest.raises(UserError, match="TerminateOnNaN got raise_error='yes'; it needs True or False"):
        callbacks.TerminateOnNaN(raise_error="yes")


def test_metrics_do_not_count_what_is_no_number():
    kinds = ("AUC", "Precision", "Recall", "BinaryAccuracy", "F1Score", "MeanIoU", "BinaryIoU", "R2Score")
    more = {"MeanIoU": {"num_classes": 2}}
    made = [getattr(metrics, kind)(name=f"the_{kind}", **more.get(kind, {})) for kind in kinds]
    model = network()
    model.layers[0].set_weights([np.full((5, 2), np.inf, "float32"), np.zeros(2, "float32")])
    model.compile("sgd", "binary_crossentropy", metrics=[*made, "accuracy"])
    history = model.fit(X, (Y > 0).astype("float32"), epochs=3, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert history.epoch == [0]


def test_an_error_survives_the_way_between_processes():
    error = NotFiniteError("fit", "loss nan")
    kind, arguments = error.__reduce__()
    assert str(kind(*arguments)) == str(error)
