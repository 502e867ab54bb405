"""Gradients divided by the root of what their squares were: RMSprop, Adagrad, Adadelta."""

from typing import Any

import torch

from striate.training.optimizer_options import Tensors
from striate.training.optimizers.registry import registry
from striate.training.optimizers.rule import RuleOptimizer, States


@registry.register()
class RMSprop(RuleOptimizer):
    """RMSprop (Hinton 2012): gradients divided by the root of their mean square.

    `v = rho * v + (1 - rho) * g^2; w -= learning_rate * g / sqrt(v + epsilon)`. With `centered`, the square
    of the mean gradient is taken off `v`; with momentum, the steps are summed up with that decay.
    """

    arguments = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.rho = self._decay_rate("rho", rho)
        self.momentum = self._decay_rate("momentum", momentum)
        self.epsilon = self._not_negative("epsilon", epsilon)
        self.centered = self._flag("centered", centered)

    def _slots(self) -> list[tuple[str, ...]]:
        optional = [("momentum",)] * (self.momentum > 0) + [("average_gradient",)] * self.centered
        return [("velocity",), *optional]

    def _rule(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
        velocities = [state["velocity"] for state in states]
        torch._foreach_mul_(velocities, self.rho)
        torch._foreach_addcmul_(velocities, gradients, gradients, value=1 - self.rho)
        roots = torch._foreach_add(velocities, self.epsilon)
        if self.centered:
            averages = [state["average_gradient"] for state in states]
            torch._foreach_mul_(averages, self.rho)
            torch._foreach_add_(averages, gradients, alpha=1 - self.rho)
            torch._foreach_addcmul_(roots, averages, averages, value=-1)
        torch._foreach_sqrt_(roots)
        if not self.momentum:
            torch._foreach_addcdiv_(weights, gradients, roots, value=-rate)
            return
        sums = [state["momentum"] for state in states]
        torch._foreach_mul_(sums, self.momentum)
        torch._foreach_addcdiv_(sums, gradients, roots, value=rate)
        torch._foreach_sub_(weights, sums)


@registry.register()
class Adagrad(RuleOptimizer):
    """Adagrad (Duchi et al. 2011): gradients divided by the root of the sum of all their squares.

    `s = s + g^2; w -= learning_rate * g / sqrt(s + epsilon)`, where `s` begins with `initial_accumulator_value`.
    """

    arguments = ("initial_accumulator_value", "epsilon")
    steps_one_by_one = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.initial_accumulator_value = self._not_negative("initial_accumulator_value", initial_accumulator_value)
        self.epsilon = self._not_negative("epsilon", epsilon)

    def _slots(self) -> list[tuple[str, ...]]:
        return [("accumulator",)]

    def _new_state(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        state = super()._new_state(parameter)
        state["accumulator"].fill_(self.initial_accumulator_value)
        return state

    def _update(self, parameters: Tensors) -> None:
        if not self._compiled(parameters, "adagrad", self.epsilon):
            super()._update(parameters)

    def _rule(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
        sums = [state["accumulator"] for state in states]
        torch._foreach_addcmul_(sums, gradients, gradients)
        roots = torch._foreach_add(sums, self.epsilon)
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(weights, gradients, roots, value=-rate)


@registry.register()
class Adadelta(RuleOptimizer):
    """Adadelta (Zeiler 2012): steps of the size that steps had, per root of the mean square of gradients.

    `a = rho * a + (1 - rho) * g^2; d = g * sqrt(b + epsilon) / sqrt(a + epsilon); w -= learning_rate * d`, then
    `b = rho * b + (1 - rho) * d^2`. The paper's learning rate is 1; Keras's default is small.
    """

    arguments = ("rho", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.rho = self._decay_rate("rho", rho)
        self.epsilon = self._not_negative("epsilon", epsilon)

    def _slots(self) -> list[tuple[str, ...]]:
        return [("accumulated_grad", "accumulated_delta_var")]

    def _rule(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
        squares, past = ([state[slot] for state in states] for slot in ("accumulated_grad", "accumulated_delta_var"))
        torch._foreach_mul_(squares, self.rho)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - self.rho)
        deltas = torch._foreach_add(past, self.epsilon)
        torch._foreach_div_(deltas, torch._foreach_add(squares, self.epsilon))
        torch._foreach_sqrt_(deltas)
        torch._foreach_mul_(deltas, gradients)
        torch._foreach_mul_(past, self.rho)
        torch._foreach_addcmul_(past, deltas, deltas, value=1 - self.rho)
        torch._foreach_add_(weights, deltas, alpha=-rate)
