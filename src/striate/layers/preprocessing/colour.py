"""Random changes of contrast and brightness."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_number
from striate.layers.chance import RandomLayer
from striate.layers.layer import registry
from striate.layers.preprocessing.pictures import PictureLayer


class RandomColour(PictureLayer, RandomLayer):
    """Base of the layers that change each picture's values at random, in training only.

    Args:
        value_range: The least and greatest value, which what comes out keeps to.
    """

    noted_training: ClassVar[bool | None] = True

    def __init__(self, value_range: Any = (0, 255), **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(value_range, list | tuple) or len(value_range) != 2 or value_range[0] == value_range[1]:
            needs = "two numbers, the least and the greatest value"
            raise UserError(self.where, f"value_range={value_range!r}", needs, "Pass for example (0, 255).")
        self.low, self.high = sorted(check_number(self.where, "value_range", v, "two numbers") for v in value_range)

    def draw(self, low: float, high: float, x: torch.Tensor) -> torch.Tensor:
        """A number from `low` to `high` for each picture (N, H, W, C), broadcast over its cells."""
        shape = (len(x), 1, 1, 1)
        return low + (high - low) * torch.rand(shape, generator=self.generator(x.device), device=x.device).to(x.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).clamp(self.low, self.high) if self.training else x

    def config(self) -> dict[str, Any]:
        return {"value_range": [self.low, self.high], "seed": self.seed, **super().config()}


@registry.register()
class RandomContrast(RandomColour):
    """In training brings each picture's values nearer to its channels' means, or farther from them.

    Input and output: (N, H, W, C) or (H, W, C); integers become floats.

    Args:
        factor: The most by which the contrast changes, 0.2 for 20 %; or the most that it falls and, no less, rises.
        value_range: The least and greatest value, which what comes out keeps to.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Example:
        >>> RandomContrast(0.5)(torch.tensor([[[100.0], [200.0]]]), training=True).mean()
        tensor(150.)
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **options: Any) -> None:
        super().__init__(value_range, seed=seed, **options)
        needs = "a number from 0 to 1, or two of them"
        pair = sorted(factor) if isinstance(factor, list | tuple) else (factor, factor)
        if len(pair) != 2:
            raise UserError(self.where, f"factor={factor!r}", needs, "Pass for example factor=0.2.")
        self.less, self.more = (
            check_number(self.where, "factor", part, needs, lambda number: 0 <= number <= 1) for part in pair
        )

    def change(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean((1, 2), keepdim=True)
        return mean + (x - mean) * self.draw(1 - self.less, 1 + self.more, x)

    def config(self) -> dict[str, Any]:
        return {"factor": [self.less, self.more], **super().config()}


@registry.register()
class RandomBrightness(RandomColour):
    """In training adds a number to each picture.

    Input and output: (N, H, W, C) or (H, W, C); integers become floats.

    Args:
        factor: The most that is added or taken away, in parts of the range of values; or the least and the most.
        value_range: The least and greatest value, which what comes out keeps to.
        seed: Makes the layer draw from a generator of its own, started from this number.

    Example:
        >>> RandomBrightness((0.2, 0.2))(torch.tensor([[[100.0], [250.0]]]), training=True).ravel().tolist()
        [151.0, 255.0]
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **options: Any) -> None:
        super().__init__(value_range, seed=seed, **options)
        needs = "a number from -1 to 1, or two of them"
        pair = sorted(factor) if isinstance(factor, list | tuple) else (factor, factor)
        if len(pair) != 2:
            raise UserError(self.where, f"factor={factor!r}", needs, "Pass for example factor=0.2.")
        low, high = (check_number(self.where, "factor", v, needs, lambda number: -1 <= number <= 1) for v in pair)
        self.factor = factor
        self.shift = (low, high) if isinstance(factor, list | tuple) else (-abs(low), abs(low))

    def change(self, x: torch.Tensor) -> torch.Tensor:
        low, high = (part * (self.high - self.low) for part in self.shift)
        return x + self.draw(low, high, x)

    def config(self) -> dict[str, Any]:
        return {"factor": self.factor, **super().config()}
