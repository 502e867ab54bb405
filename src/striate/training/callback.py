"""What a callback is, and the list that calls many of them."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from striate.foundation.arguments import KnownArguments
from striate.foundation.checks import UserError, refuse_unknown

Logs = Mapping[str, Any]


class Callback(KnownArguments):
    """Something that is told how training goes, and may act on it: override the hooks that matter.

    `logs` maps names of metrics to their values so far; for batches they are worked out only when looked at.

    Attributes:
        model: The model in training.
        params: What is known of the run: "epochs", "steps" (None where unknown), "verbose".

    Example:
        >>> class Cheer(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print("epoch", epoch, "done, loss", logs["loss"])
        >>> CallbackList([Cheer()]).on_epoch_end(0, {"loss": 0.25})
        epoch 0 done, loss 0.25
    """

    model: Any = None
    params: Mapping[str, Any] = {}

    def set_model(self, model: Any) -> None:
        """Remember the model in training."""
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Remember what is known of the run."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Training begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Training ended by itself (not by an exception: see `CallbackList.close`)."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch, counted from 0, begins."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch and its validation ended; validation's values are named `val_...`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A training batch, counted from 0 within its epoch, begins."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A training batch ended; `logs` are of the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """An older name for `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """An older name for `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Evaluation, or the validation of an epoch, begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Evaluation, or the validation of an epoch, ended."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of evaluation begins."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of evaluation ended."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Prediction begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Prediction ended."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of prediction begins."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of prediction ended."""


class History(Callback):
    """Keeps what every epoch logged: `history["loss"]` is a list with one value an epoch, as `epoch` is.

    Used for several runs it goes on collecting `history`, while `epoch` starts anew, as in Keras.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, so that a resumed training has the whole history."""
        return {"epoch": list(self.epoch), "history": {name: list(values) for name, values in self.history.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the history that gave `state` was."""
        self.epoch, self.history = list(state["epoch"]), {name: list(v) for name, v in state["history"].items()}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


def _hook(name: str) -> Callable[..., None]:
    """The method that hands one hook on to the callbacks that have written it."""

    def call(self: "CallbackList", logs: Logs | None = None) -> None:
        for method in self._methods[name]:
            method({} if logs is None else logs)

    return call


def _indexed_hook(name: str) -> Callable[..., None]:
    """As `_hook`, for hooks that tell the number of an epoch or a batch."""

    def call(self: "CallbackList", index: int, logs: Logs | None = None) -> None:
        for method in self._methods[name]:
            method(index, {} if logs is None else logs)

    return call


class CallbackList:
    """Calls each hook of many callbacks, in their order, skipping those that none of them has written.

    As a context it sees to it that callbacks with a `close` method (an open file, a live progress bar) are
    closed whatever happens.

    Args:
        callbacks: A callback, or a list of them.
        add_history: Add a `History` unless there is one; it is the attribute `history`, and the model's.
        model: Handed on to each callback, as are the other named arguments, its `params`.

    Raises:
        UserError: One of them is no callback.

    Example:
        >>> with CallbackList([], add_history=True, epochs=1) as callbacks:
        ...     callbacks.on_epoch_end(0, {"loss": 0.5})
        >>> callbacks.history.history
        {'loss': [0.5]}
    """

    on_train_begin = _hook("on_train_begin")
    on_train_end = _hook("on_train_end")
    on_epoch_begin = _indexed_hook("on_epoch_begin")
    on_epoch_end = _indexed_hook("on_epoch_end")
    on_train_batch_begin = _indexed_hook("on_train_batch_begin")
    on_train_batch_end = _indexed_hook("on_train_batch_end")
    on_batch_begin = _indexed_hook("on_batch_begin")
    on_batch_end = _indexed_hook("on_batch_end")
    on_test_begin = _hook("on_test_begin")
    on_test_end = _hook("on_test_end")
    on_test_batch_begin = _indexed_hook("on_test_batch_begin")
    on_test_batch_end = _indexed_hook("on_test_batch_end")
    on_predict_begin = _hook("on_predict_begin")
    on_predict_end = _hook("on_predict_end")
    on_predict_batch_begin = _indexed_hook("on_predict_batch_begin")
    on_predict_batch_end = _indexed_hook("on_predict_batch_end")

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        refuse_unknown("CallbackList", {"add_progbar": add_progbar}, (), {"add_progbar": False})
        self.callbacks = list(_flat(callbacks))
        self.history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if add_history and self.history is None:
            self.history = History()
            self.callbacks.append(self.history)  # last, since the others may add to the logs
        names = [name for name in vars(Callback) if name.startswith("on_")]
        self._methods = {name: [getattr(c, name) for c in self.callbacks if _wrote(c, name)] for name in names}
        self.set_params(params)
        self.set_model(model)

    @property
    def own(self) -> bool:
        """Whether all that is called is striate's own: known not to look at gradients."""
        methods = [method for found in self._methods.values() for method in found]
        return all(method.__module__.startswith("striate.") for method in methods)

    def set_model(self, model: Any) -> None:
        """Tell every callback the model, and the model its history."""
        self.model = model
        if model is not None and self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Tell every callback what is known of the run."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def close(self) -> None:
        """Close every callback that can be closed, even when one of them fails to."""
        with contextlib.ExitStack() as stack:
            for callback in reversed(self.callbacks):
                if hasattr(callback, "close"):
                    stack.callback(callback.close)

    def __enter__(self) -> "CallbackList":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _flat(callbacks: Any) -> Iterable[Callback]:
    if isinstance(callbacks, CallbackList):
        yield from callbacks.callbacks
    elif isinstance(callbacks, list | tuple):
        for callback in callbacks:
            yield from _flat(callback)
    elif isinstance(callbacks, Callback):
        yield callbacks
    elif callbacks is not None:
        kind = f"the class {callbacks.__name__}" if isinstance(callbacks, type) else repr(callbacks)
        fix = "Write it with parentheses." if isinstance(callbacks, type) else "Derive its class from Callback."
        raise UserError("callbacks", kind, "objects of class striate.training.callbacks.Callback", fix)


def _wrote(callback: Callback, name: str) -> bool:
    """Whether the callback has its own `name` hook, in its class or on the object."""
    names = {name, name.replace("on_train_batch", "on_batch")}
    return any(n in vars(callback) or getattr(type(callback), n) is not getattr(Callback, n) for n in names)
