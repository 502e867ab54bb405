"""Adam and AdamW, in torch's fused kernel."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError
from striate.training.optimizer import Optimizer
from striate.training.optimizer_options import Tensors
from striate.training.optimizers.registry import registry


@registry.register()
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), with AMSGrad (Reddi et al. 2018) as an option.

    `w -= learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)`: epsilon stands
    beside the root of the *uncorrected* second moment, the paper's "epsilon hat".
    """

    arguments = ("beta_1", "beta_2", "epsilon", "amsgrad")
    torch_names: ClassVar = {"momentum": "exp_avg", "velocity": "exp_avg_sq", "velocity_hat": "max_exp_avg_sq"}

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.beta_1 = self._decay_rate("beta_1", beta_1)
        self.beta_2 = self._decay_rate("beta_2", beta_2)
        self.epsilon = self._not_negative("epsilon", epsilon)
        self.amsgrad = self._flag("amsgrad", amsgrad)

    def _make_engine(self, parameters: Tensors) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters,
            lr=self.learning_rate,
            betas=(self.beta_1, self.beta_2),
            weight_decay=(self.weight_decay or 0.0) if self._engine_decays else 0.0,
            amsgrad=self.amsgrad,
            fused=True,
        )

    def _slots(self) -> list[tuple[str, ...]]:
        return [("momentum", "velocity")] + ([("velocity_hat",)] if self.amsgrad else [])

    def _new_state(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        step = torch.tensor(float(self.iterations), device=parameter.device)
        return {"step": step.float()} | super()._new_state(parameter)

    @property
    def _engine_decays(self) -> bool:
        return not self._undecayed  # one group of weights decays in the fused kernel

    def _update(self, parameters: Tensors) -> None:
        engine = self._engine()
        # torch divides sqrt(v) by sqrt(1 - beta_2^t) before it adds epsilon; Keras after.
        engine.param_groups[0]["eps"] = self.epsilon / math.sqrt(1 - self.beta_2 ** (self.iterations + 1))
        engine.step()
        # torch counts the gradients of each parameter; Keras the steps of the optimizer.
        for parameter, state in engine.state.items():
            if parameter.grad is None:
                state["step"] += 1

    def set_variables(self, values: Sequence[Any]) -> None:
        super().set_variables(values)
        for state in self._engine().state.values():
            state["step"].fill_(self.iterations)


@registry.register()
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019); see `Adam` and `Optimizer`."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        if weight_decay is None:
            raise UserError("AdamW", "weight_decay=None", "a number of at least 0", "Use Adam for no decay.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **options)
