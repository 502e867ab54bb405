"""Chance in layers: drawn from torch's generator, or from one of the layer's own."""

from typing import Any

import torch

from striate.foundation.checks import check_int
from striate.layers.layer import Layer


class RandomLayer(Layer):
    """Base of the layers that draw random numbers.

    Args:
        seed: Makes the layer draw from a generator of its own, started from this number; None draws from torch's.

    Raises:
        UserError: The seed is no whole number from 0.
    """

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.seed = None if seed is None else check_int(self.where, "seed", seed, minimum=0)
        self._generator: torch.Generator | None = None

    def generator(self, device: torch.device) -> torch.Generator | None:
        """What to draw from; None means torch's own."""
        if self.seed is not None and self._generator is None:
            self._generator = torch.Generator(device).manual_seed(self.seed)
        return self._generator

    def normal(self, x: torch.Tensor, mean: float, deviation: float) -> torch.Tensor:
        """Normal numbers in the shape of `x`."""
        return torch.empty_like(x).normal_(mean, deviation, generator=self.generator(x.device))

    def chance_state(self) -> torch.Tensor | None:
        """Where the layer's own generator stands, for a checkpoint; None where there is none yet."""
        return None if self._generator is None else self._generator.get_state()

    def restore_chance(self, state: torch.Tensor, device: torch.device) -> None:
        """Draw on from where the generator that gave `state` stood."""
        self._generator = torch.Generator(device)
        self._generator.set_state(state)
