"""Moving averages of weights, which an optimizer keeps and can put in their place."""

from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.training.slots import SlotHolder


class MovingAverages(SlotHolder):
    """The part of an optimizer that averages, if told `use_ema`; see `Optimizer`."""

    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None

    @property
    def steps(self) -> int:
        """How often `step` was called."""
        raise NotImplementedError

    @property
    def iterations(self) -> int:
        """How often weights were moved."""
        raise NotImplementedError

    @property
    def averages_in_model(self) -> bool:
        """Whether `swap_averages` has put the averages in the weights' place."""
        return self.engine is not None and bool(self.engine.param_groups[0]["averages_in_model"])

    @torch.no_grad()
    def swap_averages(self) -> None:
        """Exchange weights and averages, until called again.

        Raises:
            UserError: There are no averages.
        """
        group = self._engine().param_groups[0]
        if not self.use_ema:
            fix = "Pass use_ema=True to the optimizer."
            raise UserError(self.where, "a request for averaged weights", "to keep averages", fix)
        for owner in self._owners():
            average = self._state(owner)["average"]
            weight = owner.clone()
            owner.copy_(average)
            average.copy_(weight)
        group["averages_in_model"] = 1 - group["averages_in_model"]

    @torch.no_grad()
    def finalize_variable_values(self, var_list: Any = None) -> None:
        """With `use_ema`, give the weights their averages for good, as `fit` does when training ends."""
        if self.use_ema and self.steps:
            group, owners = self._engine().param_groups[0], self._owners()
            pairs = zip(owners, self._slot("average", owners), strict=True)
            for weight, average in pairs:
                average.copy_(weight) if group["averages_in_model"] else weight.copy_(average)
            group["averages_in_model"] = 0

    def _average(self) -> None:
        """Move the averages; the first ones are the weights."""
        owners = self._owners()
        averages = self._slot("average", owners)
        torch._foreach_lerp_(averages, owners, 1 - self.ema_momentum if self.iterations else 1.0)
        if self.ema_overwrite_frequency and (self.iterations + 1) % self.ema_overwrite_frequency == 0:
            torch._foreach_copy_(owners, averages)
