"""How long flip + rotation + zoom of 256 pictures takes here, and in Keras where it is installed.

Keras's backend is KERAS_BACKEND, "torch" if that is not set; run it once for each backend.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from measure import arguments, report, spread, tell

from striate import layers, models

PICTURES, SIDE = 256, 180


def ours(x: np.ndarray) -> Callable[[], Any]:
    """The three layers of striate in a Sequential."""
    stack = [layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.RandomZoom(0.1)]
    model, pictures = models.Sequential([layers.Input(x.shape[1:]), *stack]), torch.from_numpy(x)
    return lambda: model(pictures, training=True)


def theirs(x: np.ndarray) -> Callable[[], Any] | None:
    """The same in Keras; None where it is not installed."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import keras
    except ImportError:
        return None
    stack = [keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1), keras.layers.RandomZoom(0.1)]
    model, pictures = keras.Sequential(stack), keras.ops.convert_to_tensor(x)
    return lambda: np.asarray(model(pictures, training=True))


def seconds(work: Callable[[], Any]) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="times that each is run (default 7)")
    options = parser.parse_args()
    x = np.random.default_rng(0).uniform(0, 255, (PICTURES, SIDE, SIDE, 3)).astype("float32")
    sides = {"striate": ours(x)}
    if (other := theirs(x)) is not None:
        sides[f"keras on {os.environ['KERAS_BACKEND']}"] = other
    sides["striate"]()  # unmeasured: memory is fetched
    rounds = [{name: seconds(work) for name, work in sides.items()} for _ in range(options.rounds)]
    found = {name: spread([row[name] for row in rounds]) for name in sides}
    lines = [f"{name}: {tell(cost)} s" for name, cost in found.items()]
    for name in list(sides)[1:]:
        ratio = spread([row[name] / row["striate"] for row in rounds])
        found[f"{name} / striate"] = ratio
        lines.append(f"{name} takes {tell(ratio, 1)} times as long")
    report(options, {"seconds": found, "rounds": options.rounds}, lines)


if __name__ == "__main__":
    main()
