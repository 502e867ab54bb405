"""How far predictions are from labels, by Keras's names and with Keras's meaning.

A loss is a function that gives one value per sample, and a class that holds its options, checks its labels and
reduces the values to the number that training lowers. To add one, write both and register the class.
"""

from typing import Any

from striate.training.configurable import describe_function, find_by_function, function_name, object_name
from striate.training.configurable import serialize as _serialize
from striate.training.labels import label_kind
from striate.training.losses.base import Loss, LossFunctionWrapper, registry
from striate.training.losses.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from striate.training.losses.regression import MeanSquaredError, mean_squared_error

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "LossFunctionWrapper",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "deserialize",
    "get",
    "mean_squared_error",
    "serialize",
    "sparse_categorical_crossentropy",
]

_CROSSENTROPIES: dict[str, type[Loss]] = {
    "binary": BinaryCrossentropy,
    "sparse": SparseCategoricalCrossentropy,
    "one_hot": CategoricalCrossentropy,
}


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
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        return _CROSSENTROPIES[label_kind(f"Loss {identifier!r}", y_true_shape, y_pred_shape)]()
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


deserialize = get
