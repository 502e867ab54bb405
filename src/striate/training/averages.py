"""Evaluating, predicting and saving with averaged weights."""

from typing import Any

from striate.foundation.checks import UserError, check_flag
from striate.training.callback import Callback, Logs


class SwapEMAWeights(Callback):
    """Evaluate and predict with the moving averages of the weights that an optimizer with `use_ema` keeps.

    Validation, `evaluate` and `predict` see the averages; training goes on with the weights themselves. They change
    places in memory, so that no third copy is needed. Interrupted half-way, the model gets its own weights back.

    Args:
        swap_on_epoch: Leave the averages in the model from the end of an epoch to the beginning of the next, for
            callbacks that come later in the list (ModelCheckpoint) to find them.

    Raises:
        UserError: When training, evaluation or prediction begins: the optimizer keeps no averages.

    Example:
        >>> from striate.layers import Dense
        >>> from striate.models import Sequential
        >>> from striate.training.optimizers import SGD
        >>> model = Sequential([Dense(1, input_shape=(2,))])
        >>> model.compile(SGD(use_ema=True), "mse")
        >>> data = [[0.0, 1.0]], [0.5]
        >>> history = model.fit(*data, validation_data=data, verbose=0, callbacks=[SwapEMAWeights()])
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = check_flag("SwapEMAWeights", "swap_on_epoch", swap_on_epoch)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._optimizer()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._show(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._show(True)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._show(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._show(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._show(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._show(False)

    def close(self) -> None:
        """Give the model its own weights back, where an error or Ctrl-C came in between."""
        if getattr(getattr(self.model, "optimizer", None), "averages_in_model", False):
            self._show(False)

    def _show(self, averages: bool) -> None:
        """Put the averages into the model, or its own weights; the optimizer knows which are there."""
        optimizer = self._optimizer()
        if optimizer.averages_in_model != averages:
            optimizer.swap_averages()

    def _optimizer(self) -> Any:
        optimizer = getattr(self.model, "optimizer", None)
        if not getattr(optimizer, "use_ema", False):
            got = "a model that is not compiled" if optimizer is None else f"{optimizer.where} with use_ema=False"
            fix = "Compile with for example Adam(use_ema=True)."
            raise UserError("SwapEMAWeights", got, "an optimizer that keeps averages", fix)
        return optimizer
