"""The learning rate over a training of known length."""

import math
from collections.abc import Mapping
from typing import Any

from striate.training.callback import Callback

WARM_UP = 0.15


class RiseAndFall(Callback):
    """Raises the learning rate to its peak, then lets it fall to nothing along a cosine.

    It follows from the number of the batch alone, so a resumed training goes on where it was.

    Args:
        peak: The highest rate.
        epochs: Passes over the data.

    Source: Smith and Topin, Super-Convergence, arXiv 1708.07120; cosine: Loshchilov and Hutter, arXiv 1608.03983.

    Example:
        >>> schedule = RiseAndFall(1.0, 10)
        >>> [round(schedule.rate(part), 2) for part in (0.0, 0.15, 0.575, 1.0)]
        [0.0, 1.0, 0.5, 0.0]
    """

    def __init__(self, peak: float, epochs: int) -> None:
        self.peak, self.epochs = peak, epochs
        self._epoch = 0

    def rate(self, part: float) -> float:
        """The rate when this part of the training is done, from 0 to 1."""
        if part < WARM_UP:
            return self.peak * part / WARM_UP
        return self.peak * (1 + math.cos(math.pi * (part - WARM_UP) / (1 - WARM_UP))) / 2

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        part = (self._epoch + (batch + 1) / (self.params["steps"] + 1)) / self.epochs
        self.model.optimizer.learning_rate = self.rate(part)
