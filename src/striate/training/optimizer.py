"""The contract that every optimizer keeps: Keras's arguments before, torch's optimizer after `build`."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from striate.foundation.checks import UnsupportedError, UserError, check_number, refuse_unknown
from striate.foundation.names import snake_case

# Keras's arguments that striate does not support yet, with the defaults that ask for nothing.
KERAS_DEFAULTS: dict[str, Any] = {
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}

Tensors = list[torch.Tensor]
Parameters = Iterable[torch.Tensor | tuple[str, torch.Tensor]]


class Optimizer:
    """Keras's arguments, kept until `build` gives them parameters and makes the torch optimizer, `engine`.

    Args:
        learning_rate: A number of at least 0. It can be set at any time, and the next step uses it.
        weight_decay: Before each step, weights shrink by `learning_rate * weight_decay` of themselves
            (decoupled, Loshchilov & Hutter 2019); None shrinks nothing.
        name: Only written into files.

    Example:
        >>> from striate.training.optimizers import SGD
        >>> weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
        >>> optimizer = SGD(learning_rate=0.5)
        >>> optimizer.build([weight])
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight.detach(), optimizer.iterations
        (tensor([0., 0.]), 1)
    """

    # The arguments of one kind of optimizer, beside those that all have.
    arguments: ClassVar[tuple[str, ...]] = ()
    # What torch calls a slot (a tensor kept for each parameter), where that is not Keras's name.
    torch_names: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        learning_rate: float,
        weight_decay: float | None = None,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        self.where = type(self).__name__
        known = ("learning_rate", "weight_decay", "name", *self.arguments)
        refuse_unknown(self.where, unknown, known, KERAS_DEFAULTS)
        self.name = name or snake_case(self.where)
        self.weight_decay = None if weight_decay is None else self._not_negative("weight_decay", weight_decay)
        self.engine: torch.optim.Optimizer | None = None
        self._names: dict[torch.Tensor, str] = {}
        self._keys: list[str] = []
        self.learning_rate = learning_rate

    # What one kind of optimizer defines ---------------------------------------------------------

    def _make_engine(self, parameters: Tensors) -> torch.optim.Optimizer:
        """The torch optimizer of these parameters."""
        raise NotImplementedError

    def _slots(self) -> list[tuple[str, ...]]:
        """Keras's slot names in the order of Keras's files: within a group, slots alternate per parameter."""
        raise NotImplementedError

    # Training -------------------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        """Whether `build` was called."""
        return self.engine is not None

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self._learning_rate if self.engine is None else float(self.engine.param_groups[0]["lr"])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = _check_rate(self.where, value)
        groups = [] if self.engine is None else self.engine.param_groups
        if len({float(group["lr"]) for group in groups}) > 1:
            needs = "parameter groups that share one learning rate"
            raise UserError(self.where, f"learning_rate={value!r}", needs, "Set engine.param_groups[i]['lr'].")
        for group in groups:
            group["lr"] = self._learning_rate

    @property
    def iterations(self) -> int:
        """How many steps were taken."""
        return 0 if self.engine is None else self.engine.param_groups[0]["iterations"]

    def build(self, parameters: Parameters) -> None:
        """Make the torch optimizer; does nothing when already built for these parameters.

        Args:
            parameters: Parameters, or pairs of name and parameter as from `named_parameters()`. Frozen ones
                may be among them: they get no slots until they get a gradient.

        Raises:
            UserError: There are none, one has gaps in memory, or one is new to an optimizer already built.
        """
        pairs = [(str(i), p) if isinstance(p, torch.Tensor) else p for i, p in enumerate(parameters)]
        if self.engine is not None:
            return self._check_known(pairs)
        if not pairs:
            raise UserError(self.where, "no parameters", "a model with weights", "Build the model first.")
        for name, parameter in pairs:
            if torch.empty_like(parameter).stride() != parameter.stride():
                got = f"parameter {name!r} with gaps in memory (strides {parameter.stride()})"
                raise UserError(self.where, got, "dense parameters", "Make it of tensor.contiguous().")
        self._names = {p: name.replace(".", "_").replace("/", "_") for name, p in pairs}
        self._keys = [self._key(slot) for group in self._slots() for slot in group]
        engine = self._make_engine(list(self._names))
        engine.param_groups[0]["iterations"] = 0
        self.engine = engine
        for parameter in self._names:
            if parameter.requires_grad:
                self._state(parameter)

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters that have a gradient.

        Raises:
            UserError: None has, or the optimizer is not built.
        """
        engine = self._engine()
        with_gradient = [p for p in engine.param_groups[0]["params"] if p.grad is not None]
        if not with_gradient:
            raise UserError(self.where, "no gradient", "one for some parameter", "Call loss.backward() before.")
        for parameter in with_gradient:
            self._match_memory(parameter)
        engine.step()
        engine.param_groups[0]["iterations"] += 1

    def zero_grad(self) -> None:
        """Drop the gradients."""
        self._engine().zero_grad(set_to_none=True)

    # Files ----------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer again, as Keras writes them."""
        common = {"name": self.name, "learning_rate": self.learning_rate, "weight_decay": self.weight_decay}
        return common | KERAS_DEFAULTS | {argument: getattr(self, argument) for argument in self.arguments}

    def get_config(self) -> dict[str, Any]:
        """Keras's name for `config`."""
        return self.config()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Optimizer":
        """The optimizer that `config` described."""
        return cls(**config)

    def variables(self) -> list[tuple[str, torch.Tensor]]:
        """Names and tensors of all that training changes, in the order in which Keras's files hold them."""
        found = [
            ("iteration", torch.tensor(self.iterations, dtype=torch.int32)),
            ("learning_rate", torch.tensor(self.learning_rate, dtype=torch.float32)),
        ]
        return found + [(f"{self._names[p]}_{slot}", self._state(p)[key]) for p, slot, key in self._slot_keys()]

    def set_variables(self, values: Sequence[Any]) -> None:
        """Take over what `variables()` gave: iteration, learning rate, then the slots.

        Raises:
            UserError: Their number or a shape differs; nothing has changed then.
        """
        engine, variables = self._engine(), self.variables()
        if len(values) != len(variables):
            needs = f"{len(variables)}, from {variables[0][0]!r} to {variables[-1][0]!r}"
            raise UserError(
                self.where, f"{len(values)} variables", needs, "Load a file of the same optimizer and model."
            )
        arrays = [_tensor(value) for value in values]
        for (name, variable), array in zip(variables, arrays, strict=True):
            _check_shape(self.where, name, array, variable)
        self.learning_rate = float(arrays[1])
        engine.param_groups[0]["iterations"] = int(arrays[0])
        for (_, variable), array in zip(variables[2:], arrays[2:], strict=True):
            variable.copy_(array)

    def state_dict(self) -> dict[str, Any]:
        """The state as torch writes it; the number of iterations is in its parameter group."""
        return self._engine().state_dict()

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the optimizer that gave `state` was; the tensors are copied.

        Raises:
            UserError: It is the state of another optimizer or model; nothing has changed then.
        """
        group = self._engine().param_groups[0]
        saved_group = (state.get("param_groups") or [{}])[0]
        saved = state.get("state", {})
        if not {"lr", "iterations"} <= set(saved_group) or len(saved_group["params"]) != len(group["params"]):
            got = f"a state of {len(saved_group.get('params', ()))} parameters with {sorted(saved_group)}"
            needs = f"one that its state_dict() gave, of {len(group['params'])} parameters"
            raise UserError(self.where, got, needs, "Load the checkpoint of the same optimizer and model.")
        copies = []
        for index, parameter in enumerate(group["params"]):
            if index in saved or parameter.requires_grad:
                for key, tensor in self._state(parameter).items():
                    found = saved.get(index, {}).get(key)
                    _check_shape(self.where, f"{self._names[parameter]}_{key}", found, tensor)
                    copies.append((tensor, found))
        self.learning_rate = saved_group["lr"]
        group["iterations"] = int(saved_group["iterations"])
        for tensor, found in copies:
            tensor.copy_(found)

    # Inside ---------------------------------------------------------------------------------------

    def _engine(self) -> torch.optim.Optimizer:
        if self.engine is None:
            raise UserError(self.where, "a call before build", "parameters", "Call build(model.parameters()) first.")
        return self.engine

    def _check_known(self, pairs: list[tuple[str, torch.Tensor]]) -> None:
        for name, parameter in pairs:
            if parameter.requires_grad and parameter not in self._names:
                needs = "the parameters it was built for"
                raise UserError(self.where, f"a new parameter {name!r}", needs, "Compile with a new optimizer.")

    def _key(self, slot: str) -> str:
        return self.torch_names.get(slot, slot)

    def _slot_keys(self) -> list[tuple[torch.Tensor, str, str]]:
        """Parameter, Keras's name and torch's key of every slot, in Keras's order."""
        owners = [p for p in self._names if self.engine is not None and self.engine.state.get(p)]
        groups = self._slots() if owners else []
        return [(p, slot, self._key(slot)) for group in groups for p in owners for slot in group]

    def _new_state(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        return {key: torch.zeros_like(parameter) for key in self._keys}

    def _state(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        state = self._engine().state[parameter]
        if not state:
            state.update(self._new_state(parameter))
        return state

    def _match_memory(self, parameter: torch.Tensor) -> None:
        """Lay gradient and slots out as the parameter: fused kernels walk all of them with one index.

        They differ where a gradient was set by hand, or the model was moved or changed its memory format.
        """
        gradient, state = parameter.grad, self._state(parameter)
        assert gradient is not None
        if gradient.layout != torch.strided:
            needs = "dense gradients"
            raise UserError(self.where, f"a sparse gradient of {self._names[parameter]!r}", needs, "Use sparse=False.")
        if not _same_memory(gradient, parameter):
            parameter.grad = torch.empty_like(parameter).copy_(gradient)
        if self._keys and not _same_memory(state[self._keys[0]], parameter):
            for key, tensor in self._new_state(parameter).items():
                state[key] = tensor.copy_(state[key])

    def _not_negative(self, argument: str, value: object) -> float:
        return check_number(self.where, argument, value, "a number of at least 0", lambda v: 0 <= v < math.inf)

    def _decay_rate(self, argument: str, value: object) -> float:
        needs = "a rate from 0 up to but not including 1"
        return check_number(self.where, argument, value, needs, lambda v: 0 <= v < 1)

    def _flag(self, argument: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise UserError(self.where, f"{argument}={value!r}", "True or False", f"Change {argument}.")
        return value


def _check_rate(where: str, value: Any) -> float:
    if callable(value) or isinstance(value, dict):
        kind = value.get("class_name", "dict") if isinstance(value, dict) else type(value).__name__
        needs = "a number: striate does not support learning-rate schedules yet"
        fix = "Pass a number and change optimizer.learning_rate from a callback."
        raise UnsupportedError(where, f"learning_rate={kind}", needs, fix)
    needs = "a number of at least 0"
    return check_number(where, "learning_rate", value, needs, lambda v: 0 <= v < math.inf)


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))


def _check_shape(where: str, name: str, found: torch.Tensor | None, wanted: torch.Tensor) -> None:
    if found is None or found.shape != wanted.shape:
        got = f"no {name!r}" if found is None else f"{name!r} of shape {tuple(found.shape)}"
        fix = "Load the file of the same optimizer and model."
        raise UserError(where, got, f"one of shape {tuple(wanted.shape)}", fix)


def _same_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.stride() == other.stride() and one.dtype == other.dtype and one.device == other.device
