"""Losses as metrics: the same functions, averaged over samples."""

from typing import Any, ClassVar

import torch

from striate.foundation.checks import UserError, is_int
from striate.training import losses
from striate.training.labels import class_labels, to_tensor
from striate.training.metrics.base import MeanMetricWrapper, PlainMean, registry
from striate.training.reduction import align_weight


@registry.register("bce")
class BinaryCrossentropy(MeanMetricWrapper):
    """Mean of `losses.binary_crossentropy`.

    Example:
        >>> BinaryCrossentropy()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
        tensor(0.8149)
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, **options)


@registry.register()
class CategoricalCrossentropy(MeanMetricWrapper):
    """Mean of `losses.categorical_crossentropy`.

    Example:
        >>> CategoricalCrossentropy()([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
        tensor(1.1769)
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **options)


@registry.register()
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Mean of `losses.sparse_categorical_crossentropy`.

    As in Keras, samples of `ignore_class` count as zeros; given a `sample_weight`, they are left out.

    Example:
        >>> SparseCategoricalCrossentropy()([1, 2], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
        tensor(1.1769)
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, **options)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels, predictions, and weights for the samples."""
        ignored = self.options["ignore_class"]
        if sample_weight is not None and ignored is not None:
            y_pred = to_tensor(self.where, "y_pred", y_pred)
            valid = (class_labels(self.where, y_true, y_pred, self.options["axis"]) != ignored).float()
            sample_weight = valid * align_weight(self.where, sample_weight, valid)
        super().update_state(y_true, y_pred, sample_weight)


@registry.register("mse")
class MeanSquaredError(PlainMean):
    """Mean of `losses.mean_squared_error`.

    Example:
        >>> MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]])
        tensor(0.2500)
    """

    fn = staticmethod(losses.mean_squared_error)


@registry.register("mae")
class MeanAbsoluteError(PlainMean):
    """Mean of `losses.mean_absolute_error`.

    Example:
        >>> MeanAbsoluteError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]])
        tensor(0.2500)
    """

    fn = staticmethod(losses.mean_absolute_error)


@registry.register("mape")
class MeanAbsolutePercentageError(PlainMean):
    """Mean of `losses.mean_absolute_percentage_error`.

    Example:
        >>> MeanAbsolutePercentageError()([[2.0, 4.0]], [[3.0, 4.0]])
        tensor(25.)
    """

    fn = staticmethod(losses.mean_absolute_percentage_error)


@registry.register("msle")
class MeanSquaredLogarithmicError(PlainMean):
    """Mean of `losses.mean_squared_logarithmic_error`.

    Example:
        >>> MeanSquaredLogarithmicError()([[0.0, 1.0]], [[0.0, 3.0]])
        tensor(0.2402)
    """

    fn = staticmethod(losses.mean_squared_logarithmic_error)


@registry.register("kld")
class KLDivergence(PlainMean):
    """Mean of `losses.kl_divergence`.

    Example:
        >>> KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])
        tensor(0.1438)
    """

    fn = staticmethod(losses.kl_divergence)


@registry.register()
class Poisson(PlainMean):
    """Mean of `losses.poisson`.

    Example:
        >>> Poisson()([[0.0, 2.0]], [[1.0, 1.0]])
        tensor(1.0000)
    """

    fn = staticmethod(losses.poisson)


@registry.register()
class Hinge(PlainMean):
    """Mean of `losses.hinge`.

    Example:
        >>> Hinge()([[1, -1], [1, -1]], [[0.5, -2.0], [-1.0, 0.0]])
        tensor(0.8750)
    """

    fn = staticmethod(losses.hinge)


@registry.register()
class SquaredHinge(PlainMean):
    """Mean of `losses.squared_hinge`.

    Example:
        >>> SquaredHinge()([[1, -1], [1, -1]], [[0.5, -2.0], [-1.0, 0.0]])
        tensor(1.3125)
    """

    fn = staticmethod(losses.squared_hinge)


@registry.register()
class CategoricalHinge(PlainMean):
    """Mean of `losses.categorical_hinge`.

    Example:
        >>> CategoricalHinge()([[0, 1], [1, 0]], [[0.5, 2.0], [0.5, 1.0]])
        tensor(0.7500)
    """

    fn = staticmethod(losses.categorical_hinge)


@registry.register("log_cosh")
class LogCoshError(MeanMetricWrapper):
    """Mean of `losses.log_cosh`.

    Example:
        >>> LogCoshError()([[0.0, 0.0]], [[1.0, 0.0]])
        tensor(0.2169)
    """

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


@registry.register()
class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between labels and predictions: 1 is the best, where the loss has -1.

    Example:
        >>> CosineSimilarity()([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])
        tensor(0.5000)
    """

    unwritten: ClassVar[dict[str, Any]] = {"axis": -1}

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        if not is_int(axis):
            raise UserError("CosineSimilarity", f"axis={axis!r}", "a whole number", "Pass for example axis=-1.")
        super().__init__(_cosine_similarity, name, dtype, axis=axis)


def _cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> torch.Tensor:
    return -losses.cosine_similarity(y_true, y_pred, axis)
