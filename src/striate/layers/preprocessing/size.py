"""Pictures brought to a size: resized, or cut out."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_choice, check_flag, check_int, check_number
from striate.layers.chance import RandomLayer
from striate.layers.layer import registry
from striate.layers.preprocessing.pictures import PictureLayer

# Keras's words and torch's.
METHODS = {"bilinear": "bilinear", "nearest": "nearest-exact", "bicubic": "bicubic"}
REFUSED_METHODS = dict.fromkeys(("lanczos3", "lanczos5", "area", "gaussian", "mitchellcubic"), "Take 'bicubic'.")


def resized(x: torch.Tensor, height: int, width: int, interpolation: str = "bilinear", antialias: bool = False) -> Any:
    """Pictures (N, H, W, C) at another size, with half-pixel centres."""
    smooth = interpolation in ("bilinear", "bicubic")
    planes = F.interpolate(
        x.permute(0, 3, 1, 2),
        (height, width),
        mode=METHODS[interpolation],
        align_corners=False if smooth else None,
        antialias=antialias and smooth,
    )
    return planes.permute(0, 2, 3, 1)


def cut_to_proportions(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The largest part in the middle of pictures (N, H, W, C) that has the proportions of height x width."""
    rows = max(1, min(x.shape[1], int(x.shape[2] * height / width)))
    columns = max(1, min(x.shape[2], int(x.shape[1] * width / height)))
    top, left = (x.shape[1] - rows) // 2, (x.shape[2] - columns) // 2
    return x[:, top : top + rows, left : left + columns]


class SizeLayer(PictureLayer):
    """Base of the layers that bring pictures to a size.

    Args:
        height, width: What comes out.
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format=data_format, **options)
        self.height, self.width = check_int(self.where, "height", height), check_int(self.where, "width", width)

    def size_out(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        return self.height, self.width

    def config(self) -> dict[str, Any]:
        return {"height": self.height, "width": self.width, **super().config()}


@registry.register()
class Resizing(SizeLayer):
    """Brings pictures to one size.

    Input: (N, H, W, C) or (H, W, C). Output: the same with `height` and `width`; integers become floats.

    Args:
        height, width: What comes out.
        interpolation: "bilinear", "nearest" or "bicubic".
        crop_to_aspect_ratio: Cut off what would have to be squeezed, in equal parts on both sides.
        pad_to_aspect_ratio: Add margins so that nothing is squeezed.
        fill_mode: Of the margins: "constant".
        fill_value: What is in the margins.
        antialias: Average over all that a cell of a smaller picture covers.
        data_format: "channels_last", or "channels_first" for (N, C, H, W).

    Raises:
        UserError: An argument is out of range, or both ways to keep proportions are asked for.

    Example:
        >>> Resizing(1, 4)(torch.tensor([[[0], [100]]])).ravel().tolist()
        [0.0, 25.0, 75.0, 100.0]
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(height, width, data_format, **options)
        self.interpolation = check_choice(self.where, "interpolation", interpolation, METHODS, REFUSED_METHODS)
        self.crop = check_flag(self.where, "crop_to_aspect_ratio", crop_to_aspect_ratio)
        self.pad = check_flag(self.where, "pad_to_aspect_ratio", pad_to_aspect_ratio)
        self.antialias = check_flag(self.where, "antialias", antialias)
        if self.crop and self.pad:
            got = "crop_to_aspect_ratio=True and pad_to_aspect_ratio=True"
            raise UserError(self.where, got, "one of them", "Leave one out.")
        self.fill_mode = check_choice(self.where, "fill_mode", fill_mode, ("constant",))
        self.fill_value = check_number(self.where, "fill_value", fill_value, "a number")

    def change(self, x: torch.Tensor) -> torch.Tensor:
        if self.crop:
            x = cut_to_proportions(x, self.height, self.width)
        elif self.pad:
            x = self._with_margins(x)
        return resized(x, self.height, self.width, self.interpolation, self.antialias)

    def _with_margins(self, x: torch.Tensor) -> torch.Tensor:
        rows = max(x.shape[1], int(x.shape[2] * self.height / self.width))
        columns = max(x.shape[2], int(x.shape[1] * self.width / self.height))
        down, across = (rows - x.shape[1]) // 2, (columns - x.shape[2]) // 2
        return F.pad(x, (0, 0, across, across, down, down), value=self.fill_value)

    def config(self) -> dict[str, Any]:
        return {
            **super().config(),
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop,
            "pad_to_aspect_ratio": self.pad,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }


@registry.register()
class CenterCrop(SizeLayer):
    """Cuts out the middle; pictures that are too small are cut to the proportions and resized.

    Input: (N, H, W, C) or (H, W, C). Output: the same with `height` and `width`; integers become floats.

    Args:
        height, width: What comes out.
        data_format: "channels_last", or "channels_first" for (N, C, H, W).

    Example:
        >>> CenterCrop(1, 2)(torch.tensor([[[1], [2], [3], [4]]])).ravel().tolist()
        [2.0, 3.0]
    """

    def change(self, x: torch.Tensor) -> torch.Tensor:
        top, left = (x.shape[1] - self.height) // 2, (x.shape[2] - self.width) // 2
        if top < 0 or left < 0:
            return resized(cut_to_proportions(x, self.height, self.width), self.height, self.width)
        return x[:, top : top + self.height, left : left + self.width]


@registry.register()
class RandomCrop(SizeLayer, RandomLayer):
    """In training cuts out a part at random, the same for all pictures of a batch; otherwise the middle.

    Pictures that are too small are cut to the proportions and resized.

    Input: (N, H, W, C) or (H, W, C). Output: the same with `height` and `width`; integers become floats.

    Args:
        height, width: What comes out.
        seed: Makes the layer draw from a generator of its own, started from this number.
        data_format: "channels_last", or "channels_first" for (N, C, H, W).

    Example:
        >>> RandomCrop(1, 2)(torch.tensor([[[1], [2], [3]]]), training=True).shape
        torch.Size([1, 2, 1])
    """

    noted_training: ClassVar[bool | None] = True

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(height, width, data_format, seed=seed, **options)

    def change(self, x: torch.Tensor) -> torch.Tensor:
        spare = (x.shape[1] - self.height, x.shape[2] - self.width)
        if not self.training or min(spare) < 0:
            return resized(cut_to_proportions(x, self.height, self.width), self.height, self.width)
        chance = torch.rand(2, generator=self.generator(x.device), device=x.device).tolist()
        top, left = (int(part * (room + 1)) for part, room in zip(chance, spare, strict=True))
        return x[:, top : top + self.height, left : left + self.width]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "seed": self.seed}
