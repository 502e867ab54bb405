"""How far predictions are from labels, by Keras's names and with Keras's meaning.

A loss is a function that gives one value per sample, and a class that holds its options, checks its labels and
reduces the values to the number that training lowers. To add one, write both and register the class.
"""

from collections.abc import Mapping
from typing import Any

from striate.foundation.custom_objects import custom_object_scope
from striate.foundation.explain import plain
from striate.training.configurable import describe_function, find_by_function, function_name, make_custom, object_name
from striate.training.configurable import serialize as _serialize
from striate.training.labels import Kind, label_kind
from striate.training.losses.base import Loss, LossFunctionWrapper, registry
from striate.training.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from striate.training.losses.hinge import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from striate.training.losses.overlap import (
    Dice,
    Tversky,
    dice,
    tversky,
)
from striate.training.losses.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from striate.training.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "dice",
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
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]

_CROSSENTROPIES: dict[Kind, type[Loss]] = {
    "binary": BinaryCrossentropy,
    "sparse": SparseCategoricalCrossentropy,
    "one_hot": CategoricalCrossentropy,
}
# Names that mean one loss or another, depending on the shapes of labels and predictions.
NAMED_BY_SHAPE = {"crossentropy": _CROSSENTROPIES, "ce": _CROSSENTROPIES}


def get(
    identifier: Any, y_true_shape: tuple[Any, ...] | None = None, y_pred_shape: tuple[Any, ...] | None = None
) -> Loss:
    """The loss for a name, a Keras config, a `Loss` or a function of (y_true, y_pred).

    Args:
        identifier: "binary_crossentropy", "BinaryCrossentropy", "bce", ...; "crossentropy" or "ce" chooses by shapes.
        y_true_shape: The labels' shape, N first; needed for "crossentropy" only.
        y_pred_shape: The predictions' shape, N first; needed for "crossentropy" only.

    Raises:
        UserError: Nothing known goes by that name; the nearest is suggested.

    Example:
        >>> get("mse").name, get("ce", (None,), (None, 10)).name
        ('mean_squared_error', 'sparse_categorical_crossentropy')
    """
    identifier = plain(make_custom(identifier))
    if isinstance(identifier, str) and identifier.lower() in NAMED_BY_SHAPE:
        kind = label_kind(f"Loss {identifier!r}", y_true_shape, y_pred_shape)
        return NAMED_BY_SHAPE[identifier.lower()][kind]()
    if isinstance(identifier, dict) and identifier.get("class_name") == "LossFunctionWrapper":
        return LossFunctionWrapper.from_config(identifier["config"])
    saved = function_name(identifier)
    if saved is not None:
        return find_by_function(registry, saved)()
    if callable(identifier) and not isinstance(identifier, type | Loss):
        name = object_name(identifier)
        # One of this module's functions comes as its class, which knows how to check labels.
        own = globals().get(name) is identifier
        return registry.get(name) if own else LossFunctionWrapper(identifier, name=name)
    return registry.get(identifier)


def serialize(loss: Any) -> dict[str, Any]:
    """The form in which `.keras` files hold a loss; of a function only the name.

    Example:
        >>> serialize(MeanSquaredError())["config"]
        {'name': 'mean_squared_error', 'reduction': 'sum_over_batch_size'}
    """
    form = _serialize(registry, loss)
    if type(loss) is LossFunctionWrapper:
        if loss.config() == get(loss.fn).config():
            return describe_function(loss.fn)  # `get` made it of a function; so would the reader of the file
        # Keras does not export its wrapper, so that files spell its inner place.
        form.update(module="keras.src.losses.losses", registered_name="LossFunctionWrapper")
    return form


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """The loss that `serialize` described.

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
