"""Operations that pick, sort, count and place numbers."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UnsupportedError, UserError, check_choice, check_int
from striate.ops.table import axes_of, dtype_of, op


def _refuse_sparse(where: str, sparse: Any) -> None:
    if sparse:
        needs = "sparse=False: striate has no sparse tensors"
        raise UnsupportedError(where, f"sparse={sparse!r}", needs, "Leave sparse out.")


@op()
def take(x: torch.Tensor, indices: torch.Tensor, axis: int | None = None) -> torch.Tensor:
    """The numbers, or slices along an axis, at these places; negative ones count from the end.

    Example:
        >>> take([[1, 2, 3], [4, 5, 6]], [2, 0], axis=1)
        tensor([[3, 1],
                [6, 4]], dtype=torch.int32)
    """
    x, axis = (x.flatten(), 0) if axis is None else (x, axes_of(x, axis)[0])
    rows = indices.long()
    rows = torch.where(rows < 0, rows + x.shape[axis], rows)
    shape = (*x.shape[:axis], *rows.shape, *x.shape[axis + 1 :])
    return x.index_select(axis, rows.flatten()).reshape(shape)


@op()
def take_along_axis(x: torch.Tensor, indices: torch.Tensor, axis: int | None = None) -> torch.Tensor:
    """For every row along an axis, the numbers at the places that the same row of `indices` names."""
    x, rows, axis = (x.flatten(), indices.long().flatten(), 0) if axis is None else (x, indices.long(), axis)
    return torch.take_along_dim(x, torch.where(rows < 0, rows + x.shape[axis], rows), axis)


@op()
def get_item(x: torch.Tensor, key: Any) -> torch.Tensor:
    """x[key]."""
    return x[key]


@op()
def slice_(inputs: torch.Tensor, start_indices: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """The block of this shape that begins at these places; a size of -1 goes to the end."""
    for axis, (start, size) in enumerate(zip(start_indices, shape, strict=True)):
        inputs = inputs.narrow(axis, int(start), inputs.shape[axis] - int(start) if size == -1 else int(size))
    return inputs


@op()
def slice_update(inputs: torch.Tensor, start_indices: Sequence[int], updates: torch.Tensor) -> torch.Tensor:
    """A copy in which the block that begins at these places is replaced."""
    result = inputs.clone()
    place = tuple(
        slice(int(start), int(start) + size) for start, size in zip(start_indices, updates.shape, strict=True)
    )
    result[place] = updates.to(inputs.dtype)
    return result


@op()
def scatter(indices: torch.Tensor, values: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Zeros of this shape with the values added at places (count, axes)."""
    zeros = torch.zeros(tuple(shape), dtype=values.dtype, device=values.device)
    return zeros.index_put(tuple(indices.long().unbind(-1)), values, accumulate=True)


@op()
def scatter_update(
    inputs: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor, reduction: str | None = None
) -> torch.Tensor:
    """A copy in which the values at places (count, axes) are replaced, or added to with reduction="add"."""
    if reduction not in (None, "add"):
        raise UnsupportedError("ops.scatter_update", f"reduction={reduction!r}", "None or 'add'", "Use one of them.")
    return inputs.index_put(tuple(indices.long().unbind(-1)), updates.to(inputs.dtype), reduction == "add")


@op()
def sort(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """The numbers from the smallest to the largest."""
    return torch.sort(x, axis).values


@op()
def argsort(x: torch.Tensor, axis: int | None = -1) -> torch.Tensor:
    """The places of the numbers from the smallest to the largest, as int32; equal ones keep their order."""
    x = x.to(torch.uint8) if x.dtype == torch.bool else x
    x, axis = (x.flatten(), -1) if axis is None else (x, axis)
    return torch.argsort(x, dim=axis, stable=True).int()


@op()
def top_k(x: torch.Tensor, k: int, sorted: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest numbers along the last axis, and their places.

    Example:
        >>> values, places = top_k([1.0, 5.0, 3.0], 2)
        >>> values.tolist(), places.tolist()
        ([5.0, 3.0], [1, 2])
    """
    values, places = torch.topk(x, check_int("ops.top_k", "k", k), sorted=sorted)
    return values, places


@op()
def in_top_k(targets: torch.Tensor, predictions: torch.Tensor, k: int) -> torch.Tensor:
    """Whether the class in `targets` (N,) is among the k largest of `predictions` (N, classes); ties count."""
    own = predictions.gather(-1, targets.long()[:, None])
    return (own >= torch.topk(predictions, check_int("ops.in_top_k", "k", k)).values).any(-1)


@op()
def one_hot(x: torch.Tensor, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> torch.Tensor:
    """A row of zeros with a one at the class, along a new axis; all zeros for numbers that are no class.

    Example:
        >>> one_hot([2, 0], 3)
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
    """
    _refuse_sparse("ops.one_hot", sparse)
    classes = torch.arange(check_int("ops.one_hot", "num_classes", num_classes), device=x.device)
    rows = (x[..., None] == classes).to(dtype_of("ops.one_hot", dtype, torch.float32))
    return torch.moveaxis(rows, -1, axis)


@op()
def multi_hot(
    inputs: torch.Tensor, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> torch.Tensor:
    """A row of zeros with ones at all classes that stand in a row of `inputs`."""
    _refuse_sparse("ops.multi_hot", sparse)
    return one_hot(inputs, check_int("ops.multi_hot", "num_classes", num_classes), axis, dtype).amax(
        1 if inputs.ndim > 1 else 0
    )


@op()
def nonzero(x: torch.Tensor) -> torch.Tensor:
    """The places of what is not 0, (axes, count), as int32."""
    return torch.stack(torch.nonzero(x, as_tuple=True)).int()


@op()
def unique(
    x: torch.Tensor,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different numbers, from the smallest to the largest.

    Args:
        return_inverse: Whether to return which of them stood at every place, too.
        return_counts: Whether to return how often each was there, too.
    """
    for name, value in (("return_index", return_index or None), ("size", size), ("fill_value", fill_value)):
        if value is not None:
            needs = f"no {name}: striate does not support it"
            raise UnsupportedError("ops.unique", f"{name}={value!r}", needs, f"Leave {name} out.")
    return torch.unique(x, sorted, return_inverse, return_counts, axis)


@op()
def searchsorted(sorted_sequence: torch.Tensor, values: torch.Tensor, side: str = "left") -> torch.Tensor:
    """Before which place of a sorted sequence each value belongs, as int32."""
    side = check_choice("ops.searchsorted", "side", side, ["left", "right"])
    return torch.searchsorted(sorted_sequence, values, side=side, out_int32=True)


@op()
def digitize(x: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
    """The number of the bin that x falls into, as int32; `bins` are their lower bounds, from the second on."""
    return torch.bucketize(x, bins.to(torch.promote_types(bins.dtype, x.dtype)), right=True).int()


@op()
def bincount(
    x: torch.Tensor, weights: torch.Tensor | None = None, minlength: int = 0, sparse: bool = False
) -> torch.Tensor:
    """How often 0, 1, 2, ... occur, as int32; or the sums of their weights."""
    _refuse_sparse("ops.bincount", sparse)
    if x.ndim != 1:
        raise UserError("ops.bincount", f"shape {tuple(x.shape)}", "one axis", "Count row by row.")
    counts = torch.bincount(x, weights, minlength)
    return counts.int() if weights is None else counts.to(torch.promote_types(x.dtype, weights.dtype))


@op()
def isin(x1: torch.Tensor, x2: torch.Tensor, assume_unique: bool = False, invert: bool = False) -> torch.Tensor:
    """Whether each number of x1 occurs in x2."""
    return torch.isin(x1, x2, assume_unique=assume_unique, invert=invert)


@op()
def segment_sum(
    data: torch.Tensor, segment_ids: torch.Tensor, num_segments: int | None = None, sorted: bool = False
) -> torch.Tensor:
    """The sums of the slices along the first axis that have the same number in `segment_ids`."""
    count = int(segment_ids.max()) + 1 if num_segments is None else num_segments
    zeros = data.new_zeros((count, *data.shape[1:]))
    return zeros.index_add(0, segment_ids.long(), data)


@op()
def segment_max(
    data: torch.Tensor, segment_ids: torch.Tensor, num_segments: int | None = None, sorted: bool = False
) -> torch.Tensor:
    """The largest numbers of the slices that have the same number in `segment_ids`; the dtype's least where none."""
    count = int(segment_ids.max()) + 1 if num_segments is None else num_segments
    least = -torch.inf if data.is_floating_point() else torch.iinfo(data.dtype).min
    rows = segment_ids.long().reshape(-1, *[1] * (data.ndim - 1)).expand_as(data)
    return data.new_full((count, *data.shape[1:]), least).scatter_reduce(0, rows, data, "amax")


@op()
def tril(x: torch.Tensor, k: int = 0) -> torch.Tensor:
    """What stands on and below the k-th diagonal; zeros above."""
    return torch.tril(x, k)


@op()
def triu(x: torch.Tensor, k: int = 0) -> torch.Tensor:
    """What stands on and above the k-th diagonal; zeros below."""
    return torch.triu(x, k)


@op()
def diag(x: torch.Tensor, k: int = 0) -> torch.Tensor:
    """The diagonal of a matrix, or the matrix with this diagonal."""
    return torch.diag(x, k)


@op()
def diagonal(x: torch.Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> torch.Tensor:
    """The diagonals of the matrices along two axes, as the last axis."""
    return torch.diagonal(x, offset, axis1, axis2)


@op()
def diff(a: torch.Tensor, n: int = 1, axis: int = -1) -> torch.Tensor:
    """The differences between neighbours, n times over."""
    return torch.diff(a, n, axis)


@op()
def normalize(x: torch.Tensor, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> torch.Tensor:
    """X divided by its norm along axes; by `epsilon` (1e-7 unless told) where that is smaller."""
    order = check_int("ops.normalize", "order", order)
    axes = axes_of(x, axis)
    return F.normalize(x, order, axes[0] if len(axes) == 1 else axes, eps=epsilon or 1e-7)  # type: ignore[arg-type]
