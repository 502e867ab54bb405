"""What tasks read: samples with a lasting name, a target and a way to load them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np

from striate.data.pictures import decode
from striate.data.threads import side_by_side, worker_count
from striate.foundation.checks import UserError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Sample:
    """One thing to learn from.

    Attributes:
        id: Its name, the same in every run: the path within the data's folder, or "train-0012" for a row.
        target: What is to be learned: a class's number for classification.
        source: The file it comes from.
        group: What it must not be parted from when the data is split: a patient, a person, a recording.
        split: "train", "validation" or "test" where the data itself says so.
    """

    id: str
    target: Any
    source: str | None = None
    group: str | None = None
    split: str | None = None


class Store(Protocol):
    """Where the contents of samples are kept."""

    def load(self, sample: Sample) -> np.ndarray:
        """Return the sample as the network's preparation gets it."""
        ...

    def content(self, sample: Sample) -> bytes:
        """Return the bytes that a digest is made of."""
        ...


@dataclass(frozen=True)
class PictureFiles:
    """Pictures in files, turned upright as their EXIF orientation says.

    Attributes:
        mode: "L", "RGB" or "RGBA": what every picture is converted to.
    """

    mode: str = "RGB"

    def load(self, sample: Sample) -> np.ndarray:
        """Return uint8 of shape (height, width, channels)."""
        return decode(str(sample.source), self.mode, upright=True)

    def content(self, sample: Sample) -> bytes:
        """Return the file's bytes."""
        try:
            return Path(str(sample.source)).read_bytes()
        except OSError as error:
            fix = "Put the file back, or read the folder again."
            raise UserError(f"Reading {sample.source!r}", str(error.strerror), "a file it may read", fix) from error


@dataclass(frozen=True)
class Rows:
    """Pictures in arrays (N, height, width[, channels]), found by a sample's id "name-row".

    Attributes:
        arrays: The arrays by name.
    """

    arrays: dict[str, np.ndarray]

    def load(self, sample: Sample) -> np.ndarray:
        """Return one row of shape (height, width, channels), as a copy."""
        row = self._row(sample)
        return np.array(row[..., None] if row.ndim == 2 else row)

    def content(self, sample: Sample) -> bytes:
        """Return the row's bytes."""
        return self._row(sample).tobytes()

    def _row(self, sample: Sample) -> np.ndarray:
        name, _, number = sample.id.rpartition("-")
        return self.arrays[name][int(number)]


class SampleSet(Sequence[Sample]):
    """Samples in a fixed order, with the names of their classes.

    Args:
        samples: The samples; no two with one id.
        classes: Names of the classes; a sample's target counts into them.
        store: Where the contents are.
        origin: In words, what kind of data this is.
        quarantined: What was left out: (source, reason).

    Example:
        >>> store = Rows({"row": np.zeros((2, 28, 28), "uint8")})
        >>> samples = SampleSet([Sample("row-0", 0), Sample("row-1", 1)], ("cat", "dog"), store, "two rows")
        >>> samples.load(samples[1]).shape
        (28, 28, 1)
    """

    def __init__(
        self,
        samples: Iterable[Sample],
        classes: Iterable[str],
        store: Store,
        origin: str,
        quarantined: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._samples = tuple(samples)
        self.classes = tuple(classes)
        self.store = store
        self.origin = origin
        self.quarantined = list(quarantined)
        if len({sample.id for sample in self._samples}) != len(self._samples):
            raise UserError(
                "SampleSet", "two samples with one id", "ids that differ", "Name the samples by their rows."
            )

    def load(self, sample: Sample) -> np.ndarray:
        """Return a sample's content: for pictures (height, width, channels).

        Raises:
            UserError: The file is missing, broken or no picture; names it.
        """
        return self.store.load(sample)

    def subset(self, indices: Iterable[int]) -> "SampleSet":
        """Keep only the samples at `indices`, in that order."""
        chosen = [self._samples[index] for index in indices]
        return SampleSet(chosen, self.classes, self.store, self.origin, self.quarantined)

    def counts(self) -> dict[str, int]:
        """Count the samples of each class.

        Example:
            >>> SampleSet([Sample("row-0", 1)], ("cat", "dog"), Rows({}), "").counts()
            {'cat': 0, 'dog': 1}
        """
        counts = dict.fromkeys(self.classes, 0)
        for sample in self._samples:
            counts[self.classes[sample.target]] += 1
        return counts

    def digest(self) -> str:
        """Return a sha256 over ids, targets, groups and contents, in hexadecimal digits: equal data, equal digest."""
        total = hashlib.sha256(repr(self.classes).encode())
        for sample in self._samples:
            total.update(repr((sample.id, sample.target, sample.group, sample.split)).encode())
            total.update(hashlib.sha256(self.store.content(sample)).digest())
        return total.hexdigest()

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "SampleSet": ...
    def __getitem__(self, index: int | slice) -> "Sample | SampleSet":
        if isinstance(index, slice):
            return self.subset(range(*index.indices(len(self))))
        return self._samples[index]

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)

    def __repr__(self) -> str:
        return f"<SampleSet of {len(self)} samples, {len(self.classes)} classes: {self.origin}>"


def verify(samples: SampleSet, progress: Callable[[int, int], None] | None = None) -> SampleSet:
    """Load every sample once and move the broken ones to `quarantined`.

    Args:
        samples: What to read; it is left as it is.
        progress: Called with how many of how many have been read.

    Returns:
        The samples that can be loaded.

    Raises:
        UserError: A class has no sample left that can be read.
    """

    def problem(sample: Sample) -> str | None:
        try:
            content = samples.load(sample)
        except UserError as error:
            return f"{error.got}; needs {error.needs}"
        if content.dtype.kind == "f" and not np.isfinite(content).all():
            return "NaN or infinity"
        return None

    kept, broken = [], []
    for index, reason in enumerate(side_by_side(problem, samples, worker_count())):
        if reason is None:
            kept.append(index)
        else:
            broken.append((samples[index].source or samples[index].id, reason))
        if progress is not None:
            progress(index + 1, len(samples))
    sound = samples.subset(kept)
    sound.quarantined.extend(broken)
    check_classes_left(samples, sound)
    return sound


def check_classes_left(samples: SampleSet, sound: SampleSet) -> None:
    """Refuse to go on where a class has lost its last sample.

    Args:
        samples: All of them.
        sound: Those that can be read.

    Raises:
        UserError: Names such classes, and the first file that cannot be read.
    """
    before, after = samples.counts(), sound.counts()
    lost = [name for name, count in after.items() if not count and before[name]]
    if lost:
        source, reason = sound.quarantined[len(samples.quarantined)]
        got = f"no readable sample of {', '.join(lost[:5])} (for example {source}: {reason})"
        raise UserError("verify", got, "at least one per class", "Replace the broken files.")
