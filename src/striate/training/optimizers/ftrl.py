"""Follow the regularized leader: weights that stay exactly 0 unless gradients insist."""

import math
from typing import Any

import torch

from striate.foundation.checks import check_number
from striate.training.optimizer_options import Tensors
from striate.training.optimizers.registry import registry
from striate.training.optimizers.rule import RuleOptimizer, States


@registry.register()
class Ftrl(RuleOptimizer):
    """FTRL-Proximal (McMahan et al. 2013), with the shrinkage of Keras.

    `G = g + 2 * l2_shrinkage * w`, `n' = n + g^2`, `z += G - (n'^p - n^p) / learning_rate * w` with
    `p = -learning_rate_power`; then `w = (clip(z, -l1, l1) - z) / (n'^p / learning_rate + 2 * l2 + beta /
    learning_rate)`. `n` begins with `initial_accumulator_value`, and `z` with 0, as if the weights did: the first step
    takes those of the initializer towards 0.
    """

    arguments = (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        needs = "a number of at most 0"
        self.learning_rate_power = check_number(
            self.where, "learning_rate_power", learning_rate_power, needs, lambda v: -math.inf < v <= 0
        )
        self.initial_accumulator_value = self._not_negative("initial_accumulator_value", initial_accumulator_value)
        self.l1_regularization_strength = self._not_negative("l1_regularization_strength", l1_regularization_strength)
        self.l2_regularization_strength = self._not_negative("l2_regularization_strength", l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = self._not_negative(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = self._not_negative("beta", beta)

    def _slots(self) -> list[tuple[str, ...]]:
        return [("accumulator", "linear")]

    def _new_state(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        state = super()._new_state(parameter)
        state["accumulator"].fill_(self.initial_accumulator_value)
        return state

    def _rule(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
        if rate == 0:  # the limit of the formulas, which divide by it: a schedule's end leaves the weights alone
            return
        power, l1 = -self.learning_rate_power, self.l1_regularization_strength
        sums, linear = ([state[slot] for state in states] for slot in ("accumulator", "linear"))
        before = torch._foreach_pow(sums, power)
        torch._foreach_addcmul_(sums, gradients, gradients)
        after = torch._foreach_pow(sums, power)
        torch._foreach_add_(linear, gradients)
        torch._foreach_add_(linear, weights, alpha=2 * self.l2_shrinkage_regularization_strength)
        torch._foreach_addcmul_(linear, torch._foreach_sub(after, before), weights, value=-1 / rate)
        torch._foreach_div_(after, rate)
        torch._foreach_add_(after, 2 * self.l2_regularization_strength + self.beta / rate)
        clipped = torch._foreach_clamp_min(linear, -l1)
        torch._foreach_clamp_max_(clipped, l1)
        torch._foreach_sub_(clipped, linear)
        torch._foreach_div_(clipped, after)
        torch._foreach_copy_(weights, clipped)
