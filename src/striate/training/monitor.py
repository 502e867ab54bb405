"""Watching one logged quantity: is it there, which way is better, did it improve."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from striate.foundation.checks import UserError, check_choice, check_number, nearest
from striate.training.callback import Callback, Logs

# Last words of the names of Keras's metrics, and of their usual short forms.
BETTER_UP = (
    "accuracy",
    "acc",
    "auc",
    "precision",
    "recall",
    "sensitivity",
    "specificity",
    "similarity",
    "correlation",
    "iou",
    "io_u",
    "f1_score",
    "fbeta_score",
    "r2_score",
)
BETTER_DOWN = (
    "loss",
    "error",
    "crossentropy",
    "divergence",
    "hinge",
    "poisson",
    "logcosh",
    "mse",
    "mae",
    "mape",
    "msle",
    "rmse",
)


class MonitorCallback(Callback):
    """What watches one logged quantity, and knows when it got better.

    Args:
        monitor: The name of the quantity.
        mode: "min", "max", or "auto": the direction that the name tells.
        best: The value to beat at first.
        min_delta: A change smaller than this is no improvement.
    """

    # The attributes that a checkpoint keeps.
    kept: tuple[str, ...] = ("best", "_sign")

    def __init__(self, monitor: str, mode: str, best: float | None = None, min_delta: float = 0.0) -> None:
        where = type(self).__name__
        if not isinstance(monitor, str):
            fix = "Pass for example monitor='val_loss'."
            raise UserError(where, f"monitor={monitor!r}", "the name of a logged quantity", fix)
        self.monitor, self.best = monitor, best
        self.mode = check_choice(where, "mode", mode, ("auto", "min", "max"))
        self.min_delta = abs(check_number(where, "min_delta", min_delta, "a number", math.isfinite))
        self._sign = 0  # 1 where up is better, -1 where down is; not known before the first value
        self._looks = 0
        if best is not None:
            self.best = check_number(where, "the value to beat", best, "a number, or None")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._sign = self._looks = 0

    def value(self, logs: Logs) -> float | None:
        """The monitored value; None where these logs lack it although earlier ones had it.

        Raises:
            UserError: No logs had it yet, it is no single number, or its direction cannot be told.
        """
        where, got = type(self).__name__, f"monitor={self.monitor!r}"
        self._looks += 1
        if self.monitor not in logs:
            to_come = self.monitor.startswith("val_") and self._looks < self.params.get("validation_freq", 1)
            if self._sign or to_come:
                return None
            known = ", ".join(map(repr, logs))
            fix = nearest(self.monitor, logs) if logs else "Compile the model with a loss or metrics."
            if self.monitor.removeprefix("val_") in logs:
                fix = f"Give fit validation data, or monitor {self.monitor.removeprefix('val_')!r}."
            raise UserError(where, got, f"a logged quantity ({known or 'there is none'})", fix)
        self._sign = self._sign or self._direction()
        value = logs[self.monitor]
        if np.ndim(value) != 0:
            raise UserError(where, f"{got} with {len(value)} values", "a single number", "Monitor another one.")
        return float(value)

    def _direction(self) -> int:
        if self.mode != "auto":
            return 1 if self.mode == "max" else -1
        name = re.sub(r"_\d+$", "", self.monitor)  # the second AUC of a model is called auc_1
        for words, sign in ((BETTER_UP, 1), (BETTER_DOWN, -1)):
            if any(name == word or name.endswith("_" + word) for word in words):
                return sign
        got = f"monitor={self.monitor!r} with mode='auto'"
        needs = "a name that tells whether up or down is better"
        raise UserError(type(self).__name__, got, needs, "Pass mode='max' or mode='min'.")

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs to decide as an unbroken one."""
        return {name: getattr(self, name) for name in self.kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        for name in self.kept:
            setattr(self, name, state[name])

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether `value` is better than `reference` by more than `min_delta`; than None or NaN it is."""
        if reference is None or math.isnan(reference):
            return True
        threshold = value - self._sign * self.min_delta
        return threshold > reference if self._sign > 0 else threshold < reference
