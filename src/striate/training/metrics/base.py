"""What every metric is: sums that grow batch by batch on the data's device, and a result."""

from collections.abc import Callable
from typing import Any, Self

import torch

from striate.foundation.names import snake_case, unique_name
from striate.foundation.registry import Registry
from striate.training.configurable import Configurable, check_dtype, describe_function, find_by_function, function_name
from striate.training.labels import match_rank, to_tensor
from striate.training.reduction import align_weight, divide_no_nan


class Metric(Configurable):
    """Base of all metrics; a subclass writes `update_state`, `result` and `reset_state`.

    Args:
        dtype: "float32"; others are refused.
        name: The key in histories; made from the class name if left out, a second one gets "_1".

    Example:
        >>> class Largest(Metric):
        ...     largest = torch.tensor(0.0)
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.largest = torch.maximum(self.largest, y_pred.max())
        ...     def result(self):
        ...         return self.largest
        ...     def reset_state(self):
        ...         self.largest = torch.tensor(0.0)
        >>> Largest(name="largest")(torch.zeros(2), torch.tensor([0.5, 2.0]))
        tensor(2.)
    """

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or unique_name(snake_case(type(self).__name__))
        check_dtype(self.where, dtype)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in one batch: y_true, y_pred, sample_weight=None. Nothing here waits for the device."""
        raise NotImplementedError

    def result(self) -> torch.Tensor:
        """The metric over all batches since the last reset, a float32 scalar."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Forget all batches."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Take in one batch and return the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        return {"name": self.name, "dtype": "float32"}


registry: Registry[Metric] = Registry("metric", "keras.metrics", Metric)


def sum_dtype(device: torch.device) -> torch.dtype:
    """The dtype of running sums: float32 stops counting at 2**24, a few thousand pictures' pixels."""
    return torch.float32 if device.type == "mps" else torch.float64


class Average(Metric):
    """Base of metrics that are the mean of values, each sample's own mean counting once."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all batches."""
        # Plain zeros: the first batch brings the device.
        self.total: Any = 0.0
        self.count: Any = 0

    def result(self) -> torch.Tensor:
        """The mean so far; 0 before the first batch."""
        total, count = torch.as_tensor(self.total), torch.as_tensor(self.count)
        return divide_no_nan(total, count.to(total.device)).float()

    def add(self, values: torch.Tensor, sample_weight: Any) -> None:
        """Take in values (N, ...) and, if given, weights of their shape or of their first axes."""
        dtype = sum_dtype(values.device)
        samples = values.shape[0] if values.ndim else 1
        share = samples / max(values.numel(), 1)  # what one value counts for in its sample's mean
        if sample_weight is None:
            self.count = self.count + samples
        elif isinstance(sample_weight, int | float):
            share = share * sample_weight
            self.count = self.count + samples * sample_weight
        else:
            values = values.to(dtype)
            weight = align_weight(self.where, sample_weight, values)
            values = values * weight
            self.count = self.count + weight.sum() * (samples / max(weight.numel(), 1))
        total = values.sum(dtype=dtype)
        self.total = self.total + (total if share == 1 else total * share)


@registry.register()
class Mean(Average):
    """The mean of values.

    Args:
        name: The key in histories.
        dtype: "float32"; others are refused.

    Example:
        >>> mean = Mean()
        >>> mean.update_state([1.0, 3.0, 5.0, 7.0])
        >>> mean.result()
        tensor(4.)
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Take in values (N, ...) or a number, and, if given, weights of their shape or of their first axes."""
        with torch.no_grad():
            self.add(to_tensor(self.where, "values", values), sample_weight)


@registry.register()
class MeanMetricWrapper(Average):
    """The mean of a function of (y_true, y_pred) that gives one value per sample.

    Args:
        fn: The function.
        name: The key in histories.
        dtype: "float32"; others are refused.
        **options: Further arguments for `fn`.

    Example:
        >>> error = MeanMetricWrapper(lambda y_true, y_pred: (y_true - y_pred).abs(), name="error")
        >>> error(torch.tensor([1.0, 2.0]), torch.tensor([[1.5], [2.0]]))
        tensor(0.2500)
    """

    def __init__(
        self, fn: Callable[..., torch.Tensor], name: str | None = None, dtype: Any = None, **options: Any
    ) -> None:
        super().__init__(name, dtype)
        self.fn, self.options = fn, options

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels, predictions, and weights for the function's values."""
        y_true, y_pred = to_tensor(self.where, "y_true", y_true), to_tensor(self.where, "y_pred", y_pred)
        with torch.no_grad():
            # (N,) beside (N, 1) would broadcast to (N, N) in a function that does not look.
            values = self.fn(*match_rank(y_true, y_pred), **self.options)
            self.add(values, sample_weight)

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        own = {"fn": describe_function(self.fn)} if type(self) is MeanMetricWrapper else {}
        return {**super().config(), **own, **self.options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The metric that `config` describes; its function must be one that a metric here wraps."""
        name = function_name(config.get("fn"))
        if name is not None:
            config = {**config, "fn": find_by_function(registry, name)().fn}
        return super().from_config(config)
