"""What one look at a picture's file tells: facts for the doctor, or what is wrong with it.

Run as a program it is a worker of `workers.py`, which reads paths and writes JSON, a line each. So that it starts
quickly and stays small, it imports nothing of striate, and so no torch.
"""

import dataclasses
import hashlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL = 16  # pixels a side; copies differ by a grey level or two there, other photographs by dozens
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
_ENDINGS = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "PPM": (".ppm", ".pgm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
_HASH_INPUT, _HASH_SIDE = 32, 8
_EDGE = 64
_NOTHING = 1e-3  # a coefficient that is zero but for rounding has no sign
_FLAT = 8  # grey levels within which a line at the edge counts as a border


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a picture that can be read.

    Attributes:
        width, height: Pixels, upright.
        mode: Pillow's name, as stored: "RGB", "L", "P", "CMYK", "I;16" ...
        format: "JPEG", "PNG" ...: by its first bytes, whatever its name says.
        orientation: EXIF's number; 1 is upright.
        size: Bytes of the file.
        digest: Of the file, in hexadecimal digits.
        pixels: Digest of size and pixels, upright, in 8-bit colour.
        hash: 64 bits that similar pictures share but for a few (see `perceptual_hashes`).
        mirrored: The same of the mirrored picture.
        thumbnail: 16 x 16 x 3 bytes.
        border: The share of its area that one colour around it takes.
        brightness: Mean, 0 to 255.
        contrast: Standard deviation of grey levels.
    """

    width: int
    height: int
    mode: str
    format: str
    orientation: int
    size: int
    digest: str
    pixels: str
    hash: int
    mirrored: int
    thumbnail: bytes
    border: float
    brightness: float
    contrast: float

    def extension_fits(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file of that name may be expected to hold this format."""
        return Path(path).suffix.lower() in _ENDINGS[self.format]

    def to_json(self) -> dict[str, Any]:
        """The facts as plain values."""
        return dataclasses.asdict(self) | {"thumbnail": self.thumbnail.hex()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Facts":
        """The facts that `to_json` gave."""
        return cls(**(values | {"thumbnail": bytes.fromhex(values["thumbnail"])}))


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file is no sample.

    Attributes:
        kind: "empty", "truncated", "undecodable", "too large", "missing", "deep" (32 bits a pixel), "hangs" or
            "crashes".
        reason: In words.
    """

    kind: str
    reason: str


def serve() -> None:
    """Be a worker: say that it is ready, then answer every line until there are no more."""
    from PIL import Image  # noqa: PLC0415  (Pillow takes time to import)

    Image.init()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it then closes our input
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a decoder prints is no answer
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        found = look(json.loads(line))
        answer = found.to_json() if isinstance(found, Facts) else {"kind": found.kind, "reason": found.reason}
        print(json.dumps(answer), file=answers, flush=True)


def look(path: str) -> Facts | Problem:
    """Read a file whole, and decode it.

    Args:
        path: The file.
    """
    from PIL import Image  # noqa: PLC0415  (Pillow takes time to import)

    try:
        content = Path(path).read_bytes()
    except OSError as error:
        return Problem("missing", f"cannot be opened ({error.strerror})")
    if not content:
        return Problem("empty", "an empty file (0 bytes); needs a picture")
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            limit = Image.MAX_IMAGE_PIXELS
            if limit is not None and picture.width * picture.height > limit:
                raise Image.DecompressionBombError
            return _facts(content, picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        return Problem("too large", "a picture of too many pixels to be meant; scale it down first")
    except Image.UnidentifiedImageError:
        return Problem("undecodable", "a file that is no picture")
    except Exception as error:  # Pillow has no error of its own for broken files
        kind = "truncated" if "truncated" in str(error).lower() else "undecodable"
        return Problem(kind, f"a damaged picture ({error}); needs a whole one")


def perceptual_hashes(grey: np.ndarray) -> tuple[int, int]:
    """Two 64-bit hashes, of a picture and of its mirror image, by the signs of its lowest frequencies.

    A bit is the sign of a coefficient of the discrete cosine transform, the mean left out (after Zauner 2010,
    "Implementation and benchmarking of perceptual image hash functions"). Mirroring negates the coefficients of odd
    horizontal frequency, so that both come out of one transform.

    Args:
        grey: (32, 32) grey levels.

    Example:
        >>> ripples = np.sin(np.arange(1024.0) ** 1.5).reshape(32, 32)
        >>> perceptual_hashes(ripples)[0] == perceptual_hashes(ripples[:, ::-1])[1]
        True
    """
    waves = np.cos(np.pi / _HASH_INPUT * np.outer(np.arange(1, _HASH_SIDE + 1), np.arange(_HASH_INPUT) + 0.5))
    flat = np.ones(_HASH_INPUT)
    basis = np.vstack([flat, waves])
    spectrum = basis @ grey.astype(np.float64) @ basis.T
    signs = np.where(np.arange(_HASH_SIDE + 1) % 2, -1.0, 1.0)
    return _bits(spectrum), _bits(spectrum * signs)


def _bits(spectrum: np.ndarray) -> int:
    """The signs of 64 coefficients: the 8 x 8 lowest but the mean, and the next across."""
    chosen = np.append(spectrum[:_HASH_SIDE, :_HASH_SIDE].ravel()[1:], spectrum[_HASH_SIDE, 0])
    return int.from_bytes(np.packbits(chosen > _NOTHING).tobytes(), "big")


def _facts(content: bytes, picture: "Image.Image") -> Facts | Problem:
    from PIL import ImageOps  # noqa: PLC0415  (as above)

    mode, kind = picture.mode, str(picture.format)
    if mode == "F" or (mode == "I" and kind != "PNG"):
        return Problem("deep", f"a picture of mode {mode!r} (32 bits a pixel); needs 8 or 16 bits a pixel")
    orientation = int(picture.getexif().get(0x0112, 1) or 1)
    upright = _colour(ImageOps.exif_transpose(picture))
    grey = upright.convert("L")
    small = np.asarray(grey.resize((_EDGE, _EDGE), 5), np.uint8)  # 5: a box's mean
    pixels = hashlib.sha256(repr(upright.size).encode() + upright.tobytes())
    hashed = perceptual_hashes(np.asarray(grey.resize((_HASH_INPUT, _HASH_INPUT), 5)))
    return Facts(
        *upright.size,
        mode,
        kind,
        orientation,
        len(content),
        hashlib.sha256(content).hexdigest()[:32],
        pixels.hexdigest()[:32],
        *hashed,
        upright.resize((THUMBNAIL, THUMBNAIL), 5).tobytes(),
        _border(small),
        float(small.mean()),
        float(small.std()),
    )


def _colour(picture: "Image.Image") -> "Image.Image":
    """8-bit colour: of 16 bits the upper eight, without opacity."""
    from PIL import Image  # noqa: PLC0415  (as above)

    if picture.mode.startswith("I"):
        deep = np.asarray(picture).astype(np.uint16)
        picture = Image.fromarray((deep >> 8).astype(np.uint8))
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def _border(grey: np.ndarray) -> float:
    """The share of the area in lines at the edges that are of one grey level; 0 for a picture of nothing else."""
    rows, columns = (_inner(np.ptp(grey, axis=axis) <= _FLAT) for axis in (1, 0))
    return 0.0 if 0 in (rows, columns) else 1 - rows * columns / grey.size


def _inner(flat: np.ndarray) -> int:
    """How many lines are left between the flat ones at both ends."""
    varied = np.flatnonzero(~flat)
    return int(varied[-1] - varied[0] + 1) if len(varied) else 0


if __name__ == "__main__":
    serve()
