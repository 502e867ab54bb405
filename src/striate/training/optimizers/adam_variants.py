"""Adam with a momentum that looks ahead (Nadam), and with the largest gradient in place of the mean square (Adamax)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from striate.training.optimizer import Optimizer
from striate.training.optimizer_options import Tensors
from striate.training.optimizers.registry import registry
from striate.training.optimizers.rule import RuleOptimizer, States


@registry.register()
class Nadam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016).

    The momentum of step t is `beta_1 * (1 - 0.5 * 0.96^t)`: torch's NAdam with a `momentum_decay` of 1.
    """

    arguments = ("beta_1", "beta_2", "epsilon")
    torch_names: ClassVar = {"momentum": "exp_avg", "velocity": "exp_avg_sq"}
    counters: ClassVar = (*Optimizer.counters, "u_product")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.beta_1 = self._decay_rate("beta_1", beta_1)
        self.beta_2 = self._decay_rate("beta_2", beta_2)
        self.epsilon = self._not_negative("epsilon", epsilon)

    def _make_engine(self, parameters: Tensors) -> torch.optim.Optimizer:
        betas = (self.beta_1, self.beta_2)
        return torch.optim.NAdam(parameters, self.learning_rate, betas, self.epsilon, momentum_decay=1.0)

    def build(self, parameters: Any) -> None:
        if self.built:
            return super().build(parameters)
        super().build(parameters)
        self._engine().param_groups[0]["u_product"] = 1.0

    def _slots(self) -> list[tuple[str, ...]]:
        return [("momentum", "velocity")]

    def _new_state(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        device, product = parameter.device, self._engine().param_groups[0]["u_product"]
        step = torch.tensor(float(self.iterations), dtype=torch.float32, device=device)
        own = {"step": step, "mu_product": torch.tensor(float(product), dtype=torch.float64, device=device)}
        return own | super()._new_state(parameter)

    def _update(self, parameters: Tensors) -> None:
        group, step = self._engine().param_groups[0], self.iterations + 1
        now, ahead = (self.beta_1 * (1 - 0.5 * 0.96**t) for t in (step, step + 1))
        product = group["u_product"] * now
        shares = ahead / (1 - product * ahead), (1 - now) / (1 - product), 1 / (1 - self.beta_2**step)
        if not self._compiled(parameters, "nadam", *shares, self.beta_1, self.beta_2, self.epsilon):
            self._count_steps()
            super()._update(parameters)
        group["u_product"] = product

    def state_dict(self) -> dict[str, Any]:
        self._count_steps()
        return super().state_dict()

    def variables(self) -> list[tuple[str, torch.Tensor]]:
        """What Keras's files hold: its product of all momenta comes last."""
        if not self.built:
            return super().variables()
        product, dtype = self._engine().param_groups[0]["u_product"], next(iter(self._names)).dtype
        return [*super().variables(), ("u_product", torch.tensor(product, dtype=dtype))]

    def set_variables(self, values: Sequence[Any]) -> None:
        super().set_variables(values)
        self._engine().param_groups[0]["u_product"] = float(values[-1])

    def _count_steps(self) -> None:
        """Tell torch, which counts the steps of each parameter, those of the optimizer."""
        product = self._engine().param_groups[0]["u_product"]
        for state in self._engine().state.values():
            state["step"].fill_(self.iterations)
            state["mu_product"].fill_(product)


@registry.register()
class Adamax(RuleOptimizer):
    """Adam with the infinity norm (Kingma & Ba 2015, section 7).

    `m = beta_1 * m + (1 - beta_1) * g; u = max(beta_2 * u, |g|)`, then
    `w -= learning_rate / (1 - beta_1^t) * m / (u + epsilon)`.
    """

    arguments = ("beta_1", "beta_2", "epsilon")
    steps_one_by_one = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.beta_1 = self._decay_rate("beta_1", beta_1)
        self.beta_2 = self._decay_rate("beta_2", beta_2)
        self.epsilon = self._not_negative("epsilon", epsilon)

    def _slots(self) -> list[tuple[str, ...]]:
        return [("momentum", "norm")]

    def _update(self, parameters: Tensors) -> None:
        scale = self._engine().param_groups[0]["lr"] / (1 - self.beta_1 ** (self.iterations + 1))
        if not self._compiled(parameters, "adamax", scale, self.beta_1, self.beta_2, self.epsilon):
            super()._update(parameters)

    def _rule(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
        momenta, norms = ([state[slot] for state in states] for slot in ("momentum", "norm"))
        torch._foreach_lerp_(momenta, gradients, 1 - self.beta_1)
        torch._foreach_mul_(norms, self.beta_2)
        torch._foreach_maximum_(norms, torch._foreach_abs(gradients))
        correction = 1 - self.beta_1 ** (self.iterations + 1)
        torch._foreach_addcdiv_(weights, momenta, torch._foreach_add(norms, self.epsilon), value=-rate / correction)
