"""Puts pictures into a page as data URIs: small enough to carry, large enough to see."""

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LONGEST_SIDE = 512  # pixels; more than a page shows, for screens with dense pixels
HEAVY = 60_000  # bytes; a PNG above this is a photograph, which JPEG holds in a tenth
PIXELATED = 96  # pixels; a smaller picture is shown larger than it is, and sharp
MOST_PICTURES = 24


@dataclass(frozen=True)
class Picture:
    """A picture within a page.

    Args:
        name: Its file name without ending.
        uri: The data; None where the file cannot be read.
        width, height: Its size in pixels.
        lines: What to say below it.
    """

    name: str
    uri: str | None
    width: int = 0
    height: int = 0
    lines: tuple[str, ...] = ()

    @property
    def pixelated(self) -> bool:
        """Whether it has so few pixels that each should be seen."""
        return max(self.width, self.height) <= PIXELATED

    @property
    def wide(self) -> bool:
        """Whether it is a drawing with something beside the picture."""
        return self.width >= 1.5 * self.height > 0


def embed(path: Path, lines: Iterable[str] = ()) -> Picture:
    """Read a picture, made smaller where it is larger than a page can show; a damaged file gives one without data."""
    from PIL import Image  # noqa: PLC0415 - not every command draws a report

    try:
        with Image.open(path) as file:
            image = file.convert("RGBA" if "A" in file.getbands() or "transparency" in file.info else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Picture(path.stem, None, lines=tuple(lines))
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    data, kind = _encode(image, "PNG"), "png"
    if len(data) > HEAVY and image.mode == "RGB":
        data, kind = _encode(image, "JPEG", quality=85), "jpeg"
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return Picture(path.stem, uri, *image.size, tuple(lines))


def _encode(image: object, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[attr-defined]
    return buffer.getvalue()
