"""What pictures meet with in the world: bad light, blur, noise, strong compression, a tilt."""

import io
from typing import Any

import numpy as np

from striate.tasks.task import Disturbance


def picture_disturbances() -> dict[str, Disturbance]:
    """Small changes of pictures (height, width, 1 | 3 | 4) of uint8, from none to what people see through.

    Source: Hendrycks and Dietterich, Benchmarking Neural Network Robustness, arXiv 1903.12261.

    Example:
        >>> grey = np.full((8, 8, 1), 100, "uint8")
        >>> picture_disturbances()["darker"](grey, 1.0, np.random.default_rng(0)).max()
        np.uint8(40)
    """
    return {
        "darker": _darker,
        "brighter": _brighter,
        "blur": _blur,
        "noise": _noise,
        "compression": _compress,
        "tilt": _tilt,
    }


def _darker(picture: np.ndarray, strength: float, chance: np.random.Generator) -> np.ndarray:
    return _with_colours(picture, picture * (1 - 0.6 * strength))


def _brighter(picture: np.ndarray, strength: float, chance: np.random.Generator) -> np.ndarray:
    return _with_colours(picture, picture + (255.0 - picture) * 0.5 * strength)


def _noise(picture: np.ndarray, strength: float, chance: np.random.Generator) -> np.ndarray:
    return _with_colours(picture, picture + chance.normal(0, 40 * strength, picture.shape))


def _blur(picture: np.ndarray, strength: float, chance: np.random.Generator) -> np.ndarray:
    from PIL import ImageFilter  # noqa: PLC0415 - Pillow takes time to import

    radius = strength * 0.02 * max(picture.shape[:2])
    return _by_pillow(picture, lambda image: image.filter(ImageFilter.GaussianBlur(radius)))


def _compress(picture: np.ndarray, strength: float, chance: np.random.Generator) -> np.ndarray:
    if strength == 0:
        return picture
    from PIL import Image  # noqa: PLC0415 - as above

    def through_jpeg(image: Image.Image) -> Image.Image:
        opacity = image.getchannel("A") if image.mode == "RGBA" else None
        file = io.BytesIO()
        image.convert("L" if image.mode == "L" else "RGB").save(file, "JPEG", quality=round(60 - 50 * strength))
        read: Image.Image = Image.open(file)
        if opacity is not None:
            read = read.convert("RGBA")
            read.putalpha(opacity)
        return read

    return _by_pillow(picture, through_jpeg)


def _tilt(picture: np.ndarray, strength: float, chance: np.random.Generator) -> np.ndarray:
    from PIL import Image  # noqa: PLC0415 - as above

    angle = strength * (15 if chance.random() < 0.5 else -15)
    edge = tuple(int(value) for value in np.median(picture[[0, -1]], axis=(0, 1)))  # what comes in at the corners
    fill = edge if len(edge) > 1 else edge[0]
    return _by_pillow(picture, lambda image: image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=fill))


def _by_pillow(picture: np.ndarray, change: Any) -> np.ndarray:
    from PIL import Image  # noqa: PLC0415 - as above

    changed = np.asarray(change(Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)))
    return changed[..., None] if changed.ndim == 2 else changed


def _with_colours(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The picture with other grey or colours, and its own opacity."""
    changed = np.rint(values).clip(0, 255).astype(np.uint8)
    changed[..., 3:] = picture[..., 3:]
    return changed
