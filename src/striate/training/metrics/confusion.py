"""Counts of right and wrong yes and no, and the shares made of them: precision, recall, sensitivity, specificity."""

from typing import Any

import torch

from striate.foundation.checks import check_int, check_number
from striate.training.metrics.base import registry
from striate.training.metrics.thresholds import TOO_MANY, ThresholdMetric, check_thresholds, evenly_spaced
from striate.training.reduction import divide_no_nan


class _AtThresholds(ThresholdMetric):
    """Base of metrics with one value for each threshold of the user's."""

    def __init__(
        self,
        thresholds: Any = None,
        name: str | None = None,
        dtype: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        # Of the largest k every one means yes, whatever it is.
        usual = [0.5 if top_k is None else -1e10]
        given = usual if thresholds is None else check_thresholds(type(self).__name__, thresholds)
        self.given_thresholds = thresholds
        super().__init__(given, name, dtype, top_k, class_id)

    def values(self) -> torch.Tensor:
        """One value for each threshold."""
        raise NotImplementedError

    def result(self) -> torch.Tensor:
        """The values so far; of a single threshold a scalar."""
        values = self.values()
        return values[0] if len(values) == 1 else values

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        return {**super().config(), "thresholds": self.given_thresholds}


class _Count(_AtThresholds):
    """Base of counts.

    Args:
        thresholds: Predictions above it mean yes; one number (0.5 if left out), or several for as many counts.
        name: The key in histories.
        dtype: "float32"; others are refused.
    """

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(thresholds, name, dtype)


@registry.register()
class TruePositives(_Count):
    """How many (or how much weight) of label 1 were predicted yes; arguments as of `Precision`.

    Example:
        >>> TruePositives()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])
        tensor(2.)
    """

    def values(self) -> torch.Tensor:
        """One count for each threshold."""
        return self.count()[0]


@registry.register()
class FalsePositives(_Count):
    """How many (or how much weight) of label 0 were predicted yes; arguments as of `Precision`.

    Example:
        >>> FalsePositives()([0, 1, 0, 0], [0.0, 0.0, 1.0, 1.0])
        tensor(2.)
    """

    def values(self) -> torch.Tensor:
        """One count for each threshold."""
        return self.count()[1]


@registry.register()
class TrueNegatives(_Count):
    """How many (or how much weight) of label 0 were predicted no; arguments as of `Precision`.

    Example:
        >>> TrueNegatives()([0, 1, 0, 0], [1.0, 1.0, 0.0, 0.0])
        tensor(2.)
    """

    def values(self) -> torch.Tensor:
        """One count for each threshold."""
        return self.count()[2]


@registry.register()
class FalseNegatives(_Count):
    """How many (or how much weight) of label 1 were predicted no; arguments as of `Precision`.

    Example:
        >>> FalseNegatives()([0, 1, 1, 1], [0.0, 1.0, 0.0, 0.0])
        tensor(2.)
    """

    def values(self) -> torch.Tensor:
        """One count for each threshold."""
        return self.count()[3]


class _Share(_AtThresholds):
    """Base of the shares of predictions of which only some classes or ranks may count."""

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, top_k, class_id)

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        return {**super().config(), "top_k": self.top_k, "class_id": self.class_id}


@registry.register()
class Precision(_Share):
    """The share of label 1 among what was predicted yes; 0 if nothing was.

    Args:
        thresholds: Predictions above it mean yes; one number (0.5 if left out), or several for as many results.
        top_k: Only the largest k of the C predictions of a sample can mean yes; without thresholds, all of them do.
        class_id: The only class of the last axis that counts.
        name: The key in histories; "precision", "precision_1", ... if left out.
        dtype: "float32"; others are refused.

    Example:
        >>> Precision()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])
        tensor(0.6667)
        >>> Precision(thresholds=[0.25, 0.75])([0, 1, 1], [0.5, 0.5, 1.0])
        tensor([0.6667, 1.0000])
    """

    def values(self) -> torch.Tensor:
        """One share for each threshold."""
        tp, fp, _, _ = self.count()
        return divide_no_nan(tp, tp + fp)


@registry.register()
class Recall(_Share):
    """The share of label 1 that was predicted yes; 0 if there is no label 1. Arguments as of `Precision`.

    Example:
        >>> Recall()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])
        tensor(0.6667)
    """

    def values(self) -> torch.Tensor:
        """One share for each threshold."""
        tp, _, _, fn = self.count()
        return divide_no_nan(tp, tp + fn)


class _BestAt(ThresholdMetric):
    """Base of the largest share at any threshold where another share is large enough.

    Args:
        at: The least that the other share must be.
    """

    at: str  # the name of the argument that says so

    def __init__(self, least: Any, num_thresholds: int, class_id: Any, name: str | None, dtype: Any) -> None:
        where = type(self).__name__
        self.least = check_number(where, self.at, least, "a number from 0 to 1", lambda value: 0 <= value <= 1)
        self.num_thresholds = check_int(where, "num_thresholds", num_thresholds, below=TOO_MANY)
        super().__init__(
            [0.5] if num_thresholds == 1 else evenly_spaced(num_thresholds), name, dtype, class_id=class_id
        )
        self._evenly = num_thresholds > 1

    def shares(self) -> tuple[torch.Tensor, torch.Tensor]:
        """For each threshold the share that must be large enough, and the one that is wanted."""
        raise NotImplementedError

    def result(self) -> torch.Tensor:
        """The largest share wanted so far; 0 where no threshold will do."""
        other, wanted = self.shares()
        return torch.where(other >= self.least, wanted, 0.0).amax()

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        own = {"num_thresholds": self.num_thresholds, self.at: self.least}
        return {**super().config(), "class_id": self.class_id, **own}

    def _share(self, of: int, others: int) -> torch.Tensor:
        counts = self.count()
        return divide_no_nan(counts[of], counts[of] + counts[others])

    def _precision(self) -> torch.Tensor:
        return self._share(0, 1)

    def _sensitivity(self) -> torch.Tensor:
        return self._share(0, 3)

    def _specificity(self) -> torch.Tensor:
        return self._share(2, 1)


@registry.register()
class SensitivityAtSpecificity(_BestAt):
    """The largest share of label 1 predicted yes, at thresholds where enough of label 0 is predicted no.

    Args:
        specificity: What is enough, from 0 to 1.
        num_thresholds: How many thresholds from 0 to 1 are tried.
        class_id: The only class of the last axis that counts.
        name: The key in histories.
        dtype: "float32"; others are refused.

    Example:
        >>> SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])
        tensor(0.5000)
    """

    at = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def shares(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Specificity and sensitivity."""
        return self._specificity(), self._sensitivity()


@registry.register()
class SpecificityAtSensitivity(_BestAt):
    """The largest share of label 0 predicted no, at thresholds where enough of label 1 is predicted yes.

    Arguments as of `SensitivityAtSpecificity`, with `sensitivity` for what is enough.

    Example:
        >>> SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])
        tensor(0.6667)
    """

    at = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def shares(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Sensitivity and specificity."""
        return self._sensitivity(), self._specificity()


@registry.register()
class PrecisionAtRecall(_BestAt):
    """The largest precision at thresholds where recall is enough.

    Arguments as of `SensitivityAtSpecificity`, with `recall` for what is enough.

    Example:
        >>> PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])
        tensor(0.5000)
    """

    at = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def shares(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Recall and precision."""
        return self._sensitivity(), self._precision()


@registry.register()
class RecallAtPrecision(_BestAt):
    """The largest recall at thresholds where precision is enough.

    Arguments as of `SensitivityAtSpecificity`, with `precision` for what is enough.

    Example:
        >>> RecallAtPrecision(0.8)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
        tensor(0.5000)
    """

    at = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def shares(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Precision and recall."""
        return self._precision(), self._sensitivity()
