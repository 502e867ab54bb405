"""From values per sample to one number: weights of samples, masks, sums and means."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.training.labels import to_tensor

# What keeps divisors from 0 and arguments of logarithms above it; Keras's `epsilon()`.
EPSILON = 1e-7
# Reductions that are the mean of the values where none weighs more than another.
MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")
REDUCTIONS = (*MEANS, "sum", "none")


def align_weight(where: str, sample_weight: Any, values: torch.Tensor, name: str = "sample_weight") -> torch.Tensor:
    """Weights that multiply onto `values`: their first axes must be those of the values, or one.

    (N,) goes with (N, H, W): one weight per sample. Nothing is aligned from the last axis, as plain broadcasting
    would, since for N = W that is silently wrong.

    Raises:
        UserError: The shapes do not fit.

    Example:
        >>> align_weight("Loss 'mse'", [1.0, 2.0], torch.zeros(2, 5)).shape
        torch.Size([2, 1])
    """
    weight = to_tensor(where, name, sample_weight).to(values.device, values.dtype)
    if weight.ndim == values.ndim + 1 and weight.shape[-1] == 1:
        weight = weight.squeeze(-1)
    fits = weight.ndim <= values.ndim and all(
        one in (1, two) for one, two in zip(weight.shape, values.shape, strict=False)
    )
    if not fits:
        got = f"{name} of shape {tuple(weight.shape)} for values of shape {tuple(values.shape)}"
        fix = f"Pass one weight per sample, shape {tuple(values.shape[:1])}."
        if name == "a mask":
            fix = "End the mask before the output, for example with a global pooling layer."
        elif not values.ndim:
            fix = "Give predictions a last axis, (N, 1); a function must return one value per sample, reduction=None."
        raise UserError(where, got, "weights of the values' shape, or of their first axes", fix)
    return weight.reshape(weight.shape + (1,) * (values.ndim - weight.ndim))


def last_mean(values: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """The mean over one axis, as a sum, whose gradient is a view; that of torch's mean is an array as large as this.

    Example:
        >>> last_mean(torch.tensor([[1.0, 2.0]]))
        tensor([1.5000])
    """
    if values.ndim and values.shape[axis] == 1:
        return values.squeeze(axis)
    return values.sum(axis) / (values.shape[axis] if values.ndim else 1)


def divide_no_nan(total: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """`total / count`, and 0 where the count is 0."""
    return torch.where(count == 0, 0.0, total / torch.where(count == 0, 1.0, count))


def reduce_values(
    where: str, values: Any, sample_weight: Any, masks: Sequence[torch.Tensor], reduction: str | None
) -> torch.Tensor:
    """Weigh `values` and reduce them.

    Args:
        where: Who asks, for errors.
        values: One loss per sample.
        sample_weight: Factors, or None.
        masks: True for the values that count, of their shape or their first axes; means are over these only.
        reduction: One of `REDUCTIONS`, or None.

    Raises:
        UserError: The weights or masks do not fit the values, or the values are no tensor: nothing can be learnt.
    """
    if not isinstance(values, torch.Tensor):
        fix = (
            "Compute it with torch's functions and return it as it is: no float(), .item(), .numpy() or NumPy function."
        )
        got = f"a {type(values).__name__} from the loss function"
        raise UserError(where, got, "a torch tensor computed from y_pred", fix)
    weight = None if sample_weight is None else align_weight(where, sample_weight, values)
    kept = multiply([align_weight(where, mask, values, "a mask") for mask in masks])
    weight = multiply([factor for factor in (weight, kept) if factor is not None])
    if weight is not None:
        values = values * weight
    if reduction in (None, "none") or not values.ndim:
        return values
    if reduction == "sum" or not values.numel():
        return values.sum()
    if reduction == "mean_with_sample_weight" and weight is not None:
        return divide_no_nan(values.sum(), weight.sum())
    return values.mean() if kept is None else divide_no_nan(values.sum(), kept.expand_as(values).sum())


def multiply(factors: Iterable[torch.Tensor]) -> torch.Tensor | None:
    """The product of weights and masks; None of none."""
    product = None
    for factor in factors:
        product = factor if product is None else product * factor
    return product
