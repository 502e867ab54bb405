"""The contract that every optimizer keeps: Keras's arguments before, torch's optimizer after `build`."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_flag, check_number, refuse_unknown
from striate.foundation.names import snake_case
from striate.kernels.optimizers import step
from striate.layers import constraints
from striate.training import schedules
from striate.training.applying import Applying
from striate.training.early_steps import EarlySteps
from striate.training.optimizer_options import DEFAULTS, Tensors, check_options, clipper
from striate.training.schedules import LearningRateSchedule
from striate.training.slots import Parameters


class Optimizer(EarlySteps, Applying):
    """Keras's arguments, kept until `build` gives them parameters and makes the torch optimizer, `engine`.

    Args:
        learning_rate: A number of at least 0, or a `LearningRateSchedule`, asked before every step. It can be set at
            any time, and the next step uses it.
        weight_decay: Before each step, weights shrink by `learning_rate * weight_decay` of themselves
            (decoupled, Loshchilov & Hutter 2019); None shrinks nothing.
        name: Only written into files.
        clipnorm: Scale the gradient of a weight down where its norm is greater.
        global_clipnorm: Scale all gradients down by one factor where their common norm is greater.
        clipvalue: Cut gradients off at this value and at its negative. Of the three one at most can be given.
        use_ema: Keep a moving average of the weights; `fit` puts it in their place when training ends.
        ema_momentum: What is kept of the average at each step; the rest is the new weights'.
        ema_overwrite_frequency: Put the average in the weights' place every so many steps, too.
        loss_scale_factor: Multiply the loss, and divide the gradients, by this, which lifts small float16 gradients.
        gradient_accumulation_steps: Collect the gradients of so many steps, and only then move the weights along their
            mean. `iterations` counts the moves; schedules are told the steps, as in Keras.

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

    clipnorm: float | None
    global_clipnorm: float | None
    clipvalue: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        self.where = type(self).__name__
        unknown = {argument: value for argument, value in options.items() if argument not in DEFAULTS}
        refuse_unknown(self.where, unknown, ("learning_rate", "weight_decay", "name", *self.arguments, *DEFAULTS), {})
        self._options = check_options(self.where, options)
        vars(self).update(self._options)
        self.name = name or snake_case(self.where)
        self.weight_decay = None if weight_decay is None else self._not_negative("weight_decay", weight_decay)
        self.engine: torch.optim.Optimizer | None = None
        self._stepped = False  # whether some weights have taken the coming step already
        self._names: dict[torch.Tensor, str] = {}
        self._keys: list[str] = []
        self._constrained: list[torch.Tensor] = []
        self._undecayed: set[torch.Tensor] = set()
        self._undecayed_names: str | None = None
        self._schedule: LearningRateSchedule | None = None
        self.learning_rate = learning_rate

    # What one kind of optimizer defines ---------------------------------------------------------

    def _make_engine(self, parameters: Tensors) -> torch.optim.Optimizer:
        """The torch optimizer of these parameters; weight decay is done before it, unless `_engine_decays`."""
        raise NotImplementedError

    def _slots(self) -> list[tuple[str, ...]]:
        """Keras's slot names in the order of Keras's files: within a group, slots alternate per parameter."""
        raise NotImplementedError

    def _update(self, parameters: Tensors) -> None:
        """Change these parameters, which have gradients."""
        self._engine().step()

    def _compiled(self, parameters: Tensors, name: str, *numbers: float) -> bool:
        """Let the compiled rule of this name take the step, if it is there and can; return whether it did.

        Args:
            numbers: What the rule is told beside the learning rate and the weight decay.
        """
        if self._engine_is_watched():
            return False
        keys = [self._key(slot) for group in self._slots() for slot in group]
        decay = (self.weight_decay or 0.0) if self._engine_decays else 0.0
        states = [self._engine().state[parameter] for parameter in parameters] if keys else []
        slots = [[state[key] for state in states] for key in keys]
        return step(name, parameters, slots, self._engine().param_groups[0]["lr"], decay, *numbers)

    def _engine_is_watched(self) -> bool:
        """Whether somebody wants to see torch's optimizer step: hooks, a scheduler of torch's, groups of their own."""
        engine = self._engine()
        hooks = engine._optimizer_step_pre_hooks or engine._optimizer_step_post_hooks
        return bool(hooks) or "step" in vars(engine) or len(engine.param_groups) > 1

    @property
    def _engine_decays(self) -> bool:
        return False

    # Training -------------------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        """Whether `build` was called."""
        return self.engine is not None

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        if self._schedule is not None:
            return schedules.rate_at(self._schedule, self.steps)
        return self._learning_rate if self.engine is None else float(self.engine.param_groups[0]["lr"])

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, dict | LearningRateSchedule) or callable(value):
            self._schedule = schedules.deserialize(value, self.where)
            return
        rate = schedules.check_rate(self.where, "learning_rate", value)
        if self._schedule is not None:
            got = f"learning_rate={value!r} beside its {type(self._schedule).__name__}"
            fix = "Compile with a number as learning_rate to change it on the way."
            raise UserError(self.where, got, "a learning rate that no schedule sets", fix)
        groups = [] if self.engine is None else self.engine.param_groups
        if len({float(group["lr"]) for group in groups}) > 1:
            needs = "parameter groups that share one learning rate"
            raise UserError(self.where, f"learning_rate={value!r}", needs, "Set engine.param_groups[i]['lr'].")
        self._learning_rate = rate
        for group in groups:
            group["lr"] = rate

    @property
    def steps(self) -> int:
        """How often `step` was called."""
        return 0 if self.engine is None else self.engine.param_groups[0]["iterations"]

    @property
    def iterations(self) -> int:
        """How often weights were moved: the number of steps, unless gradients are accumulated."""
        return self.steps // (self.gradient_accumulation_steps or 1)

    def exclude_from_weight_decay(
        self, var_list: Iterable[torch.Tensor] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Let some weights not shrink; to be called before `build`.

        Args:
            var_list: The weights.
            var_names: Patterns; a weight is left out if one is found in its own name ("kernel", "bias", "gamma").

        Raises:
            UserError: The optimizer is built, or a pattern is none.
        """
        if self.built:
            fix = "Call it before compile or fit."
            raise UserError(self.where, "exclude_from_weight_decay after build", "to know before", fix)
        names = "|".join(var_names or ())
        try:
            re.compile(names)
        except re.error as error:
            raise UserError(self.where, f"var_names={names!r} ({error})", "regular expressions", "Mend it.") from error
        self._undecayed, self._undecayed_names = set(var_list or ()), names or None

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
        self._name(pairs)
        self._find_constrained(self._names)
        if self._undecayed_names is not None:
            pattern = re.compile(self._undecayed_names)
            self._undecayed |= {p for name, p in pairs if pattern.search(re.split(r"[./]", name)[-1])}
        engine = self._make_engine(list(self._names))
        engine.param_groups[0] |= dict.fromkeys(self.counters, 0)
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
        group = self._engine().param_groups[0]
        parameters = [p for p in group["params"] if p.grad is not None]
        if not parameters and not self._stepped:
            raise UserError(self.where, "no gradient", "one for some parameter", "Call loss.backward() before.")
        self._stepped = False
        self._match_memory(parameters)
        gradients = [p.grad for p in parameters]
        if self.loss_scale_factor is not None:
            torch._foreach_div_(gradients, self.loss_scale_factor)
        if self.gradient_accumulation_steps is None or self._accumulate(parameters, gradients):
            if (clip := clipper(self._options)) is not None:
                clip(gradients)
            self._set_rate()
            if parameters:
                self._move(parameters)
        if self.use_ema:
            self._average()
        self._constrain()
        group["iterations"] += 1

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss, times the scale that `step` takes off again."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for group in self._engine().param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def _accumulate(self, parameters: Tensors, gradients: Tensors) -> bool:
        """Add to the sums; at the last of the steps, turn the gradients into the mean and start anew."""
        assert self.gradient_accumulation_steps is not None
        sums = self._slot("gradient_accumulator", parameters)
        if (self.steps + 1) % self.gradient_accumulation_steps:
            torch._foreach_add_(sums, gradients)
            return False
        torch._foreach_add_(gradients, sums)
        torch._foreach_div_(gradients, self.gradient_accumulation_steps)
        torch._foreach_zero_(self._slot("gradient_accumulator", self._owners()))
        return True

    def _set_rate(self) -> None:
        if self._schedule is not None:
            self._engine().param_groups[0]["lr"] = self.learning_rate

    def _move(self, parameters: Tensors) -> None:
        """Change these parameters along their gradients, which are all that there is to do with them."""
        self._decay(parameters, self._engine().param_groups[0]["lr"])
        self._update(parameters)

    def _decay(self, parameters: Tensors, rate: float) -> None:
        decayed = [p for p in parameters if p not in self._undecayed] if self._undecayed else parameters
        if self.weight_decay and decayed and not self._engine_decays:
            torch._foreach_mul_(decayed, 1 - self.weight_decay * rate)

    def _find_constrained(self, parameters: Iterable[torch.Tensor]) -> None:
        self._constrained = [p for p in parameters if getattr(p, "constraint", None) is not None]

    def _constrain(self) -> None:
        """Bring weights back that had a gradient and have a constraint; Keras does so at the end of every step."""
        for weight in self._constrained:
            if weight.grad is not None:
                constraints.apply(weight.constraint, weight)  # type: ignore[attr-defined]

    # Files ----------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer again, as Keras writes them."""
        rate = self.learning_rate if self._schedule is None else schedules.serialize(self._schedule)
        common = {"name": self.name, "learning_rate": rate, "weight_decay": self.weight_decay}
        return common | {argument: getattr(self, argument) for argument in (*DEFAULTS, *self.arguments)}

    def get_config(self) -> dict[str, Any]:
        """Keras's name for `config`."""
        return self.config()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Optimizer":
        """The optimizer that `config` described."""
        return cls(**config)

    def _all_slots(self) -> list[tuple[str, ...]]:
        average = [("average",)] if self.use_ema else []
        sums = [("gradient_accumulator",)] if self.gradient_accumulation_steps else []
        return [*average, *sums, *self._slots()]

    def _numbers(self) -> list[tuple[str, torch.Tensor]]:
        steps = torch.tensor(self.steps, dtype=torch.int32)
        rate = torch.tensor(self.learning_rate, dtype=torch.float32)
        return [("iteration", steps)] + ([("learning_rate", rate)] if self._schedule is None else [])

    def _set_numbers(self, numbers: dict[str, float]) -> None:
        self._engine().param_groups[0]["iterations"] = int(numbers["iteration"])
        # A file has seven digits of the rate; one that is the same up to these keeps all it has.
        if "learning_rate" in numbers and numbers["learning_rate"] != self._numbers()[1][1].item():
            self.learning_rate = float(numbers["learning_rate"])

    # Checks ---------------------------------------------------------------------------------------

    def _not_negative(self, argument: str, value: object) -> float:
        return schedules.check_rate(self.where, argument, value)

    def _decay_rate(self, argument: str, value: object) -> float:
        needs = "a rate from 0 up to but not including 1"
        return check_number(self.where, argument, value, needs, lambda v: 0 <= v < 1)

    def _flag(self, argument: str, value: object) -> bool:
        return check_flag(self.where, argument, value)
