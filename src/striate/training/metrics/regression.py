"""Metrics of predicted quantities that are more than the mean of a loss."""

from typing import Any

import torch

from striate.foundation.checks import UserError, check_choice, check_int
from striate.training.labels import pair
from striate.training.metrics.base import Average, Metric, registry, sum_dtype
from striate.training.reduction import align_weight


@registry.register()
class RootMeanSquaredError(Average):
    """The root of the mean of squared errors, in the unit of the labels.

    Args:
        name: The key in histories.
        dtype: "float32"; others are refused.

    Example:
        >>> RootMeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]])
        tensor(0.5000)
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions of one shape, and weights of their shape or first axes."""
        with torch.no_grad():
            y_true, y_pred = pair(self.where, y_true, y_pred)
            self.add((y_pred - y_true).square(), sample_weight)

    def result(self) -> torch.Tensor:
        """The root so far; 0 before the first batch."""
        return super().result().sqrt()


@registry.register()
class R2Score(Metric):
    """The share of the labels' variance that predictions explain: 1 is the best, 0 as good as their mean.

    Args:
        class_aggregation: "uniform_average", the mean over the L columns; "variance_weighted_average"; None gives
            one score for each column.
        num_regressors: How many independent predictors there are, for the adjusted score; with 0, or for too few
            samples, the score stays as it is.
        name: The key in histories.
        dtype: "float32"; others are refused.

    Raises:
        UserError: By `update_state`, if labels and predictions are not both (N, L).

    Example:
        >>> R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
        tensor(0.5714)
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self.class_aggregation = class_aggregation
        if class_aggregation is not None:
            choices = ("uniform_average", "variance_weighted_average")
            self.class_aggregation = check_choice(self.where, "class_aggregation", class_aggregation, choices)
        self.num_regressors = check_int(self.where, "num_regressors", num_regressors, minimum=0)
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all batches."""
        self._sums: Any = None  # (weights, labels, squares of labels, squares of errors) x columns
        self._numbers = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels and predictions, both (N, L), and weights (N,) or (N, L)."""
        with torch.no_grad():
            y_true, y_pred = pair(self.where, y_true, y_pred)
            if y_pred.ndim != 2:
                fix = "Give predictions a last axis, (N, 1)."
                raise UserError(self.where, f"predictions of shape {tuple(y_pred.shape)}", "shape (N, L)", fix)
            y_true, y_pred = (value.to(sum_dtype(value.device)) for value in (y_true, y_pred))
            sums = torch.stack([torch.ones_like(y_true), y_true, y_true.square(), (y_true - y_pred).square()])
            if sample_weight is not None:
                sums = sums * align_weight(self.where, sample_weight, y_true)
            self._sums = sums.sum(1) if self._sums is None else self._sums + sums.sum(1)
            self._numbers += y_true.numel()

    def result(self) -> torch.Tensor:
        """The score so far, or a score for each column (L,); NaN before the first batch."""
        if self._sums is None:
            return torch.tensor(torch.nan)
        count, total, squares, residual = self._sums
        variance = squares - total * total / count
        scores = 1 - residual / variance
        scores = torch.where(scores.isinf(), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation is not None:
            scores = (variance * scores).sum() / variance.sum()
        left = self._numbers - self.num_regressors - 1
        if self.num_regressors and left > 0:
            scores = 1 - (1 - scores) * (self._numbers - 1) / left
        return scores.float()

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().config(), **own}
