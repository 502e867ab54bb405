"""The area under ROC, precision-recall and precision-recall-gain curves, from counts between fixed thresholds."""

from collections.abc import Sequence
from typing import Any, Self

import torch

from striate.foundation.checks import UserError, check_choice, check_int
from striate.training.metrics.base import registry
from striate.training.metrics.thresholds import TOO_MANY, ThresholdMetric, check_thresholds, evenly_spaced, is_even
from striate.training.reduction import divide_no_nan

EPSILON = 1e-7


@registry.register()
class AUC(ThresholdMetric):
    """Area under a curve of a yes-or-no classifier, approximated at `num_thresholds` points.

    With thresholds 1/199 apart, predictions crowded at 0 or 1 share intervals: pass `thresholds` of your own there.

    Args:
        num_thresholds: Evenly spaced from 0 to 1, the ends included.
        curve: "ROC", "PR" (precision over recall) or "PRGAIN" (Flach and Kull 2015).
        summation_method: "interpolation" (for PR that of Davis and Goadrich 2006), "minoring" or "majoring".
        name: The key in histories; "auc", "auc_1", ... if left out.
        dtype: "float32"; others are refused.
        thresholds: From 0 to 1, instead of evenly spaced ones; the ends are added.
        multi_label: Whether (N, L) holds L labels, each with an area of its own, which are averaged.
        num_labels: L, for `multi_label` only.
        label_weights: Weights of the L areas or, without `multi_label`, of the L columns.
        from_logits: Whether predictions come without the sigmoid.

    Raises:
        UserError: By `result`, if predictions were outside 0 to 1, or NaN.

    Example:
        >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
        tensor(0.7500)
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        where = type(self).__name__
        self.given_thresholds = None if thresholds is None else sorted(check_thresholds(where, list(thresholds)))
        inner = self.given_thresholds
        if inner is None:
            inner = evenly_spaced(check_int(where, "num_thresholds", num_thresholds, minimum=2, below=TOO_MANY))[1:-1]
        self.multi_label, self.num_labels, self.from_logits = multi_label, num_labels, from_logits
        super().__init__([-EPSILON, *inner, 1 + EPSILON], name, dtype)
        self._evenly = thresholds is None or is_even([0.0, *inner, 1.0])
        self.num_thresholds = len(self.thresholds)
        self.curve = check_choice(self.where, "curve", curve, ("ROC", "PR", "PRGAIN"))
        methods = ("interpolation", "minoring", "majoring")
        self.summation_method = check_choice(self.where, "summation_method", summation_method, methods)
        if num_labels and not multi_label:
            raise UserError(self.where, f"num_labels={num_labels}", "multi_label=True for it", "Leave num_labels out.")
        self.label_weights = None if label_weights is None else torch.as_tensor(label_weights, dtype=torch.float32)

    def reset_state(self) -> None:
        """Forget all batches."""
        super().reset_state()
        self._columns = (self.num_labels or 0) if self.multi_label else 1

    def result(self) -> torch.Tensor:
        """The area so far; 0 where a class or every sample is missing."""
        if self._counts is None:
            return torch.tensor(0.0)
        counts = self._counts.reshape(self.num_thresholds + 1, -1, 2)
        if bool(counts[[0, -1]].any()):
            fix = "Pass from_logits=True, or end the model with a sigmoid."
            raise UserError(self.where, "predictions outside 0 to 1", "probabilities", fix)
        above = self._above()[1:]
        fp, tp = above[..., 0], above[..., 1]
        negatives, positives = fp[0], tp[0]
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_precision(tp, fp, positives)
        else:
            x, y = _curve(self.curve, tp, fp, positives, negatives)
            areas = _area(x, y, self.summation_method)
        weights = self.label_weights if self.multi_label else None
        if weights is None:
            return areas.mean().float()
        weights = weights.to(areas)
        return divide_no_nan((areas * weights).sum(), weights.sum()).float()

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        names = ("num_thresholds", "curve", "summation_method", "multi_label", "num_labels")
        weights = None if self.label_weights is None else self.label_weights.tolist()
        config = {name: getattr(self, name) for name in names}
        config = {**super().config(), **config, "label_weights": weights, "from_logits": self.from_logits}
        return config if self.given_thresholds is None else {**config, "thresholds": self.given_thresholds}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The metric that `config` describes; Keras writes label_weights as a tensor with its dtype."""
        weights = config.get("label_weights")
        if isinstance(weights, dict):
            config = {**config, "label_weights": weights["config"]["value"]}
        return super().from_config(config)

    def _select(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities; refuses predictions without the L columns."""
        columns = y_pred.shape[-1] if self.multi_label else 1
        if self.multi_label and (y_pred.ndim != 2 or self._columns not in (0, columns)):
            needs = f"shape (N, {self._columns or 'L'}) with multi_label=True"
            fix = "Leave multi_label out to count all predictions as one label's."
            raise UserError(self.where, f"predictions of shape {tuple(y_pred.shape)}", needs, fix)
        if self.label_weights is not None and self.label_weights.shape != y_pred.shape[-1:]:
            got = f"label_weights of shape {tuple(self.label_weights.shape)} for predictions {tuple(y_pred.shape)}"
            raise UserError(self.where, got, "one weight per column", f"Pass {y_pred.shape[-1]} weights.")
        self._columns = columns
        return y_true, y_pred.sigmoid() if self.from_logits else y_pred

    def _thresholds_below(self, y_pred: torch.Tensor) -> torch.Tensor:
        """How many thresholds each prediction is above: none and all are for those outside 0 to 1, and NaN."""
        if not self._evenly:
            return super()._thresholds_below(y_pred)
        count = torch.ceil(y_pred * (self.num_thresholds - 1)).long()  # rounds as Keras does
        return (count + (count == 0)).clamp_(0, self.num_thresholds)

    def _weights(self, sample_weight: Any, y_pred: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """The weight of each prediction."""
        weights = super()._weights(sample_weight, y_pred, dtype)
        if self.label_weights is not None and not self.multi_label:
            weights = weights * self.label_weights.to(weights)
        return weights


def _curve(
    curve: str, tp: torch.Tensor, fp: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (x, y) of a curve, each (thresholds, columns)."""
    if curve == "ROC":
        return divide_no_nan(fp, negatives), divide_no_nan(tp, positives)
    if curve == "PR":
        return divide_no_nan(tp, positives), divide_no_nan(tp, tp + fp)
    # Gains rescale recall and precision so that the share of positives, a constant guess's score, becomes 0.
    odds = divide_no_nan(positives, negatives)
    recall_gain = torch.where(tp == 0, 0.0, 1 - odds * divide_no_nan(positives - tp, tp))
    precision_gain = torch.where(tp == 0, 1.0, 1 - odds * divide_no_nan(fp, tp))
    return recall_gain.clamp(min=0), precision_gain


def _area(x: torch.Tensor, y: torch.Tensor, method: str) -> torch.Tensor:
    """Riemann sums of y over x, whose points run from right to left."""
    left, right = y[1:], y[:-1]
    if method == "interpolation":
        heights = (left + right) / 2
    else:
        heights = torch.minimum(left, right) if method == "minoring" else torch.maximum(left, right)
    return ((x[:-1] - x[1:]) * heights).sum(0)


def _interpolated_precision(tp: torch.Tensor, fp: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
    """Area under precision over recall, with true and false positives linear between thresholds.

    Between two thresholds TP = slope * P + intercept, where P = TP + FP; so the area, the integral of TP / P over
    recall, is slope * (dTP + intercept * log(P_low / P_high)) / positives (Davis and Goadrich, ICML 2006).
    """
    predicted = tp + fp
    low, high = predicted[:-1], predicted[1:]  # a lower threshold predicts more positives
    gained = tp[:-1] - tp[1:]
    slope = divide_no_nan(gained, low - high)
    intercept = tp[1:] - slope * high
    ratio = torch.where((low > 0) & (high > 0), low / torch.where(high > 0, high, 1.0), 1.0)
    return divide_no_nan(slope * (gained + intercept * ratio.log()), positives).sum(0)
