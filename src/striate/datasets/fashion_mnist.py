"""Pictures of clothes, 28 x 28, grey, of ten kinds (Xiao, Rasul and Vollgraf, arXiv 1708.07747)."""

import os

from striate.data.local import DEBIAN_FASHION, Pair, keras_folder, load_pictures
from striate.foundation.explain import explaining

__all__ = ["load_data"]

_HOW = (
    "On Debian and Ubuntu: apt install dataset-fashion-mnist. Else pass path=: a folder with the four IDX files, or an "
    ".npz with x_train, y_train, x_test and y_test."
)


@explaining
def load_data(path: str | os.PathLike[str] | None = None) -> tuple[Pair, Pair]:
    """The 60,000 pictures to train on and the 10,000 to test on, from a copy on this machine.

    Args:
        path: A folder with the IDX files, or an .npz; if left out, Keras's copy or that of Debian's package
            dataset-fashion-mnist.

    Returns:
        (pictures, classes) to train on, (pictures, classes) to test on: uint8, (N, 28, 28) and (N,).

    Raises:
        UserError: There is no copy; it tells how to get one.
    """
    folders = (keras_folder() / "fashion-mnist", DEBIAN_FASHION)
    return load_pictures("datasets.fashion_mnist.load_data", path, "fashion_mnist.npz", (28, 28), _HOW, folders)
