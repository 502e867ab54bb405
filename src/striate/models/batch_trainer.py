"""One batch at a time, for training loops of one's own: Keras's `train_on_batch` and its companions."""

from typing import Any

import torch

from striate.data.arrays import make_feed
from striate.data.feed import Batch, check_finite
from striate.foundation.checks import check_flag
from striate.foundation.explain import naming
from striate.layers.structure import mode
from striate.models.trainer import Trainer
from striate.training import loop
from striate.training.objective import to_floats

# More samples than an array can have: all of them are one batch.
_ALL = 2**62


class BatchTrainer(Trainer):
    """What models can be asked to do with one batch; losses and metrics are of that batch alone."""

    @naming
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Move the weights once.

        Args:
            x: Arrays (N, ...), or a list or dict of them.
            y: Targets.
            sample_weight: Factors of the loss, one a sample.
            class_weight: {class: factor} of the loss.
            return_dict: Whether to return the figures by name.

        Returns:
            The loss and metrics of the batch, as `evaluate` returns them.

        Raises:
            UserError: The model is not compiled, or data or labels cannot be used; no weight has moved then.
        """
        objective = self._counts()
        batch = self._one_batch("train_on_batch", x, y, sample_weight, class_weight)
        self._make_ready("train_on_batch")
        objective.reset()
        with mode(self, True), torch.enable_grad():
            self._train_step()(self, batch, objective, self.optimizer, self._penalty())
        return _figures(objective, return_dict)

    @torch.no_grad()
    @naming
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and metrics of the batch, as `evaluate` returns them.

        Raises:
            UserError: The model is not compiled, or data or labels cannot be used.
        """
        objective = self._counts()
        batch = self._one_batch("test_on_batch", x, y, sample_weight)
        objective.reset()
        with mode(self, False):
            self._test_step()(self, batch, objective, self._penalty())
        return _figures(objective, return_dict)

    @naming
    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for x, all of it at once, as NumPy arrays (N, ...).

        Raises:
            UserError: The data cannot be used.
        """
        return self.predict(x, batch_size=_ALL, verbose=0)

    @property
    def loss(self) -> Any:
        """The loss, or the list or dict of losses, that `compile` got."""
        return None if self.compile_config is None else self.compile_config["loss"]

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._objective is not None

    def _one_batch(self, where: str, x: Any, y: Any, sample_weight: Any, class_weight: Any = None) -> Batch:
        feed = make_feed(x, y, sample_weight, batch_size=_ALL, class_weight=class_weight, where=where)
        batch = next(feed.epoch(0))
        check_finite(batch, 0, where, feed)
        if not self.built:
            self._build_from(batch)
        return loop.to_device(batch, loop.device_of(self))


def _figures(objective: Any, return_dict: bool) -> Any:
    """Losses and metrics as Keras returns them: by name, in a list, or the loss alone.

    Raises:
        UserError: `return_dict` is neither True nor False.
    """
    check_flag("A step on one batch", "return_dict", return_dict)
    logs = to_floats(objective.results())
    values = list(logs.values())
    return logs if return_dict else values if len(values) > 1 else values[0]
