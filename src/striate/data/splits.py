"""Dividing samples into training, validation and test, and keeping the division in a file."""

import csv
import hashlib
import io
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from striate.data.samples import SPLITS, SampleSet
from striate.foundation.checks import UserError, check_choice, check_number
from striate.foundation.files import write_text

FRACTIONS: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
_COLUMNS = ["id", "target", "group", "split"]

Unit = list[int]
"""Samples that stay together: those of one group, or a single one."""


def split(samples: SampleSet, fractions: Mapping[str, float] | None = None, seed: int = 0) -> dict[str, list[int]]:
    """Divide samples at random, every class in about the same fractions, no group in two parts.

    What the data states is kept: of data with train and test, validation is taken out of train. A sample's place
    depends on the seed and its id, not on the order in which files were found.

    Args:
        samples: What to divide.
        fractions: {"train": 0.8, "validation": 0.1, "test": 0.1} where left out; "train" must be there.
        seed: Another one gives another division.

    Returns:
        The samples' numbers, rising, by part.

    Raises:
        UserError: A class has too few samples or groups for all parts, a group stands in two stated splits, or the
            fractions do not make sense.

    Example:
        >>> from striate.data.samples import Rows, Sample
        >>> rows = [Sample(f"row-{number}", number % 2) for number in range(20)]
        >>> parts = split(SampleSet(rows, ("even", "odd"), Rows({}), "twenty rows"), seed=1)
        >>> {name: len(numbers) for name, numbers in parts.items()}
        {'train': 16, 'validation': 2, 'test': 2}
    """
    wanted = _check_fractions(FRACTIONS if fractions is None else fractions)
    stated = {sample.split for sample in samples} - {None}
    if stated:
        _check_stated(samples, stated)
    parts: dict[str, list[int]] = {name: [] for name in SPLITS if name in wanted or name in stated}
    for index, sample in enumerate(samples):
        if sample.split is not None:
            parts[sample.split].append(index)
    free = parts["train"] if stated else list(range(len(samples)))
    shares = {name: wanted[name] for name in wanted if name == "train" or name not in stated}
    total = sum(shares.values())
    units = _units(samples, free, seed)
    grouped = any(samples[index].group is not None for index in free)
    _check_sizes(samples, units, shares, grouped)
    deal = _deal_groups if grouped else _deal_singles
    divided = deal(samples, units, {name: share / total for name, share in shares.items()})
    if grouped:
        _check_dealt(samples, divided)
    return {name: sorted(divided.get(name, numbers)) for name, numbers in parts.items()}


def write_split(path: str | os.PathLike[str], samples: SampleSet, assignment: Mapping[str, list[int]]) -> None:
    """Write which sample is in which part as a table: id, target, group, split.

    Raises:
        UserError: The assignment leaves a sample out or names one twice, or the file cannot be written.
    """
    place: dict[int, str] = {}
    for name, numbers in assignment.items():
        check_choice("write_split", "split", name, SPLITS)
        place.update(dict.fromkeys(numbers, name))
    count = sum(map(len, assignment.values()))
    if count != len(samples) or sorted(place) != list(range(len(samples))):
        got = f"{count} places for {len(samples)} samples"
        raise UserError("write_split", got, "every sample in one part", "Pass what split() returned for these samples.")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for index, sample in enumerate(samples):
        writer.writerow([sample.id, _name(samples, samples[index].target), sample.group or "", place[index]])
    write_text(path, table.getvalue())


def read_split(path: str | os.PathLike[str], samples: SampleSet) -> dict[str, list[int]]:
    """Read what `write_split` wrote, for the same samples.

    Raises:
        UserError: The file is missing or damaged, or the samples are not those it was written for.
    """
    where = f"Reading {str(path)!r}"
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(where, f"{error}", "a table written by write_split", "Check the path.") from error
    if header != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
        raise UserError(where, f"a table headed {','.join(header)}", ",".join(_COLUMNS), "Split the data again.")
    numbers = {sample.id: index for index, sample in enumerate(samples)}
    parts: dict[str, list[int]] = {name: [] for name in SPLITS if any(row[3] == name for row in rows)}
    fix = "Use the data it was written for, or split again."
    for sample_id, target, _, name in rows:
        if sample_id not in numbers:
            raise UserError(where, f"{sample_id!r}, which is not in the data or stands twice", "the same samples", fix)
        index = numbers.pop(sample_id)
        if target != _name(samples, samples[index].target):
            got = f"{sample_id!r} as {target!r}, in the data as {_name(samples, samples[index].target)!r}"
            raise UserError(where, got, "the same targets", fix)
        parts[check_choice(where, "split", name, SPLITS)].append(index)
    if numbers:
        got = f"no line for {next(iter(numbers))!r}" + (f" and {len(numbers) - 1} more" if len(numbers) > 1 else "")
        raise UserError(where, got, "a line for every sample", fix)
    return {name: sorted(indices) for name, indices in parts.items()}


def _name(samples: SampleSet, target: Any) -> str:
    """A target as people call it: by its class's name, where it has one."""
    return samples.classes[target] if samples.classes else str(target)


def _check_fractions(fractions: Mapping[str, float]) -> dict[str, float]:
    where, fix = "split", 'Pass for example {"train": 0.8, "validation": 0.1, "test": 0.1}.'
    for name, share in fractions.items():
        check_choice(where, "fractions", name, SPLITS)
        check_number(where, f"fractions[{name!r}]", share, "a fraction above 0, up to 1", lambda value: 0 < value <= 1)
    if "train" not in fractions:
        raise UserError(where, f"fractions for {', '.join(fractions) or 'nothing'}", "a fraction for train", fix)
    if abs(sum(fractions.values()) - 1) > 1e-6:
        raise UserError(where, f"fractions that add up to {sum(fractions.values()):g}", "a sum of 1", fix)
    return {name: float(fractions[name]) for name in SPLITS if name in fractions}


def _check_stated(samples: SampleSet, stated: set[str | None]) -> None:
    """Refuse data that states splits for some samples only, or puts one group into two."""
    where = "split"
    for sample in samples:
        if sample.split is not None:
            check_choice(where, f"the split of {sample.id!r}", sample.split, SPLITS)
    unstated = [sample.id for sample in samples if sample.split is None]
    if unstated:
        got = f"{unstated[0]!r} without a split beside samples with one"
        raise UserError(where, got, "a stated split for all samples or for none", "Mend the data.")
    if "train" not in stated:
        raise UserError(where, "data that states splits, but no train", "samples to train with", "Mend the data.")
    places: dict[str, str] = {}
    for sample in samples:
        if sample.group is not None and places.setdefault(sample.group, str(sample.split)) != sample.split:
            got = f"group {sample.group!r} in {places[sample.group]} and {sample.split}"
            raise UserError(where, got, "every group in one split", "Mend the data: its test would be no test.")


def _units(samples: SampleSet, indices: list[int], seed: int) -> list[Unit]:
    """The groups (or single samples) among `indices`, in an order that seed and names decide."""
    together: dict[tuple[bool, str], Unit] = defaultdict(list)
    for index in indices:
        sample = samples[index]
        together[(False, sample.id) if sample.group is None else (True, sample.group)].append(index)
    order = {key: hashlib.sha256(repr((seed, *key)).encode()).digest() for key in together}
    return [together[key] for key in sorted(together, key=order.__getitem__)]


def _check_sizes(samples: SampleSet, units: list[Unit], shares: Mapping[str, float], grouped: bool) -> None:
    counts = Counter(target for unit in units for target in {samples[index].target for index in unit})
    small = [f"{_name(samples, target)} ({count})" for target, count in sorted(counts.items()) if count < len(shares)]
    if small:
        what = "groups" if grouped else "samples"
        got = f"too few {what} of {', '.join(small[:5])}" + (f" and {len(small) - 5} more" if len(small) > 5 else "")
        needs = f"at least {len(shares)} {what} of every class, one for each of {', '.join(shares)}"
        raise UserError("split", got, needs, "Collect more, leave that class out, or ask for fewer parts.")


def _deal_singles(samples: SampleSet, units: list[Unit], shares: Mapping[str, float]) -> dict[str, list[int]]:
    """Cut every class by itself; largest remainders round, and no part goes without."""
    by_class: dict[int, list[int]] = defaultdict(list)
    for (index,) in units:
        by_class[samples[index].target].append(index)
    parts: dict[str, list[int]] = {name: [] for name in shares}
    for indices in by_class.values():
        begin = 0
        for name, count in _counts(len(indices), shares).items():
            parts[name] += indices[begin : begin + count]
            begin += count
    return parts


def _counts(size: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Divide `size` into whole numbers of at least 1 that come nearest to the shares."""
    counts = {name: max(1, int(size * share + 1e-9)) for name, share in shares.items()}
    while (rest := size - sum(counts.values())) != 0:
        step = 1 if rest > 0 else -1
        able = [name for name in shares if step > 0 or counts[name] > 1]
        name = max(able, key=lambda name: step * (size * shares[name] - counts[name]))
        counts[name] += step
    return counts


def _deal_groups(samples: SampleSet, units: list[Unit], shares: Mapping[str, float]) -> dict[str, list[int]]:
    """Give whole groups, the largest first, to the part whose counts of classes they bring nearest to its share.

    While a class is still missing in as many parts as there are groups left that have it, those parts go first.
    """
    totals = Counter(samples[index].target for unit in units for index in unit)
    left = Counter(target for unit in units for target in {samples[index].target for index in unit})
    held: dict[str, Counter[int]] = {name: Counter() for name in shares}
    parts: dict[str, list[int]] = {name: [] for name in shares}
    for unit in sorted(units, key=len, reverse=True):
        brought = Counter(samples[index].target for index in unit)
        urgent: list[str] = []
        for target in brought:
            lacking = [name for name in shares if not held[name][target]]
            urgent += lacking if left[target] <= len(lacking) else []
        costs = {name: _cost(held[name], brought, totals, share) for name, share in shares.items()}
        name = min(urgent or shares, key=costs.__getitem__)
        held[name].update(brought)
        left.subtract(set(brought))
        parts[name] += unit
    return parts


def _cost(held: Counter[int], brought: Counter[int], totals: Counter[int], share: float) -> float:
    """The change of the squared distances to the wanted counts, each in units of the wanted count."""
    change = 0.0
    for target, count in brought.items():
        want = totals[target] * share
        before = held[target] - want
        change += ((before + count) ** 2 - before**2) / want
    return change


def _check_dealt(samples: SampleSet, parts: Mapping[str, list[int]]) -> None:
    """Refuse a division in which a part lacks a class."""
    present = {name: {samples[index].target for index in indices} for name, indices in parts.items()}
    for name, targets in present.items():
        lacking = sorted(set().union(*present.values()) - targets)
        if lacking:
            got = f"groups that leave no {_name(samples, lacking[0])} for {name}"
            raise UserError(
                "split", got, "groups of every class in each part", "Try another seed, or larger fractions."
            )
