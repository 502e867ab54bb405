"""The doctor: what in a data set would make a network's result a lie, and what is merely broken or odd."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from striate.data.facts import Facts
from striate.data.findings import SEVERITIES, Finding
from striate.data.samples import SampleSet
from striate.data.scan import Scan
from striate.data.shortcuts import shortcuts
from striate.data.similar import copies, joined

TINY = 10  # samples of a class
IMBALANCE = 10  # times the smallest class
LONG = 5  # times the shorter side
ODD = 8  # times the median size, or a part of it

BROKEN = {
    "empty": "an empty file (zero bytes)",
    "truncated": "a truncated file",
    "undecodable": "a file that cannot be decoded",
    "too large": "a picture of too many pixels",
    "deep": "a picture of 32 bits a pixel",
    "missing": "a file that cannot be opened",
    "hangs": "a file that hangs its decoder",
    "crashes": "a file that crashes its decoder",
}


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor says.

    Attributes:
        findings: The worst first.
        copies: Numbers of samples that show the same picture, or nearly.
    """

    findings: list[Finding]
    copies: list[list[int]]

    @property
    def refused(self) -> list[Finding]:
        """What forbids to train."""
        return [finding for finding in self.findings if finding.severity == "refuse"]


def examine(scanned: Scan) -> Diagnosis:
    """Say what is wrong with the files that were scanned.

    Args:
        scanned: What `scan` gave.
    """
    samples, facts = scanned.samples, scanned.facts
    alike = copies(facts)
    found = [
        *_broken(scanned),
        *_left_out(scanned),
        *_copies(samples, facts, alike),
        *_classes(samples),
        *_files(samples, facts),
        *_shortcuts(samples, facts),
    ]
    return Diagnosis(sorted(found, key=lambda one: SEVERITIES.index(one.severity)), alike)


def good_samples(samples: SampleSet, alike: Iterable[Sequence[int]]) -> SampleSet:
    """Leave out what does harm: of copies all but one, and all of those that stand under two labels.

    Of copies in several splits the one is kept that trains least: that of test, else validation's.

    Args:
        samples: Those that can be read.
        alike: Numbers of samples that show the same.
    """
    rank = {"test": 0, "validation": 1, "train": 2, None: 3}
    bad: set[int] = set()
    for numbers in alike:
        agree = len({repr(samples[number].target) for number in numbers}) == 1
        kept = min(numbers, key=lambda number: (rank[samples[number].split], number)) if agree else None
        bad.update(number for number in numbers if number != kept)
    return samples.subset(number for number in range(len(samples)) if number not in bad)


def keep_together(samples: SampleSet, alike: Iterable[Sequence[int]]) -> SampleSet:
    """Give copies one group, so that a split cannot part them; groups that share copies become one.

    Args:
        samples: What is to be split; left as it is.
        alike: Numbers of samples that show the same.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for number, sample in enumerate(samples):
        if sample.group is not None:
            groups[sample.group].append(number)
    name: dict[int, str] = {}
    for numbers in joined(len(samples), [*alike, *groups.values()]):
        first = next((samples[n].group for n in numbers if samples[n].group is not None), None)
        name.update(dict.fromkeys(numbers, first or f"copies of {samples[numbers[0]].id}"))
    named = [replace(sample, group=name.get(number, sample.group)) for number, sample in enumerate(samples)]
    return SampleSet(named, samples.classes, samples.store, samples.origin, samples.quarantined)


def _broken(scanned: Scan) -> Iterable[Finding]:
    for kind, what in BROKEN.items():
        sources = [source for source, problem in scanned.problems.items() if problem.kind == kind]
        if sources:
            got = f"{what}: {scanned.problems[sources[0]].reason}"
            fix = "Replace it, or leave it out as striate does."
            yield Finding(kind, "quarantine", got, "a whole picture", fix, tuple((one,) for one in sources))


def _left_out(scanned: Scan) -> Iterable[Finding]:
    """What the reader did not take for a sample, by reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for source, reason in scanned.samples.quarantined:
        if source not in scanned.problems:
            by_reason[reason].append(source)
    for reason, sources in by_reason.items():
        kind = "hidden" if reason in ("hidden", "a system's file") else "left out"
        fix = "Move it away, or rename it if it is a picture."
        yield Finding(kind, "note", reason, "pictures only", fix, tuple((one,) for one in sources))


def _copies(samples: SampleSet, facts: Sequence[Facts], alike: list[list[int]]) -> Iterable[Finding]:
    """Copies by what they do harm to: the test, the labels, or little."""
    kinds: dict[tuple[str, bool], list[tuple[str, ...]]] = defaultdict(list)
    for numbers in alike:
        members = [samples[number] for number in numbers]
        exact = len({facts[number].pixels for number in numbers}) == 1
        names = tuple(member.id for member in members)
        across = len({member.split for member in members}) > 1
        kinds["across splits" if across else "in one split", exact].append(names)
        if len({repr(member.target) for member in members}) > 1:
            kinds["under two labels", exact].append(names)
    said = {
        "across splits": ("refuse", "every picture in one split: the test is no test otherwise", "Keep one of each"),
        "under two labels": ("warn", "one label for a picture", "Decide which label is right"),
        "in one split": ("warn", "pictures that differ", "Keep one of each"),
    }
    for (where, exact), groups in sorted(kinds.items(), key=lambda item: not item[0][1]):
        severity, needs, fix = said[where]
        kind = f"{'copies' if exact else 'near copies'} {where}"
        what = "the same picture" if exact else "nearly the same picture (encoded anew, resized, mirrored or changed)"
        got = f"{what} {where}: {' and '.join(groups[0][:3])}"
        yield Finding(kind, severity, got, needs, f"{fix}; --fix writes a manifest without the others.", tuple(groups))


def _classes(samples: SampleSet) -> Iterable[Finding]:
    counts = samples.counts()
    tiny = [name for name, count in counts.items() if count < TINY]
    if tiny:
        got, needs = f"class {tiny[0]!r} with {counts[tiny[0]]} pictures", f"at least {TINY} of each class"
        yield Finding("tiny class", "warn", got, needs, "Collect more.", tuple((name,) for name in tiny))
    least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[most] > IMBALANCE * max(counts[least], 1):
        got = f"{counts[most]} pictures of {most!r} and {counts[least]} of {least!r}"
        fix = "Collect more of the rare classes; look at balanced accuracy, not accuracy."
        yield Finding("imbalance", "warn", got, f"at most {IMBALANCE} times as many", fix, ((most,), (least,)))


def _files(samples: SampleSet, facts: Sequence[Facts]) -> Iterable[Finding]:
    """What is odd about single files, though they can be read."""
    if not facts:
        return
    middle = float(np.median([min(one.width, one.height) for one in facts]))
    tests: list[tuple[str, str, Callable[[Facts], bool], Callable[[Facts], str], str, str]] = [
        ("mode CMYK", "warn", lambda f: f.mode == "CMYK", lambda f: "four inks (CMYK)",
         "red, green and blue", "Colours are converted without a profile; save them as RGB."),
        ("16 bits", "warn", lambda f: f.mode.startswith("I"), lambda f: "16 bits a pixel",
         "8 bits", "The upper eight are used; scale them yourself if the lower ones matter."),
        ("odd mode", "note", lambda f: f.mode not in ("RGB", "L", "CMYK") and not f.mode.startswith("I"),
         lambda f: f"mode {f.mode!r} (palette or opacity)", "colour or grey", "It is converted; opacity is dropped."),
        ("turned by EXIF", "note", lambda f: f.orientation != 1, lambda f: f"EXIF orientation {f.orientation}",
         "upright pixels", "striate turns it upright; other programs may not."),
        ("odd shape", "note", lambda f: max(f.width, f.height) > LONG * min(f.width, f.height),
         lambda f: f"{f.width} x {f.height} pixels", f"sides at most {LONG} times each other", "Crop it."),
        ("odd size", "note", lambda f: not middle / ODD <= min(f.width, f.height) <= middle * ODD,
         lambda f: f"{f.width} x {f.height} pixels", f"a size near the others' ({middle:.0f})", "Look at it."),
    ]  # fmt: skip
    wrong = [n for n, one in enumerate(facts) if not one.extension_fits(str(samples[n].source))]
    if wrong:
        got = f"{samples[wrong[0]].id} holds {facts[wrong[0]].format}"
        needs, fix = "a name that tells the format", "Rename it; striate goes by the first bytes."
        yield Finding("wrong extension", "warn", got, needs, fix, tuple((samples[n].id,) for n in wrong))
    for kind, severity, test, say, needs, fix in tests:
        odd = [number for number, one in enumerate(facts) if test(one)]
        if odd:
            names = tuple((samples[number].id,) for number in odd)
            yield Finding(kind, severity, say(facts[odd[0]]), needs, fix, names)


def _shortcuts(samples: SampleSet, facts: Sequence[Facts]) -> Iterable[Finding]:
    if not all(isinstance(sample.target, int) for sample in samples):
        return  # several labels a picture
    for one in shortcuts(facts, [sample.target for sample in samples]):
        got = (
            f"classes that {one.feature} alone tells apart with balanced accuracy {one.accuracy:.2f} "
            f"(± {2 * one.error:.2f}; guessing {1 / len(samples.classes):.2f})"
        )
        needs = f"classes that do not differ in {one.feature}"
        fix = "A network may learn this instead of what the pictures show: take all pictures in the same way."
        yield Finding(f"shortcut: {one.feature}", "warn", got, needs, fix)
