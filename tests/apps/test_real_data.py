"""The command line and the tutorial's network on real pictures, where they exist."""

import json
from pathlib import Path

import pytest

from striate.apps import cli
from striate.layers import Conv2D, Dense, Flatten, MaxPooling2D
from striate.models import Sequential
from striate.utils import image_dataset_from_directory, set_random_seed

pytestmark = pytest.mark.slow
FASHION = Path("/usr/share/datasets/fashion-mnist")
CATS_DOGS = Path(__file__).parents[3] / "shared" / "data" / "cats_dogs"


@pytest.mark.skipif(not FASHION.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_two_epochs_of_fashion_mnist_on_one_line(tmp_path, capsys):
    assert cli.main(["train", str(FASHION), "--epochs", "2", "--out", str(tmp_path / "run"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["metrics"]["accuracy"]["value"] > 0.85
    report = (tmp_path / "run" / "report.html").read_text()
    assert "Ankle boot" in report


@pytest.mark.skipif(not CATS_DOGS.exists(), reason="needs the photographs of cats and dogs beside the project")
def test_the_tutorial_network_learns_cats_from_dogs():
    set_random_seed(0)
    train, test = (
        image_dataset_from_directory(CATS_DOGS / split, image_size=(64, 64), label_mode="binary", seed=1)
        .map(lambda x, y: (x / 255, y))
        .cache()
        for split in ("train", "test")
    )
    model = Sequential(
        [
            Conv2D(32, (3, 3), activation="relu", input_shape=(64, 64, 3)),
            MaxPooling2D(pool_size=(2, 2)),
            Flatten(),
            Dense(128, activation="relu"),
            Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(train, epochs=6, verbose=0)
    assert model.evaluate(test, verbose=0)[1] > 0.6
