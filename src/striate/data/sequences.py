"""Sequences and series: padded to one length, or cut into windows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from striate.data.dataset import AUTOTUNE, Dataset
from striate.data.tensors import as_array, as_dtype
from striate.foundation.checks import UnsupportedError, UserError, check_choice, check_flag, check_int
from striate.foundation.explain import explaining


@explaining
def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Lists of different lengths as one array.

    Args:
        sequences: Lists of numbers, or of vectors of one shape.
        maxlen: How long they are to be; as long as the longest if left out.
        dtype: Of the array.
        padding: "pre" or "post": on which side `value` is added.
        truncating: "pre" or "post": on which side longer ones are cut.

    Returns:
        (sequences, maxlen, ...).

    Raises:
        UserError: One of them is no list, or its vectors have another shape.

    Example:
        >>> pad_sequences([[1], [2, 3]])
        array([[0, 1],
               [2, 3]], dtype=int32)
    """
    where = "pad_sequences"
    padding = check_choice(where, "padding", padding, ["pre", "post"])
    truncating = check_choice(where, "truncating", truncating, ["pre", "post"])
    kind = as_dtype(where, dtype)
    if not all(map(_has_length, [sequences, *_rows(sequences)])):
        needs = "a list of lists of numbers"
        kinds = [type(row).__name__ for row in (sequences, *_rows(sequences)) if not _has_length(row)]
        got = f"sequences of type {type(sequences).__name__}" + f" with a {kinds[0]} in it" * _has_length(sequences)
        raise UserError(where, got, needs, "Pass [[1, 2], [3]].")
    longest = max((len(row) for row in sequences), default=0)
    length = longest if maxlen is None else check_int(where, "maxlen", maxlen)
    shape = next((np.asarray(row).shape[1:] for row in sequences if len(row)), ())
    if kind.kind not in "OUS" and (isinstance(value, str) or np.ndim(value) or value is None):
        fix = "Pass dtype=object for texts."
        raise UserError(where, f"value={value!r} with dtype={dtype!r}", "a number there", fix)
    padded = np.full((len(sequences), length, *shape), value, dtype=kind)
    for number, row in enumerate(sequences):
        if not len(row):
            continue
        kept = np.asarray(row[-length:] if truncating == "pre" else row[:length], dtype=dtype)
        if kept.shape[1:] != shape:
            got = f"steps of shape {kept.shape[1:]} in sequence {number}"
            raise UserError(where, got, f"{shape}, as in the first one", "Bring them to one shape.")
        padded[number, slice(-len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return padded


@explaining
def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Windows of a series, batch by batch.

    Args:
        data: (steps, ...).
        targets: targets[i] belongs to the window that begins at step i; None for windows alone.
        sequence_length: Steps in a window.
        sequence_stride: How far the beginnings of neighbouring windows are apart.
        sampling_rate: How far the steps of a window are apart.
        batch_size: Windows in a batch; None yields them one by one.
        shuffle: Whether the order is new every pass; else they come as time goes.
        seed: Decides the order.
        start_index: The first step that is used.
        end_index: The first step that is not used any more.
        format: "tf", whatever reads like tf.data.

    Returns:
        A `Dataset` of (N, sequence_length, ...), or of pairs with (N, ...) targets.

    Raises:
        UserError: An argument is out of range, or there is no room for a single window.

    Example:
        >>> windows = timeseries_dataset_from_array([0, 1, 2, 3, 4], None, sequence_length=2, sampling_rate=2)
        >>> next(iter(windows)).tolist()
        [[0, 2], [1, 3], [2, 4]]
    """
    where = "timeseries_dataset_from_array"
    if format != "tf":
        needs = "'tf': striate does not support other values of this Keras argument"
        raise UnsupportedError(where, f"format={format!r}", needs, "Leave format out.")
    check_flag(where, "shuffle", shuffle)
    steps = _steps(where, "data", data)
    answers = None if targets is None else _steps(where, "targets", targets)
    for name, size in (("sequence_stride", sequence_stride), ("sampling_rate", sampling_rate)):
        if check_int(where, name, size) >= len(steps):
            raise UserError(where, f"{name}={size} for {len(steps)} steps", "a smaller one", f"Change {name}.")
    length = check_int(where, "sequence_length", sequence_length)
    first, last = _range(where, start_index, end_index, len(steps))
    count = last - first - (length - 1) * sampling_rate
    if answers is not None:
        count = min(count, len(answers) - first)
    if count < 1:
        got = f"windows over {(length - 1) * sampling_rate + 1} steps of {last - first}"
        raise UserError(where, got, "room for at least one, and its target", "Use shorter windows or more data.")
    if batch_size is not None:
        check_int(where, "batch_size", batch_size)

    def window(start: torch.Tensor) -> Any:
        begin = first + int(start)
        x = steps[begin : begin + (length - 1) * sampling_rate + 1 : sampling_rate]
        return x if answers is None else (x, answers[begin])

    starts = np.arange(0, count, sequence_stride)
    dataset = Dataset.from_tensor_slices(starts)
    if shuffle:
        dataset = dataset.shuffle(len(starts), seed=seed)
    dataset = dataset.map(window)
    if batch_size is not None:
        dataset = dataset.batch(batch_size)
    return dataset.prefetch(AUTOTUNE)


def _has_length(row: Any) -> bool:
    """Whether it is a sequence of numbers; arrays without axes have a length that fails, and texts count letters."""
    return hasattr(row, "__len__") and getattr(row, "ndim", 1) > 0 and not isinstance(row, str | bytes)


def _rows(sequences: Any) -> Sequence[Any]:
    return sequences if _has_length(sequences) else []


def _steps(where: str, name: str, values: Any) -> torch.Tensor:
    """A series as a tensor of its own dtype."""
    array = as_array(where, name, values)
    if not array.ndim:
        raise UserError(where, f"{name} as a single number", "an array whose first axis is time", "Pass a series.")
    return torch.as_tensor(array if array.flags.writeable else array.copy())


def _range(where: str, start: int | None, end: int | None, count: int) -> tuple[int, int]:
    """The first step, and the first after the last one."""
    first = 0 if start is None else check_int(where, "start_index", start, minimum=0)
    last = count if end is None else check_int(where, "end_index", end)
    if not first < last <= count:
        got = f"start_index={start} and end_index={end} for {count} steps"
        raise UserError(where, got, "a start before the end, both within the data", "Change them.")
    return first, last
