"""The side of `networks.py` that is real Keras, on the backend that KERAS_BACKEND names: `make bench-peers`.

It opens a `.keras` file that striate has written, and trains with `train_on_batch` or predicts with
`predict_on_batch`, on data in memory.
"""

import argparse
import itertools
import os
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=Path, help="with model.keras, checked.keras (without dropout) and data.npz")
parser.add_argument("loss")
parser.add_argument("--size", type=int, required=True, help="items in a step")
parser.add_argument("--predict", action="store_true", help="instead of training")
parser.add_argument("--rate", type=float, required=True)
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()
# JAX has no option for its threads: it takes as many as there are cores. Before the libraries are imported.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from serve import serve  # noqa: E402

SHOWN = 64


class Keras:
    """A model as Keras users train it."""

    def __init__(self, checked: bool) -> None:
        name = "checked.keras" if checked else "model.keras"
        self.model = keras.models.load_model(options.folder / name, compile=False)
        self.model.compile(keras.optimizers.Adam(options.rate), options.loss)
        data = np.load(options.folder / "data.npz")
        cuts = range(options.size, len(data["x"]), options.size)
        self.batches = itertools.cycle(list(zip(np.split(data["x"], cuts), np.split(data["y"], cuts), strict=True)))

    def step(self) -> None:
        """A step of training, or the outputs."""
        x, y = next(self.batches)
        self.last = self.model.predict_on_batch(x) if options.predict else self.model.train_on_batch(x, y)

    def figures(self) -> list[float]:
        """The last loss, or some of the last outputs."""
        if not options.predict:
            return [float(self.last)]
        flat = np.asarray(self.last, np.float32).reshape(-1)
        return flat[:: max(1, len(flat) // SHOWN)].tolist()


if __name__ == "__main__":
    serve({"": Keras}, 1 if options.predict else options.steps)
