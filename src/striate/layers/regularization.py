"""Layers that add chance in training, so that the network cannot lean on single cells."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_number
from striate.foundation.shapes import Shape
from striate.kernels.dropout import can_dropout, dropout
from striate.layers.chance import RandomLayer
from striate.layers.elementwise import Elementwise
from striate.layers.layer import registry
from striate.layers.spatial import check_data_format
from striate.layers.structure import is_shape

# selu far below 0.
SATURATION = -1.7580993408473766

RATE = "a rate from 0 up to but not including 1"


@registry.register()
class Dropout(RandomLayer, Elementwise):
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
        super().__init__(seed=seed, **options)
        self.rate = check_number(self.where, "rate", rate, RATE, lambda value: 0 <= value < 1)
        if noise_shape is not None and not (
            is_shape(noise_shape) and all(size is None or size > 0 for size in noise_shape)
        ):
            needs = "one whole number or None for every axis"
            raise UserError(self.where, f"noise_shape={noise_shape!r}", needs, "Pass for example (None, 1, 1, None).")
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.rate:
            return x
        shape = self.shape_of_noise(x)
        if shape == x.shape and self.seed is None:
            return dropout(x, self.rate) if can_dropout(x) else F.dropout(x, self.rate)
        return x * (self.draw_kept(x, shape) / (1 - self.rate))

    def shape_of_noise(self, x: torch.Tensor) -> tuple[int, ...]:
        """The shape of what is drawn for an input."""
        return tuple(size or own for size, own in zip(self.noise_shape or x.shape, x.shape, strict=True))

    def draw_kept(self, x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """1 where the input is kept, 0 elsewhere."""
        kept = torch.empty(shape, dtype=x.dtype, device=x.device)
        return kept.bernoulli_(1 - self.rate, generator=self.generator(x.device))

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


class SpatialDropout(Dropout):
    """Base of the dropouts that set all cells of a channel to zero together."""

    data_format = "channels_last"

    def shape_of_noise(self, x: torch.Tensor) -> tuple[int, ...]:
        ones = (1,) * (x.ndim - 2)
        return (*x.shape[:2], *ones) if self.data_format == "channels_first" else (x.shape[0], *ones, x.shape[-1])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        return super().compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """As Keras holds it, whose layer takes no `trainable`."""
        return {**{k: v for k, v in super().get_config().items() if k != "trainable"}, "dtype": self.dtype_policy.name}


@registry.register()
class SpatialDropout1D(SpatialDropout):
    """In training sets a share of the channels of a series to zero, at all steps, and scales the rest up.

    Input and output: (N, L, C).

    Args:
        rate: The share set to zero, from 0 up to but not including 1.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Raises:
        UserError: The rate is out of range.
        ShapeError: The input is not (N, L, C).

    Source: Tompson et al., arXiv 1411.4280.

    Example:
        >>> y = SpatialDropout1D(0.5, seed=0)(torch.ones(1, 100, 8), training=True)
        >>> y.std(dim=1).max()  # the same at every step
        tensor(0.)
    """

    rank = 3

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, seed=seed, **options)

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed}


class _SpatialDropoutOfPictures(SpatialDropout):
    """Base of the two that can have their channels first."""

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, seed=seed, **options)
        self.data_format = check_data_format(self.where, data_format)

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate, "data_format": self.data_format, "seed": self.seed}


@registry.register()
class SpatialDropout2D(_SpatialDropoutOfPictures):
    """In training sets a share of the channels of a picture to zero, everywhere, and scales the rest up.

    Input and output: (N, H, W, C).

    Args:
        rate: The share set to zero, from 0 up to but not including 1.
        data_format: "channels_last" (default); or "channels_first" for (N, C, H, W).
        seed: Makes the layer draw from a generator of its own, started from this number.

    Raises:
        UserError: The rate is out of range.
        ShapeError: The input does not have four axes.

    Source: Tompson et al., arXiv 1411.4280.

    Example:
        >>> y = SpatialDropout2D(0.5, seed=0)(torch.ones(1, 9, 9, 8), training=True)
        >>> sorted(set(y.flatten().tolist()))
        [0.0, 2.0]
    """

    rank = 4


@registry.register()
class SpatialDropout3D(_SpatialDropoutOfPictures):
    """In training sets a share of the channels of a volume to zero, everywhere, and scales the rest up.

    Input and output: (N, D, H, W, C).

    Args: as for `SpatialDropout2D`.

    Raises:
        UserError: The rate is out of range.
        ShapeError: The input does not have five axes.
    """

    rank = 5


@registry.register()
class GaussianNoise(RandomLayer, Elementwise):
    """In training adds normal noise; otherwise does nothing.

    Input and output: any shape.

    Args:
        stddev: The noise's standard deviation, from 0 to 1.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Raises:
        UserError: stddev is out of range.

    Example:
        >>> GaussianNoise(0.1)(torch.ones(2)).tolist()  # inference
        [1.0, 1.0]
    """

    casts_integers = True
    noted_training = False

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        self.stddev = check_number(self.where, "stddev", stddev, "a number from 0 to 1", lambda value: 0 <= value <= 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.normal(x, 0.0, self.stddev) if self.training and self.stddev else x

    def config(self) -> dict[str, Any]:
        return {"stddev": self.stddev, "seed": self.seed}


@registry.register()
class GaussianDropout(RandomLayer, Elementwise):
    """In training multiplies by normal numbers around 1; otherwise does nothing.

    Input and output: any shape.

    Args:
        rate: The numbers' standard deviation is sqrt(rate / (1 - rate)), as if Dropout had this rate.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Raises:
        UserError: The rate is out of range.

    Source: Srivastava et al., JMLR 15, 2014.

    Example:
        >>> GaussianDropout(0.5)(torch.ones(2)).tolist()  # inference
        [1.0, 1.0]
    """

    casts_integers = True
    noted_training = False

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        self.rate = check_number(self.where, "rate", rate, RATE, lambda value: 0 <= value < 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        deviation = math.sqrt(self.rate / (1 - self.rate))
        return x * self.normal(x, 1.0, deviation) if self.training and self.rate else x

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed}


@registry.register()
class AlphaDropout(Dropout):
    """In training sets a share of the input to what selu saturates at, keeping mean and variance.

    Input and output: any shape. Means of 0 and variances of 1, which selu keeps, stay so.

    Args:
        rate: The share that is set, from 0 up to but not including 1.
        noise_shape: Shape of the mask, broadcast over the input; None draws for every cell.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Raises:
        UserError: An argument is out of range.
        ShapeError: noise_shape does not broadcast to the input.

    Source: Klambauer et al., arXiv 1706.02515.

    Example:
        >>> AlphaDropout(0.5)(torch.ones(2)).tolist()  # inference
        [1.0, 1.0]
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.rate:
            return x
        # With SATURATION as its zero, dropout leaves the mean alone, and makes this of a variance of 1.
        variance = (1 + self.rate * SATURATION**2) / (1 - self.rate)
        return (super().forward(x - SATURATION) + SATURATION) * variance**-0.5
