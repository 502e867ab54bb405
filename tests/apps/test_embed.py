"""Pictures within a page: their own pixels where they are small, fewer where they are large."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from striate.apps.embed import embed


def decoded(picture):
    return Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2])))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "I;16"])
def test_small_picture_keeps_its_pixels(tmp_path, mode):
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert("L" if mode == "I;16" else mode).convert(mode)
    image.save(tmp_path / "a.png")
    picture = embed(tmp_path / "a.png", ["one"])
    assert (picture.name, picture.width, picture.height, picture.lines) == ("a", 7, 9, ("one",))
    assert picture.pixelated
    back = decoded(picture)
    if mode != "I;16":
        np.testing.assert_array_equal(np.array(back.convert("RGBA")), np.array(image.convert("RGBA")))


def test_large_photograph_shrinks(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (700, 900, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    picture = embed(tmp_path / "a.png")
    assert (picture.width, picture.height) == (512, 398)
    assert picture.uri.startswith("data:image/jpeg;base64,")
    assert not picture.pixelated
    assert decoded(picture).size == (512, 398)


def test_shape(tmp_path):
    Image.new("L", (480, 240)).save(tmp_path / "wide.png")
    Image.new("L", (240, 240)).save(tmp_path / "square.png")
    assert embed(tmp_path / "wide.png").wide
    assert not embed(tmp_path / "square.png").wide


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x89PNG\r\n\x1a\n", None])
def test_damaged_picture_has_no_data(tmp_path, content):
    path = tmp_path / "a.png"
    if content is None:
        Image.new("RGB", (50, 50)).save(path)
        content = path.read_bytes()[:-60]
    path.write_bytes(content)
    picture = embed(path)
    assert picture.uri is None
    assert not picture.wide
