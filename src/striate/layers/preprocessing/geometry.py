"""Random flips, turns, zooms and shifts; those that follow one another are made in one go."""

import functools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_choice, check_number
from striate.layers.chance import RandomLayer
from striate.layers.layer import Layer, registry
from striate.layers.preprocessing.pictures import PictureLayer
from striate.layers.preprocessing.resample import FILL_MODES, INTERPOLATIONS, resample

FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


class RandomGeometry(PictureLayer, RandomLayer):
    """Base of the layers that move each picture's cells at random, in training only.

    Input and output: (N, H, W, C) or (H, W, C); integers become floats.

    Several in a row are composed: the picture is looked up once, so that it is blurred once and its time is paid
    once. Keras looks it up once a layer.

    Args:
        fill_mode: What lies outside the picture: "reflect", "nearest", "constant" or "wrap".
        interpolation: "bilinear" or "nearest".
        fill_value: What lies outside with "constant".
    """

    noted_training: ClassVar[bool | None] = True

    def __init__(
        self, fill_mode: str = "reflect", interpolation: str = "bilinear", fill_value: float = 0.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.fill_mode = check_choice(self.where, "fill_mode", fill_mode, FILL_MODES)
        self.interpolation = check_choice(self.where, "interpolation", interpolation, INTERPOLATIONS)
        self.fill_value = check_number(self.where, "fill_value", fill_value, "a number")

    def maps(self, count: int, height: int, width: int, device: torch.device) -> torch.Tensor:
        """Where each cell of the result is looked up, drawn for every picture: (count, 3, 3), in cells."""
        raise NotImplementedError

    def draw(self, low: float, high: float, count: int, device: torch.device) -> torch.Tensor:
        """Numbers (count,) from `low` to `high`."""
        chance = torch.rand(count, generator=self.generator(device), device=device, dtype=torch.float64)
        return low + (high - low) * chance

    def forward(self, x: torch.Tensor, after: Sequence["RandomGeometry"] = ()) -> torch.Tensor:
        layers = [layer for layer in (*after, self) if layer.training]
        return self.on_batch(functools.partial(self.move, layers), x) if layers else x

    def move(self, layers: Sequence["RandomGeometry"], x: torch.Tensor) -> torch.Tensor:
        """Pictures (N, H, W, C) as the layers, one after the other, would change them."""
        count, height, width, _ = x.shape
        combined = torch.eye(3, dtype=torch.float64, device=x.device).expand(count, 3, 3)
        for layer in layers:
            combined = combined @ layer.maps(count, height, width, x.device)
        return resample(x, combined, *next(filter(None, (layer.outside for layer in layers)), ()))

    @property
    def outside(self) -> tuple[str, str, float] | None:
        """How cells are looked up, and what lies outside; None where neither matters."""
        return self.fill_mode, self.interpolation, self.fill_value

    def takes_over(self, before: Sequence[Layer]) -> bool:
        layers = [layer for layer in (*before, self) if isinstance(layer, RandomGeometry)]
        ways = {layer.outside for layer in layers} - {None}
        formats = {(layer.data_format, layer.dtype) for layer in layers}
        return len(layers) == len(before) + 1 and len(ways) < 2 and len(formats) == 1

    def config(self) -> dict[str, Any]:
        names = ("fill_mode", "interpolation", "seed", "fill_value")
        return {**{name: getattr(self, name) for name in names}, **super().config()}


def _range(where: str, argument: str, value: Any, least: float, most: float, needs: str) -> tuple[float, float]:
    """The least and greatest factor: of one number x that is (-x, x).

    Raises:
        UserError: It is neither a number nor two of them, or one is out of range.
    """
    if isinstance(value, list | tuple) and len(value) != 2:
        raise UserError(where, f"{argument}={value!r}", needs, f"Pass for example {argument}=0.2.")
    pair = value if isinstance(value, list | tuple) else [value, value]
    low, high = sorted(check_number(where, argument, v, needs, lambda number: least <= number <= most) for v in pair)
    return (low, high) if isinstance(value, list | tuple) else (-abs(low), abs(low))


def _maps(count: int, device: torch.device, rows: Sequence[Sequence[Any]]) -> torch.Tensor:
    """Maps (count, 3, 3) of two rows, whose entries are numbers or tensors (count,)."""
    maps = torch.zeros(count, 3, 3, dtype=torch.float64, device=device)
    for row, entries in enumerate([*rows, (0, 0, 1)]):
        for column, entry in enumerate(entries):
            maps[:, row, column] = entry
    return maps


@registry.register()
class RandomFlip(RandomGeometry):
    """In training mirrors half of the pictures.

    Input and output: (N, H, W, C) or (H, W, C); integers become floats.

    Args:
        mode: "horizontal", "vertical", or "horizontal_and_vertical", which does both to a picture or neither.
        seed: Makes the layer draw from a generator of its own, started from this number.
        data_format: "channels_last", or "channels_first" for (N, C, H, W).

    Example:
        >>> flipped = RandomFlip("horizontal", seed=1)(torch.tensor([[[[1], [2]]]] * 20), training=True)
        >>> torch.unique(flipped, dim=0).shape
        torch.Size([2, 1, 2, 1])
    """

    outside = None

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **options)
        self.mode = check_choice(self.where, "mode", mode, FLIPS)

    def forward(self, x: torch.Tensor, after: Sequence[RandomGeometry] = ()) -> torch.Tensor:
        alone = self.training and not any(layer.training for layer in after)
        return self.on_batch(self.mirror, x) if alone else super().forward(x, after)

    def mirror(self, x: torch.Tensor) -> torch.Tensor:
        """Pictures (N, H, W, C), mirrored without being looked up anew."""
        axes = [axis for axis, name in ((1, "vertical"), (2, "horizontal")) if name in self.mode]
        chosen = self.draw(0, 1, len(x), x.device) <= 0.5
        return torch.where(chosen[:, None, None, None], x.flip(axes), x)

    def maps(self, count: int, height: int, width: int, device: torch.device) -> torch.Tensor:
        chosen = (self.draw(0, 1, count, device) <= 0.5).double()
        across, down = chosen * ("horizontal" in self.mode), chosen * ("vertical" in self.mode)
        return _maps(count, device, [(1 - 2 * across, 0, (width - 1) * across), (0, 1 - 2 * down, (height - 1) * down)])

    def config(self) -> dict[str, Any]:
        return {"mode": self.mode, "seed": self.seed, "data_format": self.data_format}


@registry.register()
class RandomRotation(RandomGeometry):
    """In training turns each picture about its middle.

    Input and output: (N, H, W, C) or (H, W, C); integers become floats.

    Args:
        factor: The most that it turns, in parts of a full turn: 0.1 is up to 36 degrees either way; or the least
            and the most, where positive numbers turn against the clock.
        fill_mode: What lies outside the picture: "reflect", "nearest", "constant" or "wrap".
        interpolation: "bilinear" or "nearest".
        seed: Makes the layer draw from a generator of its own, started from this number.
        fill_value: What lies outside with "constant".
        data_format: "channels_last", or "channels_first" for (N, C, H, W).

    Example:
        >>> quarter = RandomRotation((0.25, 0.25))
        >>> quarter(torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]]), training=True)[..., 0].round()
        tensor([[2., 4.],
                [1., 3.]])
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **options)
        self.factor = factor
        needs = "a number from -1 to 1 (parts of a full turn), or two of them"
        self.turns = _range(self.where, "factor", factor, -1, 1, needs)

    def maps(self, count: int, height: int, width: int, device: torch.device) -> torch.Tensor:
        angle = self.draw(*self.turns, count, device) * 2 * math.pi
        cos, sin = torch.cos(angle), torch.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        return _maps(count, device, [(cos, -sin, x - x * cos + y * sin), (sin, cos, y - x * sin - y * cos)])

    def config(self) -> dict[str, Any]:
        return {"factor": self.factor, **super().config()}


@registry.register()
class RandomZoom(RandomGeometry):
    """In training scales each picture about its middle.

    Input and output: (N, H, W, C) or (H, W, C); integers become floats.

    Args:
        height_factor: The most by which the height that is seen changes, 0.2 for 20 %; or the least and the most:
            (0.2, 0.3) always zooms out, (-0.3, -0.2) always in.
        width_factor: Likewise for the width; the height's zoom if left out, which keeps the proportions.
        fill_mode: What lies outside the picture: "reflect", "nearest", "constant" or "wrap".
        interpolation: "bilinear" or "nearest".
        seed: Makes the layer draw from a generator of its own, started from this number.
        fill_value: What lies outside with "constant".
        data_format: "channels_last", or "channels_first" for (N, C, H, W).

    Example:
        >>> out = RandomZoom((0.5, 0.5), fill_mode="constant")(torch.ones(1, 8, 8, 1), training=True)
        >>> round(float(out.sum()))
        30
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **options)
        self.height_factor, self.width_factor = height_factor, width_factor
        least, needs = math.nextafter(-1, 0), "a number above -1, up to 1, or two of them"
        self.down = _range(self.where, "height_factor", height_factor, least, 1, needs)
        self.across = None
        if width_factor is not None:
            self.across = _range(self.where, "width_factor", width_factor, least, 1, needs)

    def maps(self, count: int, height: int, width: int, device: torch.device) -> torch.Tensor:
        down = 1 + self.draw(*self.down, count, device)
        across = down if self.across is None else 1 + self.draw(*self.across, count, device)
        return _maps(
            count, device, [(across, 0, (width - 1) / 2 * (1 - across)), (0, down, (height - 1) / 2 * (1 - down))]
        )

    def config(self) -> dict[str, Any]:
        return {"height_factor": self.height_factor, "width_factor": self.width_factor, **super().config()}


@registry.register()
class RandomTranslation(RandomGeometry):
    """In training moves each picture.

    Input and output: (N, H, W, C) or (H, W, C); integers become floats.

    Args:
        height_factor: The most that it moves up or down, in parts of its height; or the least and the most, where
            positive numbers move it down.
        width_factor: The most that it moves left or right, in parts of its width; or the least and the most, where
            positive numbers move it to the right.
        fill_mode: What lies outside the picture: "reflect", "nearest", "constant" or "wrap".
        interpolation: "bilinear" or "nearest".
        seed: Makes the layer draw from a generator of its own, started from this number.
        fill_value: What lies outside with "constant".
        data_format: "channels_last", or "channels_first" for (N, C, H, W).

    Example:
        >>> to_the_right = RandomTranslation(0.0, (0.5, 0.5), fill_mode="constant")
        >>> to_the_right(torch.tensor([[[[1.0], [2.0]]]]), training=True).ravel().round().tolist()
        [0.0, 1.0]
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **options)
        self.height_factor, self.width_factor = height_factor, width_factor
        needs = "a number from -1 to 1, or two of them"
        self.down = _range(self.where, "height_factor", height_factor, -1, 1, needs)
        self.across = _range(self.where, "width_factor", width_factor, -1, 1, needs)

    def maps(self, count: int, height: int, width: int, device: torch.device) -> torch.Tensor:
        down = self.draw(*self.down, count, device) * height
        across = self.draw(*self.across, count, device) * width
        return _maps(count, device, [(1, 0, -across), (0, 1, -down)])

    def config(self) -> dict[str, Any]:
        return {"height_factor": self.height_factor, "width_factor": self.width_factor, **super().config()}
