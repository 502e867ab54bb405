"""How good predictions are, by Keras's names and with Keras's meaning.

Most metrics are a function that gives one value per sample and a class that averages it. To add one, write both and
register the class.
"""

from collections.abc import Mapping
from typing import Any

from striate.foundation.checks import UserError
from striate.foundation.custom_objects import custom_object_scope
from striate.foundation.explain import plain
from striate.foundation.wording import ExplainedError
from striate.training import losses
from striate.training.configurable import describe_function, find_by_function, function_name, make_custom, object_name
from striate.training.configurable import serialize as _serialize
from striate.training.labels import Kind, label_kind
from striate.training.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from striate.training.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from striate.training.metrics.auc import (
    AUC,
)
from striate.training.metrics.base import (
    Mean,
    MeanMetricWrapper,
    Metric,
    Sum,
    registry,
)
from striate.training.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from striate.training.metrics.f_score import (
    F1Score,
    FBetaScore,
)
from striate.training.metrics.from_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from striate.training.metrics.iou import (
    BinaryIoU,
    IoU,
    MeanIoU,
    OneHotIoU,
    OneHotMeanIoU,
)
from striate.training.metrics.regression import (
    R2Score,
    RootMeanSquaredError,
)

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]

_ACCURACIES: dict[Kind, type[Metric]] = {
    "binary": BinaryAccuracy,
    "sparse": SparseCategoricalAccuracy,
    "one_hot": CategoricalAccuracy,
}
_CROSSENTROPIES: dict[Kind, type[Metric]] = {
    "binary": BinaryCrossentropy,
    "sparse": SparseCategoricalCrossentropy,
    "one_hot": CategoricalCrossentropy,
}
# Names that mean one metric or another, depending on the shapes of labels and predictions.
NAMED_BY_SHAPE = {"accuracy": _ACCURACIES, "acc": _ACCURACIES, "crossentropy": _CROSSENTROPIES, "ce": _CROSSENTROPIES}


def get(
    identifier: Any,
    y_true_shape: tuple[Any, ...] | None = None,
    y_pred_shape: tuple[Any, ...] | None = None,
    loss: losses.Loss | None = None,
) -> Metric:
    """The metric for a name, a Keras config, a `Metric`, or a function of (y_true, y_pred).

    A metric found by name is called as it was asked for: "acc", "mse".

    Args:
        identifier: "accuracy", "AUC", "binary_accuracy", "mse", ...
        y_true_shape: The labels' shape, N first; "accuracy" and "crossentropy" choose by it.
        y_pred_shape: The predictions' shape, N first; "accuracy" and "crossentropy" choose by it.
        loss: Tells the labels where their shape is not known.

    Raises:
        UserError: Nothing known goes by that name (the nearest is suggested), or there is too little to choose by.

    Example:
        >>> type(get("accuracy", (None,), (None, 10))).__name__, get("accuracy", (None,), (None, 1)).name
        ('SparseCategoricalAccuracy', 'accuracy')
    """
    identifier = plain(make_custom(identifier))
    if isinstance(identifier, str):
        choices = NAMED_BY_SHAPE.get(identifier.lower())
        if choices is not None:
            kind = _kind_of_loss(loss) if y_true_shape is None else None
            cls = choices[kind or label_kind(f"Metric {identifier!r}", y_true_shape, y_pred_shape)]
        else:
            cls = registry.find(identifier, "Metric")
        return _named(cls, identifier)
    saved = function_name(identifier)
    if saved in losses.__all__ and saved not in registry:
        return MeanMetricWrapper(getattr(losses, saved), name=saved)
    if saved is not None:
        return find_by_function(registry, saved)(name=saved)
    if callable(identifier) and not isinstance(identifier, type | Metric):
        return MeanMetricWrapper(identifier, name=object_name(identifier))
    return registry.get(identifier)


def serialize(metric: Any) -> dict[str, Any]:
    """The form in which `.keras` files hold a metric; of a function only the name.

    Example:
        >>> serialize(BinaryAccuracy())["config"]
        {'name': 'binary_accuracy', 'dtype': 'float32', 'threshold': 0.5}
    """
    if type(metric) is MeanMetricWrapper and metric.config() == get(metric.fn).config():
        return describe_function(metric.fn)  # `get` made it of a function; so would the reader of the file
    return _serialize(registry, metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Metric:
    """The metric that `serialize` described.

    Args:
        config: What it gave, or a name.
        custom_objects: Classes and functions of the user's own, by the names in the config.

    Raises:
        UserError: The config names nothing known.

    Example:
        >>> deserialize(serialize(MeanSquaredError())).name
        'mean_squared_error'
    """
    with custom_object_scope(custom_objects):
        return get(config)


def _named(cls: type[Metric], name: str) -> Metric:
    """The metric that a name alone makes."""
    try:
        return cls(name=name)
    except ExplainedError as error:
        fix = f"Make it yourself: metrics.{cls.__name__}(...)."
        raise UserError(f"Metric {name!r}", "only a name", f"its arguments ({error.__cause__})", fix) from error


def _kind_of_loss(loss: losses.Loss | None) -> Kind | None:
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        return "sparse"
    return "one_hot" if isinstance(loss, losses.CategoricalCrossentropy) else None
