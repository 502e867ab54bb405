import io

import keras
import numpy as np
import pytest
from PIL import Image

from striate import utils
from striate.foundation.checks import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 12, 4)).astype("uint8")


@pytest.fixture(params=["L", "RGB", "RGBA"])
def path(request, tmp_path):
    file = tmp_path / "picture.png"
    channels = len(request.param)
    Image.fromarray(PIXELS[..., 0] if channels == 1 else PIXELS[..., :channels]).save(file)
    return file


@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"])
@pytest.mark.parametrize("target_size", [None, (5, 5), (9, 4)])
def test_load_img_agrees_with_keras(path, target_size, interpolation, keep_aspect_ratio):
    options = {"target_size": target_size, "interpolation": interpolation, "keep_aspect_ratio": keep_aspect_ratio}
    ours, theirs = utils.load_img(path, **options), keras.utils.load_img(path, **options)
    assert ours.mode == theirs.mode
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_load_img_brings_to_a_mode(path, color_mode):
    ours, theirs = (module.load_img(path, color_mode) for module in (utils, keras.utils))
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_load_img_reads_bytes(path):
    np.testing.assert_array_equal(utils.load_img(io.BytesIO(path.read_bytes())), utils.load_img(path))


@pytest.mark.parametrize("data_format", [None, "channels_first"])
@pytest.mark.parametrize("dtype", [None, "uint8"])
def test_img_to_array_agrees_with_keras(path, data_format, dtype):
    image = Image.open(path)
    ours, theirs = (module.img_to_array(image, data_format, dtype) for module in (utils, keras.utils))
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")  # Keras's way to call Pillow
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_array_to_img_agrees_with_keras(channels, scale):
    x = PIXELS[..., :channels] / 2
    ours, theirs = (module.array_to_img(x, scale=scale) for module in (utils, keras.utils))
    assert ours.mode == theirs.mode
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_array_to_img_takes_channels_first_and_flat_pictures():
    x = np.full((3, 4, 5), 7.0)
    assert utils.array_to_img(x, "channels_first").size == (5, 4)
    assert np.asarray(utils.array_to_img(x, "channels_first")).max() == 0  # all equal: nothing to stretch


def test_save_img_writes_what_load_img_reads(tmp_path):
    utils.save_img(tmp_path / "a.png", PIXELS[..., :3], scale=False)
    np.testing.assert_array_equal(np.asarray(utils.load_img(tmp_path / "a.png")), PIXELS[..., :3])
    with pytest.warns(UserWarning, match="JPEG has none"):
        utils.save_img(tmp_path / "a.jpg", PIXELS)
    target = io.BytesIO()
    utils.save_img(target, PIXELS, file_format="png")
    assert target.getvalue().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: utils.load_img("absent.png"), r"Reading 'absent.png' got no such file"),
        (lambda: utils.load_img("a.png", "cmyk"), r"load_img got color_mode='cmyk'; it needs one of 'grayscale'"),
        (lambda: utils.load_img("a.png", interpolation="area"), r"load_img got interpolation='area'"),
        (lambda: utils.img_to_array(np.zeros(3)), r"img_to_array got an array of shape \(3,\)"),
        (
            lambda: utils.array_to_img(np.zeros((2, 2))),
            r"array_to_img got an array of shape \(2, 2\); .*picture\[\.\.\.",
        ),
        (lambda: utils.array_to_img(np.zeros((2, 2, 2))), r"with 1, 3 or 4 channels"),
        (lambda: utils.array_to_img(np.zeros((2, 2, 1)), "last"), r"array_to_img got data_format='last'"),
        (lambda: utils.save_img("a.abc", np.zeros((2, 2, 1))), r"save_img got the format 'abc'; .* Change the ending"),
    ],
)
def test_refusals(call, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=text):
        call()
    assert not list(tmp_path.iterdir())
