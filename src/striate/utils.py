"""Small helpers, where Keras has them."""

from typing import Any, NoReturn

import numpy as np

from striate.data.directory import image_dataset_from_directory
from striate.data.halves import split_dataset
from striate.data.image_files import array_to_img, img_to_array, load_img, save_img
from striate.data.py_dataset import PyDataset
from striate.data.sequences import pad_sequences, timeseries_dataset_from_array
from striate.data.tensors import as_array
from striate.data.text_directory import text_dataset_from_directory
from striate.foundation.absent import explain_absent
from striate.foundation.checks import UnsupportedError, UserError, check_flag, check_int, check_number, is_int
from striate.foundation.custom_objects import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from striate.foundation.explain import explaining
from striate.foundation.names import clear_names
from striate.models.plot import plot_model
from striate.models.steps import pack_x_y_sample_weight, unpack_x_y_sample_weight
from striate.training.seeding import seed_everything

CustomObjectScope = custom_object_scope
Sequence = PyDataset

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "set_random_seed",
    "split_dataset",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]

explain_absent(__name__)


# More classes than anyone has; one-hot rows of them would not fit into memory.
_MOST = 2**31


@explaining
def clear_session(free_memory: bool = True) -> None:
    """Start counting automatic names anew: the next Dense is called `dense`.

    Args:
        free_memory: Keras's; nothing is kept here that could be freed.

    Raises:
        UserError: It is neither True nor False.

    Example:
        >>> from striate.layers import Dense
        >>> clear_session()
        >>> Dense(2).name
        'dense'
    """
    check_flag("clear_session", "free_memory", free_memory)
    clear_names()


@explaining
def set_random_seed(seed: int) -> None:
    """Start the global random generators of Python, NumPy and torch from this number.

    Raises:
        UserError: It is no whole number from 0 to 2**32 - 1, which is what NumPy takes.

    Example:
        >>> import torch
        >>> set_random_seed(7)
        >>> first = torch.rand(2)
        >>> set_random_seed(7)
        >>> bool((first == torch.rand(2)).all())
        True
    """
    seed = check_int("set_random_seed", "seed", seed, minimum=0)
    if seed >= 2**32:
        raise UserError("set_random_seed", f"seed={seed}", "a number below 2**32", "Choose a smaller one.")
    seed_everything(seed)


@explaining
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
    classes = as_array("to_categorical", "x", x)
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    odd = classes[(classes % 1 != 0) | (classes < 0) | (classes >= _MOST)]
    if odd.size or not classes.size:
        got = f"{odd[0]!r} in x" if odd.size else "an empty x"
        raise UserError("to_categorical", got, "class numbers, whole and from 0", "Number the classes 0, 1, 2, ...")
    whole = classes.astype(np.int64)
    count = int(whole.max()) + 1
    if num_classes is not None and count > check_int("to_categorical", "num_classes", num_classes):
        got = f"class {count - 1} with num_classes={num_classes}"
        raise UserError("to_categorical", got, f"classes from 0 to {num_classes - 1}", f"Pass num_classes={count}.")
    return np.eye(num_classes or count)[whole]


@explaining
def normalize(x: Any, axis: int = -1, order: float = 2) -> np.ndarray:
    """Rows of an array divided by their length, those of length 0 left as they are.

    Args:
        x: Numbers.
        axis: Along which the rows are.
        order: Of which norm: 1 the sum of sizes, 2 the length, infinity the largest.

    Raises:
        UserError: There is no such axis or norm, or x holds no numbers.

    Example:
        >>> normalize([[3.0, 4.0]])
        array([[0.6, 0.8]])
    """
    values = np.atleast_1d(as_array("normalize", "x", x))
    if not is_int(axis) or not -values.ndim <= axis < values.ndim:
        needs = f"an axis of an array of shape {values.shape}"
        raise UserError("normalize", f"axis={axis!r}", needs, "Pass axis=-1.")
    check_number("normalize", "order", order, "a number above 0, or infinity", lambda number: number > 0)
    lengths = np.atleast_1d(np.linalg.norm(values, order, axis))
    lengths[lengths == 0] = 1
    return values / np.expand_dims(lengths, axis)


def get_file(*args: Any, **kwargs: Any) -> NoReturn:
    """Refused: striate never uses the network.

    Raises:
        UnsupportedError: Always.
    """
    fix = "Download the file yourself, check its SHA-256, and pass its path to what reads it."
    raise UnsupportedError("get_file", "a call", "a file on this machine: striate never uses the network", fix)


def model_to_dot(*args: Any, **kwargs: Any) -> NoReturn:
    """Refused: striate draws without Graphviz.

    Raises:
        UnsupportedError: Always.
    """
    needs = "plot_model: striate draws without Graphviz"
    raise UnsupportedError("model_to_dot", "a call", needs, "Use plot_model(model, 'model.svg').")
