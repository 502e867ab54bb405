"""`split_dataset`: data in two parts, with Keras's arguments."""

import random
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Subset

from striate.data.dataset import Dataset
from striate.data.elements import as_element, count_slices
from striate.data.tensors import is_array, map_leaves
from striate.foundation.checks import UnsupportedError, UserError, is_int
from striate.foundation.explain import explaining

_WHERE = "split_dataset"


@explaining
def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Cut data in two.

    Args:
        dataset: An array, a list or tuple of arrays with equally many samples, or a torch Dataset.
        left_size: How many samples go to the left, or the share of them, below 1; the others if left out.
        right_size: The same for the right.
        shuffle: Whether the samples are dealt out at random; else the first go to the left.
        seed: Decides which go where; with a torch Dataset and shuffle as Keras's.
        preferred_backend: None or "torch".

    Returns:
        Two `Dataset`s of samples, still to be batched; of a torch Dataset two torch Subsets.

    Raises:
        UserError: It is no such data, or one side would be empty.

    Example:
        >>> left, right = split_dataset(([1, 2, 3, 4], [0, 0, 1, 1]), left_size=0.75)
        >>> [(int(x), int(y)) for x, y in right]
        [(4, 1)]
    """
    if preferred_backend not in (None, "torch"):
        fix = "Leave preferred_backend out."
        raise UnsupportedError(_WHERE, f"preferred_backend={preferred_backend!r}", "None or 'torch'", fix)
    if isinstance(dataset, Dataset):
        fix = "Use dataset.take(count) and dataset.skip(count)."
        raise UnsupportedError(_WHERE, "a Dataset, which may be endless", "arrays or a torch Dataset", fix)
    if isinstance(dataset, TorchDataset):
        count = len(dataset)  # type: ignore[arg-type]
        left, right = _rows(count, left_size, right_size, shuffle, seed)
        return Subset(dataset, left.tolist()), Subset(dataset, right.tolist())
    if not isinstance(dataset, list | tuple) and not is_array(dataset):
        needs = "an array, a list or tuple of arrays, or a torch Dataset"
        raise UserError(_WHERE, f"a {type(dataset).__name__}", needs, "Convert it first: np.asarray(data).")
    if isinstance(dataset, list | tuple) and any(isinstance(part, str | bytes) for part in dataset):
        fix = "Split their numbers, numpy.arange(len(texts)), and take the texts by them."
        raise UserError(_WHERE, f"a {type(dataset).__name__} of texts", "arrays of numbers", fix)
    single = is_array(dataset) or (bool(dataset) and np.ndim(dataset[0]) == 0)
    arrays = as_element(_WHERE, dataset if single else tuple(dataset))
    count = count_slices(_WHERE, arrays)
    left, right = _rows(count, left_size, right_size, shuffle, seed)
    return _taken(arrays, left), _taken(arrays, right)


def _taken(arrays: Any, rows: torch.Tensor) -> Dataset:
    return Dataset.from_tensor_slices(map_leaves(lambda array: array[rows], arrays))


def _rows(
    count: int, left_size: float | None, right_size: float | None, shuffle: bool, seed: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The numbers of the samples on either side."""
    if left_size is None and right_size is None:
        needs = "the size of one side at least"
        raise UserError(_WHERE, "neither left_size nor right_size", needs, "Pass left_size=0.8.")
    left, right = (_size(name, size, count) for name, size in (("left_size", left_size), ("right_size", right_size)))
    left = count - (right or 0) if left is None else left
    right = count - left if right is None else right
    if left + right > count or min(left, right) < 1:
        got = f"{left} samples left and {right} right of {count}"
        raise UserError(_WHERE, got, "at least one on either side, and no more than there are", "Change the sizes.")
    if not shuffle:
        order = torch.arange(count)
    else:
        chance = torch.Generator().manual_seed(random.randrange(2**31) if seed is None else seed)
        order = torch.randperm(count, generator=chance)
    return order[:left], order[left : left + right]


def _size(name: str, size: float | None, count: int) -> int | None:
    """A number of samples for a number or a share."""
    if size is None:
        return None
    whole = is_int(size) and 0 < size < count
    share = isinstance(size, float | np.floating) and 0 < size < 1
    if not whole and not share:
        needs = f"a whole number from 1 to {count - 1}, or a share above 0 and below 1"
        raise UserError(_WHERE, f"{name}={size!r}", needs, f"Pass for example {name}=0.8.")
    if not share:
        return int(size)
    return round(size * count)
