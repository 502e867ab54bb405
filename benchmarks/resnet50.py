"""How long a functional ResNet-50 takes to build, to sum up, to save and to load."""

import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import arguments, report, spread, tell

from striate.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    ZeroPadding2D,
)
from striate.models import Model, load_model

STAGES = {64: 3, 128: 4, 256: 6, 512: 3}


def normalised(x: Any, filters: int, size: int, strides: int = 1, padding: str = "same") -> Any:
    """A convolution with batch normalization."""
    return BatchNormalization(epsilon=1.001e-5)(Conv2D(filters, size, strides, padding)(x))


def block(x: Any, filters: int, strides: int, project: bool) -> Any:
    """A bottleneck: 1x1, 3x3, 1x1, and what came in added."""
    shortcut = normalised(x, 4 * filters, 1, strides) if project else x
    y = Activation("relu")(normalised(x, filters, 1, strides))
    y = Activation("relu")(normalised(y, filters, 3))
    return Activation("relu")(Add()([shortcut, normalised(y, 4 * filters, 1)]))


def resnet50() -> Model:
    """ResNet-50 of He et al., arXiv 1512.03385, as Keras's applications have it."""
    inputs = Input((224, 224, 3))
    x = Activation("relu")(normalised(ZeroPadding2D(3)(inputs), 64, 7, 2, "valid"))
    x = MaxPooling2D(3, 2)(ZeroPadding2D(1)(x))
    for filters, blocks in STAGES.items():
        for index in range(blocks):
            x = block(x, filters, 2 if index == 0 and filters > 64 else 1, index == 0)
    return Model(inputs, Dense(1000, "softmax")(GlobalAveragePooling2D()(x)))


def timed(times: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    """Do the work, and note how long it took."""
    begin = time.perf_counter()
    result = work()
    times[name] = time.perf_counter() - begin
    return result


def one_round() -> dict[str, float]:
    """Seconds of each step."""
    times: dict[str, float] = {}
    model = timed(times, "build", resnet50)
    with contextlib.redirect_stdout(io.StringIO()):
        timed(times, "summary", model.summary)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        timed(times, "save", lambda: model.save(path))
        timed(times, "load", lambda: load_model(path))
    return times


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="times that each is done (default 5)")
    options = parser.parse_args()
    rounds = [one_round() for _ in range(options.rounds)]
    found = {name: spread([row[name] for row in rounds]) for name in rounds[0]}
    lines = [f"{name}: {tell(cost)} s" for name, cost in found.items()]
    report(options, {"seconds": found, "rounds": options.rounds}, lines)


if __name__ == "__main__":
    main()
