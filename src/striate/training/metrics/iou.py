"""Overlap of predicted and true classes over all that either of them covers, for segmentation."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, check_int, check_number, is_int
from striate.training.labels import as_float, to_tensor
from striate.training.metrics.base import Metric, registry, sum_dtype
from striate.training.reduction import align_weight

EPSILON = 1e-7


@registry.register()
class IoU(Metric):
    """The mean over some classes of pixels of both over pixels of either: intersection over union.

    Classes that neither labels nor predictions have are left out of the mean. Pixels whose label or prediction is
    no class are left out of everything.

    Args:
        num_classes: How many classes there are.
        target_class_ids: The classes to average over.
        name: The key in histories; "io_u", "io_u_1", ... if left out.
        dtype: "int32" if left out, for whole sample weights; "float32" for weights with fractions.
        ignore_class: Pixels with this label are left out.
        sparse_y_true: Whether labels are class numbers; else they are one-hot.
        sparse_y_pred: Whether predictions are class numbers; else they are scores of each class.
        axis: The axis of one-hot labels and scores.

    Raises:
        UserError: By `result`, if a sample weight had a fraction and the dtype is not float32.

    Example:
        >>> IoU(2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])
        tensor(0.3333)
    """

    dtypes = ("int", "int32")
    # What the config holds beside name and dtype, in Keras's names.
    written: ClassVar[tuple[str, ...]] = (
        "num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis"
    )  # fmt: skip

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name)
        self.dtype = "int32" if dtype in (None, "int") else str(dtype)
        self.num_classes = check_int(self.where, "num_classes", num_classes)
        self.target_class_ids = _check_classes(self.where, target_class_ids, self.num_classes)
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all batches."""
        self._confusion: torch.Tensor | None = None  # (label * classes + prediction,), made by the first batch
        self._fractions: Any = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions of as many pixels, and weights of the labels' shape or first axes."""
        y_true = self._classes("y_true", y_true, self.sparse_y_true)
        y_pred = self._classes("y_pred", y_pred, self.sparse_y_pred)
        if y_true.numel() != y_pred.numel():
            got = f"{y_true.numel()} labels, shape {tuple(y_true.shape)}, for {y_pred.numel()} predicted classes"
            needs = "one label for each predicted class"
            fix = "For scores of each class pass sparse_y_pred=False, for one-hot labels sparse_y_true=False."
            raise UserError(self.where, got, needs, fix)
        weight = torch.ones(y_true.shape, dtype=sum_dtype(y_pred.device), device=y_pred.device)
        if sample_weight is not None:
            weight = self._weigh(weight, sample_weight)
        if y_true.ndim != 1 or y_pred.ndim != 1:
            y_true, y_pred, weight = y_true.flatten(), y_pred.flatten(), weight.flatten()
        self._add(y_true.to(y_pred.device), y_pred, weight)

    def _weigh(self, ones: torch.Tensor, sample_weight: Any) -> torch.Tensor:
        """The weights of the labels; what they have of fractions that must not be is noted."""
        given = align_weight(self.where, sample_weight, ones).detach()
        whole = given if self.dtype == "float32" else given.trunc()
        self._fractions = self._fractions + (given - whole).abs().sum()
        return ones * whole

    def _add(self, y_true: torch.Tensor, y_pred: torch.Tensor, weight: torch.Tensor) -> None:
        """Take in flat labels and predictions, as far as they are classes."""
        cell = torch.add(y_pred, y_true, alpha=self.num_classes)
        # A look at the values costs less than leaving some out, but on a device the program would have to wait for it.
        on_host = cell.device.type == "cpu"
        if not (on_host and self.ignore_class is None and self._are_classes(y_true) and self._are_classes(y_pred)):
            valid = (y_true >= 0) & (y_true < self.num_classes) & (y_pred >= 0) & (y_pred < self.num_classes)
            if self.ignore_class is not None:
                valid &= y_true != self.ignore_class
            cell, weight = torch.where(valid, cell, 0), weight * valid
        if self._confusion is None:
            self._confusion = torch.zeros(self.num_classes**2, dtype=weight.dtype, device=weight.device)
        self._confusion.scatter_add_(0, cell, weight)

    def _are_classes(self, values: torch.Tensor) -> bool:
        """Whether all are from 0 to the number of classes; not to be asked on a device."""
        low, high = [limit.item() for limit in torch.aminmax(values)] if values.numel() else (0, 0)
        return low >= 0 and high < self.num_classes

    def result(self) -> torch.Tensor:
        """The mean so far; 0 where none of the classes has come."""
        if self._confusion is None:
            return torch.tensor(0.0)
        if bool(torch.as_tensor(self._fractions) > 0):
            fix = f"Make it {type(self).__name__}(..., dtype='float32')."
            raise UserError(self.where, "sample weights with fractions", "whole numbers with dtype='int32'", fix)
        confusion = self._confusion.reshape(self.num_classes, -1).float()
        both = confusion.diagonal()
        either = confusion.sum(0) + confusion.sum(1) - both
        both, either = both[self.target_class_ids], either[self.target_class_ids]
        present = either > 1e-9
        return torch.where(present, both / (either + EPSILON), 0.0).sum() / (present.sum() + EPSILON)

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        return {**super().config(), **{name: getattr(self, name) for name in self.written}}

    def _classes(self, name: str, value: Any, sparse: bool) -> torch.Tensor:
        """Class numbers, one for each pixel."""
        value = to_tensor(self.where, name, value)
        if sparse:
            return value.long()
        if not value.ndim or value.shape[self.axis] != self.num_classes:
            got = f"{name} of shape {tuple(value.shape)}"
            needs = f"num_classes={self.num_classes} scores along axis {self.axis}"
            raise UserError(self.where, got, needs, "Change num_classes, or the axis.")
        return as_float(value).argmax(self.axis)


def _check_classes(where: str, classes: Any, count: int) -> list[int]:
    values: list[Any] = list(classes) if isinstance(classes, list | tuple | range) else [None]
    if not values or not all(is_int(value) and 0 <= value < count for value in values):
        fix = f"Pass for example target_class_ids=[0, {count - 1}]." if count > 1 else "Pass target_class_ids=[0]."
        raise UserError(where, f"target_class_ids={classes!r}", f"a list of classes from 0 to {count - 1}", fix)
    return [int(value) for value in values]


@registry.register()
class BinaryIoU(IoU):
    """`IoU` of two classes, of which a prediction of at least `threshold` is class 1.

    Args:
        target_class_ids: The classes to average over.
        threshold: From here on a prediction means class 1; for logits pass 0.
        name: The key in histories.
        dtype: As in `IoU`.

    Example:
        >>> BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
        tensor(0.3333)
    """

    written = ("target_class_ids", "threshold")

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = check_number(self.where, "threshold", threshold, "a number")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels 0 and 1 and as many predictions, and weights of the labels' shape or first axes."""
        y_pred = as_float(to_tensor(self.where, "y_pred", y_pred))
        super().update_state(y_true, y_pred >= self.threshold, sample_weight)


@registry.register()
class MeanIoU(IoU):
    """`IoU` averaged over all classes. Arguments as of `IoU`, without `target_class_ids`.

    Example:
        >>> MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])
        tensor(0.3333)
    """

    written: ClassVar[tuple[str, ...]] = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        count = check_int(type(self).__name__, "num_classes", num_classes)
        super().__init__(count, range(count), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


@registry.register()
class OneHotIoU(IoU):
    """`IoU` of one-hot labels and scores of each class. Arguments as of `IoU`.

    Example:
        >>> OneHotIoU(2, target_class_ids=[1])([[1, 0], [0, 1]], [[0.2, 0.8], [0.1, 0.9]])
        tensor(0.5000)
    """

    written = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@registry.register()
class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot labels and scores of each class.

    Example:
        >>> OneHotMeanIoU(num_classes=2)([[1, 0], [0, 1]], [[0.2, 0.8], [0.1, 0.9]])
        tensor(0.2500)
    """

    written = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
