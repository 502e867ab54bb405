"""Adam and AdamW, in our own kernel or torch's fused one."""

import math
from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError
from striate.kernels.early import EarlyStep, stepping_early
from striate.training.optimizer import Optimizer
from striate.training.optimizer_options import Tensors
from striate.training.optimizers.registry import registry

WIDE = 2**18  # numbers of a fully connected kernel, so many that its gradient is better never written down


@registry.register()
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), with AMSGrad (Reddi et al. 2018) as an option.

    `w -= learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)`: epsilon stands
    beside the root of the *uncorrected* second moment, the paper's "epsilon hat".
    """

    arguments = ("beta_1", "beta_2", "epsilon", "amsgrad")
    steps_one_by_one = True
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

    def _compute_gradients(self, loss: torch.Tensor, early: Tensors) -> None:
        wide = [] if self.amsgrad or self._undecayed else [weight for weight in early if self._is_wide(weight)]
        rate, (_, corrections) = self.learning_rate, self._corrections()
        own = (self.beta_1, self.beta_2, self.epsilon)
        numbers = (rate, self.weight_decay or 0.0, rate * corrections, *own)
        states = [self._state(weight) for weight in wide]
        steps = [EarlyStep(state["exp_avg"], state["exp_avg_sq"], numbers) for state in states]
        with stepping_early(list(zip(wide, steps, strict=True))) as waiting:
            super()._compute_gradients(loss, early)
        self._stepped |= len(waiting) < len(wide)

    def _is_wide(self, weight: torch.Tensor) -> bool:
        lies = weight.is_contiguous() and self._state(weight)["exp_avg"].is_contiguous()
        return weight.ndim == 2 and weight.numel() >= WIDE and lies

    def _corrections(self) -> tuple[float, float]:
        """The root of the second moment's correction, and that over the first's."""
        step = self.iterations + 1
        root = math.sqrt(1 - self.beta_2**step)
        return root, root / (1 - self.beta_1**step)

    def _update(self, parameters: Tensors) -> None:
        engine = self._engine()
        root, corrections = self._corrections()
        numbers = (engine.param_groups[0]["lr"] * corrections, self.beta_1, self.beta_2, self.epsilon)
        if self._compiled(parameters, "adam", *numbers, self.amsgrad):
            return
        self._count_steps()
        # torch divides sqrt(v) by sqrt(1 - beta_2^t) before it adds epsilon; Keras after.
        engine.param_groups[0]["eps"] = self.epsilon / root
        engine.step()

    def state_dict(self) -> dict[str, Any]:
        self._count_steps()
        return super().state_dict()

    def _count_steps(self) -> None:
        """Tell torch, which counts the steps of each parameter, those of the optimizer."""
        for state in self._engine().state.values():
            if state["step"] != self.iterations:
                state["step"].fill_(self.iterations)


@registry.register()
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019); see `Adam` and `Optimizer`."""

    steps_one_by_one = True

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
