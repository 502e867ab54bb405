"""Pictures, each of one class."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from striate.data.array_samples import memory_limit
from striate.data.dataset import Dataset
from striate.data.pictures import EXTENSIONS, MODES, resize
from striate.data.readers import mnist_5k, read_classification
from striate.data.samples import PictureFiles, Sample, SampleSet
from striate.data.threads import side_by_side, worker_count
from striate.foundation.checks import UserError
from striate.models.model import Model
from striate.tasks.augmentation import jitter
from striate.tasks.batches import batches
from striate.tasks.convnet import convnet
from striate.tasks.intervals import Figure, with_intervals
from striate.tasks.pictures import draw_picture, picture_shapes
from striate.tasks.scores import class_scores
from striate.tasks.task import Options, Spec, Table, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

LARGEST_AS_IT_IS = 128  # rows or columns up to which pictures of one size keep it
SIDES = {"small": 64, "medium": 96, "large": 160}  # of other pictures, at most
SMALLEST_SIDE = 16
FEW = 10_000  # samples below which they are changed more and learned from in smaller batches
STEPS = 1700  # that a small set of pictures is trained for
LEAST_EPOCHS, MOST_EPOCHS = 9, 40
CHUNK = 256
TABLE_COLUMNS = ["id", "target", "prediction", "confidence", "correct", "source"]
_IDX = re.compile(r"(train|t10k)-(images|labels)[-.]idx\d-ubyte(\.gz)?")


@dataclass(frozen=True, kw_only=True)
class ClassificationSpec(Spec):
    """The choices for classifying pictures.

    Args:
        classes: Their names, in the order of the network's outputs.
        image_size: (rows, columns) that pictures are brought to.
        channels: 1 grey, 3 colour, 4 colour with opacity.
        pixels: The dtype of prepared pictures: "uint8", or "float32" where the data holds other numbers.
        scale, offset: What the network's first layer does with the pixels: to about 0..1.
        shift, turn, zoom, flip: How training pictures are changed at random; see `jitter`.
        in_memory: Whether prepared pictures are kept in memory, or read again in every epoch.
    """

    classes: tuple[str, ...]
    image_size: tuple[int, int]
    channels: int
    pixels: str
    scale: float
    offset: float
    shift: float
    turn: float
    zoom: float
    flip: bool
    in_memory: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, columns, channels) of a prepared picture."""
        return (*self.image_size, self.channels)

    @property
    def mode(self) -> str:
        """How picture files are read."""
        return next(mode for mode, channels in MODES.items() if channels == self.channels)


class Classification(Task):
    """Which class a picture shows."""

    name = "classification"
    looks_for = (
        "a folder of class folders with pictures (with or without train/ and test/ above them), an .npz with images "
        "and labels, or a folder with MNIST's idx files"
    )
    spec_type = ClassificationSpec
    options = ("epochs", "batch_size", "image_size", "flip")
    suffixes = EXTENSIONS
    headline = "accuracy"

    def recognises(self, path: Path) -> str | None:
        if path.is_file():
            return "an .npz file" if path.suffix.lower() == ".npz" else None
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
        if options.image_size is not None and options.image_size < SMALLEST_SIDE:
            got, needs = f"--image-size {options.image_size}", f"at least {SMALLEST_SIDE}"
            raise UserError("striate train", got, needs, f"Pass --image-size {SMALLEST_SIDE}.")

    def plan(self, samples: SampleSet, options: Options) -> ClassificationSpec:
        example = samples.load(samples[0])
        channels = example.shape[2]
        image_size = _choose_size(samples, options)
        low, high = (0.0, 255.0) if example.dtype == np.uint8 else _range(samples)
        few = len(samples) < FEW
        batch_size = options.batch_size or (32 if few else 64)
        epochs = min(MOST_EPOCHS, max(LEAST_EPOCHS, round(STEPS * batch_size / len(samples))))
        nbytes = len(samples) * int(np.prod(image_size)) * channels * example.dtype.itemsize
        return ClassificationSpec(
            task=self.name,
            size=options.size,
            seed=options.seed,
            epochs=options.epochs or epochs,
            batch_size=batch_size,
            optimizer="adamw",
            learning_rate=2e-3,
            monitor="val_loss",
            classes=samples.classes,
            image_size=image_size,
            channels=channels,
            pixels=str(example.dtype),
            scale=1 / (high - low),
            offset=-low / (high - low) + 0.0,
            shift=0.08 if few else 0.04,
            turn=10.0 if few else 0.0,
            zoom=0.1 if few else 0.0,
            # Letters, digits and X-rays are grey, and their mirror images mean something else or nothing.
            flip=channels > 1 if options.flip is None else options.flip,
            in_memory=nbytes < memory_limit() // 2,
        )

    def build(self, spec: ClassificationSpec) -> Model:
        model = convnet(spec.shape, len(spec.classes), spec.size, spec.scale, spec.offset)
        model.compile(optimizer=spec.optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def load(self, path: Path, spec: ClassificationSpec) -> np.ndarray:
        return PictureFiles(spec.mode).load(Sample(str(path), None, str(path)))

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
        """Probabilities (N, classes), which add up to 1 as float64, too."""
        probabilities = outputs.astype(np.float64)
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def score(self, predictions: np.ndarray, targets: Sequence[int], spec: ClassificationSpec) -> dict[str, Figure]:
        return with_intervals(class_scores(predictions, np.asarray(targets)), len(targets), seed=spec.seed)

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
        header = [name for name in TABLE_COLUMNS if with_targets or name not in ("target", "correct")]
        rows = []
        for sample, probabilities in zip(samples, predictions, strict=True):
            chosen = int(probabilities.argmax())
            row = {
                "id": sample.id,
                "target": spec.classes[sample.target] if with_targets else None,
                "prediction": spec.classes[chosen],
                "confidence": round(float(probabilities[chosen]), 6),
                "correct": chosen == sample.target,
                "source": sample.source or "",
            }
            rows.append([row[name] for name in header] + [round(float(value), 6) for value in probabilities])
        return Table(header + [f"p_{name}" for name in spec.classes], rows)

    def tables(self, predictions: np.ndarray, targets: Sequence[int], spec: ClassificationSpec) -> dict[str, Table]:
        count = len(spec.classes)
        pairs = np.asarray(targets) * count + predictions.argmax(axis=1)
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


def _choose_size(samples: SampleSet, options: Options) -> tuple[int, int]:
    """The rows and columns to bring pictures to: what was asked for, or their own where it is small, or a square."""
    if options.image_size is not None:
        return options.image_size, options.image_size
    shapes = [(height, width) for height, width, _ in picture_shapes(samples)]
    if len(set(shapes)) == 1 and max(shapes[0]) <= LARGEST_AS_IT_IS:
        return shapes[0]
    side = int(np.median([min(shape) for shape in shapes]))
    side = max(SMALLEST_SIDE, min(SIDES[options.size], side))
    return side, side


def _range(samples: SampleSet) -> tuple[float, float]:
    """The least and greatest number in the pictures."""
    ranges = [(float(picture.min()), float(picture.max())) for picture in map(samples.load, samples)]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if low == high:
        fix = "Check how the file was made."
        raise UserError("striate train", f"pictures of nothing but {low}", "pictures that differ", fix)
    return low, high
