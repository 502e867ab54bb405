"""Operations that say how far predictions are from the truth: one number for every item, no mean over them."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError
from striate.ops.table import as_floats, op

EPSILON = 1e-7  # Keras's: probabilities stay this far from 0 and 1


def _check_same(where: str, target: torch.Tensor, output: torch.Tensor) -> None:
    if target.shape != output.shape or not target.ndim:
        got = f"target of shape {tuple(target.shape)} and output of shape {tuple(output.shape)}"
        raise UserError(where, got, "equal shapes with at least one axis", "Reshape one of them.")


@op()
def binary_crossentropy(target: torch.Tensor, output: torch.Tensor, from_logits: bool = False) -> torch.Tensor:
    """-log of the probability of what is true, for every number.

    Args:
        target: 0 or 1, or between.
        output: Probabilities of 1, or with `from_logits` what a sigmoid would make them of.

    Example:
        >>> binary_crossentropy([1.0, 0.0], [0.5, 0.5])
        tensor([0.6931, 0.6931])
    """
    target, output = as_floats(target), as_floats(output)
    _check_same("ops.binary_crossentropy", target, output)
    if from_logits:
        return F.binary_cross_entropy_with_logits(output, target, reduction="none")
    return F.binary_cross_entropy(output.clamp(EPSILON, 1 - EPSILON), target, reduction="none")


@op()
def categorical_crossentropy(
    target: torch.Tensor, output: torch.Tensor, from_logits: bool = False, axis: int = -1
) -> torch.Tensor:
    """-log of the probability of the true class, which `target` names one-hot along `axis`; that axis is gone then."""
    target, output = as_floats(target), as_floats(output)
    _check_same("ops.categorical_crossentropy", target, output)
    return -(target * _logarithms(output, from_logits, axis)).sum(axis)


@op()
def sparse_categorical_crossentropy(
    target: torch.Tensor, output: torch.Tensor, from_logits: bool = False, axis: int = -1
) -> torch.Tensor:
    """-log of the probability of the true class, which `target` names by its number.

    Args:
        target: Of output's shape without `axis`, or with one cell there.
    """
    classes = target.long()
    if classes.ndim == output.ndim and classes.ndim and classes.shape[axis] == 1:
        classes = classes.squeeze(axis)
    if not output.ndim or classes.shape != output.select(axis, 0).shape:
        got = f"target of shape {tuple(target.shape)} and output of shape {tuple(output.shape)}"
        needs = "one class number for every row of output"
        raise UserError("ops.sparse_categorical_crossentropy", got, needs, "For one-hot rows use the other one.")
    logarithms = _logarithms(as_floats(output), from_logits, axis)
    return -logarithms.take_along_dim(classes.unsqueeze(axis), axis).squeeze(axis)


def _logarithms(output: torch.Tensor, from_logits: bool, axis: int) -> torch.Tensor:
    if from_logits:
        return F.log_softmax(output, axis)
    return torch.log((output / output.sum(axis, keepdim=True)).clamp(EPSILON, 1 - EPSILON))


@op()
def psnr(x1: torch.Tensor, x2: torch.Tensor, max_val: Any) -> torch.Tensor:
    """The peak signal-to-noise ratio of two pictures in decibels; `max_val` is the largest value of a cell."""
    _check_same("ops.psnr", x1, x2)
    return 20 * torch.log10(torch.as_tensor(float(max_val))) - 10 * torch.log10(F.mse_loss(x1, x2))
