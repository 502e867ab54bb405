"""Model files for tests: made, taken apart, changed and put together again."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D
from striate.models import Sequential

WEIGHTS = "model.weights.h5"


def convnet(shape: tuple[int, ...] = (8, 8, 3)) -> Sequential:
    """A small network with every kind of weight, named so that two of them are the same."""
    return Sequential(
        [
            Input(shape, name="picture"),
            Conv2D(4, 3, activation="relu", name="conv"),
            BatchNormalization(name="norm"),
            MaxPooling2D(name="pool"),
            Flatten(name="flat"),
            Dropout(0.5, name="drop"),
            Dense(5, activation="softmax", name="last"),
        ],
        name="small",
    )


def stir(model: Any, seed: int = 0) -> Any:
    """Give a model weights that its initializers would not: positive, since one may be a variance."""
    random = np.random.default_rng(seed)
    model.set_weights([random.uniform(0.1, 1.0, weight.shape).astype("float32") for weight in model.weights])
    return model


def entries(path: Path) -> dict[str, bytes]:
    """What a zip holds."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip of these entries."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def edit_config(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Change the config in a model file: in place, or by what `change` returns."""
    contents = entries(path)
    config = json.loads(contents["config.json"])
    result = change(config)
    contents["config.json"] = json.dumps(config if result is None else result).encode()
    return pack(path, contents)


def edit_weights(path: Path, change: Callable[[h5py.File], Any]) -> Path:
    """Change the weight file in a model file."""
    contents = entries(path)
    file = io.BytesIO(contents[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        change(weights)
    contents[WEIGHTS] = file.getvalue()
    return pack(path, contents)


def arrays_in(data: bytes) -> dict[str, np.ndarray]:
    """Every array of a weight file by its path."""
    found = {}
    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


def flat(structure: Any) -> list[np.ndarray]:
    """The arrays in nested lists and dicts, those of dicts by sorted keys."""
    if isinstance(structure, dict):
        structure = [structure[key] for key in sorted(structure)]
    if isinstance(structure, list | tuple):
        return [array for item in structure for array in flat(item)]
    return [structure.detach().numpy() if isinstance(structure, torch.Tensor) else np.asarray(structure)]


def assert_same_outputs(one: Any, other: Any, tolerance: float = 1e-5) -> None:
    """The same number of arrays, equal up to `tolerance` of the largest value."""
    ones, others = flat(one), flat(other)
    assert [array.shape for array in ones] == [array.shape for array in others]
    for got, expected in zip(ones, others, strict=True):
        scale = max(np.abs(expected).max(initial=0.0), 1.0)
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


def keras_predict(model: Any, x: Any) -> Any:
    """What a Keras model gives for arrays, without its progress bar."""
    return model.predict(x, verbose=0)


def open_in_keras(path: Path, **options: Any) -> Any:
    """The file, read by the library that owns the format."""
    import keras  # takes seconds, which processes without it need not spend

    return keras.saving.load_model(path, **options)
