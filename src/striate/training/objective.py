"""What training minimises and reports: losses and metrics, each paired with an output of the network."""

from collections.abc import ItemsView, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from striate.foundation.checks import UserError, check_number, nearest
from striate.foundation.nested import flatten
from striate.training import losses
from striate.training import metrics as metric_kinds
from striate.training.losses import Loss
from striate.training.metrics import Mean, Metric


@dataclass
class Head:
    """One output of a network, with what is asked of it."""

    name: str
    loss: Loss | None
    factor: float
    plain: list[Metric]
    weighted: list[Metric]
    mean: Mean | None  # of the loss, where there are several outputs
    value: torch.Tensor | None = None  # of the loss, for the batch under way

    def metrics(self) -> list[Metric]:
        """All that is counted."""
        return [*([self.mean] if self.mean else []), *self.plain, *self.weighted]


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
        >>> objective.bind(y, prediction)
        >>> objective.update(y, prediction, objective(y, prediction))
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
        self.heads: list[Head] = []
        self.total = Mean(name="loss")
        self._counted: list[dict[str, Any]] | None = None
        _check_names(losses, loss)
        for given in (metrics, weighted_metrics):
            _check_names(metric_kinds, given)
        if self.names:
            self._spread_out(len(self.names))

    def bind(self, y: Any, prediction: Any) -> None:
        """Resolve names by the labels and predictions of a first batch; refuse labels that do not fit.

        Raises:
            UserError: Labels are missing, or do not fit a loss or metric; nothing is bound then.
        """
        outputs = _outputs(prediction)
        for output in outputs:
            if not isinstance(output, torch.Tensor):
                fix = "Leave it out of what the model returns."
                raise UserError("fit", f"a {type(output).__name__} among the model's outputs", "tensors", fix)
        if not self.heads:
            names = self.names if len(self.names) == len(outputs) else _names(prediction, len(outputs))
            self.names = names
            heads = self._resolve(names, outputs, self._spread("y", y, len(outputs)))
            self._check(heads, y, outputs)
            self.heads = heads
            for head, output in zip(heads, outputs, strict=True):
                for metric in head.metrics():
                    metric.to(output.device)
            self._count_on()
        else:
            self._check(self.heads, y, outputs)

    def unbind(self) -> None:
        """Forget shapes: other data comes."""
        self.heads = []

    def __call__(
        self, y: Any, prediction: Any, sample_weight: Any = None, extra: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The weighted sum of the losses of one batch, a scalar, and what regularizers and layers add to it."""
        terms = []
        for head, label, output, weight in self._pairs(y, prediction, sample_weight):
            if head.loss is not None:
                value = head.loss(label, output, weight)
                head.value = value.detach()
                terms.append(value if head.factor == 1.0 else value * head.factor)
        if not terms:
            if extra is None:
                raise UserError("compile", "no loss", "a loss to train with", "Pass loss= to compile.")
            return extra
        total = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
        return total if extra is None else total + extra

    @torch.no_grad()
    def update(self, y: Any, prediction: Any, loss: torch.Tensor, sample_weight: Any = None) -> None:
        """Count one batch, whose total loss (penalties included) was `loss`, into the results."""
        self.count_loss(prediction, loss)
        self.count(y, prediction, sample_weight)

    @torch.no_grad()
    def count(self, y: Any, prediction: Any, sample_weight: Any = None) -> None:
        """Count one batch in the metrics, and the losses by output that were last computed."""
        for head, label, output, weight in self._pairs(y, prediction, sample_weight):
            if head.mean is not None and head.value is not None:
                head.mean.update_state(head.value, len(output))
            for metric in head.plain:
                metric.update_state(label, output)
            for metric in head.weighted:
                metric.update_state(label, output, weight)

    @torch.no_grad()
    def count_loss(self, prediction: Any, loss: torch.Tensor) -> None:
        """Count the total loss of a batch alone: one that is not finite, with predictions that no metric can use."""
        self.total.update_state(loss.detach(), len(_outputs(prediction)[0]))

    def loss(self) -> torch.Tensor:
        """The total loss so far."""
        return self.total.result()

    def results(self) -> dict[str, Any]:
        """The figures so far by name, tensors, mostly scalars: "loss", losses by output, metrics."""
        found = {"loss": self.total.result()}
        found |= {head.mean.name: head.mean.result() for head in self.heads if head.mean and head.loss}
        for head in self.heads:
            prefix = f"{head.name}_" if head.mean else ""
            plain = {metric.name for metric in head.plain}
            for metric in head.plain:
                found[_free(f"{prefix}{metric.name}", found)] = metric.standing()
            for metric in head.weighted:
                mark = "weighted_" if metric.name in plain else ""
                found[_free(f"{prefix}{mark}{metric.name}", found)] = metric.standing()
        return found

    def reset(self) -> None:
        """Begin to count anew."""
        self._counted = None
        for metric in self.counters():
            metric.reset_state()

    def state_dict(self) -> dict[str, Any]:
        """What has been counted in the epoch under way, for a checkpoint."""
        return {"counted": [metric.state_dict() for metric in self.counters()] if self.heads else None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Count on from where the objective that gave `state` was, at the latest when the first batch comes."""
        self._counted = state["counted"]
        self._count_on()

    def _count_on(self) -> None:
        if self.heads and self._counted is not None:
            metrics = self.counters()
            if len(metrics) != len(self._counted):
                needs = f"the {len(self._counted)} that the checkpoint has counted"
                fix = "Compile as before, or delete the checkpoint."
                raise UserError("fit", f"{len(metrics)} losses and metrics", needs, fix)
            for metric, counts in zip(metrics, self._counted, strict=True):
                metric.load_state_dict(counts)
            self._counted = None

    def counters(self) -> list[Metric]:
        """What counts: the total loss, then by output its loss and metrics, once they are bound."""
        return [self.total, *(metric for head in self.heads for metric in head.metrics())]

    def _resolve(self, names: list[str], outputs: list[torch.Tensor], labels: list[Any]) -> list[Head]:
        """Losses and metrics for outputs and labels of these shapes."""
        count = len(outputs)
        found = []
        for name, output, label, (wanted, factor, plainly, with_weight) in zip(
            names, outputs, labels, self._spread_out(count), strict=True
        ):
            shapes = (None if label is None else tuple(label.shape), tuple(output.shape))
            chosen = None if wanted is None else losses.get(wanted, *shapes)
            factor = 1.0 if factor is None else check_number("compile", "loss_weights", factor, "a number")
            plain_metrics, weighted_metrics = (
                [metric_kinds.get(entry, *shapes, loss=chosen) for entry in _listed(entries)]
                for entries in (plainly, with_weight)
            )
            mean = Mean(name=f"{name}_loss") if count > 1 else None
            found.append(Head(name, chosen, factor, plain_metrics, weighted_metrics, mean))
        return found

    def _check(self, heads: list[Head], y: Any, outputs: list[torch.Tensor]) -> None:
        """Refuse labels that are missing or do not fit the losses, before they are used."""
        for head, label, output in zip(heads, self._spread("y", y, len(outputs)), outputs, strict=True):
            if label is None and (head.loss or head.plain or head.weighted):
                of = f" for output {head.name!r}" if head.mean else ""
                raise UserError("fit", f"no labels{of}", "y to compare predictions with", "Pass y, or (x, y) batches.")
            if head.loss is not None:
                head.loss.check(label, output, head.name if head.mean else None)

    def _pairs(self, y: Any, prediction: Any, sample_weight: Any) -> Iterator[tuple[Head, Any, torch.Tensor, Any]]:
        outputs = _outputs(prediction)
        labels, weights = self._spread("y", y, len(outputs)), self._weights(sample_weight, len(outputs))
        return zip(self.heads, labels, outputs, weights, strict=True)

    def _spread_out(self, count: int) -> Iterable[tuple[Any, Any, Any, Any]]:
        """For every output its loss, loss weight, metrics and weighted metrics, of what was given.

        Raises:
            UserError: There are entries for another number of outputs, or for one of another name.
        """
        loss, plain, factors, weighted = self.given
        return zip(
            self._per_output("loss", loss, count),
            self._per_output("loss_weights", factors, count),
            self._per_output("metrics", plain, count, lists=True),
            self._per_output("weighted_metrics", weighted, count, lists=True),
            strict=True,
        )

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
        if name == "loss":  # looked at after every batch by some, and cheap, as a metric need not be
            return self.objective.loss()
        return self.objective.results()[name]

    def items(self) -> ItemsView[str, Any]:
        """All figures, worked out once."""
        return self.objective.results().items()

    def __iter__(self) -> Iterator[str]:
        return iter(self.objective.results())

    def __len__(self) -> int:
        return len(self.objective.results())


def to_floats(results: Mapping[str, Any]) -> dict[str, Any]:
    """Figures as plain numbers, and those of several numbers (a score for each class) as arrays.

    This waits for the device.
    """
    return {
        name: float(value) if torch.as_tensor(value).numel() == 1 else value.detach().cpu().numpy()
        for name, value in results.items()
    }


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


def _check_names(kinds: ModuleType, given: Any) -> None:
    """Refuse unknown names at compile time, not hours later; those that wait for shapes are known to be good."""
    for entry in flatten(given, is_leaf=is_config):
        if entry is not None and str(entry).lower() not in kinds.NAMED_BY_SHAPE:
            kinds.get(entry)


def is_config(value: Any) -> bool:
    """Whether `value` describes one object, as Keras's files do, and is no dict by names of outputs."""
    return isinstance(value, dict) and "class_name" in value
