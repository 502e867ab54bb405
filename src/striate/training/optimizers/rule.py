"""Optimizers that torch has no kernel for: a rule of a few operations over lists of tensors."""

from collections.abc import Callable

import torch

from striate.training.optimizer import Optimizer
from striate.training.optimizer_options import Tensors

States = list[dict[str, torch.Tensor]]
Rule = Callable[[Tensors, Tensors, States, float], None]


class RuleOptimizer(Optimizer):
    """An optimizer that writes its rule itself, as `_rule`."""

    def _rule(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
        """Change weights and states in place."""
        raise NotImplementedError

    def _make_engine(self, parameters: Tensors) -> torch.optim.Optimizer:
        return _RuleEngine(parameters, self.learning_rate, self._rule)


class _RuleEngine(torch.optim.Optimizer):
    """torch's bookkeeping (groups, state, hooks) around a rule."""

    def __init__(self, parameters: Tensors, rate: float, rule: Rule) -> None:
        super().__init__(parameters, {"lr": rate})
        self.rule = rule

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of the parameters that have a gradient."""
        parameters = [p for p in self.param_groups[0]["params"] if p.grad is not None]
        gradients = [p.grad for p in parameters]
        self.rule(parameters, gradients, [self.state[p] for p in parameters], self.param_groups[0]["lr"])
