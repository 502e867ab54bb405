"""What every metric is: sums that grow batch by batch on the data's device, and a result."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch

from striate.foundation.names import snake_case, unique_name
from striate.foundation.registry import Registry
from striate.layers import initializers
from striate.layers.masks import mask_of
from striate.training.configurable import Configurable, FunctionWrapper, check_dtype
from striate.training.labels import to_tensor
from striate.training.losses.at_once import at_once
from striate.training.losses.base import registry as loss_registry
from striate.training.metrics.variable import Variable
from striate.training.reduction import align_weight, divide_no_nan, multiply


class Metric(Configurable):
    """Base of all metrics; a subclass writes `update_state` and `result`.

    State made by `add_variable` is set to zero by `reset_state`; a subclass that keeps other state writes its own.

    Args:
        dtype: "float32"; others are refused.
        name: The key in histories; made from the class name if left out, a second one gets "_1".

    Example:
        >>> class Largest(Metric):
        ...     def __init__(self, name="largest", dtype=None):
        ...         super().__init__(dtype, name)
        ...         self.largest = self.add_variable((), "zeros")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.largest.assign(torch.maximum(self.largest, y_pred.max()))
        ...     def result(self):
        ...         return self.largest
        >>> float(Largest()(torch.zeros(2), torch.tensor([0.5, 2.0])))
        2.0
    """

    explained: ClassVar[tuple[str, ...]] = ("__init__", "update_state", "result", "add_variable")
    # Other dtypes than float32 that a metric's state may have.
    dtypes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or unique_name(snake_case(type(self).__name__))
        if dtype not in self.dtypes:
            check_dtype(self.where, dtype)
        self.variables: list[Variable] = []

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Any = None,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """State that `update_state` changes by `assign` and `assign_add`.

        Args:
            shape: Its shape.
            initializer: "zeros", ...; zeros if left out.
            dtype: "float32" if left out.
            aggregation: Accepted and ignored: one process computes all.
            name: Accepted and ignored.
        """
        wanted = getattr(torch, str(dtype).rpartition(".")[2]) if dtype else torch.float32
        values = initializers.get(initializer or "zeros")(tuple(shape))
        self.variables.append(Variable(values.to(wanted)))
        return self.variables[-1]

    def add_weight(
        self, shape: Sequence[int] = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """Keras's other name for `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in one batch: y_true, y_pred, sample_weight=None. Nothing here waits for the device."""
        raise NotImplementedError

    def result(self) -> torch.Tensor:
        """The metric over all batches since the last reset: a float32 scalar, or a vector of them."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Forget all batches: set all variables to zero, those of metrics inside this one, too."""
        for variable in self.variables:
            variable.assign(0)
        for metric in self._inner().values():
            metric.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Take in one batch and return the result so far."""
        self.update_state(*args, **kwargs)
        return self.standing()

    def standing(self) -> torch.Tensor:
        """The result so far; where that is a variable, its values, since the variable itself will change."""
        result = self.result()
        return result.value if isinstance(result, Variable) else result

    def to(self, device: torch.device) -> None:
        """Move variables to the device that the batches will be on."""
        for variable in self.variables:
            variable.data = variable.data.to(device)
        for metric in self._inner().values():
            metric.to(device)

    def state_dict(self) -> dict[str, Any]:
        """Copies of what has been counted, for a checkpoint."""
        plain = {k: v for k, v in vars(self).items() if isinstance(v, torch.Tensor | int | float)}
        found: dict[str, Any] = {
            name: value.clone() if isinstance(value, torch.Tensor) else value
            for name, value in plain.items()
            if not isinstance(value, Variable)
        }
        if self.variables:
            found["variables"] = [variable.value.clone() for variable in self.variables]
        return found | {name: metric.state_dict() for name, metric in self._inner().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Count on from what `state_dict` gave."""
        inner = self._inner()
        for name, value in state.items():
            if name == "variables":
                for variable, saved in zip(self.variables, value, strict=True):
                    variable.assign(saved.to(variable.device))
            elif name in inner:
                inner[name].load_state_dict(value)
            else:
                setattr(self, name, value)

    def _inner(self) -> dict[str, "Metric"]:
        """Metrics that this one is made of."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Metric)}

    def config(self) -> dict[str, Any]:
        """The arguments that make the same metric again."""
        return {"name": self.name, "dtype": self.dtype}


# Keras's metrics that striate does not have: of whole rows as random variables.
OTHERS = ("ConcordanceCorrelation", "PearsonCorrelation")
registry: Registry[Metric] = Registry("metric", "keras.metrics", Metric, OTHERS)


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
        total = torch.count_nonzero(values) if values.dtype == torch.bool else values.sum(dtype=dtype)
        before = self.total if isinstance(self.total, torch.Tensor) else total.new_tensor(self.total, dtype=dtype)
        self.total = torch.add(before, total, alpha=share)


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
class Sum(Average):
    """The sum of values.

    Args:
        name: The key in histories.
        dtype: "float32"; others are refused.

    Example:
        >>> total = Sum()
        >>> total.update_state([1.0, 3.0, 5.0, 7.0])
        >>> total.result()
        tensor(16.)
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Take in values (N, ...) or a number, and, if given, weights of their shape or of their first axes."""
        with torch.no_grad():
            values = to_tensor(self.where, "values", values)
            values = values.to(sum_dtype(values.device))
            if sample_weight is not None:
                values = values * align_weight(self.where, sample_weight, values)
            self.total = self.total + values.sum()

    def result(self) -> torch.Tensor:
        """The sum so far."""
        return torch.as_tensor(self.total).float()


@registry.register()
class MeanMetricWrapper(FunctionWrapper, Average):
    """The mean of a function of (y_true, y_pred) that gives one value per sample.

    Where the predictions bring a mask along, only the values it is True for count.

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

    registries = (registry, loss_registry)

    def __init__(
        self, fn: Callable[..., torch.Tensor], name: str | None = None, dtype: Any = None, **options: Any
    ) -> None:
        super().__init__(name, dtype)
        self.fn, self.options = fn, options
        self._at_once = at_once(fn)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in labels, predictions, and weights for the function's values."""
        mask = mask_of(y_pred)
        if not (isinstance(y_true, torch.Tensor) and isinstance(y_pred, torch.Tensor)):
            y_true, y_pred = to_tensor(self.where, "y_true", y_true), to_tensor(self.where, "y_pred", y_pred)
        if mask is None and sample_weight is None:
            self._add_plain(y_true, y_pred)
            return
        with torch.no_grad():
            values = self.apply(y_true, y_pred)
            if mask is not None:
                weight = None if sample_weight is None else align_weight(self.where, sample_weight, values.float())
                mask = align_weight(self.where, mask, values.float(), "a mask")
                sample_weight = multiply(factor for factor in (weight, mask) if factor is not None)
            self.add(values, sample_weight)

    def _add_plain(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> None:
        """Take in a batch without weights; without `no_grad`, too, since entering it takes as long as the rest."""
        if y_true.requires_grad or y_pred.requires_grad:
            y_true, y_pred = y_true.detach(), y_pred.detach()
        if not self._add_at_once(y_true, y_pred):
            values = self.apply(y_true, y_pred)
            self.add(values.detach() if values.requires_grad else values, None)

    def _add_at_once(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> bool:
        """Take in a batch by the mean of its values, if that can be had without them."""
        if self._at_once is None or not y_pred.numel():
            return False
        if y_true.shape != y_pred.shape or not y_true.dtype == y_pred.dtype in (torch.float32, torch.float64):
            return False
        mean = self._at_once(y_true, y_pred, **self.options)
        if mean is not None:
            self.add(mean, y_pred.shape[0] if y_pred.ndim > 1 else 1)
        return mean is not None


class PlainMean(MeanMetricWrapper):
    """Base of means whose function, the attribute `fn`, has no options."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(self.fn, name or self.fn.__name__, dtype)
