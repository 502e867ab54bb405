"""Means of precision and recall."""

from typing import Any

import torch

from striate.foundation.checks import UserError, check_choice, check_number
from striate.training.labels import as_float, check_same_shape, to_tensor
from striate.training.metrics.base import Metric, registry, sum_dtype
from striate.training.reduction import align_weight

EPSILON = 1e-7


@registry.register()
class FBetaScore(Metric):
    """The harmonic mean of precision and recall, recall weighing `beta` squared times as much.

    Args:
        average: None gives one score for each of the C classes; "macro" their mean; "weighted" their mean by the
            number of labels; "micro" the score of all classes counted together.
        beta: Above 0.
        threshold: Predictions above it, above 0 and up to 1, mean yes; if left out, a sample's largest one does.
        name: The key in histories.
        dtype: "float32"; others are refused.

    Raises:
        UserError: By `update_state`, if labels and predictions are not both (N, C).

    Example:
        >>> FBetaScore(beta=2.0, threshold=0.5)([[1, 1, 1], [1, 0, 0]], [[0.2, 0.6, 0.7], [0.6, 0.2, 0.6]])
        tensor([0.5556, 1.0000, 0.8333])
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        choices = ("micro", "macro", "weighted")
        self.average = None if average is None else check_choice(self.where, "average", average, choices)
        self.beta = check_number(self.where, "beta", beta, "a number above 0", lambda value: value > 0)
        self.threshold = threshold
        if threshold is not None:
            needs = "a number above 0 and up to 1, or None"
            self.threshold = check_number(self.where, "threshold", threshold, needs, lambda value: 0 < value <= 1)
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all batches."""
        # Plain zeros: the first batch brings the device and the number of classes.
        self._right: Any = 0.0
        self._predicted: Any = 0.0
        self._true: Any = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels 0 and 1 and predictions, both (N, C), and weights (N,)."""
        with torch.no_grad():
            y_pred = as_float(to_tensor(self.where, "y_pred", y_pred))
            y_true = to_tensor(self.where, "y_true", y_true).to(y_pred.dtype)
            check_same_shape(self.where, y_true, y_pred)
            if y_pred.ndim != 2:
                fix = "Pass one-hot labels and predictions, or one column for each yes-or-no label."
                raise UserError(self.where, f"predictions of shape {tuple(y_pred.shape)}", "shape (N, C)", fix)
            if self.threshold is None:
                chosen = (y_pred == y_pred.amax(-1, keepdim=True)) & (y_pred.abs() > 1e-9)  # ties count all
            else:
                chosen = y_pred > self.threshold
            counted = torch.stack([chosen * y_true, chosen, y_true]).to(sum_dtype(y_pred.device))
            if sample_weight is not None:
                counted = counted * align_weight(self.where, sample_weight, counted[0])
            right, predicted, true = counted.sum(1)
            self._right, self._predicted = self._right + right, self._predicted + predicted
            self._true = self._true + true

    def result(self) -> torch.Tensor:
        """The score so far, or a score for each class (C,); 0 before the first batch."""
        counts = torch.stack([torch.as_tensor(one).float() for one in (self._right, self._predicted, self._true)])
        right, predicted, true = counts.sum(-1) if self.average == "micro" and counts.ndim > 1 else counts
        precision, recall = right / (predicted + EPSILON), right / (true + EPSILON)
        square = self.beta**2
        scores = (1 + square) * precision * recall / (square * precision + recall + EPSILON)
        if self.average == "weighted":
            return (scores * true / (true.sum() + EPSILON)).sum()
        return scores if self.average is None else scores.mean()

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        return {**super().config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


@registry.register()
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall. Arguments as of `FBetaScore`, without `beta`.

    Example:
        >>> F1Score(threshold=0.5)([[1, 1, 1], [1, 0, 0]], [[0.2, 0.6, 0.7], [0.6, 0.2, 0.6]])
        tensor([0.6667, 1.0000, 0.6667])
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        config = super().config()
        del config["beta"]
        return config
