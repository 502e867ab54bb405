"""The contract that every task keeps, so that command line, run folder, sealed file and report know none of them."""

import abc
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from striate.data.samples import Sample, SampleSet
from striate.foundation.checks import UserError, check_choice, check_int
from striate.models.model import Model
from striate.tasks.intervals import Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

SIZES = ("small", "medium", "large")


@dataclass(frozen=True)
class Options:
    """What the user chose; None leaves the choice to the task.

    Args:
        size: How large a network: "small", "medium" or "large".
        epochs: Passes over the training samples.
        batch_size: Samples in a step.
        image_size: Rows and columns that pictures are brought to.
        flip: Whether training may mirror pictures.
        seed: Decides splits, first weights and the order of samples.
    """

    size: str = "medium"
    epochs: int | None = None
    batch_size: int | None = None
    image_size: int | None = None
    flip: bool | None = None
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
        options: Those of "epochs", "batch_size", "image_size" and "flip" that it knows.
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
        for name in ("epochs", "batch_size", "image_size", "flip"):
            value, flag = getattr(options, name), "--" + name.replace("_", "-")
            if value is not None and name not in self.options:
                needs = f"no {flag}, which means nothing for {self.name}"
                raise UserError(where, f"{flag} {value}", needs, "Leave it out.")
            if value is not None and name != "flip":
                check_int(where, flag, value)

    @abc.abstractmethod
    def plan(self, samples: SampleSet, options: Options) -> Spec:
        """Resolve every choice from the training samples and the user's options, which are checked already.

        Raises:
            UserError: An option does not fit the samples.
        """

    @abc.abstractmethod
    def build(self, spec: Any) -> Model:
        """A new, compiled network."""

    # Samples in, predictions out ------------------------------------------------------------------

    @abc.abstractmethod
    def load(self, path: Path, spec: Any) -> np.ndarray:
        """Read one file as the samples of the training were read.

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

    @abc.abstractmethod
    def draw(self, raw: np.ndarray, prediction: Any, target: Any, spec: Any) -> "Drawing":
        """A picture of one sample with what was predicted; `prediction` and `target` may be None."""
