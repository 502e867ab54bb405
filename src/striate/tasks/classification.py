"""Pictures, each of one class."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from striate.data.dataset import Dataset
from striate.data.manifest import SUFFIXES
from striate.data.pictures import EXTENSIONS, decode, resize
from striate.data.readers import mnist_5k, read_classification
from striate.data.samples import Sample, SampleSet
from striate.data.threads import side_by_side, worker_count
from striate.foundation.checks import UserError
from striate.models.model import Model
from striate.tasks.augmentation import jitter
from striate.tasks.batches import batches
from striate.tasks.calibration import choose as choose_classes
from striate.tasks.calibration import fit_inclusion, fit_temperature, included, tempered
from striate.tasks.classification_spec import ClassificationSpec, check_options, choose, explain, space
from striate.tasks.convnet import convnet
from striate.tasks.curves import Curve, class_curves
from striate.tasks.disturbances import picture_disturbances
from striate.tasks.intervals import Figure, with_intervals
from striate.tasks.pictures import draw_picture, picture_shapes
from striate.tasks.scores import certainty_scores, class_scores
from striate.tasks.task import Disturbance, Options, Range, Ready, Table, Task
from striate.tasks.transfer import imagenet_network, transfer

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

CHUNK = 256
KINDS = {".npz": "an .npz file", **dict.fromkeys(SUFFIXES, "a list of pictures")}
TABLE_COLUMNS = ["id", "target", "prediction", "confidence", "sure", "possible", "correct", "source"]
_IDX = re.compile(r"(train|t10k)-(images|labels)[-.]idx\d-ubyte(\.gz)?")


class Classification(Task):
    """Which class a picture shows."""

    name = "classification"
    looks_for = (
        "a folder of class folders with pictures (with or without train/ and test/ above them), a list of pictures "
        "(.csv with path and label), an .npz with images and labels, or a folder with MNIST's idx files"
    )
    spec_type = ClassificationSpec
    options = ("epochs", "batch_size", "image_size", "flip", "pretrained", "cost", "coverage")
    suffixes = EXTENSIONS
    headline = "accuracy"

    def recognises(self, path: Path) -> str | None:
        if path.is_file():
            return KINDS.get(path.suffix.lower())
        entries = list(path.iterdir())
        if any(_IDX.fullmatch(entry.name) for entry in entries):
            return "MNIST's idx files"
        folders = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
        found = any(file.suffix.lower() in EXTENSIONS for folder in folders for file in folder.rglob("*"))
        return f"{len(folders)} folders with pictures" if found else None

    def read(self, path: Path, spec: ClassificationSpec | None = None) -> SampleSet:
        samples = read_classification(path, None if spec is None else spec.mode)
        return samples if spec is None else _count_as(samples, spec.classes)

    def demo(self) -> SampleSet:
        return mnist_5k()

    def describe(self, samples: SampleSet) -> dict[str, Any]:
        shapes = Counter(picture_shapes(samples))
        sizes = Counter(f"{width} x {height}" for height, width, _ in shapes.elements())
        modes = Counter(mode for _, _, mode in shapes.elements())
        return {"sizes": dict(sizes.most_common(20)), "different_sizes": len(sizes), "modes": dict(modes)}

    def check_options(self, options: Options) -> None:
        super().check_options(options)
        check_options(options)

    def plan(self, samples: SampleSet, options: Options) -> ClassificationSpec:
        return choose(self.name, samples, options)

    def explain(self, samples: SampleSet, spec: ClassificationSpec, options: Options) -> dict[str, str]:
        return explain(samples, spec, options)

    def space(self, spec: ClassificationSpec) -> dict[str, Range | tuple[Any, ...]]:
        return space(spec)

    def build(self, spec: ClassificationSpec) -> Model:
        if spec.pretrained:
            model = transfer(spec.shape, len(spec.classes))
        else:
            model = convnet(spec.shape, len(spec.classes), spec.size, spec.scale, spec.offset)
        model.compile(optimizer=spec.optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def load(self, path: Path | bytes, spec: ClassificationSpec) -> np.ndarray:
        return decode(path, spec.mode, upright=True)

    def ready(self) -> Ready:
        return imagenet_network(self.name)

    def prepare_input(self, raw: np.ndarray, spec: ClassificationSpec) -> np.ndarray:
        where, wanted = "Preparing a picture", f"{spec.pixels} of shape (height, width, {spec.channels})"
        if raw.ndim != 3 or raw.shape[2] != spec.channels or str(raw.dtype) != spec.pixels:
            fix = "Pass pictures as those that the network was trained on."
            raise UserError(where, f"{raw.dtype} of shape {raw.shape}", wanted, fix)
        if raw.shape[:2] == spec.image_size:
            return raw
        resized = resize(raw, spec.image_size, antialias=True)
        return np.rint(resized).clip(0, 255).astype(np.uint8) if raw.dtype == np.uint8 else resized

    def training_data(self, samples: SampleSet, spec: ClassificationSpec) -> Dataset:
        change = jitter(spec.shift, spec.turn, spec.zoom, spec.flip)
        fetch = self._fetch(samples, spec)
        return batches(fetch, len(samples), spec.batch_size, shuffle=True, seed=spec.seed, change=change)

    def data(self, samples: SampleSet, spec: ClassificationSpec) -> Dataset:
        return batches(self._fetch(samples, spec), len(samples), CHUNK)

    def decode(self, outputs: np.ndarray, spec: ClassificationSpec) -> np.ndarray:
        """Calibrated probabilities (N, classes), which add up to 1 as float64, too."""
        return tempered(outputs, spec.temperature)

    def calibrate(self, outputs: np.ndarray, targets: Sequence[int], spec: ClassificationSpec) -> ClassificationSpec:
        temperature = fit_temperature(outputs, np.asarray(targets))
        coverage = min(spec.coverage, len(targets) / (len(targets) + 1))  # more than so few samples could promise
        least = fit_inclusion(tempered(outputs, temperature), np.asarray(targets), coverage)
        return dataclasses.replace(spec, temperature=temperature, coverage=coverage, inclusion=least)

    def score(self, predictions: np.ndarray, targets: Sequence[int], spec: ClassificationSpec) -> dict[str, Figure]:
        wanted, chosen = np.asarray(targets), choose_classes(predictions, np.asarray(spec.costs))
        scores = class_scores(predictions, wanted, chosen)
        certainty = certainty_scores(self._before(predictions, spec), included(predictions, spec.inclusion), wanted)
        return with_intervals(lambda weights: scores(weights) | certainty(weights), len(targets), seed=spec.seed)

    def curves(self, predictions: np.ndarray, targets: Sequence[int], spec: ClassificationSpec) -> list[Curve]:
        return class_curves(predictions, self._before(predictions, spec), np.asarray(targets), spec.classes)

    def disturbances(self, spec: ClassificationSpec) -> dict[str, Disturbance]:
        return picture_disturbances() if spec.pixels == "uint8" else {}

    def badness(self, predictions: np.ndarray, targets: Sequence[int], spec: ClassificationSpec) -> np.ndarray:
        """By how much another class is held likelier than the right one; 0 where none is."""
        of_target: np.ndarray = predictions[np.arange(len(predictions)), np.asarray(targets)]
        return predictions.max(axis=1) - of_target

    def rows(
        self,
        predictions: np.ndarray,
        samples: Sequence[Sample],
        spec: ClassificationSpec,
        *,
        with_targets: bool = True,
    ) -> Table:
        left_out: tuple[str, ...] = () if with_targets else ("target", "correct")
        left_out += () if spec.coverage else ("sure", "possible")
        header = [name for name in TABLE_COLUMNS if name not in left_out]
        chosen = choose_classes(predictions, np.asarray(spec.costs))
        possible = included(predictions, spec.inclusion)
        rows = []
        for sample, probabilities, answer, may_be in zip(samples, predictions, chosen, possible, strict=True):
            row = {
                "id": sample.id,
                "target": spec.classes[sample.target] if with_targets else None,
                "prediction": spec.classes[answer],
                "confidence": round(float(probabilities[answer]), 6),
                "sure": bool(may_be[answer] and may_be.sum() == 1),
                "possible": "|".join(spec.classes[number] for number in np.flatnonzero(may_be)),
                "correct": bool(answer == sample.target),
                "source": sample.source or "",
            }
            rows.append([row[name] for name in header] + [round(float(value), 6) for value in probabilities])
        return Table(header + [f"p_{name}" for name in spec.classes], rows)

    def tables(self, predictions: np.ndarray, targets: Sequence[int], spec: ClassificationSpec) -> dict[str, Table]:
        count = len(spec.classes)
        pairs = np.asarray(targets) * count + choose_classes(predictions, np.asarray(spec.costs))
        confusion = np.bincount(pairs, minlength=count * count).reshape(count, count)
        rows = [[name, *line] for name, line in zip(spec.classes, confusion.tolist(), strict=True)]
        return {"confusion": Table(["target", *spec.classes], rows)}

    def draw(self, raw: np.ndarray, prediction: Any, target: Any, spec: ClassificationSpec) -> "Drawing":
        title = "" if target is None else spec.classes[target]
        bars: list[tuple[str, float]] = []
        if prediction is not None:
            best = np.argsort(-prediction, kind="stable")[:5]
            bars = [(spec.classes[index], float(prediction[index])) for index in best]
        return draw_picture(raw * spec.scale + spec.offset, title, bars)

    @staticmethod
    def _before(predictions: np.ndarray, spec: ClassificationSpec) -> np.ndarray:
        """The probabilities before they were calibrated."""
        return tempered(predictions, 1 / spec.temperature)

    def _fetch(self, samples: SampleSet, spec: ClassificationSpec) -> Any:
        """The function that gives prepared pictures and targets of rows, from memory or from the files."""
        targets = torch.tensor([sample.target for sample in samples])
        if spec.in_memory:
            pictures = self._stack(samples, range(len(samples)), spec)
            return lambda rows: (pictures[rows], targets[rows])
        return lambda rows: (self._stack(samples, rows.tolist(), spec), targets[rows])

    def _stack(self, samples: SampleSet, rows: Sequence[int], spec: ClassificationSpec) -> torch.Tensor:
        """Prepared pictures (N, rows, columns, channels), read by several threads."""
        stacked = np.empty((len(rows), *spec.shape), spec.pixels)
        size = min(CHUNK, -(-len(rows) // worker_count()))

        def fill(start: int) -> None:
            for place in range(start, min(start + size, len(rows))):
                stacked[place] = self.prepare_input(samples.load(samples[rows[place]]), spec)

        for _ in side_by_side(fill, range(0, len(rows), size), worker_count()):
            pass
        return torch.from_numpy(stacked)


def _count_as(samples: SampleSet, classes: tuple[str, ...]) -> SampleSet:
    """The samples with targets that count into `classes`.

    Raises:
        UserError: They have a class that is not among these.
    """
    unknown = [name for name, count in samples.counts().items() if count and name not in classes]
    if unknown:
        needs = f"the classes it was trained on: {', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}"
        fix = "Rename the folders, or train on this data."
        raise UserError("The model", f"data of class {unknown[0]!r}", needs, fix)
    renumbered = [
        dataclasses.replace(sample, target=classes.index(samples.classes[sample.target])) for sample in samples
    ]
    return SampleSet(renumbered, classes, samples.store, samples.origin, samples.quarantined)
