"""How good predictions are, by Keras's names and with Keras's meaning.

Most metrics are a function that gives one value per sample and a class that averages it. To add one, write both and
register the class.
"""

from typing import Any

from striate.training import losses
from striate.training.configurable import describe_function, find_by_function, function_name, object_name
from striate.training.configurable import serialize as _serialize
from striate.training.labels import Kind, label_kind
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
from striate.training.metrics.auc import AUC
from striate.training.metrics.base import Mean, MeanMetricWrapper, Metric, registry
from striate.training.metrics.from_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "Mean",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "Metric",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "deserialize",
    "get",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]

# Names that mean one metric or another, depending on the labels.
_BY_LABELS: dict[str, dict[Kind, type[Metric]]] = {
    "accuracy": {
        "binary": BinaryAccuracy,
        "sparse": SparseCategoricalAccuracy,
        "one_hot": CategoricalAccuracy,
    },
    "crossentropy": {
        "binary": BinaryCrossentropy,
        "sparse": SparseCategoricalCrossentropy,
        "one_hot": CategoricalCrossentropy,
    },
}
_BY_LABELS["acc"], _BY_LABELS["ce"] = _BY_LABELS["accuracy"], _BY_LABELS["crossentropy"]


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
    if isinstance(identifier, str):
        choices = _BY_LABELS.get(identifier.lower())
        if choices is not None:
            kind = _kind_of_loss(loss) if y_true_shape is None else None
            cls = choices[kind or label_kind(f"Metric {identifier!r}", y_true_shape, y_pred_shape)]
        else:
            cls = registry.find(identifier, "Metric")
        return cls(name=identifier)
    saved = function_name(identifier)
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


deserialize = get


def _kind_of_loss(loss: losses.Loss | None) -> Kind | None:
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        return "sparse"
    return "one_hot" if isinstance(loss, losses.CategoricalCrossentropy) else None
