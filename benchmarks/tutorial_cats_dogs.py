"""The tutorial network on photographs of cats and dogs at 64 pixels: test accuracy over several seeds.

FOLDER holds train/ and test/, each with one folder a class. Batch 32, Adam, binary cross-entropy and pixels divided by
255, as in the tutorial; no augmentation.
"""

import statistics
import time
from pathlib import Path

import numpy as np
from fit_overhead import BATCH, tutorial_network
from measure import arguments, report

from striate.utils import image_dataset_from_directory, set_random_seed

Arrays = tuple[np.ndarray, np.ndarray]


def arrays(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The pictures of a folder of class folders, from 0 to 1, and their classes, 0 or 1."""
    dataset = image_dataset_from_directory(
        folder, label_mode="binary", image_size=(64, 64), batch_size=None, shuffle=False
    )
    pairs = [(np.asarray(picture) / 255, np.asarray(label)) for picture, label in dataset]
    return np.stack([picture for picture, _ in pairs]), np.stack([label for _, label in pairs])


def accuracy(train: Arrays, test: Arrays, seed: int, epochs: int) -> float:
    """Train with this seed; the share of test pictures that come out right after the last epoch."""
    set_random_seed(seed)
    model = tutorial_network()
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(*train, batch_size=BATCH, epochs=epochs, verbose=0)
    return model.evaluate(*test, verbose=0)[1]


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("folder", type=Path, help="holds train/ and test/")
    parser.add_argument("--seeds", type=int, default=3, help="how many trainings (default 3)")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of each (default 10)")
    options = parser.parse_args()
    train, test = arrays(options.folder / "train"), arrays(options.folder / "test")
    begin = time.perf_counter()
    found = [accuracy(train, test, seed, options.epochs) for seed in range(options.seeds)]
    mean, deviation = statistics.mean(found), statistics.stdev(found) if len(found) > 1 else 0.0
    seconds = (time.perf_counter() - begin) / options.seeds
    results = {"accuracy": found, "mean": mean, "deviation": deviation, "epochs": options.epochs, "seconds": seconds}
    lines = [
        f"test accuracy: {mean:.3f}, standard deviation {deviation:.3f}, of {', '.join(f'{a:.3f}' for a in found)}",
        f"{options.epochs} epochs, {seconds:.0f} s a seed",
    ]
    report(options, results, lines)


if __name__ == "__main__":
    main()
