"""Optimizers of torch's own, used as they are."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.foundation.names import snake_case
from striate.training.optimizer import Optimizer
from striate.training.slots import Parameters


class TorchOptimizer(Optimizer):
    """A `torch.optim` optimizer, used as it is: its parameters, groups and options stay the user's.

    Setting `learning_rate` writes it to every parameter group, which must share one until then.

    Args:
        engine: The torch optimizer, already made for the model's parameters, or for some of them.

    Example:
        >>> from striate.training.optimizers import get
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> get(torch.optim.NAdam([weight], lr=0.01)).learning_rate
        0.01

    Raises:
        UserError: Its `step` needs a closure (LBFGS), which `fit` does not give.
    """

    def __init__(self, engine: torch.optim.Optimizer) -> None:
        kind = type(engine).__name__
        closure = inspect.signature(engine.step).parameters.get("closure")
        if closure is not None and closure.default is inspect.Parameter.empty:
            needs = "an optimizer whose step needs no closure"
            raise UserError("TorchOptimizer", f"torch.optim.{kind}", needs, "Choose for example torch.optim.Adam.")
        super().__init__(float(engine.param_groups[0]["lr"]), name=snake_case(kind))
        self.where = kind
        self.engine = engine
        self._count()

    def build(self, parameters: Parameters) -> None:
        """Check that the torch optimizer was made for (some of) these parameters.

        Raises:
            UserError: It holds none of them: it was made for another model.
        """
        held = {p for group in self._engine().param_groups for p in group["params"]}
        if not any((p if isinstance(p, torch.Tensor) else p[1]) in held for p in parameters):
            needs = "some of the model's"
            raise UserError(self.where, "parameters of another model", needs, "Make it of model.parameters().")
        self._find_constrained(held)

    @torch.no_grad()
    def step(self) -> None:
        engine = self._engine()
        engine.step()
        self._constrain()
        engine.param_groups[0]["iterations"] += 1

    def config(self) -> dict[str, Any]:
        """Refused: Keras's files cannot hold it."""
        fix = "Compile with the name of a Keras optimizer to save its configuration."
        raise UserError(self.where, "a request for its Keras configuration", "an optimizer of Keras's", fix)

    def _slots(self) -> list[tuple[str, ...]]:
        return []

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        try:
            self._engine().load_state_dict(dict(state))
        except (KeyError, ValueError) as error:
            fix = "Load the checkpoint of the same optimizer and model."
            raise UserError(self.where, f"a state that torch refuses ({error})", "its own state_dict()", fix) from error
        self._count()

    def _count(self) -> None:
        for counter in self.counters:
            self._engine().param_groups[0].setdefault(counter, 0)
