"""The choices for classifying pictures: made from the samples and the user's options, each with its reason."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.data.array_samples import memory_limit
from striate.data.pictures import MODES
from striate.data.samples import SampleSet
from striate.foundation.checks import UserError, check_choice, check_number, nearest
from striate.models.applications.efficientnet_lite import EXTRA, has_package
from striate.tasks.pictures import picture_shapes
from striate.tasks.task import Options, Range, Spec

WHERE = "striate train"
LARGEST_AS_IT_IS = 128  # rows or columns up to which pictures of one size keep it
SIDES = {"small": 64, "medium": 96, "large": 160}  # of other pictures, at most
PRETRAINED_SIDES = {"small": 160, "medium": 224, "large": 224}
SMALLEST_SIDE = 16
FEW = 10_000  # samples below which they are changed more and learned from in smaller batches
STEPS = 1700  # that a small set of pictures is trained for
LEAST_EPOCHS, MOST_EPOCHS = 9, 40
HEAD_STEPS = 350  # that a layer on a network that knows photographs is trained for
HEAD_LEAST_EPOCHS, HEAD_MOST_EPOCHS = 2, 15
PHOTOGRAPH = 48  # rows or columns from which a colour picture may be a photograph
MANY = 50_000  # samples from which a network of one's own learns as much
COVERAGE = 0.99
ASKED = "you asked for it"


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
        pretrained: Whether only a last layer is learned, on a network that knows photographs.
        costs: What missing each class costs.
        coverage: How often the possible answers are to hold the right one; 0 where nothing is known of that.
        temperature, inclusion: What calibration found; see `calibration`.
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
    pretrained: bool
    costs: tuple[float, ...]
    coverage: float
    temperature: float = 1.0
    inclusion: float = 0.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, columns, channels) of a prepared picture."""
        return (*self.image_size, self.channels)

    @property
    def mode(self) -> str:
        """How picture files are read."""
        return next(mode for mode, channels in MODES.items() if channels == self.channels)


def check_options(options: Options) -> None:
    """Refuse what no pictures could make right.

    Raises:
        UserError: Names the option.
    """
    if options.image_size is not None and options.image_size < SMALLEST_SIDE:
        got, needs = f"--image-size {options.image_size}", f"at least {SMALLEST_SIDE}"
        raise UserError(WHERE, got, needs, f"Pass --image-size {SMALLEST_SIDE}.")
    if options.coverage is not None:
        needs = "a share between 0.5 and 1"
        check_number(WHERE, "--coverage", options.coverage, needs, lambda share: 0.5 <= share < 1)
    if options.pretrained is not None:
        check_choice(WHERE, "--pretrained", options.pretrained, ("auto", "yes", "no"))
    if options.pretrained == "yes" and not has_package():
        got = "--pretrained yes without the weights"
        raise UserError(WHERE, got, "the package that brings them", f"Install it: {EXTRA}.")
    if options.cost is not None:
        _read_costs(options.cost)


def choose(task: str, samples: SampleSet, options: Options) -> ClassificationSpec:
    """Resolve every choice.

    Args:
        task: The task's name.
        samples: To train with.
        options: Checked already.

    Raises:
        UserError: An option does not fit the samples.
    """
    example = samples.load(samples[0])
    shapes = [(height, width) for height, width, _ in picture_shapes(samples)]
    channels = example.shape[2]
    pretrained = _why_pretrained(samples, shapes, channels, example.dtype, options)[0]
    image_size = _choose_size(shapes, options, pretrained)
    low, high = (0.0, 255.0) if example.dtype == np.uint8 else _range(samples)
    few = len(samples) < FEW
    batch_size = options.batch_size or (32 if few else 64)
    nbytes = len(samples) * int(np.prod(image_size)) * channels * example.dtype.itemsize
    return ClassificationSpec(
        task=task,
        size=options.size,
        seed=options.seed,
        epochs=options.epochs or _epochs(len(samples), batch_size, pretrained),
        batch_size=batch_size,
        optimizer="adamw",
        learning_rate=3e-3 if pretrained else 2e-3,
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
        pretrained=pretrained,
        costs=_costs(options.cost, samples.classes),
        coverage=options.coverage or COVERAGE,
    )


def explain(samples: SampleSet, spec: ClassificationSpec, options: Options) -> dict[str, str]:
    """Why the choices are as they are, by field."""
    shapes = [(height, width) for height, width, _ in picture_shapes(samples)]
    _, why = _why_pretrained(samples, shapes, spec.channels, np.dtype(spec.pixels), options)
    few = len(samples) < FEW
    smallest, largest = min(map(min, shapes)), max(map(max, shapes))
    sizes = f"the pictures have {smallest} to {largest} pixels a side" if smallest < largest else f"all have {largest}"
    return {
        "pretrained": why,
        "image_size": ASKED if options.image_size else f"{sizes}; size {spec.size}",
        "batch_size": ASKED if options.batch_size else f"{len(samples):,} pictures to learn from",
        "epochs": ASKED if options.epochs else f"{spec.epochs * -(-len(samples) // spec.batch_size):,} steps in all",
        "flip": ASKED if options.flip is not None else ("colour" if spec.flip else "grey") + " pictures",
        "shift": "few pictures are changed more, so that they are not learned by heart" if few else "many pictures",
        "in_memory": "they fit" if spec.in_memory else "they do not fit, and are decoded once into a file",
    }


def space(spec: ClassificationSpec) -> dict[str, Range | tuple[Any, ...]]:
    """What a search may try."""
    return {
        "learning_rate": Range(spec.learning_rate / 8, spec.learning_rate * 4, log=True),
        "batch_size": tuple(sorted({16, 32, 64, spec.batch_size})),
        "shift": Range(0.0, max(0.16, spec.shift)),
        "turn": Range(0.0, max(20.0, spec.turn)),
        "zoom": Range(0.0, max(0.3, spec.zoom)),
    }


def _why_pretrained(
    samples: SampleSet, shapes: list[tuple[int, int]], channels: int, dtype: np.dtype, options: Options
) -> tuple[bool, str]:
    """Whether to begin with a network that knows photographs, and why."""
    wish = options.pretrained or "auto"
    if wish != "auto":
        return wish == "yes", ASKED
    if channels != 3 or dtype != np.uint8:
        return False, "no photographs: the pictures are not of 8-bit colours"
    side = int(np.median([min(shape) for shape in shapes]))
    if side < PHOTOGRAPH:
        return False, f"no photographs: {side} pixels a side"
    if len(samples) >= MANY:
        return False, f"{len(samples):,} pictures are enough for a network of its own"
    if not has_package():
        return False, f"the weights of a network that knows photographs are not installed: {EXTRA}"
    return True, f"{len(samples):,} pictures that may be photographs: EfficientNet-Lite0 knows a million of them"


def _epochs(count: int, batch_size: int, pretrained: bool) -> int:
    steps, least, most = (
        (HEAD_STEPS, HEAD_LEAST_EPOCHS, HEAD_MOST_EPOCHS) if pretrained else (STEPS, LEAST_EPOCHS, MOST_EPOCHS)
    )
    return min(most, max(least, round(steps * batch_size / count)))


def _choose_size(shapes: list[tuple[int, int]], options: Options, pretrained: bool) -> tuple[int, int]:
    """The rows and columns to bring pictures to: what was asked for, or their own where it is small, or a square."""
    if options.image_size is not None:
        return options.image_size, options.image_size
    if pretrained:
        side = PRETRAINED_SIDES[options.size]
        return side, side
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
        raise UserError(WHERE, f"pictures of nothing but {low}", "pictures that differ", fix)
    return low, high


def _read_costs(text: str) -> dict[str, float]:
    """Numbers by class, of "cat=5,dog=1"."""
    found = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if not name or not 0 < value < float("inf"):
            fix = "Pass for example --cost cat=5,dog=1."
            raise UserError(WHERE, f"--cost {text!r}", "NAME=NUMBER for each class, above 0", fix)
        found[name.strip()] = value
    return found


def _costs(text: str | None, classes: tuple[str, ...]) -> tuple[float, ...]:
    costs = {} if text is None else _read_costs(text)
    unknown = [name for name in costs if name not in classes]
    if unknown:
        needs = "names of classes: " + ", ".join(classes[:10])
        raise UserError(WHERE, f"--cost of {unknown[0]!r}", needs, nearest(unknown[0], classes))
    return tuple(costs.get(name, 1.0) for name in classes)
