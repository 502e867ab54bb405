"""What a step is, in Keras's words, for models that override a part of it: `train_step`, `compute_loss`, ...

Models that override nothing are trained by the loops' own steps, which compute the same; these methods are what a model
falls back on, and may call.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from striate.data.feed import Batch
from striate.foundation.checks import UserError
from striate.foundation.explain import is_ours, naming
from striate.foundation.nested import flatten
from striate.layers.layer import Layer
from striate.layers.options import arguments_of
from striate.layers.structure import as_tensor, mode
from striate.training import loop
from striate.training.diagnose import explain_loss
from striate.training.metrics.base import Metric
from striate.training.objective import Objective
from striate.training.step_logs import StepLogs

# What a model may override; then its own steps are taken.
PARTS = ("train_step", "test_step", "compute_loss", "compute_metrics", "metrics", "get_metrics_result", "reset_metrics")


class Steps(Layer):
    """The steps of `fit` and `evaluate`, whole and in parts."""

    optimizer: Any = None
    _objective: Objective | None = None
    _number: int = 0  # of the batch under way, for errors

    @naming
    def train_step(self, data: Any) -> dict[str, Any]:
        """Move the weights once; a subclass may do it in its own way.

        Args:
            data: x, (x, y) or (x, y, sample_weight), as tensors.

        Returns:
            The figures so far, by name.

        Raises:
            NotFiniteError: The loss is NaN or infinite; no weight has moved.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        self.optimizer.zero_grad()
        y_pred = self(x)
        loss = self._own_loss(x, y, y_pred, sample_weight, training=True)
        if not math.isfinite(loss.item()):
            raise explain_loss(self, x, loss.item(), self._number)
        self.optimizer.backward(loss)
        self.optimizer.step()
        return self.compute_metrics(x, y, y_pred, sample_weight)

    @naming
    def test_step(self, data: Any) -> dict[str, Any]:
        """Compare one batch; arguments and result as of `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x)
        self._own_loss(x, y, y_pred, sample_weight, training=False)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> torch.Tensor:
        """The loss that `compile` chose, a scalar, with what regularizers and layers add to it.

        Raises:
            UserError: There is none, or labels do not fit it.
        """
        objective = self._need_compiled()
        objective.bind(y, y_pred)
        return objective(y, y_pred, sample_weight, self.penalty())

    @naming
    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Count a batch in the metrics that `compile` chose; return all figures so far."""
        objective = self._need_compiled()
        objective.bind(y, y_pred)
        objective.count(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """The results so far by name, of the loss and of `metrics`."""
        if overrides(self, ["metrics"]):
            return {metric.name: metric.standing() for metric in self.metrics}
        return self._need_compiled().results() | {metric.name: metric.standing() for metric in own_metrics(self)}

    @property
    def metrics(self) -> list[Metric]:
        """What counts the losses, the total first, and the metrics, those that are attributes of the model included.

        Those of `compile` that wait for a first batch are not there.
        """
        compiled = [] if self._objective is None else self._objective.counters()
        return [*compiled, *own_metrics(self)]

    def reset_metrics(self) -> None:
        """Let losses and metrics begin to count anew."""
        self._need_compiled().reset()
        for metric in self.metrics:
            metric.reset_state()

    def _need_compiled(self) -> Objective:
        if self._objective is None:
            fix = "Call compile(optimizer='adam', loss=...) first."
            raise UserError(self.where, "a call that needs a loss", "to be compiled", fix)
        return self._objective

    def _own_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> torch.Tensor:
        """The loss, counted; a `compute_loss` of old has no argument `training`."""
        takes = "training" in arguments_of(type(self).compute_loss)
        more = {"training": training} if takes else {}
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **more)
        if not isinstance(loss, torch.Tensor) or loss.ndim:
            got = f"a {type(loss).__name__}" if not isinstance(loss, torch.Tensor) else f"shape {tuple(loss.shape)}"
            needs, fix = "a scalar tensor", "Return the mean over the batch."
            raise UserError(f"{self.where}.compute_loss", f"{got} to return", needs, fix)
        first = next(leaf for leaf in flatten(x) if leaf is not None)
        self._need_compiled().total.update_state(loss.detach(), len(first))
        return loss

    def _counts(self) -> Any:
        """What the loops count in: the objective, or what the model's own steps return."""
        objective = self._need_compiled()
        return StepLogs(self, objective, lambda: own_metrics(self)) if self._has_own_steps() else objective

    def _build_from(self, batch: Batch) -> None:
        """Make weights that wait for a first batch to know their shape."""
        if overrides(self, ["train_step"]) and not self.says_shape() and not overrides(self, ["call", "forward"]):
            self.built = True  # the step alone says what is called
            return
        with torch.no_grad(), mode(self, False):
            self(as_tensor(batch.x))

    def _has_own_steps(self) -> bool:
        return overrides(self, PARTS) or bool(own_metrics(self))

    def _train_step(self) -> Callable[..., None]:
        """What the loop does with a batch to train on."""
        return own_train_step if self._has_own_steps() else loop.train_step

    def _test_step(self) -> Callable[..., None]:
        """What the loop does with a batch to evaluate."""
        return own_test_step if self._has_own_steps() else loop.evaluate_step


def own_train_step(
    model: Any, batch: Batch, logs: StepLogs, optimizer: Any, penalty: Any = None, number: int = 0, alone: Any = ()
) -> None:
    """As `loop.train_step`, but the model says how."""
    model._number = number
    logs.note("train_step", model.train_step(pack_x_y_sample_weight(*batch)))


def own_test_step(model: Any, batch: Batch, logs: StepLogs, penalty: Any = None) -> None:
    """As `loop.evaluate_step`, but the model says how."""
    logs.note("test_step", model.test_step(pack_x_y_sample_weight(*batch)))


def own_metrics(model: Any) -> list[Metric]:
    """The metrics that are attributes of a model."""
    return [value for value in vars(model).values() if isinstance(value, Metric)]


def overrides(model: Layer, methods: Any) -> bool:
    """Whether a model's class, or the model itself, has one of these methods of the user's own."""
    kinds = [cls for cls in type(model).__mro__ if not (is_ours(cls.__module__) or cls is torch.nn.Module)]
    return any(name in vars(place) for place in [model, *kinds] for name in methods)


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The parts of a batch as Keras hands them to a step: x, (x, y) or (x, y, sample_weight).

    Example:
        >>> pack_x_y_sample_weight(1), pack_x_y_sample_weight(1, 2), pack_x_y_sample_weight([1])
        (1, (1, 2), ([1],))
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, list | tuple) else x


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """What a step is handed as (x, y, sample_weight), None for what is not there.

    Raises:
        UserError: It is a tuple of more than three.

    Example:
        >>> unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        needs = "x, (x, y) or (x, y, sample_weight)"
        raise UserError("unpack_x_y_sample_weight", f"data of {len(data)} parts", needs, "Put the inputs into a list.")
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight
