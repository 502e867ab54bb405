"""Layers that add chance in training, so that the network cannot lean on single cells."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_int, check_number
from striate.foundation.shapes import Shape
from striate.layers.layer import Elementwise, registry
from striate.layers.structure import is_shape


@registry.register()
class Dropout(Elementwise):
    """In training sets a share of the input to zero and scales the rest up; otherwise does nothing.

    Input and output: any shape.

    Args:
        rate: The share set to zero, from 0 up to but not including 1.
        noise_shape: Shape of the mask, broadcast over the input; None draws for every cell.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Source: Srivastava et al., JMLR 15, 2014.

    Example:
        >>> Dropout(0.5)(torch.ones(2)).tolist()  # inference
        [1.0, 1.0]
    """

    casts_integers = True
    noted_training = False

    def __init__(
        self, rate: float, noise_shape: tuple[int | None, ...] | None = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        needs = "a rate from 0 up to but not including 1"
        self.rate = check_number(self.where, "rate", rate, needs, lambda value: 0 <= value < 1)
        if noise_shape is not None and not (
            is_shape(noise_shape) and all(size is None or size > 0 for size in noise_shape)
        ):
            needs = "one whole number or None for every axis"
            raise UserError(self.where, f"noise_shape={noise_shape!r}", needs, "Pass for example (None, 1, 1, None).")
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = None if seed is None else check_int(self.where, "seed", seed, minimum=0)
        self._generator: torch.Generator | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.rate:
            return x
        if self.noise_shape is None and self.seed is None:
            return F.dropout(x, self.rate)
        shape = [size or own for size, own in zip(self.noise_shape or x.shape, x.shape, strict=True)]
        if self.seed is not None and self._generator is None:
            self._generator = torch.Generator(x.device).manual_seed(self.seed)
        keep = torch.empty(shape, dtype=x.dtype, device=x.device)
        keep.bernoulli_(1 - self.rate, generator=self._generator)
        return x * keep / (1 - self.rate)

    def chance_state(self) -> torch.Tensor | None:
        """Where the layer's own generator stands, for a checkpoint; None where there is none yet."""
        return None if self._generator is None else self._generator.get_state()

    def restore_chance(self, state: torch.Tensor, device: torch.device) -> None:
        """Draw on from where the generator that gave `state` stood."""
        self._generator = torch.Generator(device)
        self._generator.set_state(state)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        if self.noise_shape is None:
            return input_shape
        if len(self.noise_shape) != len(input_shape):
            needs = f"as many axes as noise_shape={self.noise_shape}"
            raise self.refuse_shape(input_shape, needs, "Give noise_shape one number (or None) for every axis.")
        pairs = zip(self.noise_shape, input_shape, strict=True)
        if any(own not in (None, 1, size) and size is not None for own, size in pairs):
            needs = f"axes that noise_shape={self.noise_shape} broadcasts to"
            raise self.refuse_shape(input_shape, needs, "Use None, or 1 where the mask is to be shared.")
        return input_shape

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}
