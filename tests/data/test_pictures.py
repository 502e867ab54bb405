import io
import warnings
import zlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from striate.data.pictures import decode, header_mode, resize
from striate.foundation.checks import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 4)).astype("uint8")


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats(tmp_path, kind):
    path = tmp_path / f"picture.{kind.lower()}"
    path.write_bytes(encoded(Image.fromarray(PIXELS[..., :3]), kind))
    for source in (path, str(path), path.read_bytes()):
        picture = decode(source)
        assert picture.dtype == np.uint8
        assert np.array_equal(picture, PIXELS[..., :3])


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "WEBP"])
def test_lossy_formats_agree_with_pillow(kind):
    content = encoded(Image.fromarray(PIXELS[..., :3]), kind)
    assert np.array_equal(decode(content), np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("stored", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_stored_mode_is_read_in_every_mode(stored, mode):
    picture = Image.fromarray(PIXELS[..., :3]).convert(stored)
    got = decode(encoded(picture), mode)
    assert got.shape == (5, 7, {"L": 1, "RGB": 3, "RGBA": 4}[mode])
    assert np.array_equal(got.squeeze(), np.asarray(picture.convert(mode)))


def test_opacity_is_dropped():
    assert np.array_equal(decode(encoded(Image.fromarray(PIXELS))), PIXELS[..., :3])


def test_palette_with_transparency_does_not_warn():
    picture = Image.fromarray(PIXELS[..., :3]).convert("P")
    content = encoded(picture, transparency=bytes(range(100)))
    assert np.array_equal(decode(content), np.asarray(picture.convert("RGB")))


def test_sixteen_bits_keep_the_upper_eight(tmp_path):
    deep = (np.arange(35).reshape(5, 7) * 1800).astype("uint16")
    got = decode(encoded(Image.fromarray(deep)), "L")
    assert np.array_equal(got[..., 0], deep >> 8)
    assert np.array_equal(decode(encoded(Image.fromarray(deep)), "RGB")[..., 2], deep >> 8)


def test_cmyk():
    picture = Image.fromarray(PIXELS[..., :3]).convert("CMYK")
    assert np.array_equal(decode(encoded(picture, "TIFF")), np.asarray(picture.convert("RGB")))


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(content)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation):
    picture = Image.fromarray(PIXELS[..., :3])
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(picture, exif=exif)
    assert np.array_equal(decode(content), PIXELS[..., :3])
    turned = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a),
    }[orientation]
    assert np.array_equal(decode(content, upright=True), turned(PIXELS[..., :3]))


def png_of(width, height):
    """The header of a PNG that declares a size."""
    content = bytearray(encoded(Image.new("L", (1, 1))))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


JPEG = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype("uint8")), "JPEG")
PNG = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype("uint8")))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(b"", r"an empty file \(0 bytes\); it needs a picture", id="empty"),
        pytest.param(b"some words", r"a file that is no picture; it needs a picture \(bmp, gif", id="text"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", r"a file that is no picture", id="eps"),
        pytest.param(
            JPEG[: len(JPEG) // 2], r"a damaged picture \(.*truncated.*\); it needs a whole one", id="half jpeg"
        ),
        pytest.param(PNG[: len(PNG) // 2], r"a damaged picture \(.*truncated.*\)", id="half png"),
        pytest.param(PNG[:20], r"(a file that is no|a damaged) picture", id="start of png"),
        pytest.param(PNG[:200] + bytes(100) + PNG[300:], r"a damaged picture", id="png with a hole"),
        pytest.param(b"GIF89a", r"(a file that is no|a damaged) picture", id="start of gif"),
        pytest.param(b"BM" + bytes(60), r"(a file that is no|a damaged) picture", id="zeros as bmp"),
        pytest.param(png_of(10_000, 10_000), r"too many pixels to be meant; it needs at most 89478485", id="large"),
        pytest.param(png_of(60_000, 60_000), r"too many pixels to be meant; it needs at most 89478485", id="bomb"),
    ],
)
def test_broken_files_are_named(tmp_path, content, text):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"Reading '.*broken\.png' got .*{text}"):
        decode(path)
    with pytest.raises(UserError, match=rf"Reading {len(content)} bytes got .*{text}"):
        decode(content)


def test_large_pictures_are_refused_where_pillow_only_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UserError, match=r"too many pixels to be meant"):
            decode(png_of(10_000, 10_000))


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(UserError, match=r"Reading '.*none.png' got no such file; it needs a picture\. Check the path"):
        decode(tmp_path / "none.png")
    with pytest.raises(UserError, match=r"got Is a directory; it needs a picture it may read"):
        decode(tmp_path)


def test_32_bit_pictures_are_refused():
    content = encoded(Image.fromarray(np.ones((3, 3), "float32")), "TIFF")
    with pytest.raises(UserError, match=r"a picture of mode 'F' \(32 bits a pixel\); it needs 8 or 16 bits"):
        decode(content)


def test_unknown_mode():
    with pytest.raises(UserError, match=r"decode got mode='BGR'; it needs one of 'L', 'RGB', 'RGBA'"):
        decode(PNG, "BGR")


@pytest.mark.parametrize(("mode", "told"), [("1", "L"), ("L", "L"), ("LA", "L"), ("P", "RGB"), ("RGBA", "RGB")])
def test_header_mode(mode, told):
    assert header_mode(encoded(Image.fromarray(PIXELS[..., :3]).convert(mode))) == told
    assert header_mode(b"nothing") is header_mode(b"") is None


SIZES = [(5, 7), (10, 14), (1, 1), (3, 20), (2, 3), (64, 64)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("antialias", [False, True])
def test_bilinear_agrees_with_torch(size, antialias):
    planes = torch.from_numpy(PIXELS).permute(2, 0, 1)[None].float().contiguous()
    expected = F.interpolate(planes, size, mode="bilinear", align_corners=False, antialias=antialias)
    got = resize(PIXELS, size, antialias=antialias)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    np.testing.assert_allclose(got, expected[0].permute(1, 2, 0).numpy(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_antialias_agrees_with_pillow(size):
    grey = PIXELS[..., :1]
    expected = Image.fromarray(grey[..., 0]).resize(size[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(resize(grey, size, antialias=True)[..., 0], np.asarray(expected), atol=1.5)


@pytest.mark.parametrize("size", SIZES)
def test_nearest_takes_the_pixel_under_the_centre(size):
    rows = ((np.arange(size[0]) + 0.5) * 5 / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * 7 / size[1]).astype(int)
    got = resize(PIXELS, size, antialias=False, method="nearest")
    assert np.array_equal(got, PIXELS[rows][:, columns].astype("float32"))


def test_bilinear_by_hand():
    got = resize(np.array([[[0.0], [100.0]]]), (1, 4), antialias=False)
    assert got.ravel().tolist() == [0, 25, 75, 100]


def test_resizing_leaves_the_picture_alone():
    picture = PIXELS.astype("float32")
    picture.flags.writeable = False
    resized = resize(picture, (5, 7), antialias=False)
    resized[:] = 0
    assert np.array_equal(picture, PIXELS)
    assert resize(PIXELS[::-1], 3, antialias=False).shape == (3, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"picture": PIXELS[..., 0], "size": 3}, r"resize got a picture of shape \(5, 7\); .* picture\[..., None\]"),
        ({"picture": PIXELS[:0], "size": 3}, r"a picture of shape \(0, 7, 4\)"),
        ({"picture": PIXELS, "size": 0}, r"size=0; it needs a whole number of at least 1"),
        ({"picture": PIXELS, "size": (1, 2, 3)}, r"size=\(1, 2, 3\)"),
        ({"picture": PIXELS, "size": 3, "method": "cubic"}, r"method='cubic'; it needs one of 'bilinear', 'nearest'"),
        ({"picture": PIXELS, "size": 3, "method": "nearest", "antialias": True}, r"method='nearest' with antialias"),
    ],
)
def test_resizing_refusals(arguments, text):
    with pytest.raises(UserError, match=text):
        resize(**{"antialias": False, **arguments})


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "tiff_deflate"])
@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_tiff_by_its_orientation(tmp_path, mode, compression, orientation):
    upright = Image.fromarray(np.random.default_rng(0).integers(0, 256, (18, 20, 3), dtype=np.uint8)).convert(mode)
    undone = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # among Pillow's transpositions
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undone[orientation]))
    exif = Image.Exif()
    exif[274] = orientation
    stored.save(tmp_path / "turned.tif", exif=exif, compression=compression)
    found = decode(tmp_path / "turned.tif", "RGB", upright=True)
    np.testing.assert_array_equal(found, np.asarray(upright.convert("RGB")))
