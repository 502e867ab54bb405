"""The contract that every task keeps, so that command line, run folder, sealed file and report know none of them."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from striate.data.samples import Sample, SampleSet
from striate.foundation.checks import UserError, check_choice, check_int
from striate.models.model import Model
from striate.tasks.curves import Curve
from striate.tasks.intervals import Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

SIZES = ("small", "medium", "large")
COUNTS = ("epochs", "batch_size", "image_size")  # options that are whole numbers of at least 1


@dataclass(frozen=True)
class Options:
    """What the user chose; None leaves the choice to the task.

    Args:
        size: How large a network: "small", "medium" or "large".
        epochs: Passes over the training samples.
        batch_size: Samples in a step.
        image_size: Rows and columns that pictures are brought to.
        flip: Whether training may mirror pictures.
        pretrained: Whether to begin with a network that knows photographs: "auto", "yes" or "no".
        cost: What missing classes costs, as "cat=5,dog=1"; 1 where nothing is said.
        coverage: How often the possible answers are to hold the right one: 0.99.
        seed: Decides splits, first weights and the order of samples.
    """

    size: str = "medium"
    epochs: int | None = None
    batch_size: int | None = None
    image_size: int | None = None
    flip: bool | None = None
    pretrained: str | None = None
    cost: str | None = None
    coverage: float | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Every resolved choice of a training: what `run.json` and the sealed file hold, as plain JSON.

    A task adds its own fields in a subclass.

    Args:
        task: The task's name.
        size: The size dial.
        seed: Decides splits, first weights and the order of samples.
        epochs: Passes over the training samples.
        batch_size: Samples in a step.
        optimizer: Its name.
        learning_rate: The highest rate of the schedule.
        monitor: The logged figure that tells the best epoch.
    """

    task: str
    size: str
    seed: int
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    monitor: str

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON holds them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The spec that `to_json` gave.

        Raises:
            UserError: A field is missing or unknown: another version wrote it.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if set(data) != known:
            odd = ", ".join(sorted(known ^ set(data)))
            raise UserError(cls.__name__, f"other fields ({odd})", "those of this version", "Train the model again.")
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
        return cls(**fields)


Disturbance = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""Given raw contents of a sample, a strength from 0 to 1 and a source of chance, gives altered ones."""


class Range(NamedTuple):
    """Numbers that a search may try.

    Attributes:
        low, high: The least and the greatest.
        log: Whether their logarithm counts: from 0.001 to 0.01 as far as from 0.01 to 0.1.
    """

    low: float
    high: float
    log: bool = False


class Ready(NamedTuple):
    """A network that somebody else has trained.

    Attributes:
        name: What it is called.
        knows: What it was trained on, in words.
        model: The network.
        spec: How its inputs and outputs are to be read.
    """

    name: str
    knows: str
    model: Model
    spec: Any


class Table(NamedTuple):
    """Rows under a header, as a CSV file holds them."""

    header: list[str]
    rows: list[list[Any]]


class Task(abc.ABC):
    """What can be learned, from reading the data to drawing a prediction.

    A task is one file of this folder with one subclass; nothing else needs to change for it. Its methods have no
    state: what they need to know is in the spec.

    Attributes:
        name: As on the command line and in files.
        looks_for: What `read` takes, in words.
        spec_type: The dataclass of its choices.
        options: Those of `Options` that it knows, beside size and seed.
        suffixes: Endings of the files that `load` takes, in lower case.
        headline: The score that sums a model up.
    """

    name: ClassVar[str]
    looks_for: ClassVar[str]
    spec_type: ClassVar[type[Spec]]
    options: ClassVar[tuple[str, ...]] = ("epochs", "batch_size")
    suffixes: ClassVar[tuple[str, ...]]
    headline: ClassVar[str]

    # Data -----------------------------------------------------------------------------------------

    @abc.abstractmethod
    def recognises(self, path: Path) -> str | None:
        """Why this task can read what lies at `path`, in words; None where it cannot."""

    @abc.abstractmethod
    def read(self, path: Path, spec: Any = None) -> SampleSet:
        """Read the samples; with the spec of a network, as that network knows them.

        Raises:
            UserError: They cannot be used, or are not of the network's kind; says why.
        """

    @abc.abstractmethod
    def demo(self) -> SampleSet:
        """Samples that need nothing but an installed package.

        Raises:
            UserError: The package is missing, or this task has no demonstration.
        """

    @abc.abstractmethod
    def describe(self, samples: SampleSet) -> dict[str, Any]:
        """What the data report says beyond counts: sizes, modes, ranges; as JSON."""

    # Choices and network --------------------------------------------------------------------------

    def check_options(self, options: Options) -> None:
        """Refuse what no data could make right: options out of range, or that this task has no use for.

        Raises:
            UserError: Names the option.
        """
        where = "striate train"
        check_choice(where, "--size", options.size, SIZES)
        check_int(where, "--seed", options.seed, minimum=0)
        for name in (field.name for field in dataclasses.fields(options) if field.default is None):
            value, flag = getattr(options, name), "--" + name.replace("_", "-")
            if value is not None and name not in self.options:
                needs = f"no {flag}, which means nothing for {self.name}"
                raise UserError(where, f"{flag} {value}", needs, "Leave it out.")
            if value is not None and name in COUNTS:
                check_int(where, flag, value)

    @abc.abstractmethod
    def plan(self, samples: SampleSet, options: Options) -> Spec:
        """Resolve every choice from the training samples and the user's options, which are checked already.

        Raises:
            UserError: An option does not fit the samples.
        """

    def explain(self, samples: SampleSet, spec: Any, options: Options) -> dict[str, str]:
        """Why the choices of `plan` are as they are, by field of the spec; for people.

        Args:
            samples, options: Those that `plan` got.
            spec: What it returned.
        """
        return {}

    def space(self, spec: Any) -> dict[str, Range | tuple[Any, ...]]:
        """What a search may try instead of the spec's choices, by field: a range of numbers, or several values."""
        return {}

    @abc.abstractmethod
    def build(self, spec: Any) -> Model:
        """A new, compiled network."""

    # Samples in, predictions out ------------------------------------------------------------------

    @abc.abstractmethod
    def load(self, path: Path | bytes, spec: Any) -> np.ndarray:
        """Read one file, or the bytes of one, as the samples of the training were read.

        Raises:
            UserError: It cannot be read.
        """

    @abc.abstractmethod
    def prepare_input(self, raw: np.ndarray, spec: Any) -> np.ndarray:
        """One sample as the network takes it; training, evaluation and prediction all come through here.

        Raises:
            UserError: It is not what the model was trained on.
        """

    @abc.abstractmethod
    def training_data(self, samples: SampleSet, spec: Any) -> Any:
        """What `fit` trains on: shuffled, augmented, in the same order for the same spec."""

    @abc.abstractmethod
    def data(self, samples: SampleSet, spec: Any) -> Any:
        """What `fit` validates on and `predict` takes: in the order of the samples, unaltered."""

    @abc.abstractmethod
    def decode(self, outputs: Any, spec: Any) -> Any:
        """Predictions, one a sample, out of the network's outputs."""

    def calibrate(self, outputs: Any, targets: Sequence[Any], spec: Any) -> Any:
        """The spec with what turns the network's outputs into honest predictions, once it is trained.

        Args:
            outputs: The network's, of the validation samples.
            targets: What they should be.
            spec: Of the training.
        """
        return spec

    def ready(self) -> Ready | None:
        """A network that answers without a training of the user's own; None where there is none.

        Raises:
            UserError: There is one, but not on this machine; says what to install.
        """
        return None

    # Judging --------------------------------------------------------------------------------------

    @abc.abstractmethod
    def score(self, predictions: Any, targets: Sequence[Any], spec: Any) -> dict[str, Figure]:
        """Every figure with its interval."""

    @abc.abstractmethod
    def badness(self, predictions: Any, targets: Sequence[Any], spec: Any) -> np.ndarray:
        """How wrong each prediction is, (N,): the worst cases are the highest."""

    @abc.abstractmethod
    def rows(self, predictions: Any, samples: Sequence[Sample], spec: Any, *, with_targets: bool = True) -> Table:
        """A line for each sample: its id, target, prediction, and whatever tells how sure it is."""

    @abc.abstractmethod
    def tables(self, predictions: Any, targets: Sequence[Any], spec: Any) -> dict[str, Table]:
        """Further tables of an evaluation, by file name without ending: "confusion"."""

    def curves(self, predictions: Any, targets: Sequence[Any], spec: Any) -> list[Curve]:
        """Diagrams of an evaluation."""
        return []

    def disturbances(self, spec: Any) -> dict[str, Disturbance]:
        """Small changes that inputs may meet with in the world, by name, which the evaluation tries."""
        return {}

    @abc.abstractmethod
    def draw(self, raw: np.ndarray, prediction: Any, target: Any, spec: Any) -> "Drawing":
        """A picture of one sample with what was predicted; `prediction` and `target` may be None."""
