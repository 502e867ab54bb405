"""What `fit` costs over a bare torch loop: the tutorial network, batch 32, progress bar on.

One process, the same model, data and Adam, an epoch of the one after an epoch of the other. Each round is a ratio; the
median of them is the result. The losses of both must agree, so that a fast wrong step shows.
"""

import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from measure import arguments, report, spread, tell

from striate.layers import Conv2D, Dense, Flatten, MaxPooling2D
from striate.models import Sequential
from striate.optimizers import Adam

BATCH = 32
LEARNING_RATE = 1e-4  # on noise, the usual 1e-3 drives this network into saturation within some steps
EPSILON = 1e-12  # so small that it does not matter where it is added, in which Keras and torch differ


def tutorial_network() -> Sequential:
    """The network of the README."""
    return Sequential(
        [
            Conv2D(32, (3, 3), activation="relu", input_shape=(64, 64, 3)),
            MaxPooling2D(pool_size=(2, 2)),
            Flatten(),
            Dense(128, activation="relu"),
            Dense(1, activation="sigmoid"),
        ]
    )


def make_data(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise around zero with something to learn in it: pictures of the second class are a little brighter."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (steps * BATCH, 1)).astype(np.float32)
    noise = random.random((steps * BATCH, 64, 64, 3), dtype=np.float32) - 0.5
    return noise + (labels[:, :, None, None] - 0.5) * 0.02, labels


def bare_epoch(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, shuffle: bool = True
) -> float:
    """An epoch as one writes it by hand; returns its mean loss."""
    model.train()
    total = 0.0
    order = torch.randperm(len(x)) if shuffle else torch.arange(len(x))
    for rows in order.split(BATCH):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / math.ceil(len(x) / BATCH)


@contextlib.contextmanager
def terminal() -> Iterator[None]:
    """Let standard output be a terminal whose other end throws away what is written, so that the bar is painted."""
    master, slave = os.openpty()
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(slave, 1)

    def drain() -> None:
        with contextlib.suppress(OSError):  # the last writer has closed it
            while os.read(master, 65536):
                pass

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(slave)
        reader.join()
        os.close(kept)
        os.close(master)


def timed(run: Callable[[], float]) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="epochs of each kind (default 15)")
    parser.add_argument("--steps", type=int, default=60, help="batches in an epoch (default 60)")
    options = parser.parse_args()
    torch.manual_seed(0)
    x, y = make_data(options.steps)
    x_tensor, y_tensor = torch.from_numpy(x), torch.from_numpy(y)

    model = tutorial_network()
    model.compile(optimizer=Adam(LEARNING_RATE, epsilon=EPSILON), loss="binary_crossentropy", metrics=["accuracy"])
    start = model.get_weights()
    # torch's fastest kernel: the peer as tuned by someone who knows it.
    bare_adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON, fused=True)

    def bare(shuffle: bool = True) -> float:
        return bare_epoch(model, bare_adam, x_tensor, y_tensor, shuffle)

    def fit(shuffle: bool = True) -> float:
        return model.fit(x, y, batch_size=BATCH, epochs=1, verbose=1, shuffle=shuffle).history["loss"][-1]

    os.environ.setdefault("TERM", "xterm-256color")
    ratios, bare_times, fit_times, losses = [], [], [], {}
    with terminal():
        for name, run in (("bare", bare), ("fit", fit)):  # unmeasured; from the same weights in the same order
            model.set_weights(start)
            losses[name] = [run(shuffle=False) for _ in range(2)]
        np.testing.assert_allclose(losses["fit"], losses["bare"], rtol=1e-4)
        for _ in range(options.rounds):
            bare_times.append(timed(bare) / options.steps * 1e3)
            fit_times.append(timed(fit) / options.steps * 1e3)
            ratios.append(fit_times[-1] / bare_times[-1])
    results = {
        "ratio": spread(ratios),
        "bare_ms_per_step": spread(bare_times),
        "fit_ms_per_step": spread(fit_times),
        "losses": losses,
        "rounds": options.rounds,
        "steps": options.steps,
    }
    lines = [
        f"fit / bare loop: {tell(results['ratio'])}",
        f"bare loop: {tell(results['bare_ms_per_step'], 2)} ms a step",
        f"fit:       {tell(results['fit_ms_per_step'], 2)} ms a step",
        "losses of two epochs, same weights and order: "
        + "; ".join(f"{name} {', '.join(f'{value:.4f}' for value in values)}" for name, values in losses.items()),
    ]
    report(options, results, lines)


if __name__ == "__main__":
    main()
