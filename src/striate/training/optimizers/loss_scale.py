"""Dynamic loss scaling: what lets float16 train, in which small gradients vanish and large ones overflow."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from striate.foundation.checks import UserError, check_int, check_number, refuse_unknown
from striate.foundation.names import snake_case
from striate.training.optimizer import Optimizer
from striate.training.optimizer_options import DEFAULTS
from striate.training.optimizers.lookup import get
from striate.training.optimizers.registry import registry
from striate.training.slots import Parameters

# Below it a gradient of 1 is 0 in float16: no smaller scale can help.
SMALLEST_SCALE = 2.0**-24


@registry.register()
class LossScaleOptimizer(Optimizer):
    """Multiplies the loss before gradients are taken, divides them after, and seeks the factor as it goes.

    Where a gradient is not finite, nothing moves, neither weights nor averages nor `iterations`, and the scale is
    halved; after many finite steps in a row it is doubled. `compile` puts it around the optimizer of a model that
    computes in float16, unless told auto_scale_loss=False. A `train_step` or a loop of one's own calls
    `optimizer.backward(loss)`, or `optimizer.scale_loss(loss).backward()`: gradients of the loss itself would be
    divided all the same, and be too small.

    Args:
        inner_optimizer: The optimizer that moves the weights.
        initial_scale: The first factor; too high a one is soon lowered.
        dynamic_growth_steps: After so many finite steps in a row the factor is doubled.
        name: Only written into files.

    Raises:
        UserError: The optimizer inside has a loss_scale_factor of its own or is a LossScaleOptimizer; in training,
            gradients are not finite at any scale.

    Source: Micikevicius et al., Mixed Precision Training, arXiv 1710.03740, section 3.2.

    Example:
        >>> from striate.training.optimizers import SGD
        >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = LossScaleOptimizer(SGD(0.5), initial_scale=8.0)
        >>> optimizer.build([weight])
        >>> weight.grad = torch.tensor([float("inf")])
        >>> optimizer.step()
        >>> weight.tolist(), optimizer.dynamic_scale, optimizer.iterations
        ([1.0], 4.0, 0)
    """

    # Keras gives this optimizer an iteration and a learning rate that nobody reads, and the one inside its own.
    untrained = 4

    def __init__(
        self,
        inner_optimizer: Any = None,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        self.where = type(self).__name__
        known = ("inner_optimizer", "initial_scale", "dynamic_growth_steps", "name")
        refuse_unknown(self.where, unknown, known, {"dynamic": True, "weight_decay": None, **DEFAULTS})
        self.inner_optimizer = get(inner_optimizer, self.where)
        if isinstance(self.inner_optimizer, LossScaleOptimizer):
            fix = "Pass the optimizer inside."
            raise UserError(self.where, "a LossScaleOptimizer inside", "an optimizer that scales no loss", fix)
        if self.inner_optimizer.loss_scale_factor is not None:
            got = f"{self.inner_optimizer.where} with loss_scale_factor={self.inner_optimizer.loss_scale_factor}"
            fix = "Leave loss_scale_factor out, or keep it and compile with auto_scale_loss=False."
            raise UserError(self.where, got, "an optimizer that scales no loss", fix)
        needs = "a number above 0"
        self.initial_scale = check_number(self.where, "initial_scale", initial_scale, needs, lambda v: 0 < v < math.inf)
        self.dynamic_growth_steps = check_int(self.where, "dynamic_growth_steps", dynamic_growth_steps)
        self.name = name or snake_case(self.where)
        self.dynamic_scale = self.initial_scale
        self.step_counter = 0  # finite steps since the scale last changed

    # Training -------------------------------------------------------------------------------------

    def build(self, parameters: Parameters) -> None:
        self.inner_optimizer.build(parameters)

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        return loss * self.dynamic_scale

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters that have a gradient, or, where one is not finite, the scale alone.

        Raises:
            UserError: None has, or the scale has become so small that gradients would vanish.
        """
        groups = self._engine().param_groups
        gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
        if not _all_finite(gradients):
            self._shrink()
            return
        if gradients:
            torch._foreach_div_(gradients, self.dynamic_scale)
        self.inner_optimizer.step()
        self.step_counter += 1
        if self.step_counter == self.dynamic_growth_steps:
            self.dynamic_scale, self.step_counter = 2 * self.dynamic_scale, 0

    def _shrink(self) -> None:
        self.dynamic_scale, self.step_counter = self.dynamic_scale / 2, 0
        if self.dynamic_scale < SMALLEST_SCALE:
            got = f"gradients that are not finite, down to a loss scale of {2 * self.dynamic_scale:.1e}"
            fix = "Compile with precision='bfloat16', or look for a division by zero in a layer or loss of your own."
            raise UserError(self.where, got, "finite ones at some scale", fix)

    # What the optimizer inside knows --------------------------------------------------------------

    @property
    def engine(self) -> torch.optim.Optimizer | None:  # type: ignore[override]
        """The torch optimizer."""
        return self.inner_optimizer.engine

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the next step."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> int:
        return self.inner_optimizer.iterations

    @property
    def use_ema(self) -> bool:  # type: ignore[override]
        """Whether averages of the weights are kept."""
        return self.inner_optimizer.use_ema

    def exclude_from_weight_decay(
        self, var_list: Iterable[torch.Tensor] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def swap_averages(self) -> None:
        self.inner_optimizer.swap_averages()

    def finalize_variable_values(self, var_list: Any = None) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    # Files ----------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": registry.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    def variables(self) -> list[tuple[str, torch.Tensor]]:
        own = [("iteration", torch.tensor(0, dtype=torch.int32)), ("learning_rate", torch.tensor(0.0))]
        if self.built:
            own.append(("step_counter", torch.tensor(self.step_counter, dtype=torch.int32)))
            own.append(("dynamic_scale", torch.tensor(self.dynamic_scale)))
        return own + [(f"inner_{name}", tensor) for name, tensor in self.inner_optimizer.variables()]

    def set_variables(self, values: Sequence[Any]) -> None:
        self.inner_optimizer.set_variables(values[4:])
        self.step_counter, self.dynamic_scale = int(values[2]), float(values[3])

    def state_dict(self) -> dict[str, Any]:
        return {
            "dynamic_scale": self.dynamic_scale,
            "step_counter": self.step_counter,
            "inner": self.inner_optimizer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if not {"dynamic_scale", "step_counter", "inner"} <= state.keys():
            needs = "one that its state_dict() gave"
            fix = "Load the checkpoint of the same optimizer and model."
            raise UserError(self.where, f"a state with {sorted(state)}", needs, fix)
        self.inner_optimizer.load_state_dict(state["inner"])
        self.dynamic_scale, self.step_counter = float(state["dynamic_scale"]), int(state["step_counter"])


def _all_finite(gradients: list[torch.Tensor]) -> bool:
    """Whether no gradient holds NaN or infinity; the largest number of each tells, which waits for the device once."""
    if not gradients:
        return True
    largest = torch._foreach_norm(gradients, math.inf)
    return bool(torch.stack([one.isfinite().to(largest[0].device) for one in largest]).all())
