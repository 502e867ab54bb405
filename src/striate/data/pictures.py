"""Reading and resizing pictures: uint8 arrays of shape (height, width, channels)."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_choice, check_ints
from striate.foundation.explain import explaining

if TYPE_CHECKING:
    from PIL import Image

MODES = {"L": 1, "RGB": 3, "RGBA": 4}
"""Channels of each mode a picture can be read in: grey, colour, colour with opacity."""

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

# Formats that Pillow decodes by itself; others (EPS) would start programs.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")


def decode(source: str | os.PathLike[str] | bytes, mode: str = "RGB", *, upright: bool = False) -> np.ndarray:
    r"""Read a picture; of an animation, the first frame.

    Args:
        source: A file or its bytes.
        mode: "L" (grey), "RGB" or "RGBA"; opacity is dropped for the first two, as TensorFlow does.
        upright: Whether to turn the picture as its EXIF orientation says. Keras does not; viewers do.

    Returns:
        uint8 of shape (height, width, 1 | 3 | 4); of 16-bit pictures, the upper eight bits.

    Raises:
        UserError: The file is missing, empty, truncated, too large or no picture.

    Example:
        >>> decode(b"P5 1 2 255 \x00\xff", mode="L").tolist()
        [[[0]], [[255]]]
    """
    from PIL import ImageOps  # noqa: PLC0415  (Pillow takes time to import)

    check_choice("decode", "mode", mode, MODES)
    try:
        with _open(source) as picture:
            _check_pixels(source, picture)
            turned = ImageOps.exif_transpose(picture) if upright else picture
            return _to_array(source, turned, mode)
    except _unreadable() as error:
        raise _refusal(source, error) from error


def header_mode(source: str | os.PathLike[str] | bytes) -> str | None:
    """Tell from a picture's first bytes whether it is "L" (grey) or "RGB"; None where it cannot be read."""
    try:
        with _open(source) as picture:
            return "L" if picture.mode in ("1", "L", "LA", "I;16", "I;16B", "I") else "RGB"
    except _unreadable():
        return None


@explaining
def resize(
    picture: np.ndarray, size: int | tuple[int, int], *, antialias: bool, method: str = "bilinear"
) -> np.ndarray:
    """Resize a picture with half-pixel centres.

    Args:
        picture: (height, width, channels), any numbers.
        size: (height, width) to reach; one number for both.
        antialias: Whether to average over all pixels that a smaller picture's pixel covers. TensorFlow's
            `image.resize`, and so Keras, does not unless told; Pillow always does.
        method: "bilinear" or "nearest".

    Returns:
        float32 of shape (height, width, channels), in the range of the input.

    Raises:
        UserError: The picture has no three axes or is empty, or an argument is out of range.

    Example:
        >>> resize(np.array([[[0], [100]]], "uint8"), (1, 4), antialias=False).ravel()
        array([  0.,  25.,  75., 100.], dtype=float32)
    """
    height, width = check_ints("resize", "size", size, 2)
    method = check_choice("resize", "method", method, ["bilinear", "nearest"])
    if picture.ndim != 3 or 0 in picture.shape:
        got, needs = f"a picture of shape {picture.shape}", "(height, width, channels)"
        raise UserError("resize", got, needs, "Add the axis of channels to grey pictures: picture[..., None].")
    if method == "nearest" and antialias:
        raise UserError("resize", "method='nearest' with antialias=True", "antialias=False there", "Choose one.")
    pixels = torch.from_numpy(np.asarray(picture, np.float32, copy=None if picture.flags.writeable else True))
    planes = pixels.permute(2, 0, 1)[None]
    if method == "nearest":
        resized = F.interpolate(planes, (height, width), mode="nearest-exact")
    else:
        resized = F.interpolate(planes, (height, width), mode="bilinear", align_corners=False, antialias=antialias)
    return resized[0].permute(1, 2, 0).contiguous().numpy()


def _open(source: Any) -> "Image.Image":
    from PIL import Image  # noqa: PLC0415  (as above)

    if isinstance(source, bytes | bytearray):
        if not source:
            raise _EmptyFileError
        return Image.open(io.BytesIO(source), formats=_FORMATS)
    if Path(source).stat().st_size == 0:
        raise _EmptyFileError
    picture = Image.open(source, formats=_FORMATS)
    # A file that it knows by name Pillow may map into memory, and then reads the pixels of a TIFF whose orientation
    # swaps the sides in rows of the wrong length (Pillow 13, uncompressed grey and CMYK).
    picture.filename = ""
    return picture


class _EmptyFileError(Exception):
    """A file of no bytes."""


def _unreadable() -> tuple[type[Exception], ...]:
    """What Pillow raises over files: it has no error of its own for broken ones."""
    from PIL import Image  # noqa: PLC0415  (as above)

    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    return (*bombs, _EmptyFileError, OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, OverflowError)


def _check_pixels(source: Any, picture: "Image.Image") -> None:
    from PIL import Image  # noqa: PLC0415  (as above)

    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and picture.width * picture.height > limit:  # Pillow itself only warns up to twice that
        raise Image.DecompressionBombError


def _to_array(source: Any, picture: "Image.Image", mode: str) -> np.ndarray:
    """Convert to the wanted mode and 8 bits."""
    from PIL import Image  # noqa: PLC0415  (as above)

    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
        picture = Image.fromarray((np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        got, needs = f"a picture of mode {picture.mode!r} (32 bits a pixel)", "8 or 16 bits a pixel"
        raise UserError(f"Reading {_name(source)}", got, needs, "Scale it to 0..255 and save it as PNG.")
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")  # Pillow warns when it goes to RGB directly
    pixels = np.array(picture.convert(mode))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _name(source: Any) -> str:
    return f"{len(source)} bytes" if isinstance(source, bytes | bytearray) else repr(os.fspath(source))


def _refusal(source: Any, error: Exception) -> UserError:
    """Say in our words why a file cannot be read."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  (as above)

    if isinstance(error, UserError):
        return error
    where, fix = f"Reading {_name(source)}", "Replace the file or take it out of the folder."
    if isinstance(error, _EmptyFileError):
        return UserError(where, "an empty file (0 bytes)", "a picture", fix)
    if isinstance(error, FileNotFoundError):
        return UserError(where, "no such file", "a picture", "Check the path.")
    if isinstance(error, IsADirectoryError | PermissionError):
        return UserError(where, f"{error.strerror}", "a picture it may read", "Check the path and its permissions.")
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        needs = f"at most {Image.MAX_IMAGE_PIXELS} pixels"
        return UserError(where, "a picture of too many pixels to be meant", needs, "Scale it down first.")
    if isinstance(error, UnidentifiedImageError):
        needs = "a picture (" + ", ".join(extension[1:] for extension in EXTENSIONS) + ")"
        return UserError(where, "a file that is no picture", needs, fix)
    return UserError(where, f"a damaged picture ({error})", "a whole one", fix)
