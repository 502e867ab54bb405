"""Losses as metrics: the same functions, averaged over samples."""

from typing import Any

from striate.training import losses
from striate.training.labels import class_labels, to_tensor
from striate.training.metrics.base import MeanMetricWrapper, registry
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
class MeanSquaredError(MeanMetricWrapper):
    """Mean of `losses.mean_squared_error`.

    Example:
        >>> MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]])
        tensor(0.2500)
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)
