"""The figures of a model that says itself what a step is."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.training.metrics.base import Metric
from striate.training.objective import Objective


class StepLogs:
    """What a model's own steps return, in the place of an `Objective` that counts.

    Args:
        model: With `metrics` and `reset_metrics`.
        objective: What `compile` chose.
        metrics: The metrics that the model has beside it.
    """

    def __init__(self, model: Any, objective: Objective, metrics: Callable[[], list[Metric]]) -> None:
        self.model, self.objective, self.own = model, objective, metrics
        self._logs: dict[str, Any] = {}

    def note(self, where: str, logs: Any) -> None:
        """Take in what a step has returned.

        Raises:
            UserError: It is no dict of numbers.
        """
        if not isinstance(logs, Mapping):
            needs = "a dict of names and numbers"
            fix = "Return {'loss': loss}, or {metric.name: metric.result() for metric in self.metrics}."
            raise UserError(f"{self.model.where}.{where}", f"a {type(logs).__name__} to return", needs, fix)
        self._logs = {}
        for name, value in logs.items():  # as Keras: what is a dict inside is spread out
            self._logs |= value if isinstance(value, Mapping) else {name: value}
        for name, value in self._logs.items():
            if not isinstance(value, torch.Tensor | int | float) and not hasattr(value, "__float__"):
                fix = "Return metric.result(), or a number."
                raise UserError(f"{self.model.where}.{where}", f"{name}={value!r} to return", "numbers", fix)

    def results(self) -> dict[str, Any]:
        """The figures that the last step returned, detached: those of `metrics` first, as Keras orders them."""
        known = [metric.name for metric in self.model.metrics]
        names = [name for name in known if name in self._logs]
        names += sorted(name for name in self._logs if name not in names)
        return {name: torch.as_tensor(_value(self._logs[name])).detach() for name in names}

    def loss(self) -> Any:
        """The figure called "loss".

        Raises:
            KeyError: The steps return none.
        """
        return self.results()["loss"]

    def reset(self) -> None:
        """Begin to count anew."""
        self._logs = {}
        self.objective.reset()
        for metric in self.own():
            metric.to(_device_of(self.model))
        self.model.reset_metrics()

    def unbind(self) -> None:
        """Forget shapes: other data comes."""
        self.objective.unbind()

    def state_dict(self) -> dict[str, Any]:
        """What has been counted in the epoch under way, for a checkpoint."""
        return {"objective": self.objective.state_dict(), "own": [metric.state_dict() for metric in self.own()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Count on from where `state_dict` was."""
        self.objective.load_state_dict(state["objective"])
        for metric, counts in zip(self.own(), state["own"], strict=True):
            metric.load_state_dict(counts)


def _value(value: Any) -> Any:
    """A metric's variable as the tensor it holds."""
    return getattr(value, "value", value)


def _device_of(module: torch.nn.Module) -> torch.device:
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device
