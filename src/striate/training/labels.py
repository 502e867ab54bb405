"""Labels beside predictions: bringing both to one shape, and refusing labels that do not fit the loss."""

import math
import warnings
from typing import Any, Literal, NoReturn

import torch

from striate.data.tensors import as_tensor
from striate.foundation.checks import UserError

# What is said of labels that a softmax cannot reach.
SUMS = (
    "one-hot labels that sum to more than 1; it computes with them, as Keras does, though a softmax cannot reach them: "
    "for several classes at once use a sigmoid output with binary_crossentropy."
)

Kind = Literal["binary", "sparse", "one_hot"]


def to_tensor(where: str, name: str, value: Any) -> torch.Tensor:
    """`value` as a tensor; a tensor stays itself, gradient and all."""
    return value if isinstance(value, torch.Tensor) else as_tensor(where, name, value)


def as_float(value: torch.Tensor) -> torch.Tensor:
    """`value` in float32, or in float64 if it was: halves and integers are too coarse to sum up losses in."""
    return value if value.dtype is torch.float32 or value.dtype is torch.float64 else value.float()


def match_rank(one: torch.Tensor, two: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring ranks that differ by a last axis of one together, as Keras does.

    (N,) beside (N, 1) becomes (N, 1); of higher ranks, (N, H, W, 1) beside (N, H, W), the longer loses its last axis.

    Example:
        >>> [tuple(t.shape) for t in match_rank(torch.zeros(4), torch.zeros(4, 1))]
        [(4, 1), (4, 1)]
    """
    if one.ndim == two.ndim + 1 and one.shape[-1] == 1:
        return (one, two.unsqueeze(-1)) if two.ndim == 1 else (one.squeeze(-1), two)
    if two.ndim == one.ndim + 1 and two.shape[-1] == 1:
        return (one.unsqueeze(-1), two) if one.ndim == 1 else (one, two.squeeze(-1))
    return one, two


def pair(where: str, y_true: Any, y_pred: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels and predictions as floats of one dtype and one shape; nothing is ever broadcast.

    Raises:
        UserError: The shapes differ by more than a last axis of one.
    """
    y_pred = as_float(to_tensor(where, "y_pred", y_pred))
    y_true = to_tensor(where, "y_true", y_true).to(y_pred.dtype)
    if y_true.shape != y_pred.shape:
        y_true, y_pred = match_rank(y_true, y_pred)
        check_same_shape(where, y_true, y_pred)
    return y_true, y_pred


def class_labels(where: str, y_true: Any, y_pred: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """Class numbers without the class axis: (N,) for predictions (N, C), (N, H, W) for (N, H, W, C).

    Raises:
        UserError: `y_true` has another shape.
    """
    y_true = to_tensor(where, "y_true", y_true)
    if not y_pred.ndim:
        fix = "Pass one score per class, shape (N, C)."
        raise UserError(where, _shapes(y_true, y_pred), "predictions with an axis of classes", fix)
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] == 1:
        y_true = y_true.squeeze(axis)
    expected = list(y_pred.shape)
    classes = expected.pop(axis)
    if list(y_true.shape) != expected:
        needs = f"one class number per sample, shape {tuple(expected)}"
        fix = "Pass one whole number from 0 to C - 1 per sample."
        if y_true.ndim == y_pred.ndim and y_true.shape[axis] > 1:
            fix = "For one-hot labels use categorical_crossentropy, or pass labels.argmax(-1)."
        elif classes == 1:
            fix = "One unit tells two classes apart: use binary_crossentropy."
        raise UserError(where, _shapes(y_true, y_pred), needs, fix)
    return y_true


def class_index(where: str, y_true: torch.Tensor, y_pred: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """Class numbers as an index along the axis of the classes, which it has, of length one; see `whole_classes`."""
    return whole_classes(where, y_true, y_pred, axis).unsqueeze(axis)


def whole_classes(where: str, y_true: torch.Tensor, y_pred: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """Class numbers as whole numbers that the predictions have classes for.

    On the host their range is checked. On a device that would wait for it; `fit` has checked them before.

    Raises:
        UserError: There is no such class.
    """
    classes = y_true.long()
    if classes.is_cpu and classes.numel():
        low, high = torch.aminmax(classes)
        if low.item() < 0 or high.item() >= y_pred.shape[axis]:
            needs = f"class numbers from 0 to {y_pred.shape[axis] - 1}"
            fix = "Mend the labels, or give the output more units."
            raise UserError(where, _span(low.item(), high.item()), needs, fix)
    return classes


def label_kind(where: str, y_true_shape: tuple[Any, ...] | None, y_pred_shape: tuple[Any, ...] | None) -> Kind:
    """Which labels these are, told from shapes as Keras's `compile` does for "accuracy" and "crossentropy".

    Example:
        >>> label_kind("accuracy", (None,), (None, 10)), label_kind("accuracy", (None, 10), (None, 10))
        ('sparse', 'one_hot')

    Raises:
        UserError: A shape that is needed to tell is not known.
    """
    if y_pred_shape is not None and (len(y_pred_shape) < 2 or y_pred_shape[-1] == 1):
        return "binary"
    if y_true_shape is None or y_pred_shape is None:
        needs = "the shapes of labels and predictions to choose by"
        raise UserError(where, "a name with several meanings", needs, "Name it in full, for example 'binary_...'.")
    sparse = len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1
    return "sparse" if sparse else "one_hot"


# What a loss asks of its labels: cheap enough for every batch, while the labels are still on the host ----------------


def check_count(where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
    """Refuse an empty batch, and labels that are not as many as predictions."""
    if not y_true.numel():
        raise UserError(where, "an empty batch", "at least one sample", "Leave the empty batch out.")
    if y_true.ndim and y_pred.ndim and y_true.shape[0] != y_pred.shape[0]:
        got = f"{y_true.shape[0]} labels for {y_pred.shape[0]} predictions"
        raise UserError(where, got, "as many labels as samples", "Make x and y of one length.")


def check_numbers(where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
    """Refuse labels of another shape than the predictions, and labels that are not finite."""
    check_same_shape(where, *match_rank(y_true, y_pred))
    _limits(where, y_true)


def check_not_negative(where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
    """Refuse labels of another shape than the predictions, and labels that are not finite, or below 0."""
    check_same_shape(where, *match_rank(y_true, y_pred))
    low, high = _limits(where, y_true)
    if low < 0:
        fix = "Mend the labels; for quantities below 0 use mean_squared_error."
        raise UserError(where, _span(low, high), "labels of at least 0", fix)


def check_signs(where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
    """Refuse labels of another shape than the predictions, and labels other than -1 and 1, or 0 and 1."""
    check_same_shape(where, *match_rank(y_true, y_pred))
    low, high = _limits(where, y_true)
    own = y_true[(y_true != -1) & (y_true != 1)]
    if own.numel() and not (low >= 0 and not own.any()):
        fix = "Turn the labels of the two classes into -1 and 1; for more classes use categorical_hinge."
        raise UserError(where, _span(low, high), "labels -1 and 1, or 0 and 1, and none between", fix)


def check_binary(where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
    """Refuse labels of another shape than the predictions, and labels outside 0 to 1."""
    check_same_shape(where, *match_rank(y_true, y_pred))
    low, high = _limits(where, y_true)
    if low < 0 or high > 1:
        fix = (
            "For classes 0, 1, 2, ... use sparse_categorical_crossentropy with one unit per class, "
            "for quantities mean_squared_error."
        )
        if low == -1 and high <= 1:
            fix = "Turn -1 and 1 into 0 and 1: (y + 1) / 2."
        elif low >= 0 and high == 255:
            fix = "Turn 0 and 255 into 0 and 1: y / 255."
        elif low >= 1 and high == 2:
            fix = "Turn 1 and 2 into 0 and 1: y - 1."
        raise UserError(where, _span(low, high), "labels from 0 to 1", fix)


def check_one_hot(where: str, y_true: torch.Tensor, y_pred: torch.Tensor, axis: int = -1) -> None:
    """Refuse labels that are no probabilities: of other shapes, outside 0 to 1; warn of more than 1 in all."""
    classes = _check_classes(where, y_pred, axis)
    if y_true.ndim < y_pred.ndim or y_true.shape[axis] == 1:
        needs = f"one-hot labels of shape {tuple(y_pred.shape)}"
        fix = f"For class numbers use sparse_categorical_crossentropy, or pass to_categorical(y, {classes})."
        raise UserError(where, _shapes(y_true, y_pred), needs, fix)
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] != classes:
        got = f"one-hot labels of {y_true.shape[axis]} classes for predictions of {classes}"
        fix = f"Give the output {y_true.shape[axis]} units, or pass to_categorical(y, {classes})."
        raise UserError(where, got, "one number of classes", fix)
    check_same_shape(where, y_true, y_pred)
    low, high = _limits(where, y_true)
    if low < 0 or high > 1:
        raise UserError(where, _span(low, high), "one-hot labels from 0 to 1", "Pass to_categorical(class_numbers).")
    most = y_true.sum(axis, dtype=torch.float32).max().item()
    if most > 1.01:  # labels smoothed in half precision are a little off
        # Not refused: sums of mixed labels are meant. The same text every time, so that Python says it once.
        warnings.warn(f"{where} got {SUMS}", stacklevel=2)


def check_classes(
    where: str, y_true: torch.Tensor, y_pred: torch.Tensor, axis: int = -1, ignore_class: int | None = None
) -> None:
    """Refuse labels that are no whole numbers from 0 to C - 1; those equal to `ignore_class` pass."""
    classes = _check_classes(where, y_pred, axis)
    y_true = class_labels(where, y_true, y_pred, axis)
    if ignore_class is not None:
        y_true = y_true[y_true != ignore_class]
        if not y_true.numel():
            return
    low, high = _limits(where, y_true)
    needs = f"whole numbers from 0 to {classes - 1}, because the output has {classes} classes"
    if y_true.is_floating_point() and not torch.equal(y_true, y_true.round()):
        raise UserError(where, "labels with fractions", needs, "For quantities use mean_squared_error.")
    if low < 0 or high >= classes:
        fix = f"Give the output {int(high) + 1} units, or mend the labels."
        if low >= 1 and high == classes:
            fix = "Subtract 1 from the labels, or give the output one more unit."
        elif low < 0:
            fix = f"Mend the labels, or leave samples out with ignore_class={int(low)}."
        raise UserError(where, _span(low, high), needs, fix)


def check_same_shape(where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
    """Refuse labels and predictions of different shapes."""
    if y_true.shape == y_pred.shape:
        return
    fix = "Give the output the labels' shape; (N,) goes with (N, 1), too."
    same_rows = y_true.shape[:-1] == y_pred.shape[:-1]
    if y_true.shape == y_pred.shape[:-1] or (same_rows and y_true.shape[-1:] == (1,)):
        fix = "For class numbers use sparse_categorical_crossentropy; else pass one label per unit of the output."
    elif same_rows and y_pred.shape[-1:] == (1,):
        fix = f"Give the output {y_true.shape[-1]} units, or pass one column of the labels."
    raise UserError(where, _shapes(y_true, y_pred), "labels and predictions of one shape", fix)


def _check_classes(where: str, y_pred: torch.Tensor, axis: int) -> int:
    """The number of classes; a single one is refused, since its probability is 1 whatever the network says."""
    if y_pred.ndim < 2 or y_pred.shape[axis] < 2:
        got = f"predictions of shape {tuple(y_pred.shape)}"
        fix = "For one unit with a sigmoid use binary_crossentropy; else give the output one unit per class."
        raise UserError(where, got, "at least two classes", fix)
    return y_pred.shape[axis]


def _limits(where: str, y_true: torch.Tensor) -> tuple[float, float]:
    """The smallest and the largest label; NaN and infinities are refused, and so are complex numbers."""
    if y_true.dtype == torch.bool:
        return 0.0, 1.0
    if y_true.is_complex():
        raise UserError(where, f"labels of dtype {y_true.dtype}", "real numbers", "Pass y.real.")
    low, high = (limit.item() for limit in torch.aminmax(y_true))
    if math.isnan(low):  # aminmax hands NaN on
        _refuse_value(where, "NaN")
    if math.isinf(low) or math.isinf(high):
        _refuse_value(where, "an infinite number")
    return low, high


def _refuse_value(where: str, value: str) -> NoReturn:
    fix = "Fill in or leave out samples without a label."
    raise UserError(where, f"{value} among the labels", "finite labels", fix)


def _shapes(y_true: torch.Tensor, y_pred: torch.Tensor) -> str:
    return f"labels of shape {tuple(y_true.shape)} for predictions of shape {tuple(y_pred.shape)}"


def _span(low: float, high: float) -> str:
    return f"labels from {low:g} to {high:g}"
