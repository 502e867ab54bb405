"""Tiny data, and one small run over it that many tests look at."""

import numpy as np
import pytest
from PIL import Image

from striate.apps import cli


@pytest.fixture(autouse=True)
def few_drawings(monkeypatch):
    """Drawings take longer than these trainings; a few show as much."""
    monkeypatch.setattr("striate.apps.evaluation.WORST", 2)
    monkeypatch.setattr("striate.apps.commands.train.SHOWN_INPUTS", 2)


def save_pictures(folder, classes=("cat", "dog", "owl"), count=12, shape=(18, 20)):
    """Class folders of pictures that differ in brightness."""
    draw = np.random.default_rng(0)
    for place, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 60, (*shape, 3)) + 70 * place
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder of three class folders with 12 pictures each."""
    return save_pictures(tmp_path_factory.mktemp("data") / "pets")


@pytest.fixture(scope="session")
def array_file(tmp_path_factory):
    """An .npz of 60 pictures of three classes."""
    targets = np.arange(60) % 3
    images = np.random.default_rng(0).integers(0, 60, (60, 16, 16)) + 70 * targets[:, None, None]
    path = tmp_path_factory.mktemp("arrays") / "tiny.npz"
    np.savez(path, images=images.astype(np.uint8), labels=targets)
    return path


@pytest.fixture(scope="session")
def finished(pictures, tmp_path_factory):
    """The folder of a finished run over `pictures`."""
    out = tmp_path_factory.mktemp("runs") / "pets"
    assert cli.main(["train", str(pictures), "--out", str(out), "--epochs", "2", "--size", "small", "--quiet"]) == 0
    return out
