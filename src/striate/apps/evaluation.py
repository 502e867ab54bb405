"""Judges a sealed model on samples, and writes the folder evaluation/."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.apps.run import RunFolder
from striate.data.samples import SampleSet
from striate.data.threads import side_by_side, worker_count
from striate.deliver import Predictor
from striate.foundation.files import atomic_path
from striate.tasks import Task, named_task
from striate.tasks.intervals import Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

WORST = 16


@dataclass(frozen=True)
class Verdict:
    """What a model makes of samples.

    Args:
        samples: They.
        predictions: One each.
        scores: {"accuracy": {"value", "low", "high"}, ...}.
    """

    samples: SampleSet
    predictions: Any
    scores: dict[str, Figure]

    @property
    def targets(self) -> list[Any]:
        """What was to be predicted."""
        return [sample.target for sample in self.samples]


def load_predictor(path: Path) -> Predictor:
    """The predictor of a sealed file.

    Raises:
        UserError: The file cannot be used.
    """
    return Predictor.load(path, named_task)


def judge(predictor: Predictor, samples: SampleSet) -> Verdict:
    """Predict samples from their raw contents, as a user of the file would, and score the predictions."""
    task: Any = predictor.task
    predictions = predictor.predict(side_by_side(samples.load, samples, worker_count()))
    return Verdict(samples, predictions, task.score(predictions, [s.target for s in samples], predictor.spec))


def write_evaluation(run: RunFolder, predictor: Predictor, verdict: Verdict) -> None:
    """Write evaluation/: metrics.json, predictions.csv, the task's tables, and drawings of the worst cases.

    Raises:
        UserError: They cannot be written.
    """
    task: Any = predictor.task
    spec, targets, predictions = predictor.spec, verdict.targets, verdict.predictions
    run.write_table("evaluation/predictions.csv", *task.rows(predictions, verdict.samples, spec))
    for name, table in task.tables(predictions, targets, spec).items():
        run.write_table(f"evaluation/{name}.csv", *table)
    badness = task.badness(predictions, targets, spec)
    worst = [int(index) for index in np.argsort(-badness, kind="stable")[:WORST] if badness[index] > 0]

    def draw(index: int) -> "Drawing":
        return task.draw(verdict.samples.load(verdict.samples[index]), predictions[index], targets[index], spec)

    write_drawings(run.path / "evaluation" / "worst", [verdict.samples[index].id for index in worst], draw, worst)
    run.write_json("evaluation/metrics.json", verdict.scores)


def write_drawings(folder: Path, names: Sequence[str], draw: Callable[[int], "Drawing"], which: Sequence[int]) -> None:
    """Write one PNG for each of `which`, numbered in their order; older ones go away.

    Raises:
        UserError: They cannot be written.
    """
    for old in folder.glob("*.png"):
        old.unlink()
    for place, (name, index) in enumerate(zip(names, which, strict=True), 1):
        with atomic_path(folder / f"{place:02}-{_file_name(name)}.png") as path:
            draw(index).savefig(path, format="png", dpi=100)


def score_lines(scores: dict[str, Figure]) -> dict[str, str]:
    """Figures as people read them.

    Example:
        >>> score_lines({"accuracy": {"value": 0.97512, "low": 0.968, "high": 0.981}})
        {'accuracy': '0.9751  (95 % interval 0.9680 to 0.9810)'}
    """
    return {
        name: "not defined for these samples"
        if figure["value"] is None
        else f"{figure['value']:.4f}  (95 % interval {figure['low']:.4f} to {figure['high']:.4f})"
        for name, figure in scores.items()
    }


def test_samples(task: Task, samples: SampleSet) -> SampleSet:
    """Those that the data calls its test; all of them where it does not say."""
    numbers = [number for number, sample in enumerate(samples) if sample.split == "test"]
    return samples.subset(numbers) if numbers else samples


def _file_name(name: str) -> str:
    """A sample's name as a file's: the end of it, where it is long."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[-100:]
