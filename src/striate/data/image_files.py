"""Single pictures between files, Pillow's images and arrays, with Keras's arguments and meaning."""

import io
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.data.pictures import decode
from striate.data.tensors import as_array, as_dtype
from striate.foundation.checks import UserError, check_choice, check_flag, check_ints, check_path
from striate.foundation.explain import explaining
from striate.foundation.files import atomic_path

if TYPE_CHECKING:
    from PIL.Image import Image

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_METHODS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
_FORMATS = {"jpg": "jpeg", "tif": "tiff"}


@explaining
def load_img(
    path: str | os.PathLike[str] | io.BytesIO,
    color_mode: str = "rgb",
    target_size: int | tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> "Image":
    """Read a picture as an image of Pillow's.

    Args:
        path: A file, or its bytes as io.BytesIO.
        color_mode: "rgb", "rgba" or "grayscale".
        target_size: (height, width) to bring it to.
        interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos".
        keep_aspect_ratio: Whether to cut the largest part of the wanted proportions out of the middle first.

    Raises:
        UserError: The file is missing, damaged or no picture, or an argument is out of range.
    """
    from PIL import Image  # noqa: PLC0415  (Pillow takes time to import)

    mode = _MODES[check_choice("load_img", "color_mode", color_mode, _MODES)]
    method = check_choice("load_img", "interpolation", interpolation, _METHODS)
    pixels = decode(path.getvalue() if isinstance(path, io.BytesIO) else check_path("load_img", "path", path), mode)
    image = Image.fromarray(pixels[..., 0] if mode == "L" else pixels)
    if target_size is None:
        return image
    height, width = check_ints("load_img", "target_size", target_size, 2)
    if image.size == (width, height):
        return image
    box = _middle(image.size, (width, height)) if keep_aspect_ratio else None
    return image.resize((width, height), Image.Resampling[method.upper()], box=box)


def _middle(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """The edges of the largest part in the middle that has the proportions of `wanted`; widths come first."""
    width = min(size[0], size[1] * wanted[0] // wanted[1])
    height = min(size[1], size[0] * wanted[1] // wanted[0])
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


@explaining
def img_to_array(img: "Image", data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """An image of Pillow's as numbers.

    Args:
        data_format: "channels_last" (None means it, too) or "channels_first".
        dtype: float32 unless told.

    Returns:
        (height, width, channels) or (channels, height, width).

    Raises:
        UserError: It is no picture.

    Example:
        >>> from PIL import Image
        >>> img_to_array(Image.new("RGB", (4, 3))).shape
        (3, 4, 3)
    """
    pixels = as_array("img_to_array", "img", img).astype(as_dtype("img_to_array", dtype or "float32"))
    if pixels.ndim not in (2, 3):
        needs = "an image with rows and columns"
        raise UserError("img_to_array", f"an array of shape {pixels.shape}", needs, "Pass one image at a time.")
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return pixels.transpose(2, 0, 1) if _is_first("img_to_array", data_format) else pixels


@explaining
def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> "Image":
    """Numbers as an image of Pillow's.

    Args:
        x: (height, width, 1 | 3 | 4), or with the channels first.
        data_format: "channels_last" (None means it, too) or "channels_first".
        scale: Whether to bring the smallest number to 0 and the largest to 255.
        dtype: In which the scaling is computed; float32 unless told.

    Raises:
        UserError: It is no picture.

    Example:
        >>> array_to_img([[[0.0], [0.5], [1.0]]]).size
        (3, 1)
    """
    from PIL import Image  # noqa: PLC0415  (as above)

    pixels = as_array("array_to_img", "x", x).astype(as_dtype("array_to_img", dtype or "float32"))
    if pixels.ndim == 3 and _is_first("array_to_img", data_format):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        needs = "(height, width, channels) with 1, 3 or 4 channels"
        fix = "Add the axis of channels to grey pictures: picture[..., None]; take one out of a batch: batch[0]."
        raise UserError("array_to_img", f"an array of shape {np.shape(x)}", needs, fix)
    if check_flag("array_to_img", "scale", scale):
        pixels = pixels - pixels.min()
        top = pixels.max()
        pixels = pixels / (top if top else 1) * 255
    if pixels.shape[2] > 1:
        return Image.fromarray(pixels.astype(np.uint8))
    return Image.fromarray(pixels[..., 0].astype(np.int32 if pixels.max() > 255 else np.uint8))


@explaining
def save_img(
    path: str | os.PathLike[str] | io.BytesIO,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **options: Any,
) -> None:
    """Write numbers as a picture, whole or not at all.

    Args:
        path: A file, whose ending tells the format, or an open io.BytesIO.
        x: As for `array_to_img`.
        data_format: As for `array_to_img`.
        file_format: "png", "jpeg", ... where the path does not tell.
        scale: As for `array_to_img`.
        options: What Pillow's save takes for the format: quality=90.

    Raises:
        UserError: It is no picture, the format is not known, or the file cannot be written.
    """
    image = array_to_img(x, data_format, scale)
    if file_format is not None and not isinstance(file_format, str):
        raise UserError("save_img", f"file_format={file_format!r}", "a text", "Pass for example file_format='png'.")
    named = file_format or ("" if isinstance(path, io.BytesIO) else check_path("save_img", "path", path).suffix[1:])
    kind = _FORMATS.get(named.lower(), named.lower())
    if image.mode == "RGBA" and kind == "jpeg":
        warnings.warn("save_img drops the opacity: JPEG has none.", stacklevel=2)
        image = image.convert("RGB")
    try:
        if isinstance(path, io.BytesIO):
            image.save(path, format=kind, **options)
            return
        with atomic_path(path) as target:
            image.save(target, format=kind, **options)
    except (KeyError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        needs = "a format that Pillow writes: png, jpeg, bmp, tiff, webp"
        raise UserError("save_img", f"the format {kind!r}", needs, "Change the ending or pass file_format=.") from error


def _is_first(where: str, data_format: str | None) -> bool:
    choices = ["channels_last", "channels_first"]
    return check_choice(where, "data_format", data_format or choices[0], choices) == choices[1]
