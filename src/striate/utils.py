"""Small helpers, where Keras has them."""

import random
from typing import Any

import numpy as np
import torch

from striate.data.directory import image_dataset_from_directory
from striate.foundation.checks import UserError, check_int
from striate.foundation.names import clear_names as clear_session

__all__ = ["clear_session", "image_dataset_from_directory", "set_random_seed", "to_categorical"]


def set_random_seed(seed: int) -> None:
    """Start the global random generators of Python, NumPy and torch from this number.

    Raises:
        UserError: It is no whole number from 0 to 2**32 - 1, which is what NumPy takes.

    Example:
        >>> set_random_seed(7)
        >>> first = torch.rand(2)
        >>> set_random_seed(7)
        >>> bool((first == torch.rand(2)).all())
        True
    """
    check_int("set_random_seed", "seed", seed, minimum=0)
    if seed >= 2**32:
        raise UserError("set_random_seed", f"seed={seed}", "a number below 2**32", "Choose a smaller one.")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Class numbers as one-hot rows.

    Args:
        x: Whole numbers from 0, of any shape; a last axis of 1 is dropped.
        num_classes: How many classes there are; one more than the largest number if left out.

    Returns:
        float64, of x's shape with an axis of `num_classes` at the end.

    Raises:
        UserError: A number is no class.

    Example:
        >>> to_categorical([0, 2])
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    classes = np.asarray(x)
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    odd = classes.ravel()[:1] if classes.dtype.kind not in "iufb" else classes[(classes % 1 != 0) | (classes < 0)]
    if odd.size or not classes.size:
        got = f"{odd[0]!r} in x" if odd.size else "an empty x"
        raise UserError("to_categorical", got, "class numbers, whole and from 0", "Number the classes 0, 1, 2, ...")
    whole = classes.astype(np.int64)
    count = int(whole.max()) + 1
    if num_classes is not None and count > check_int("to_categorical", "num_classes", num_classes):
        got = f"class {count - 1} with num_classes={num_classes}"
        raise UserError("to_categorical", got, f"classes from 0 to {num_classes - 1}", f"Pass num_classes={count}.")
    return np.eye(num_classes or count)[whole]
