"""What one look at a file tells, against Pillow and by construction."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from striate.data.facts import Facts, Problem, look, perceptual_hashes


@pytest.fixture
def photo():
    """A smooth scene, 120 x 90, that has no symmetry."""
    y, x = np.mgrid[:90, :120].astype(float)
    bumps = [np.exp(-((x - a) ** 2 + (y - b) ** 2) / s) for a, b, s in ((30, 20, 300), (90, 60, 700), (20, 70, 150))]
    planes = [90 + 120 * bumps[0] + x / 3, 60 + 140 * bumps[1], 80 + 130 * bumps[2] + y / 2]
    return Image.fromarray(np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8))


def test_facts_of_a_png(photo, tmp_path):
    photo.save(tmp_path / "a.png")
    facts = look(str(tmp_path / "a.png"))
    content = (tmp_path / "a.png").read_bytes()
    assert (facts.width, facts.height, facts.mode, facts.format, facts.orientation) == (120, 90, "RGB", "PNG", 1)
    assert facts.size == len(content)
    assert facts.digest == hashlib.sha256(content).hexdigest()[:32]
    assert facts.brightness == pytest.approx(np.asarray(photo.convert("L")).mean(), abs=1)
    assert facts.contrast == pytest.approx(np.asarray(photo.convert("L")).std(), abs=1)
    assert facts.border < 0.1
    assert Facts.from_json(facts.to_json()) == facts


def test_pixels_do_not_depend_on_the_file(photo, tmp_path):
    photo.save(tmp_path / "a.png")
    photo.save(tmp_path / "b.bmp")
    turned = photo.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "c.png", exif=exif)
    one, two, three = (look(str(tmp_path / name)) for name in ("a.png", "b.bmp", "c.png"))
    assert one.digest != two.digest
    assert one.pixels == two.pixels == three.pixels
    assert three.orientation == 6


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP"])
def test_formats_are_known_by_their_first_bytes(photo, tmp_path, format):
    photo.save(tmp_path / "a.ppm", format=format)
    facts = look(str(tmp_path / "a.ppm"))
    assert facts.format == format
    assert not facts.extension_fits("a.ppm")
    assert facts.extension_fits(f"a.{format.lower()}")


def test_hashes_of_a_mirrored_picture(photo):
    grey = np.asarray(photo.convert("L").resize((32, 32)), float)
    plain, mirrored = perceptual_hashes(grey)
    assert perceptual_hashes(grey[:, ::-1]) == (mirrored, plain)
    assert plain != mirrored
    assert (plain ^ perceptual_hashes(grey[::-1])[0]).bit_count() > 10


def test_hashes_are_signs_of_the_cosine_transform(photo):
    from scipy.fft import dctn

    grey = np.asarray(photo.convert("L").resize((32, 32)), float)
    spectrum = dctn(grey)
    expected = [*(spectrum[:8, :8].ravel()[1:] > 0), spectrum[8, 0] > 0]
    assert perceptual_hashes(grey)[0] == int("".join(str(int(bit)) for bit in expected), 2)


def test_a_border_is_measured(photo, tmp_path):
    framed = Image.new("RGB", (160, 160))
    framed.paste(photo.resize((160, 80)), (0, 40))
    framed.save(tmp_path / "a.png")
    assert look(str(tmp_path / "a.png")).border == pytest.approx(0.5, abs=0.04)


def test_sixteen_bits_are_the_upper_eight(tmp_path):
    Image.fromarray(np.full((40, 40), 200 * 256, np.uint16)).save(tmp_path / "a.png")
    facts = look(str(tmp_path / "a.png"))
    assert facts.mode.startswith("I")
    assert facts.brightness == pytest.approx(200)


def problem(path, content):
    path.write_bytes(content)
    found = look(str(path))
    assert isinstance(found, Problem)
    return found


def test_problems(photo, tmp_path, monkeypatch):
    photo.save(tmp_path / "a.jpg")
    photo.save(tmp_path / "a.png")
    path = tmp_path / "b.jpg"
    assert problem(path, b"").kind == "empty"
    assert problem(path, b"no picture at all").kind == "undecodable"
    for name in ("a.jpg", "a.png"):
        content = (tmp_path / name).read_bytes()
        assert problem(path, content[: len(content) // 2]).kind == "truncated"
    assert look(str(tmp_path / "none.jpg")).kind == "missing"
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "f.tiff")
    assert look(str(tmp_path / "f.tiff")).kind == "deep"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert look(str(tmp_path / "a.png")).kind == "too large"
