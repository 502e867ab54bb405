import pytest

from striate.foundation.checks import UnsupportedError, UserError
from striate.training.callbacks import Callback, CallbackList, EarlyStopping, History

HOOKS = [name for name in vars(Callback) if name.startswith("on_")]
INDEXED = [name for name in HOOKS if "epoch" in name or "batch" in name]


class Model:
    history = None


def recorder(*hooks):
    """A callback that writes down how `hooks` were called."""
    calls = []

    def hook(name):
        return lambda self, *args: calls.append((name, *args))

    return type("Recorder", (Callback,), {name: hook(name) for name in hooks})(), calls


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_reaches_the_callbacks_in_order(hook):
    first, calls = recorder(hook)
    second, others = recorder()
    args = (3, {"loss": 1.0}) if hook in INDEXED else ({"loss": 1.0},)
    getattr(CallbackList([first, [second, first]]), hook)(*args)
    assert calls == [(hook, *args)] * 2
    assert others == []


@pytest.mark.parametrize("hook", HOOKS)
def test_missing_logs_arrive_as_an_empty_mapping(hook):
    callback, calls = recorder(hook)
    getattr(CallbackList(callback), hook)(*([0] if hook in INDEXED else []))
    assert calls[0][-1] == {}


@pytest.mark.parametrize("moment", ["begin", "end"])
def test_batch_hooks_have_keras_older_names(moment):
    callback, calls = recorder(f"on_batch_{moment}")
    getattr(CallbackList(callback), f"on_train_batch_{moment}")(4, {})
    assert calls == [(f"on_batch_{moment}", 4, {})]


def test_hooks_that_nobody_has_written_are_not_called(monkeypatch):
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_end", "on_test_batch_end")
    for hook in hooks:
        monkeypatch.setattr(Callback, hook, lambda self, *args: pytest.fail("called"))
    callbacks = CallbackList([History(), EarlyStopping(monitor="loss")])
    for hook in hooks:
        getattr(callbacks, hook)(0)


def test_a_hook_set_on_the_object_is_called():
    callback, calls = Callback(), []
    callback.on_epoch_end = lambda epoch, logs: calls.append(epoch)
    CallbackList(callback).on_epoch_end(5)
    assert calls == [5]


def test_model_params_and_history_are_handed_on():
    model, callback = Model(), Callback()
    callbacks = CallbackList([callback], add_history=True, model=model, epochs=3, steps=None)
    assert callback.model is model
    assert callback.params == {"epochs": 3, "steps": None}
    assert model.history is callbacks.history
    given = History()
    assert CallbackList([given], add_history=True).history is given
    assert CallbackList([callback]).history is None


def test_a_subclass_need_not_call_the_base_initializer():
    class Mine(Callback):
        def __init__(self):
            self.mine = 1

    mine = Mine()
    CallbackList(mine).on_train_begin()
    assert mine.model is None
    assert mine.params == {}


def test_history_collects_values_and_epochs():
    history = History()
    for run in range(2):
        history.on_train_begin()
        for epoch in range(2):
            history.on_epoch_end(epoch, {"loss": run + epoch} | ({"val_loss": 9} if epoch else {}))
    assert history.history == {"loss": [0, 1, 1, 2], "val_loss": [9, 9]}
    assert history.epoch == [0, 1]


def test_close_reaches_every_callback_whatever_happens():
    closed = []

    class Closing(Callback):
        def __init__(self, number):
            self.number = number

        def close(self):
            closed.append(self.number)
            if self.number == 1:
                raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), CallbackList([Closing(0), Callback(), Closing(1), Closing(2)]):
        raise KeyboardInterrupt
    assert closed == [0, 1, 2]
    closed.clear()
    with pytest.raises(KeyboardInterrupt), CallbackList([Closing(0)]):
        raise KeyboardInterrupt
    assert closed == [0]


def test_refusals():
    with pytest.raises(UserError, match=r"callbacks got the class EarlyStopping; .* Write it with parentheses\."):
        CallbackList([EarlyStopping])
    with pytest.raises(UserError, match=r"callbacks got 'csv'; it needs objects of class .*Callback. Derive its class"):
        CallbackList([History(), "csv"])
    with pytest.raises(UnsupportedError, match=r"CallbackList got add_progbar=True; .* Leave add_progbar out\."):
        CallbackList([], add_progbar=True)
