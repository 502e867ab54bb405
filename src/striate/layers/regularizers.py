"""Penalties on weights, added to the loss, by Keras's names."""

from typing import Any, ClassVar

import torch

from striate.foundation.arguments import KnownArguments
from striate.foundation.checks import UserError, check_choice, check_number
from striate.foundation.configured import Configured
from striate.foundation.explain import explaining
from striate.foundation.registry import Registry
from striate.foundation.shapes import describe


class Regularizer(KnownArguments, Configured):
    """Makes a number out of a weight: `regularizer(weight) -> scalar tensor`."""

    explained: ClassVar[tuple[str, ...]] = ("__init__", "__call__")

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        """The penalty of `weight`."""
        raise NotImplementedError


registry: Registry[Regularizer] = Registry("regularizer", "keras.regularizers", Regularizer)


@explaining
def get(identifier: Any, where: str | None = None) -> Regularizer | None:
    """The regularizer for a name, a Keras config, or a `Regularizer`; None for none."""
    return None if identifier is None else registry.get(identifier, where)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """A regularizer as `.keras` files hold it."""
    return None if regularizer is None else registry.serialize(regularizer)


def _factor(where: str, argument: str, value: Any) -> float:
    needs = "a number of at least 0"
    return check_number(where, argument, 0.0 if value is None else value, needs, lambda v: 0 <= v < float("inf"))


@registry.register("l1_l2")
class L1L2(Regularizer):
    """l1 * sum(|w|) + l2 * sum(w ** 2).

    Example:
        >>> L1L2(l1=0.5, l2=1.0)(torch.tensor([1.0, -2.0]))
        tensor(6.5000)
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = _factor("L1L2", "l1", l1), _factor("L1L2", "l2", l2)

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        return self.l1 * weight.abs().sum() + self.l2 * weight.square().sum()

    def config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


@registry.register()
class L1(Regularizer):
    """l1 * sum(|w|)."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _factor("L1", "l1", l1)

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        return self.l1 * weight.abs().sum()

    def config(self) -> dict[str, Any]:
        return {"l1": self.l1}


@registry.register()
class L2(Regularizer):
    """l2 * sum(w ** 2)."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _factor("L2", "l2", l2)

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        return self.l2 * weight.square().sum()

    def config(self) -> dict[str, Any]:
        return {"l2": self.l2}


@registry.register()
class OrthogonalRegularizer(Regularizer):
    """factor times the mean of |cosine| over all pairs of rows of a matrix, or of its columns.

    Args:
        factor: The factor.
        mode: "rows" or "columns": what is to be at right angles.

    Raises:
        UserError: The factor or the mode is not known, or the weight no matrix.

    Example:
        >>> OrthogonalRegularizer(1.0)(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        tensor(0.)
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor("OrthogonalRegularizer", "factor", factor)
        self.mode = check_choice("OrthogonalRegularizer", "mode", mode, ("rows", "columns"))

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        if weight.ndim != 2:
            got, needs = f"a weight of shape {describe(weight.shape)}", "a matrix, of two axes"
            raise UserError("OrthogonalRegularizer", got, needs, "Use another regularizer here.")
        rows = weight if self.mode == "rows" else weight.T
        rows = rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp(min=1e-7)
        cosines = (rows @ rows.T).abs()
        count = len(rows)
        return self.factor * (cosines.sum() - cosines.diagonal().sum()) / max(count * (count - 1), 1)

    def config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1, l2, l1_l2 = L1, L2, L1L2  # Keras's older spelling: regularizers.l2(1e-4)
orthogonal_regularizer = OrthogonalRegularizer
