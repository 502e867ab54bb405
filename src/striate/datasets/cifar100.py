"""Small colour pictures, 32 x 32, of 100 kinds (Krizhevsky, Learning multiple layers of features, 2009)."""

import os

from striate.data.local import Pair, load_pictures
from striate.foundation.checks import check_choice
from striate.foundation.explain import explaining

__all__ = ["load_data"]

_HOW = (
    "Keras's own copy is pickled, which striate never reads; where Keras is installed, save it once as arrays: "
    "(x, y), (a, b) = keras.datasets.cifar100.load_data(); numpy.savez('cifar100_fine.npz', x_train=x, y_train=y, "
    "x_test=a, y_test=b), and put the file into ~/.keras/datasets or pass path=."
)


@explaining
def load_data(label_mode: str = "fine", path: str | os.PathLike[str] | None = None) -> tuple[Pair, Pair]:
    """The 50,000 pictures to train on and the 10,000 to test on, from a copy on this machine.

    Args:
        label_mode: "fine" (100 classes) or "coarse" (20); the copy must have been saved with the same.
        path: An .npz with x_train, y_train, x_test and y_test; cifar100_fine.npz (or cifar100_coarse.npz) in
            ~/.keras/datasets if left out.

    Returns:
        (pictures, classes) to train on, (pictures, classes) to test on: uint8, (N, 32, 32, 3) and (N, 1).

    Raises:
        UserError: There is no copy; it tells how to make one.
    """
    mode = check_choice("datasets.cifar100.load_data", "label_mode", label_mode, ["fine", "coarse"])
    return load_pictures("datasets.cifar100.load_data", path, f"cifar100_{mode}.npz", (32, 32, 3), _HOW)
