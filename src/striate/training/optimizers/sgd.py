"""Gradient descent, with momentum or without, and by signs alone."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import check_number
from striate.training.optimizer_options import Tensors
from striate.training.optimizers.registry import registry
from striate.training.optimizers.rule import RuleOptimizer, States


@registry.register()
class SGD(RuleOptimizer):
    """Gradient descent: `w -= learning_rate * g`.

    With momentum, `v = momentum * v - learning_rate * g; w += v`; with `nesterov`,
    `w += momentum * v - learning_rate * g` (Sutskever et al. 2013). A change of the learning rate thus meets
    the new gradient only, not the velocity, where torch's SGD would scale both.
    """

    arguments = ("momentum", "nesterov")
    steps_one_by_one = True
    torch_names: ClassVar = {"momentum": "momentum_buffer"}

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        needs = "a number from 0 to 1"
        self.momentum = check_number(self.where, "momentum", momentum, needs, lambda v: 0 <= v <= 1)
        self.nesterov = self._flag("nesterov", nesterov)

    def _make_engine(self, parameters: Tensors) -> torch.optim.Optimizer:
        # torch's kernel cannot be told Nesterov's rule as Keras means it, and rounds at the 13th digit below.
        self._by_rule = bool(self.momentum) and (self.nesterov or parameters[0].dtype == torch.float64)
        if self._by_rule:
            return super()._make_engine(parameters)
        return torch.optim.SGD(parameters, lr=self.learning_rate, momentum=self.momentum, fused=True)

    def _update(self, parameters: Tensors) -> None:
        own = (self.momentum, self.nesterov) if self.momentum else ()
        if self._compiled(parameters, "momentum" if self.momentum else "sgd", *own):
            return
        if self._by_rule or not self.momentum:
            return super()._update(parameters)
        # torch's velocity is momentum * v + (1 - dampening) * g, of which lr times is taken off the weights. So told,
        # its kernel adds -learning_rate * g to Keras's velocity, and that to the weights.
        group = self._engine().param_groups[0]
        rate = group["lr"]
        group |= {"lr": -1.0, "dampening": 1 + rate}
        try:
            super()._update(parameters)
        finally:
            group["lr"] = rate

    def _slots(self) -> list[tuple[str, ...]]:
        return [("momentum",)] if self.momentum else []

    def _rule(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
        velocities = [state["momentum_buffer"] for state in states]
        torch._foreach_mul_(velocities, self.momentum)
        torch._foreach_add_(velocities, gradients, alpha=-rate)
        if self.nesterov:
            torch._foreach_add_(weights, gradients, alpha=-rate)
        torch._foreach_add_(weights, velocities, alpha=self.momentum if self.nesterov else 1)


@registry.register()
class Lion(RuleOptimizer):
    """Lion (Chen et al. 2023): `w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)`.

    Afterwards `m = beta_2 * m + (1 - beta_2) * g`. All weights move by the same amount, so that learning rates are
    three to ten times smaller than Adam's.
    """

    arguments = ("beta_1", "beta_2")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        needs = "a rate above 0 and up to 1: at 0 the momentum would do nothing"
        self.beta_1 = check_number(self.where, "beta_1", beta_1, needs, lambda v: 0 < v <= 1)
        self.beta_2 = self._decay_rate("beta_2", beta_2)

    def _slots(self) -> list[tuple[str, ...]]:
        return [("momentum",)]

    def _rule(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
        momenta = [state["momentum"] for state in states]
        directions = torch._foreach_lerp(momenta, gradients, 1 - self.beta_1)
        torch._foreach_sign_(directions)
        torch._foreach_add_(weights, directions, alpha=-rate)
        torch._foreach_lerp_(momenta, gradients, 1 - self.beta_2)
