"""Callbacks that change the learning rate between epochs."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from striate.foundation.checks import UserError, check_int, check_number, check_verbose, refuse_unknown
from striate.training.callback import Callback, Logs
from striate.training.lambda_callback import takes
from striate.training.monitor import MonitorCallback
from striate.training.schedules import check_rate, item


class LearningRateScheduler(Callback):
    """Ask a function for the learning rate before every epoch, and log it as "learning_rate" after.

    Args:
        schedule: A function of (epoch, learning_rate) or (epoch), that returns the new learning rate; epochs count
            from 0. A training that `BackupAndRestore` resumes is as one unbroken if it looks at nothing else.
        verbose: 1 prints every rate.

    Raises:
        UserError: `schedule` is no such function. When training begins: a `LearningRateSchedule` sets the optimizer's
            rate. Before an epoch: the function returns no learning rate.

    Example:
        >>> from striate.layers import Dense
        >>> from striate.models import Sequential
        >>> model = Sequential([Dense(1, input_shape=(1,))])
        >>> model.compile("sgd", "mse")
        >>> halve = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else 0.5)
        >>> model.fit([[1.0]], [1.0], epochs=3, verbose=0, callbacks=[halve]).history["learning_rate"]
        [0.5, 0.25, 0.125]
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        self._with_rate = takes(schedule, 2)
        if not self._with_rate and not takes(schedule, 1):
            needs, fix = "a function of (epoch, learning_rate)", "Write for example lambda epoch, rate: rate * 0.9."
            raise UserError("LearningRateScheduler", f"schedule={schedule!r}", needs, fix)
        self.schedule, self.verbose = schedule, check_verbose("LearningRateScheduler", verbose)
        self._epoch: int | None = None  # the last one whose rate is set

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._epoch = None
        check_can_be_set(self, self.model)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch == self._epoch:  # resumed in its middle, where the optimizer has the rate already
            return
        optimizer = self.model.optimizer
        value = self.schedule(epoch, optimizer.learning_rate) if self._with_rate else self.schedule(epoch)
        try:
            rate = check_rate("LearningRateScheduler", "learning_rate", item(value))
        except UserError as error:
            got, fix = f"a schedule that returns {value!r} for epoch {epoch}", "Return the learning rate."
            raise UserError("LearningRateScheduler", got, error.needs, fix) from error
        optimizer.learning_rate, self._epoch = rate, epoch
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate set to {rate}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        log_rate(self.model, logs)

    def state_dict(self) -> dict[str, Any]:
        """For which epoch the rate is set."""
        return {"epoch": self._epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._epoch = state["epoch"]


class ReduceLROnPlateau(MonitorCallback):
    """Multiply the learning rate by a factor when the monitored quantity no longer improves.

    The rate of the epoch that ends is logged as "learning_rate".

    Args:
        monitor: The name of the logged quantity.
        factor: What the learning rate is multiplied by.
        patience: How many epochs without improvement to wait.
        verbose: 1 prints every new rate.
        mode: "min", "max", or "auto": the direction that the name tells.
        min_delta: A change smaller than this is no improvement.
        cooldown: For how many epochs after a reduction nothing is counted.
        min_lr: The learning rate does not fall below this.

    Attributes:
        wait: Epochs since the last improvement.
        cooldown_counter: Epochs of the cooldown that are left.

    Raises:
        UserError: An argument is out of range. When training begins: a `LearningRateSchedule` sets the optimizer's
            rate. At the first epoch's end: nothing of the monitored name is logged.

    Example:
        >>> reduce = ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=1e-5)
    """

    kept = (*MonitorCallback.kept, "wait", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **unknown: Any,
    ) -> None:
        where = "ReduceLROnPlateau"
        known = ("monitor", "factor", "patience", "verbose", "mode", "min_delta", "cooldown", "min_lr")
        refuse_unknown(where, unknown, known, {})
        super().__init__(monitor, mode, min_delta=min_delta)
        needs = "a factor from 0 up to but not including 1"
        self.factor = check_number(where, "factor", factor, needs, lambda v: 0 <= v < 1)
        self.patience = check_int(where, "patience", patience, minimum=0)
        self.cooldown = check_int(where, "cooldown", cooldown, minimum=0)
        self.min_lr = check_number(where, "min_lr", min_lr, "a number of at least 0", lambda v: 0 <= v < math.inf)
        self.verbose = check_verbose("ReduceLROnPlateau", verbose)
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self.best = None
        self.wait = self.cooldown_counter = 0
        check_can_be_set(self, self.model)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        log_rate(self.model, logs)
        value = self.value(logs or {})
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def in_cooldown(self) -> bool:
        """Whether the last reduction is so recent that epochs do not count."""
        return self.cooldown_counter > 0

    def _reduce(self, epoch: int) -> None:
        optimizer = self.model.optimizer
        rate = optimizer.learning_rate
        if rate > self.min_lr:
            optimizer.learning_rate = max(rate * self.factor, self.min_lr)
            self.cooldown_counter, self.wait = self.cooldown, 0
            if self.verbose:
                print(f"Epoch {epoch + 1}: learning rate reduced from {rate} to {optimizer.learning_rate}")


def check_can_be_set(callback: Callback, model: Any) -> None:
    """Refuse a model whose optimizer has no learning rate of its own to change, before it is trained.

    Raises:
        UserError: A schedule sets the rate, or the optimizer has several.
    """
    where = type(callback).__name__
    optimizer: Any = getattr(model, "optimizer", None)
    if not hasattr(optimizer, "learning_rate"):
        fix = "Compile the model first."
        raise UserError(where, "a model without an optimizer", "one with a learning rate", fix)
    try:
        optimizer.learning_rate = optimizer.learning_rate  # which the optimizer refuses where it cannot be
    except UserError as error:
        raise UserError(where, f"{error.where} with {error.got}", error.needs, error.fix) from error


def log_rate(model: Any, logs: Logs | None) -> None:
    """Add the learning rate to the logs, for the callbacks that come later."""
    if isinstance(logs, dict):
        logs["learning_rate"] = float(model.optimizer.learning_rate)
