"""Learning rates that follow the number of steps taken, by Keras's names and formulas."""

import math
from typing import Any, ClassVar

from striate.foundation.checks import UnsupportedError, UserError, check_flag, check_int, check_number
from striate.foundation.registry import Registry
from striate.training.configurable import Configurable
from striate.training.configurable import serialize as _serialize


class LearningRateSchedule(Configurable):
    """What an optimizer asks for the learning rate before every step.

    Subclasses write `__call__(step)`, which gives a number of at least 0 for the number of steps taken so far, and
    `config` (or `get_config`), where files shall hold them.

    Example:
        >>> class Halve(LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.5 ** (step // 100)
        >>> Halve()(250)
        0.25
    """

    # The arguments of one kind of schedule, in Keras's order.
    arguments: ClassVar[tuple[str, ...]] = ()
    name = ""

    def __call__(self, step: Any) -> Any:
        """The learning rate of the step after `step` steps.

        Raises:
            UserError: `step` is no number of at least 0, or the class says nothing of rates.
        """
        needs = "one number of at least 0"
        return self._rate(check_number(self.where, "step", item(step), needs, lambda v: 0 <= v < math.inf))

    @property
    def where(self) -> str:
        """How errors name this object."""
        return type(self).__name__

    def config(self) -> dict[str, Any]:
        """The arguments that make the same schedule again."""
        if not self.arguments:
            fix = "Write config(self), which returns the arguments of __init__."
            raise UserError(self.where, "a request for its config", "a config of its own", fix)
        return {argument: getattr(self, argument) for argument in self.arguments}

    def _rate(self, step: float) -> float:
        fix = "Write __call__(self, step), which returns the learning rate."
        raise UserError(self.where, "a request for a rate", "a formula of its own", fix)

    def _start(self, initial_learning_rate: Any, name: str) -> None:
        """Take over what all schedules have."""
        self.initial_learning_rate = check_rate(self.where, "initial_learning_rate", initial_learning_rate)
        self.name = name

    def _steps(self, argument: str, value: Any) -> int | float:
        check_number(self.where, argument, value, "a number above 0", lambda v: 0 < v < math.inf)
        return value if isinstance(value, int) else float(value)


registry: Registry[LearningRateSchedule] = Registry(
    "learning-rate schedule", "keras.optimizers.schedules", LearningRateSchedule
)


def check_rate(where: str, argument: str, value: Any) -> float:
    """A learning rate: a number of at least 0."""
    return check_number(where, argument, value, "a number of at least 0", lambda v: 0 <= v < math.inf)


def item(value: Any) -> Any:
    """A tensor or array of one number as that number."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def rate_at(schedule: LearningRateSchedule, step: int) -> float:
    """What a schedule gives at a step, if that is a learning rate.

    Raises:
        UserError: It is not.
    """
    value = schedule(step)
    try:
        return check_rate(schedule.where, "learning_rate", item(value))
    except UserError as error:
        fix = "Mend its __call__."
        raise UserError(schedule.where, f"learning rate {value!r} at step {step}", error.needs, fix) from error


@registry.register()
class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: Where it begins.
        decay_steps: After how many steps it is multiplied by `decay_rate` once.
        decay_rate: The factor.
        staircase: Divide without remainder: the rate stays the same for `decay_steps` steps.
        name: Only written into files.

    Example:
        >>> ExponentialDecay(0.5, decay_steps=10, decay_rate=0.5)(20)
        0.125
    """

    arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self._start(initial_learning_rate, name)
        self.decay_steps = self._steps("decay_steps", decay_steps)
        self.decay_rate = check_rate(self.where, "decay_rate", decay_rate)
        self.staircase = check_flag(self.where, "staircase", staircase)

    def _rate(self, step: float) -> float:
        power = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (math.floor(power) if self.staircase else power)


@registry.register()
class InverseTimeDecay(ExponentialDecay):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`; the arguments are `ExponentialDecay`'s.

    Example:
        >>> InverseTimeDecay(0.5, decay_steps=10, decay_rate=0.5)(20)
        0.25
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def _rate(self, step: float) -> float:
        times = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (math.floor(times) if self.staircase else times))


@registry.register()
class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[0]` up to and including step `boundaries[0]`, then `values[1]`, and so on.

    Args:
        boundaries: Numbers of steps, rising.
        values: The rates, one more than boundaries.
        name: Only written into files.

    Example:
        >>> drops = PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
        >>> drops(100), drops(101), drops(201)
        (0.1, 0.01, 0.001)
    """

    arguments = ("boundaries", "values", "name")

    def __init__(self, boundaries: list[float], values: list[float], name: str = "PiecewiseConstant") -> None:
        where = self.where
        if not boundaries or len(values) != len(boundaries) + 1:
            got = f"{len(boundaries)} boundaries and {len(values)} values"
            fix = "Give a value for before the first boundary, and one for after each."
            raise UserError(where, got, "at least one boundary, and one value more than boundaries", fix)
        for index, boundary in enumerate(boundaries):
            check_number(where, f"boundaries[{index}]", boundary, "a number of at least 0", lambda v: 0 <= v < math.inf)
        if list(boundaries) != sorted(boundaries):
            raise UserError(where, f"boundaries={list(boundaries)}", "rising numbers of steps", "Sort them.")
        self.boundaries = list(boundaries)
        self.values = [check_rate(where, f"values[{index}]", value) for index, value in enumerate(values)]
        self.name = name

    def _rate(self, step: float) -> float:
        return self.values[sum(step > boundary for boundary in self.boundaries)]


@registry.register()
class PolynomialDecay(LearningRateSchedule):
    """From `initial_learning_rate` to `end_learning_rate` in `decay_steps` steps, along `(1 - share done) ** power`.

    Args:
        initial_learning_rate: Where it begins.
        decay_steps: How long it takes; afterwards the rate stays.
        end_learning_rate: Where it ends.
        power: 1 for a straight line.
        cycle: Instead of staying, stretch `decay_steps` to its next multiple once it is passed.
        name: Only written into files.

    Example:
        >>> PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.0)(5)
        0.25
    """

    arguments = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self._start(initial_learning_rate, name)
        self.decay_steps = self._steps("decay_steps", decay_steps)
        self.end_learning_rate = check_rate(self.where, "end_learning_rate", end_learning_rate)
        self.power = check_number(self.where, "power", power, "a number above 0", lambda v: 0 < v < math.inf)
        self.cycle = check_flag(self.where, "cycle", cycle)

    def _rate(self, step: float) -> float:
        steps = self.decay_steps * max(1, math.ceil(step / self.decay_steps)) if self.cycle else self.decay_steps
        left = 1 - min(step, steps) / steps
        return (self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate


@registry.register()
class CosineDecay(LearningRateSchedule):
    """Half a cosine down to `alpha` of the rate (Loshchilov & Hutter 2017), after a straight warmup if asked.

    Args:
        initial_learning_rate: Where it begins.
        decay_steps: How long the cosine takes; afterwards the rate stays.
        alpha: The share that is left at the end.
        name: Only written into files.
        warmup_target: Where the warmup leads, and the cosine begins; None for no warmup.
        warmup_steps: How long the warmup takes, before the `decay_steps`.

    Example:
        >>> warm = CosineDecay(0.0, decay_steps=100, warmup_target=1.0, warmup_steps=10)
        >>> warm(5), warm(10), warm(110)
        (0.5, 1.0, 0.0)
    """

    arguments = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self._start(initial_learning_rate, name)
        self.decay_steps = self._steps("decay_steps", decay_steps)
        self.alpha = check_rate(self.where, "alpha", alpha)
        self.warmup_target = None if warmup_target is None else check_rate(self.where, "warmup_target", warmup_target)
        self.warmup_steps = check_int(self.where, "warmup_steps", warmup_steps, minimum=0)

    def _rate(self, step: float) -> float:
        if self.warmup_target is None:
            return self.initial_learning_rate * self._share(step)
        if step < self.warmup_steps:
            rise = self.warmup_target - self.initial_learning_rate
            return rise * (step / self.warmup_steps) + self.initial_learning_rate
        return self.warmup_target * self._share(step - self.warmup_steps)

    def _share(self, step: float) -> float:
        return _half_cosine(min(step, self.decay_steps) / self.decay_steps) * (1 - self.alpha) + self.alpha


@registry.register()
class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines one after the other (SGDR, Loshchilov & Hutter 2017).

    Args:
        initial_learning_rate: Where it begins.
        first_decay_steps: How long the first cosine takes.
        t_mul: How many times longer each takes than the one before.
        m_mul: What of its height each has of the one before's.
        alpha: The share that is left at the end of each.
        name: Only written into files.

    Example:
        >>> restarts = CosineDecayRestarts(1.0, first_decay_steps=10, t_mul=2.0, m_mul=0.5)
        >>> restarts(0), restarts(10), restarts(30)
        (1.0, 0.5, 0.25)
    """

    arguments = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self._start(initial_learning_rate, name)
        self.first_decay_steps = self._steps("first_decay_steps", first_decay_steps)
        needs = "a number of at least 1"
        self.t_mul = check_number(self.where, "t_mul", t_mul, needs, lambda v: 1 <= v < math.inf)
        self.m_mul = check_rate(self.where, "m_mul", m_mul)
        self.alpha = check_rate(self.where, "alpha", alpha)

    def _rate(self, step: float) -> float:
        done, restarts, length = step, 0, float(self.first_decay_steps)
        if self.t_mul == 1:
            restarts, done = int(done // length), done % length
        # Counted out, since a logarithm would round to the wrong side of a restart. Lengths grow: the loop is short.
        while done >= length:
            done, restarts, length = done - length, restarts + 1, length * self.t_mul
        height = self.m_mul**restarts * _half_cosine(done / length)
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)


def _half_cosine(share: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return 0.5 * (1 + math.cos(math.pi * share))


def serialize(schedule: LearningRateSchedule) -> dict[str, Any]:
    """The Keras config of a schedule, as `.keras` files hold it."""
    return _serialize(registry, schedule)


def deserialize(config: Any, where: str = "learning_rate") -> LearningRateSchedule:
    """The schedule that a config describes.

    Raises:
        UserError: It is of no known class, or has wrong arguments.
    """
    if callable(config) and not isinstance(config, LearningRateSchedule | type):
        kind = getattr(config, "__name__", type(config).__name__)
        needs = "a number or a striate.optimizers.schedules.LearningRateSchedule"
        fix = "Derive its class from LearningRateSchedule and write __call__(self, step)."
        raise UnsupportedError(where, f"learning_rate={kind}", needs, fix)
    return registry.get(config, where)
