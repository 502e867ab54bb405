"""Small pictures, and the real data sets where they exist."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROJECT = Path(__file__).parents[2]


def save_picture(path, shade=100, size=(6, 4), mode="RGB"):
    """Save a picture of (width, height) whose pixels differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (np.arange(size[0] * size[1]) + shade).astype("uint8").reshape(size[1], size[0])
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.fixture
def make_picture():
    return save_picture


@pytest.fixture
def cats_and_dogs(tmp_path):
    """Five cats and six dogs of different sizes."""
    for number in range(5):
        save_picture(tmp_path / f"animals/cat/{number}.png", number, (6 + number, 4))
    for number in range(6):
        save_picture(tmp_path / f"animals/dog/{number}.jpg", 50 + number, (5, 4 + number))
    return tmp_path / "animals"


@pytest.fixture
def real_data():
    """Return a path of ../shared/data, or skip where it does not exist."""

    def find(name):
        path = PROJECT.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"needs the data set {name} in ../shared/data")
        return path

    return find
