"""Class weights as weights of single samples."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from striate.data.tensors import map_leaves, named_leaves
from striate.foundation.checks import UserError, is_int


def check_class_weight(where: str, class_weight: Any) -> dict[int, float] | None:
    """Return `class_weight` as {class: weight}, or None where there is none.

    Raises:
        UserError: It is no mapping from class numbers to finite weights of at least 0.
    """
    if class_weight is None:
        return None
    fix = "Pass for example class_weight={0: 1.0, 1: 3.0}."
    if not isinstance(class_weight, Mapping) or not class_weight:
        raise UserError(where, f"class_weight={class_weight!r}", "a dict {class number: weight}", fix)
    for label, weight in class_weight.items():
        number = isinstance(weight, int | float) or hasattr(weight, "__float__")
        if not is_int(label) or label < 0 or not number or not 0 <= float(weight) < math.inf:
            needs = "class numbers from 0 and finite weights of at least 0"
            raise UserError(where, f"class_weight with {label!r}: {weight!r}", needs, fix)
    return {int(label): float(weight) for label, weight in class_weight.items()}


def weigh_by_class(
    where: str, y: Any, sample_weight: torch.Tensor | None, class_weight: dict[int, float]
) -> torch.Tensor:
    """Multiply the weight of each sample's class into its own weight.

    Args:
        where: Who asks, for errors.
        y: Class numbers (N,) or (N, 1), or one-hot rows (N, classes).
        sample_weight: (N,), (N, 1) or None.
        class_weight: As `check_class_weight` returns it.

    Returns:
        float32 weights in the shape of `sample_weight`, or (N,).

    Raises:
        UserError: `y` holds no single class per sample, or a class that `class_weight` does not name.
    """
    if not isinstance(y, torch.Tensor):
        got = "class_weight without y" if y is None else "class_weight with several outputs"
        raise UserError(where, got, "one y with class numbers", "Use sample_weight, one array per output.")
    labels = _labels(where, y)
    present, position = torch.unique(labels, return_inverse=True)
    unnamed = [int(label) for label in present if int(label) not in class_weight]
    if unnamed:
        named = sorted(class_weight)
        fix = f"Add {unnamed[0]}: 1.0 to class_weight, or mend the labels."
        raise UserError(where, f"class_weight for {named}, y with {unnamed}", "a weight for every class in y", fix)
    table = torch.tensor([class_weight[int(label)] for label in present], dtype=torch.float32, device=y.device)
    weights = table[position]
    if sample_weight is None:
        return weights
    return sample_weight * weights.reshape(-1, *[1] * (sample_weight.ndim - 1))


def weights_like(where: str, weights: Any, y: Any) -> Any:
    """Weights as float32, one array for every output of `y`; a single array serves all outputs."""
    if weights is None:
        return None
    for name, leaf in named_leaves("sample_weight", weights):
        if not torch.isfinite(leaf).all():
            fix = "Give unwanted samples the weight 0."
            raise UserError(where, f"NaN or infinity in {name}", "finite weights", fix)
    weights = map_leaves(lambda leaf: leaf.float(), weights)
    if isinstance(weights, torch.Tensor) and not isinstance(y, torch.Tensor) and y is not None:
        if weights.ndim > 1 and weights.numel() != len(weights):
            got = f"sample_weight of shape {tuple(weights.shape)} for several outputs"
            raise UserError(where, got, "shape (N,), or one array per output", "Pass one array per output.")
        single = weights
        return map_leaves(lambda _: single, y)
    names = [name.removeprefix("sample_weight") for name, _ in named_leaves("sample_weight", weights)]
    wanted = [name.removeprefix("y") for name, _ in named_leaves("y", y)]
    if y is not None and names != wanted:
        got = f"sample_weight for {names} with y for {wanted}"
        raise UserError(where, got, "one array per output, named as in y", "Give both the same structure.")
    return weights


def _labels(where: str, y: torch.Tensor) -> torch.Tensor:
    """Class numbers (N,) out of numbers (N,), (N, 1) or one-hot rows (N, classes)."""
    needs = "whole class numbers of shape (N,) or (N, 1), or one-hot rows (N, classes)"
    fix = "Use sample_weight for any other target."
    if y.ndim == 2 and y.shape[1] > 1:
        one_hot = ((y == 0) | (y == 1)).all() and (y.sum(dim=1) == 1).all()
        if not one_hot:
            raise UserError(where, f"class_weight with y of shape {tuple(y.shape)} that is not one-hot", needs, fix)
        return y.to(torch.uint8).argmax(dim=1)
    if y.ndim not in (1, 2):
        raise UserError(where, f"class_weight with y of shape {tuple(y.shape)}", needs, fix)
    labels = y.reshape(-1)
    whole = labels.long()
    if not torch.equal(whole.to(labels.dtype), labels):
        raise UserError(where, "class_weight with y that holds fractions", needs, fix)
    return whole
