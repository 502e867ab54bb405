"""Ending a training whose loss is no number."""

import math

from striate.foundation.checks import check_flag
from striate.training.callback import Callback, Logs
from striate.training.diagnose import NotFiniteError


class TerminateOnNaN(Callback):
    """End training in good order when the loss is NaN or infinite, instead of with an error.

    Without it, or with `raise_error`, `fit` refuses such a loss and names the layer where the numbers went wrong.
    With it the loss counts in the history, as in Keras, and training ends after the epoch's validation. Other than in
    Keras the weights and the metrics stay as they were before that batch. Inputs that are not finite are refused.

    Args:
        raise_error: Raise an error, which is a RuntimeError as well, so that `on_train_end` is not called.

    Raises:
        UserError: `raise_error` is neither True nor False.

    Example:
        >>> from striate.layers import Dense
        >>> from striate.models import Sequential
        >>> model = Sequential([Dense(1, kernel_initializer="ones", input_shape=(1,))])
        >>> model.compile("sgd", "mse")
        >>> x = [[1e30]]
        >>> history = model.fit(x, [0.0], epochs=5, verbose=0, callbacks=[TerminateOnNaN()])
        Batch 0: the loss is inf, training ends
        >>> history.history
        {'loss': [inf]}
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = check_flag("TerminateOnNaN", "raise_error", raise_error)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = None if logs is None else logs.get("loss")  # not `logs or {}`, which would work out all metrics
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise NotFiniteError("TerminateOnNaN", f"loss {float(loss)} at batch {batch}")
        print(f"Batch {batch}: the loss is {float(loss)}, training ends")
        self.model.stop_training = True
