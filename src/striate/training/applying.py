"""Gradients that a training loop of one's own has computed: Keras's `optimizer.apply(gradients, weights)`."""

from collections.abc import Iterable
from typing import Any

import torch

from striate.foundation.checks import UserError


class Applying:
    """The part of an optimizer that takes gradients beside the weights, not on them.

    Example:
        >>> from striate.training.optimizers import SGD
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> SGD(0.5).apply([torch.tensor([1.0, 2.0])], [weight])
        >>> weight.tolist()
        [0.5, 0.0]
    """

    where: str
    engine: torch.optim.Optimizer | None

    def build(self, parameters: Any) -> None:
        """Make the torch optimizer."""
        raise NotImplementedError

    def step(self) -> None:
        """Change the parameters that have a gradient."""
        raise NotImplementedError

    def apply(self, grads: Iterable[torch.Tensor | None], trainable_variables: Iterable[torch.Tensor] = ()) -> None:
        """Change weights by gradients that were computed elsewhere; the gradients may be changed, too.

        Args:
            grads: One for each weight; None for one that is to stay.
            trainable_variables: The weights; those of `build` that training may change if left out.

        Raises:
            UserError: Their numbers differ, all gradients are None, or a weight is new to the optimizer.
        """
        gradients = list(grads)
        weights = list(trainable_variables) or [weight for weight in self._parameters() if weight.requires_grad]
        if len(gradients) != len(weights):
            fix = "Pass one for each, in the same order."
            raise UserError(f"{self.where}.apply", f"{len(gradients)} gradients", f"{len(weights)}, as weights", fix)
        self.build(weights)
        before = {parameter: parameter.grad for parameter in self._parameters()}
        try:
            for parameter in before:
                parameter.grad = None
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
            self.step()
        finally:
            for parameter, gradient in before.items():
                parameter.grad = gradient

    def apply_gradients(self, grads_and_vars: Iterable[tuple[torch.Tensor | None, torch.Tensor]]) -> None:
        """As `apply`, of pairs of a gradient and its weight."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [weight for _, weight in pairs])

    def _parameters(self) -> list[torch.Tensor]:
        return (
            [] if self.engine is None else [weight for group in self.engine.param_groups for weight in group["params"]]
        )
