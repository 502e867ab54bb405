"""What training minimises and reports: losses and metrics, each paired with an output of the network."""

import itertools
from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Any

import torch

from striate.foundation.checks import UserError, check_number, nearest
from striate.training import losses
from striate.training import metrics as metric_kinds
from striate.training.losses import Loss
from striate.training.metrics import Mean, Metric

# Names that mean one class or another by the shapes of labels and predictions.
NAMED_BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")


class Objective:
    """Losses and metrics for the outputs of a network.

    Names are resolved when the first batch shows shapes: "accuracy" means another class for one-hot labels than
    for class numbers.

    Args:
        loss: For one output a loss (name, object, function); for several a list, or a dict by output name.
        metrics: A list; for several outputs a list of lists, or a dict by output name.
        loss_weights: Factors of the losses in the total, as list or dict.
        weighted_metrics: Metrics that take sample weights into account.
        output_names: What the outputs are called, if they have names.

    Example:
        >>> objective = Objective("mse", metrics=["mse"])
        >>> y, prediction = torch.zeros(2, 1), torch.ones(2, 1)
        >>> loss = objective(y, prediction)
        >>> objective.update(y, prediction, loss)
        >>> {name: float(value) for name, value in objective.results().items()}
        {'loss': 1.0, 'mse': 1.0}
    """

    def __init__(
        self,
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        output_names: list[str] | None = None,
    ) -> None:
        self.given = (loss, metrics, loss_weights, weighted_metrics)
        self.names = list(output_names or [])
        self.losses: list[Loss | None] = []
        self.factors: list[float] = []
        self.plain: list[list[Metric]] = []
        self.weighted: list[list[Metric]] = []
        self.total = Mean(name="loss")
        self.parts: list[Mean] = []
        self.bound = False
        self._counted: list[dict[str, Any]] | None = None
        _check_names(losses.get, loss)
        for given in (metrics, weighted_metrics):
            _check_names(metric_kinds.get, given)

    def bind(self, y: Any, prediction: Any) -> None:
        """Resolve names, once, by the labels and predictions of a first batch."""
        if self.bound:
            return
        outputs = _outputs(prediction)
        self.names = self.names if len(self.names) == len(outputs) else _names(prediction, len(outputs))
        loss, plain, factors, weighted = self.given
        count, labels = len(outputs), self._spread("y", y, len(outputs))
        shapes = [(_shape(label), tuple(output.shape)) for label, output in zip(labels, outputs, strict=True)]
        given = self._per_output("loss", loss, count)
        for name, entry, label in zip(self.names, given, labels, strict=True):
            if entry is not None and label is None:
                raise UserError("fit", "no labels", f"y for output {name!r}", "Pass y.")
        self.losses = [
            None if entry is None else losses.get(entry, *shape) for entry, shape in zip(given, shapes, strict=True)
        ]
        self.factors = [
            1.0 if factor is None else check_number("compile", "loss_weights", factor, "a number")
            for factor in self._per_output("loss_weights", factors, count)
        ]
        self.plain, self.weighted = (
            [
                [metric_kinds.get(entry, *shape, loss=paired) for entry in _listed(entries)]
                for entries, shape, paired in zip(
                    self._per_output(argument, wanted, count, lists=True), shapes, self.losses, strict=True
                )
            ]
            for argument, wanted in (("metrics", plain), ("weighted_metrics", weighted))
        )
        self.parts = [Mean(name=f"{name}_loss") for name in self.names] if count > 1 else []
        self.bound = True
        self._count_on()

    def check(self, y: Any, prediction: Any) -> None:
        """Refuse labels that do not fit the losses, before they are used."""
        outputs = _outputs(prediction)
        labels = self._spread("y", y, len(outputs))
        for name, loss, label, output in zip(self.names, self.losses, labels, outputs, strict=True):
            if loss is not None:
                loss.check(label, output, name if self.parts else None)

    def __call__(self, y: Any, prediction: Any, sample_weight: Any = None) -> torch.Tensor:
        """The weighted sum of the losses of one batch, a scalar."""
        self.bind(y, prediction)
        outputs = _outputs(prediction)
        labels, weights = self._spread("y", y, len(outputs)), self._weights(sample_weight, len(outputs))
        self._last = [
            None if loss is None else loss(label, output, weight)
            for loss, label, output, weight in zip(self.losses, labels, outputs, weights, strict=True)
        ]
        terms = [
            value if factor == 1.0 else value * factor
            for value, factor in zip(self._last, self.factors, strict=True)
            if value is not None
        ]
        if not terms:
            raise UserError("compile", "no loss", "a loss to train with", "Pass loss= to compile.")
        return terms[0] if len(terms) == 1 else torch.stack(terms).sum()

    @torch.no_grad()
    def update(self, y: Any, prediction: Any, loss: torch.Tensor, sample_weight: Any = None) -> None:
        """Count one batch, whose total loss (penalties included) was `loss`, into the results."""
        outputs = _outputs(prediction)
        labels, weights = self._spread("y", y, len(outputs)), self._weights(sample_weight, len(outputs))
        items = len(outputs[0])
        self.total.update_state(loss.detach(), items)
        for part, value in zip(self.parts, self._last, strict=False):
            if value is not None:
                part.update_state(value.detach(), items)
        for index, output in enumerate(outputs):
            for metric in self.plain[index]:
                metric.update_state(labels[index], output)
            for metric in self.weighted[index]:
                metric.update_state(labels[index], output, weights[index])

    def results(self) -> dict[str, Any]:
        """The figures so far by name, scalar tensors: "loss", losses by output, metrics."""
        found = {"loss": self.total.result()}
        found |= {part.name: part.result() for part, loss in zip(self.parts, self.losses, strict=False) if loss}
        for name, plain, weighted in zip(self.names, self.plain, self.weighted, strict=False):
            prefix = f"{name}_" if self.parts else ""
            for metric in plain:
                found[_free(f"{prefix}{metric.name}", found)] = metric.result()
            for metric in weighted:
                marked = f"weighted_{metric.name}" if any(metric.name == other.name for other in plain) else metric.name
                found[_free(f"{prefix}{marked}", found)] = metric.result()
        return found

    def reset(self) -> None:
        """Begin to count anew."""
        self._counted = None
        for metric in self._metrics():
            metric.reset_state()

    def state_dict(self) -> dict[str, Any]:
        """What has been counted in the epoch under way, for a checkpoint."""
        return {"counted": [_counts_of(metric) for metric in self._metrics()] if self.bound else None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Count on from where the objective that gave `state` was, at the latest when the first batch comes."""
        self._counted = state["counted"]
        self._count_on()

    def _count_on(self) -> None:
        if self.bound and self._counted is not None:
            for metric, counts in zip(self._metrics(), self._counted, strict=True):
                vars(metric).update(counts)
            self._counted = None

    def _metrics(self) -> list[Metric]:
        return [self.total, *self.parts, *itertools.chain(*self.plain, *self.weighted)]

    def _per_output(self, argument: str, given: Any, count: int, lists: bool = False) -> list[Any]:
        """One entry for every output."""
        if given is None:
            return [None] * count
        if isinstance(given, dict) and not {"class_name", "config"} <= given.keys():
            for name in given:
                if name not in self.names:
                    raise UserError(
                        "compile", f"{argument} for {name!r}", "names of outputs", nearest(name, self.names)
                    )
            return [given.get(name) for name in self.names]
        if count == 1:
            nested = isinstance(given, list | tuple) and len(given) == 1
            return [given[0] if nested and (not lists or isinstance(given[0], list | tuple)) else given]
        if isinstance(given, list | tuple) and len(given) == count:
            return list(given)
        if isinstance(given, list | tuple) or lists:
            needs = f"one entry for each of the {count} outputs ({', '.join(self.names)})"
            raise UserError("compile", f"{argument}={given!r}", needs, "Pass a dict by output name.")
        return [given] * count

    def _weights(self, sample_weight: Any, count: int) -> list[Any]:
        if isinstance(sample_weight, torch.Tensor) or sample_weight is None:
            return [sample_weight] * count
        return self._spread("sample_weight", sample_weight, count)

    def _spread(self, argument: str, value: Any, count: int) -> list[Any]:
        """The value for every output, out of one, a list, or a dict by name."""
        if isinstance(value, dict):
            missing = [name for name in self.names if name not in value]
            if missing and argument == "y":
                needs = f"names of outputs: {', '.join(map(repr, self.names))}"
                raise UserError("fit", f"y with {', '.join(map(repr, value))}", needs, f"Add {missing[0]!r}.")
            return [value.get(name) for name in self.names]
        values = (
            list(value)
            if isinstance(value, list | tuple)
            else [value] + [None] * (0 if value is not None else count - 1)
        )
        if len(values) != count:
            needs = f"one array for each of the {count} outputs ({', '.join(self.names)})"
            raise UserError("fit", f"{len(values)} arrays in {argument}", needs, "Pass a list, or a dict by name.")
        return values


class RunningLogs(Mapping[str, Any]):
    """The figures so far as a mapping whose values are computed only when somebody looks."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __getitem__(self, name: str) -> Any:
        return self.objective.results()[name]

    def items(self) -> ItemsView[str, Any]:
        """All figures, worked out once."""
        return self.objective.results().items()

    def __iter__(self) -> Iterator[str]:
        return iter(self.objective.results())

    def __len__(self) -> int:
        return len(self.objective.results())


def to_floats(results: Mapping[str, Any]) -> dict[str, float]:
    """Figures as plain numbers; this waits for the device."""
    return {name: float(value) for name, value in results.items()}


def _counts_of(metric: Metric) -> dict[str, Any]:
    return {name: value for name, value in vars(metric).items() if isinstance(value, torch.Tensor | int | float)}


def _outputs(prediction: Any) -> list[torch.Tensor]:
    if isinstance(prediction, dict):
        return list(prediction.values())
    return list(prediction) if isinstance(prediction, list | tuple) else [prediction]


def _names(prediction: Any, count: int) -> list[str]:
    return list(prediction) if isinstance(prediction, dict) else [f"output_{index}" for index in range(count)]


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or with a number where two metrics share it."""
    number = 1
    while name in taken:
        name, number = f"{name.rsplit('_', 1)[0] if number > 1 else name}_{number}", number + 1
    return name


def _listed(entries: Any) -> list[Any]:
    if entries is None:
        return []
    return list(entries) if isinstance(entries, list | tuple) else [entries]


def _shape(label: Any) -> tuple[int, ...] | None:
    return None if label is None else tuple(label.shape)


def _check_names(get: Callable[[Any], Any], given: Any) -> None:
    """Refuse unknown names at compile time, not hours later; those that wait for shapes are known to be good."""
    if isinstance(given, dict) and "class_name" not in given:
        given = list(given.values())
    if isinstance(given, list | tuple):
        for entry in given:
            _check_names(get, entry)
    elif given is not None and str(given).lower() not in NAMED_BY_SHAPE:
        get(given)
