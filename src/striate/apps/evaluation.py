"""Judges a sealed model on samples, and writes the folder evaluation/."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.apps import diagrams
from striate.apps.run import RunFolder
from striate.data.samples import SampleSet
from striate.data.threads import side_by_side, worker_count
from striate.deliver import Predictor
from striate.foundation.files import atomic_path
from striate.tasks import Task, named_task
from striate.tasks.curves import Curve, Line
from striate.tasks.intervals import Figure
from striate.tasks.task import Disturbance

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

WORST = 16
MOST_DISTURBED = 400
STRENGTHS = (0.5, 1.0)


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
    """Write evaluation/: figures, predictions, the task's tables, curves, and drawings of the worst cases.

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
    disturbed = robustness(predictor, verdict)
    curves = [*task.curves(predictions, targets, spec), *([disturbed] if disturbed else [])]
    run.write_json(diagrams.FILE, diagrams.as_json(curves))
    run.write_json("evaluation/metrics.json", verdict.scores)


def robustness(predictor: Predictor, verdict: Verdict) -> Curve | None:
    """How the headline score falls as inputs are disturbed; of some of the samples, since each is predicted often.

    Source: Hendrycks and Dietterich, Benchmarking Neural Network Robustness, arXiv 1903.12261.
    """
    task: Any = predictor.task
    spec = predictor.spec
    disturbances: dict[str, Disturbance] = task.disturbances(spec)
    if not disturbances:
        return None
    step = max(1, -(-len(verdict.samples) // MOST_DISTURBED))
    samples = verdict.samples.subset(range(0, len(verdict.samples), step))
    targets = [sample.target for sample in samples]

    def score(change: Disturbance, strength: float) -> float:
        def disturbed(number: int) -> np.ndarray:
            return change(samples.load(samples[number]), strength, np.random.default_rng(number))

        predictions = predictor.predict(side_by_side(disturbed, range(len(samples)), worker_count()))
        value = task.score(predictions, targets, spec)[task.headline]["value"]
        return float("nan") if value is None else float(value)

    untouched = score(lambda raw, strength, chance: raw, 0.0)
    lines = {
        name: Line(np.array([0.0, *STRENGTHS]), np.array([untouched, *(score(change, s) for s in STRENGTHS)]))
        for name, change in disturbances.items()
    }
    name = task.headline.replace("_", " ")
    meaning = f"how {name} falls as inputs are disturbed, from not at all; {len(samples):,} samples"
    return Curve("robustness", "Robustness", meaning, "strength", name, lines)


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
