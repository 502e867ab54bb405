"""What every loss is: options, a check of labels, one value per sample, and the reduction to one number."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch

from striate.foundation.checks import check_choice
from striate.foundation.names import snake_case
from striate.foundation.registry import Registry
from striate.layers.masks import mask_of
from striate.training import labels
from striate.training.configurable import Configurable, FunctionWrapper, check_dtype
from striate.training.losses.at_once import at_once
from striate.training.reduction import MEANS, REDUCTIONS, reduce_values


class Loss(Configurable):
    """Base of all losses; a subclass writes `call`.

    Values are computed in float32, or in float64 if the predictions are, whatever the model computes in. Where the
    predictions bring a mask along, only the values it is True for count.

    Args:
        name: For errors and files; made from the class name if left out.
        reduction: "sum_over_batch_size" or "mean" (the mean of the values), "sum", "mean_with_sample_weight" (divided
            by the sum of the weights instead of the number of values), "none" or None (the values themselves).
        dtype: "float32"; others are refused.

    Example:
        >>> class MeanAbsoluteError(Loss):
        ...     def call(self, y_true, y_pred):
        ...         return (y_true - y_pred).abs().mean(-1)
        >>> MeanAbsoluteError()([[1.0], [2.0]], [[1.5], [2.0]])
        tensor(0.2500)
    """

    explained: ClassVar[tuple[str, ...]] = ("__init__", "__call__")
    # Whether `call` gets labels in the dtype of the predictions, as in Keras; class numbers stay whole.
    casts_labels: ClassVar[bool] = True

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = name or snake_case(type(self).__name__)
        if reduction is not None:
            check_choice(self.where, "reduction", reduction, REDUCTIONS)
        check_dtype(self.where, dtype)
        self.reduction = reduction

    @property
    def where(self) -> str:
        """How errors name this loss: Loss 'binary_crossentropy'."""
        return f"Loss {self.name!r}"

    def call(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        """One value per sample."""
        raise NotImplementedError

    def _mean_at_once(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor | None:
        """The mean of the values of all samples, where that takes less time than the values; else None."""
        return None

    def mask(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor | None:
        """True for the values that count, of their first axes; None if all do."""
        return None

    def check_labels(self, where: str, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Refuse labels that this loss cannot mean."""

    def config(self) -> dict[str, Any]:
        """The arguments that make the same loss again."""
        return {"name": self.name, "reduction": self.reduction}

    def check(self, y_true: torch.Tensor, y_pred: torch.Tensor, output: str | None = None) -> None:
        """Refuse labels of the wrong number, shape, range or dtype for this loss.

        Reads the values of `y_true`, so hand it over while it is still on the host; of `y_pred` only the shape is read.

        Args:
            y_true: The labels of a batch.
            y_pred: The predictions for it.
            output: The layer the predictions come from, for the error.

        Raises:
            UserError: The labels do not fit; the text says how to mend them.
        """
        where = self.where if output is None else f"{self.where} of output {output!r}"
        labels.check_count(where, y_true, y_pred)
        self.check_labels(where, y_true, y_pred)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> torch.Tensor:
        """The reduced loss.

        Args:
            y_true: Labels.
            y_pred: Predictions.
            sample_weight: Factors for the values: of their shape, or of their first axes (N,).

        Returns:
            A scalar tensor; with reduction None the values.

        Raises:
            UserError: The weights, or the mask of the predictions, do not fit the values.
        """
        brought = mask_of(y_pred)
        if not (isinstance(y_true, torch.Tensor) and isinstance(y_pred, torch.Tensor)):
            y_pred = labels.to_tensor(self.where, "y_pred", y_pred)
            y_true = labels.to_tensor(self.where, "y_true", y_true)
        if y_pred.dtype is not torch.float32:
            y_pred = labels.as_float(y_pred)
        if self.casts_labels and y_true.dtype != y_pred.dtype:
            y_true = y_true.to(y_pred.dtype)
        if brought is None and sample_weight is None and self.reduction in MEANS and y_pred.numel():
            mean = self._mean_at_once(y_true, y_pred)
            if mean is not None and self.mask(y_true, y_pred) is None:
                return mean
        values = self.call(y_true, y_pred)
        masks = [mask for mask in (brought, self.mask(y_true, y_pred)) if mask is not None]
        return reduce_values(self.where, values, sample_weight, masks, self.reduction)


# Keras's losses that striate does not have: of sequences, and of distances between embeddings.
registry: Registry[Loss] = Registry("loss", "keras.losses", Loss, others=("CTC", "Circle"))


class LossFunctionWrapper(FunctionWrapper, Loss):
    """Any function of (y_true, y_pred) as a loss.

    Args:
        fn: Gives one value per sample.
        reduction: As in `Loss`.
        name: As in `Loss`.
        dtype: As in `Loss`.
        **options: Further arguments for `fn`.

    Example:
        >>> LossFunctionWrapper(lambda y_true, y_pred: (y_true - y_pred).abs().mean(-1))([[1.0]], [[3.0]])
        tensor(2.)
    """

    registries = (registry,)

    def __init__(
        self,
        fn: Callable[..., torch.Tensor],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.fn, self.options = fn, options
        self._at_once = at_once(fn) if type(self).call is LossFunctionWrapper.call else None

    def call(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        """One value per sample, from the function."""
        return self.apply(y_true, y_pred)

    def _mean_at_once(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor | None:
        """The mean of the function's values at once, for functions in `AT_ONCE`."""
        if self._at_once is None or (self.casts_labels and y_true.shape != y_pred.shape):
            return None
        return self._at_once(y_true, y_pred, **self.options)


class PlainLoss(LossFunctionWrapper):
    """Base of losses whose function, the attribute `fn`, has no options."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(self.fn, reduction, name or self.fn.__name__, dtype)
