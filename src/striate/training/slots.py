"""What an optimizer keeps for each parameter: its layout in memory, its names and order in files."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from striate.foundation.arguments import KnownArguments
from striate.foundation.checks import UserError

Parameters = Iterable[torch.Tensor | tuple[str, torch.Tensor]]


class SlotHolder(KnownArguments):
    """The half of an optimizer that keeps and files its state; the other half, `Optimizer`, takes the steps.

    A slot is a tensor kept for each parameter. The state is torch's, in `engine`; Keras's names and order are here.
    """

    explained: ClassVar[tuple[str, ...]] = ("__init__", "build")
    # What torch calls a slot, where that is not Keras's name.
    torch_names: ClassVar[dict[str, str]] = {}
    # Numbers in the engine's first parameter group that go on with training.
    counters: ClassVar[tuple[str, ...]] = ("iterations", "averages_in_model")
    # How many variables Keras's files hold of one that was never built: steps and learning rate.
    untrained: ClassVar[int] = 2

    where: str
    learning_rate: Any
    engine: torch.optim.Optimizer | None
    _names: dict[torch.Tensor, str]
    _keys: list[str]

    def _all_slots(self) -> list[tuple[str, ...]]:
        """Keras's slot names in the order of Keras's files: within a group, slots alternate per parameter."""
        raise NotImplementedError

    def _numbers(self) -> list[tuple[str, torch.Tensor]]:
        """What Keras's files hold before the slots."""
        raise NotImplementedError

    def _set_numbers(self, numbers: dict[str, float]) -> None:
        """Take over what `_numbers` gave."""
        raise NotImplementedError

    # Files ----------------------------------------------------------------------------------------

    def variables(self) -> list[tuple[str, torch.Tensor]]:
        """Names and tensors of all that training changes, in the order in which Keras's files hold them."""
        return self._numbers() + [(f"{self._names[p]}_{slot}", self._state(p)[key]) for p, slot, key in self._places()]

    def set_variables(self, values: Sequence[Any]) -> None:
        """Take over what `variables()` gave: iteration, learning rate, then the slots.

        Raises:
            UserError: Their number or a shape differs; nothing has changed then.
        """
        variables = self.variables()
        self._engine()
        if len(values) != len(variables):
            needs = f"{len(variables)}, from {variables[0][0]!r} to {variables[-1][0]!r}"
            raise UserError(
                self.where, f"{len(values)} variables", needs, "Load a file of the same optimizer and model."
            )
        arrays = [_tensor(value) for value in values]
        for (name, variable), array in zip(variables, arrays, strict=True):
            _check_shape(self.where, name, array, variable)
        count = len(self._numbers())
        names = [name for name, _ in variables[:count]]
        self._set_numbers({name: array.item() for name, array in zip(names, arrays[:count], strict=True)})
        for (_, variable), array in zip(variables[count:], arrays[count:], strict=True):
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
        if not {"lr", *self.counters} <= set(saved_group) or len(saved_group["params"]) != len(group["params"]):
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
        group |= {name: saved_group[name] for name in ("lr", *self.counters)}
        for tensor, found in copies:
            tensor.copy_(found)

    # Inside ---------------------------------------------------------------------------------------

    def _engine(self) -> torch.optim.Optimizer:
        if self.engine is None:
            raise UserError(self.where, "a call before build", "parameters", "Call build(model.parameters()) first.")
        return self.engine

    def _name(self, pairs: list[tuple[str, torch.Tensor]]) -> None:
        """Learn the parameters and their names.

        Raises:
            UserError: There are none, or one has gaps in memory.
        """
        if not pairs:
            raise UserError(self.where, "no parameters", "a model with weights", "Build the model first.")
        for name, parameter in pairs:
            if torch.empty_like(parameter).stride() != parameter.stride():
                raise self._gaps(name, parameter)
        self._names = {p: name.replace(".", "_").replace("/", "_") for name, p in pairs}
        self._keys = [self._key(slot) for group in self._all_slots() for slot in group]

    def _gaps(self, name: str, parameter: torch.Tensor) -> UserError:
        got = f"parameter {name!r} with gaps in memory (strides {parameter.stride()})"
        return UserError(self.where, got, "dense parameters", "Make it of tensor.contiguous().")

    def _check_known(self, pairs: list[tuple[str, torch.Tensor]]) -> None:
        for name, parameter in pairs:
            if parameter.requires_grad and parameter not in self._names:
                needs = "the parameters it was built for"
                raise UserError(self.where, f"a new parameter {name!r}", needs, "Compile with a new optimizer.")

    def _key(self, slot: str) -> str:
        return self.torch_names.get(slot, slot)

    def _owners(self) -> list[torch.Tensor]:
        """The parameters that have slots."""
        return [p for p in self._names if self.engine is not None and self.engine.state.get(p)]

    def _places(self) -> list[tuple[torch.Tensor, str, str]]:
        """Parameter, Keras's name and torch's key of every slot, in Keras's order."""
        owners = self._owners()
        groups = self._all_slots() if owners else []
        return [(p, slot, self._key(slot)) for group in groups for p in owners for slot in group]

    def _new_state(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        state = {key: torch.zeros_like(parameter) for key in self._keys}
        if "average" in state:  # of a weight that is not trained yet: itself
            state["average"].copy_(parameter.detach())
        return state

    def _state(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        state = self._engine().state[parameter]
        if not state:
            state.update(self._new_state(parameter))
        return state

    def _slot(self, slot: str, owners: list[torch.Tensor]) -> list[torch.Tensor]:
        """One slot of all of these parameters."""
        return [self._state(owner)[slot] for owner in owners]

    def _match_memory(self, parameters: Iterable[torch.Tensor]) -> None:
        """Lay gradients and slots out as the parameters: fused kernels walk all of them with one index.

        They differ where a gradient was set by hand, or the model was moved or changed its memory format.
        """
        states, key = self._engine().state, self._keys[0] if self._keys else None
        for parameter in parameters:
            gradient, stride = parameter.grad, parameter.stride()
            assert gradient is not None
            if gradient.layout is not torch.strided:
                got, needs = f"a sparse gradient of {self._names[parameter]!r}", "dense gradients"
                raise UserError(self.where, got, needs, "Use sparse=False.")
            if gradient.stride() != stride or gradient.dtype is not parameter.dtype:
                parameter.grad = torch.empty_like(parameter).copy_(gradient)
                if parameter.grad.stride() != stride:
                    raise self._gaps(self._names[parameter], parameter)
            if key is not None:
                state = states[parameter] or self._state(parameter)
                slot = state[key]
                if slot.stride() != stride or slot.dtype is not parameter.dtype or slot.device != parameter.device:
                    for name, tensor in self._new_state(parameter).items():
                        state[name] = tensor.copy_(state[name])


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))


def _check_shape(where: str, name: str, found: torch.Tensor | None, wanted: torch.Tensor) -> None:
    if found is None or found.shape != wanted.shape:
        got = f"no {name!r}" if found is None else f"{name!r} of shape {tuple(found.shape)}"
        fix = "Load the file of the same optimizer and model."
        raise UserError(where, got, f"one of shape {tuple(wanted.shape)}", fix)
