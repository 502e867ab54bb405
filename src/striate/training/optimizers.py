"""Optimizers by Keras's names and meaning, computed by torch's kernels."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch

from striate.foundation.checks import UnsupportedError, UserError, check_number
from striate.foundation.names import snake_case
from striate.foundation.registry import Registry
from striate.training.optimizer import Optimizer, Parameters, Tensors

States = list[dict[str, torch.Tensor]]
Rule = Callable[[Tensors, Tensors, States, float], None]

# Keras's optimizers that striate does not have yet; torch has most of them.
KERAS_OTHERS = ("Adadelta", "Adafactor", "Adagrad", "Adamax", "Ftrl", "Lion", "Muon", "Nadam", "ScheduleFreeAdamW")

registry: Registry[Optimizer] = Registry("optimizer", "keras.optimizers", Optimizer)
serialize = registry.serialize


class _RuleEngine(torch.optim.Optimizer):
    """torch's bookkeeping (groups, state, hooks) around an update rule that torch has no kernel for.

    Args:
        rule: Changes lists of parameters in place, given gradients, states and the learning rate.
    """

    def __init__(self, parameters: Tensors, optimizer: Optimizer, rule: Rule) -> None:
        super().__init__(parameters, {"lr": optimizer.learning_rate})
        self.weight_decay, self.rule = optimizer.weight_decay, rule

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of the parameters that have a gradient."""
        rate = self.param_groups[0]["lr"]
        parameters = [p for p in self.param_groups[0]["params"] if p.grad is not None]
        if self.weight_decay:
            torch._foreach_mul_(parameters, 1 - self.weight_decay * rate)
        self.rule(parameters, [p.grad for p in parameters], [self.state[p] for p in parameters], rate)


@registry.register()
class SGD(Optimizer):
    """Gradient descent: `w -= learning_rate * g`.

    With momentum, `v = momentum * v - learning_rate * g; w += v`; with `nesterov`,
    `w += momentum * v - learning_rate * g` (Sutskever et al. 2013). A change of the learning rate thus meets
    the new gradient only, not the velocity, where torch's SGD would scale both.
    """

    arguments = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **unknown)
        needs = "a number from 0 to 1"
        self.momentum = check_number(self.where, "momentum", momentum, needs, lambda v: 0 <= v <= 1)
        self.nesterov = self._flag("nesterov", nesterov)

    def _make_engine(self, parameters: Tensors) -> torch.optim.Optimizer:
        return _RuleEngine(parameters, self, self._update)

    def _slots(self) -> list[tuple[str, ...]]:
        return [("momentum",)] if self.momentum else []

    def _update(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
        if not self.momentum:
            torch._foreach_add_(weights, gradients, alpha=-rate)
            return
        velocities = [state["momentum"] for state in states]
        torch._foreach_mul_(velocities, self.momentum)
        torch._foreach_add_(velocities, gradients, alpha=-rate)
        if self.nesterov:
            torch._foreach_add_(weights, gradients, alpha=-rate)
        torch._foreach_add_(weights, velocities, alpha=self.momentum if self.nesterov else 1)


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
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **unknown)
        self.beta_1 = self._decay_rate("beta_1", beta_1)
        self.beta_2 = self._decay_rate("beta_2", beta_2)
        self.epsilon = self._not_negative("epsilon", epsilon)
        self.amsgrad = self._flag("amsgrad", amsgrad)

    def _make_engine(self, parameters: Tensors) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters,
            lr=self.learning_rate,
            betas=(self.beta_1, self.beta_2),
            weight_decay=self.weight_decay or 0.0,
            amsgrad=self.amsgrad,
            fused=True,
        )

    def _slots(self) -> list[tuple[str, ...]]:
        return [("momentum", "velocity")] + ([("velocity_hat",)] if self.amsgrad else [])

    def _new_state(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        step = torch.tensor(float(self.iterations), device=parameter.device)
        return {"step": step.float()} | super()._new_state(parameter)

    def step(self) -> None:
        engine = self._engine()
        # torch divides sqrt(v) by sqrt(1 - beta_2^t) before it adds epsilon; Keras after.
        engine.param_groups[0]["eps"] = self.epsilon / math.sqrt(1 - self.beta_2 ** (self.iterations + 1))
        super().step()
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
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        if weight_decay is None:
            raise UserError("AdamW", "weight_decay=None", "a number of at least 0", "Use Adam for no decay.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, name, **unknown)


@registry.register()
class RMSprop(Optimizer):
    """RMSprop (Hinton 2012): gradients divided by the root of their mean square.

    `v = rho * v + (1 - rho) * g^2; w -= learning_rate * g / sqrt(v + epsilon)`. With `centered`, the square
    of the mean gradient is taken off `v`; with momentum, the steps are summed up with that decay.
    """

    arguments = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, name, **unknown)
        self.rho = self._decay_rate("rho", rho)
        self.momentum = self._decay_rate("momentum", momentum)
        self.epsilon = self._not_negative("epsilon", epsilon)
        self.centered = self._flag("centered", centered)

    def _make_engine(self, parameters: Tensors) -> torch.optim.Optimizer:
        return _RuleEngine(parameters, self, self._update)

    def _slots(self) -> list[tuple[str, ...]]:
        optional = [("momentum",)] * (self.momentum > 0) + [("average_gradient",)] * self.centered
        return [("velocity",), *optional]

    def _update(self, weights: Tensors, gradients: Tensors, states: States, rate: float) -> None:
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


class TorchOptimizer(Optimizer):
    """A `torch.optim` optimizer, used as it is: its parameters, groups and options stay the user's.

    Setting `learning_rate` writes it to every parameter group, which must share one until then.

    Args:
        engine: The torch optimizer, already made for the model's parameters, or for some of them.

    Example:
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
        engine.param_groups[0].setdefault("iterations", 0)

    def build(self, parameters: Parameters) -> None:
        """Check that the torch optimizer was made for (some of) these parameters.

        Raises:
            UserError: It holds none of them: it was made for another model.
        """
        held = {p for group in self._engine().param_groups for p in group["params"]}
        if not any((p if isinstance(p, torch.Tensor) else p[1]) in held for p in parameters):
            needs = "some of the model's"
            raise UserError(self.where, "parameters of another model", needs, "Make it of model.parameters().")

    def step(self) -> None:
        engine = self._engine()
        engine.step()
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
        self._engine().param_groups[0].setdefault("iterations", 0)


def get(identifier: Any, where: str = "Optimizer") -> Optimizer:
    """The optimizer for a name, a Keras config, an `Optimizer`, or a `torch.optim` optimizer.

    Example:
        >>> get("adam").config()["epsilon"]
        1e-07

    Raises:
        UnsupportedError: Keras has an optimizer of that name, striate does not.
        UserError: It is none of these; the nearest name is suggested.
    """
    if isinstance(identifier, torch.optim.Optimizer):
        return TorchOptimizer(identifier)
    name = identifier.get("class_name") if isinstance(identifier, dict) else identifier
    if isinstance(name, str) and name.lower() in [other.lower() for other in KERAS_OTHERS]:
        needs = f"one of {', '.join(registry.classes)}: striate does not have this Keras optimizer"
        raise UnsupportedError(where, f"optimizer {name!r}", needs, "Choose one, or pass a torch.optim optimizer.")
    if isinstance(identifier, type) and issubclass(identifier, torch.optim.Optimizer):
        needs = "an optimizer that has parameters"
        fix = f"Pass torch.optim.{identifier.__name__}(model.parameters())."
        raise UserError(where, f"the class torch.optim.{identifier.__name__}", needs, fix)
    return registry.get(identifier, where)
