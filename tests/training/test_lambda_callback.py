import keras
import numpy as np
import pytest
from oracles.compare import double_precision
from twins import X, fit, twins

from striate.callbacks import Callback, LambdaCallback
from striate.foundation.checks import UserError

HOOKS = [name for name in vars(Callback) if name.startswith("on_")]
INDEXED = [name for name in HOOKS if "epoch" in name or "batch" in name]


def recorder(kind):
    """A LambdaCallback on every hook that writes down what it is told."""
    calls = []

    def hook(name):
        if name in INDEXED:
            return lambda number, logs: calls.append((name, number, sorted(logs or {})))
        return lambda logs: calls.append((name, sorted(logs or {})))

    older = ("on_batch_begin", "on_batch_end")  # which the newer names stand in for
    return kind(**{name: hook(name) for name in HOOKS if name not in older}), calls


def test_every_hook_is_called_as_by_keras():
    with double_precision():
        found = []
        for model, kind in zip(twins(), (LambdaCallback, keras.callbacks.LambdaCallback), strict=True):
            callback, calls = recorder(kind)
            fit(model, [callback], epochs=2)
            model.evaluate(X, np.zeros((40, 1)), verbose=0, callbacks=[callback])
            model.predict(X, verbose=0, callbacks=[callback])
            found.append(calls)
    mine, theirs = found
    assert [call[:-1] for call in mine] == [call[:-1] for call in theirs]
    ends = ("on_epoch_end", "on_train_batch_end", "on_test_batch_end", "on_test_end", "on_predict_batch_end")
    assert [call for call in mine if call[0] in ends] == [call for call in theirs if call[0] in ends]


def test_older_names_and_none():
    calls = []
    callback = LambdaCallback(on_batch_end=lambda batch, logs: calls.append(batch), on_epoch_end=None)
    callback.on_train_batch_end(4, {})
    callback.on_epoch_end(0, {})
    assert calls == [4]


REFUSED = [
    ({"on_epoch_ends": print}, r"LambdaCallback got an unknown hook 'on_epoch_ends'; .* Did you mean 'on_epoch_end'\?"),
    ({"set_model": print}, "LambdaCallback got an unknown hook 'set_model'"),
    (
        {"on_epoch_end": "print"},
        r"on_epoch_end='print'; it needs a function of \(epoch, logs\)\. Write for example on_ep",
    ),
    ({"on_epoch_end": lambda epoch: None}, r"on_epoch_end=<.*>; it needs a function of \(epoch, logs\)"),
    (
        {"on_train_end": lambda epoch, logs: None},
        r"it needs a function of \(logs\)\. .* on_train_end=lambda logs: \.\.\.",
    ),
    ({"on_test_batch_end": lambda: None}, r"it needs a function of \(batch, logs\)"),
]


@pytest.mark.parametrize(("hooks", "text"), REFUSED, ids=[text[:50] for _, text in REFUSED])
def test_refusals(hooks, text):
    with pytest.raises(UserError, match=text):
        LambdaCallback(**hooks)
