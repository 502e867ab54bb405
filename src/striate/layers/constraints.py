"""What weights are brought back to after every step, by Keras's names."""

import math
from typing import Any

import torch

from striate.foundation.arguments import KnownArguments
from striate.foundation.checks import UserError, check_number, is_int
from striate.foundation.configured import Configured
from striate.foundation.registry import Registry
from striate.foundation.shapes import Shape, describe

# Added to norms, as Keras does, so that zeros can be divided by theirs.
EPSILON = 1e-7


class Constraint(KnownArguments, Configured):
    """Brings a weight back to where it is to stay: `constraint(weight) -> tensor` of the same shape.

    The optimizer calls it after every step on a weight that had a gradient. This one leaves everything as it is.

    Example:
        >>> class Clip(Constraint):
        ...     def __call__(self, weight):
        ...         return weight.clamp(-1.0, 1.0)
        >>> Clip()(torch.tensor([0.5, 3.0]))
        tensor([0.5000, 1.0000])
    """

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        """What the weight is to be."""
        return weight

    def check(self, shape: Shape) -> None:
        """Refuse weights of this shape, before there are any, if they are none to bring back.

        Raises:
            UserError: They are not.
        """


registry: Registry[Constraint] = Registry("constraint", "keras.constraints", Constraint)
registry.register()(Constraint)


def get(identifier: Any, where: str | None = None) -> Constraint | None:
    """The constraint for a name, a Keras config, or a `Constraint`; None for none."""
    return None if identifier is None else registry.get(identifier, where)


def serialize(constraint: Constraint | None) -> dict[str, Any] | None:
    """A constraint as `.keras` files hold it."""
    return None if constraint is None else registry.serialize(constraint)


def apply(constraint: Constraint, weight: torch.Tensor) -> None:
    """Give a weight, in place, the values that a constraint brings it back to.

    Raises:
        UserError: The constraint gives something else than a tensor of the weight's shape.
    """
    value = constraint(weight)
    if not isinstance(value, torch.Tensor) or value.shape != weight.shape:
        of_shape = f"a tensor of shape {describe(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)
        needs = f"the weight's new values, a tensor of shape {describe(weight.shape)}"
        got = f"{of_shape} from its __call__"
        raise UserError(type(constraint).__name__, got, needs, "Mend what __call__ returns.")
    weight.copy_(value)


@registry.register()
class NonNeg(Constraint):
    """Numbers below 0 become 0."""

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.clamp_min(0)


class _OfNorms(Constraint):
    """Base of those that scale parts of a weight by what their norms are to be.

    Args:
        axis: Along which norms are taken; a list for several, None for all.
    """

    axis: int | list[int] | None

    def set_axis(self, axis: Any) -> None:
        """Keep the axis, if it is one.

        Raises:
            UserError: It is none.
        """
        listed = isinstance(axis, list | tuple)
        axes = axis if listed else [] if axis is None else [axis]
        if not all(map(is_int, axes)) or (listed and not axes):
            needs = "a whole number, a list of them, or None for all axes"
            raise UserError(type(self).__name__, f"axis={axis!r}", needs, "Pass for example axis=[0, 1, 2].")
        self.axis = None if axis is None else [int(one) for one in axes] if listed else int(axis)

    def check(self, shape: Shape) -> None:
        axes = [] if self.axis is None else self.axis if isinstance(self.axis, list) else [self.axis]
        if len({axis % len(shape) for axis in axes if -len(shape) <= axis < len(shape)}) < len(axes):
            got = f"axis={self.axis} for a weight of shape {describe(shape)}"
            fix = "Take axis=0 for a bias or Dense, axis=[0, 1, 2] for the filters of Conv2D."
            raise UserError(type(self).__name__, got, "axes that the weight has, each once", fix)

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        self.check(weight.shape)
        norms = torch.linalg.vector_norm(weight, dim=self.axis, keepdim=True)
        return weight * (self.wanted(norms) / (EPSILON + norms))

    def wanted(self, norms: torch.Tensor) -> torch.Tensor:
        """What norms are to become."""
        raise NotImplementedError


def _norm(kind: str, argument: str, value: Any) -> float:
    return check_number(kind, argument, value, "a number of at least 0", lambda norm: 0 <= norm < math.inf)


@registry.register()
class MaxNorm(_OfNorms):
    """Parts whose norm is above `max_value` are scaled down to it.

    Args:
        max_value: The largest norm.
        axis: Along which norms are taken: 0 for each unit of a Dense kernel (in, units), [0, 1, 2] for each filter of
            a Conv2D kernel (rows, columns, C, filters); None for the norm of all.

    Raises:
        UserError: max_value is below 0, or the axis none of the weight's.

    Source: Srivastava et al., JMLR 15, 2014, section 5.1.

    Example:
        >>> MaxNorm(1.0)(torch.tensor([[3.0, 0.3], [4.0, 0.4]]))
        tensor([[0.6000, 0.3000],
                [0.8000, 0.4000]])
    """

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value = _norm("MaxNorm", "max_value", max_value)
        self.set_axis(axis)

    def wanted(self, norms: torch.Tensor) -> torch.Tensor:
        return norms.clamp(0, self.max_value)

    def config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


@registry.register()
class UnitNorm(_OfNorms):
    """Parts are scaled to a norm of 1.

    Args:
        axis: Along which norms are taken, as for `MaxNorm`.

    Raises:
        UserError: The axis is none of the weight's.

    Example:
        >>> UnitNorm()(torch.tensor([[3.0], [4.0]]))
        tensor([[0.6000],
                [0.8000]])
    """

    def __init__(self, axis: Any = 0) -> None:
        self.set_axis(axis)

    def wanted(self, norms: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(norms)

    def config(self) -> dict[str, Any]:
        return {"axis": self.axis}


@registry.register()
class MinMaxNorm(_OfNorms):
    """Parts are scaled so that their norms come to lie between two bounds.

    Args:
        min_value, max_value: The bounds.
        rate: How far norms outside move towards the bounds at each step: 1 all the way, 0 not at all.
        axis: Along which norms are taken, as for `MaxNorm`.

    Raises:
        UserError: The bounds or the rate are out of range, or the axis is none of the weight's.

    Example:
        >>> MinMaxNorm(1.0, 2.0, rate=0.5)(torch.tensor([[6.0], [8.0]]))
        tensor([[3.6000],
                [4.8000]])
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value = _norm("MinMaxNorm", "min_value", min_value)
        self.max_value = _norm("MinMaxNorm", "max_value", max_value)
        if self.min_value > self.max_value:
            got = f"min_value={min_value!r} above max_value={max_value!r}"
            raise UserError("MinMaxNorm", got, "bounds in rising order", "Change one of them.")
        self.rate = check_number("MinMaxNorm", "rate", rate, "a number from 0 to 1", lambda share: 0 <= share <= 1)
        self.set_axis(axis)

    def wanted(self, norms: torch.Tensor) -> torch.Tensor:
        return self.rate * norms.clamp(self.min_value, self.max_value) + (1 - self.rate) * norms

    def config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


# Keras's older spelling: constraints.max_norm(3)
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm
