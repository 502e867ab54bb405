"""What the doctor says of facts made by hand, and how copies are kept together. (Planted faults: tests/apps.)"""

import dataclasses

import numpy as np
import pytest

from striate.data.doctor import examine, good_samples, keep_together
from striate.data.facts import Facts, Problem
from striate.data.findings import Finding
from striate.data.samples import PictureFiles, Sample, SampleSet
from striate.data.scan import Scan
from striate.data.splits import split

PLAIN = Facts(100, 80, "RGB", "JPEG", 1, 1000, "", "", 0, 0, bytes(768), 0.0, 100.0, 0.0)


def scanned(targets, splits=None, problems=(), quarantined=(), **changes):
    """A scan of pictures that all differ, those named in `changes` (as p3) otherwise than the rest."""
    facts = [dataclasses.replace(PLAIN, pixels=str(n), digest=str(n)) for n in range(len(targets))]
    for name, change in changes.items():
        facts[int(name[1:])] = dataclasses.replace(facts[int(name[1:])], **change)
    samples = [
        Sample(f"{n}.jpg", target, f"{n}.jpg", split=splits[n] if splits else None) for n, target in enumerate(targets)
    ]
    classes = [f"class {n}" for n in range(max(targets) + 1)]
    return Scan(SampleSet(samples, classes, PictureFiles(), "", quarantined), facts, dict(problems))


def kinds(scan):
    return {finding.kind: (finding.severity, finding.samples) for finding in examine(scan).findings}


FINE = [0, 1] * 15


def test_nothing_is_said_of_good_data():
    assert kinds(scanned(FINE)) == {}


@pytest.mark.parametrize(
    ("change", "kind", "severity"),
    [
        ({"mode": "CMYK"}, "mode CMYK", "warn"),
        ({"mode": "I;16"}, "16 bits", "warn"),
        ({"mode": "P"}, "odd mode", "note"),
        ({"orientation": 8}, "turned by EXIF", "note"),
        ({"width": 401, "height": 80}, "odd shape", "note"),
        ({"width": 641, "height": 641}, "odd size", "note"),
        ({"width": 9, "height": 9}, "odd size", "note"),
        ({"format": "PNG"}, "wrong extension", "warn"),
    ],
)
def test_odd_files(change, kind, severity):
    assert kinds(scanned(FINE, p3=change)) == {kind: (severity, (("3.jpg",),))}


def test_the_same_picture_twice():
    same = {"pixels": "same"}
    found = lambda targets, splits: kinds(scanned(targets, splits, p1=same, p3=same))  # noqa: E731
    pair = (("1.jpg", "3.jpg"),)
    assert found(FINE, None) == {"copies in one split": ("warn", pair)}
    splits = ["train", "train", "train", "test"] + ["train"] * 26
    assert found(FINE, splits) == {"copies across splits": ("refuse", pair)}
    other = [*FINE[:3], 0, *FINE[4:]]
    assert found(other, None)["copies under two labels"] == ("warn", pair)
    assert found(other, splits)["copies across splits"] == ("refuse", pair)


def test_small_and_uneven_classes():
    assert kinds(scanned([0] * 50 + [1] * 9)) == {"tiny class": ("warn", (("class 1",),))}
    assert kinds(scanned([0] * 101 + [1] * 10)) == {"imbalance": ("warn", (("class 0",), ("class 1",)))}
    assert kinds(scanned([0] * 100 + [1] * 10)) == {}


def test_problems_and_what_was_left_out():
    problems = {"b.jpg": Problem("hangs", "decoding took more than 60 seconds")}
    out = [("x/.a.jpg", "hidden"), ("Thumbs.db", "a system's file"), ("n.txt", "not a picture"), ("b.jpg", "hangs")]
    found = examine(scanned(FINE, problems=problems.items(), quarantined=out)).findings
    assert [(finding.kind, finding.severity, finding.samples) for finding in found] == [
        ("hangs", "quarantine", (("b.jpg",),)),
        ("hidden", "note", (("x/.a.jpg",),)),
        ("hidden", "note", (("Thumbs.db",),)),
        ("left out", "note", (("n.txt",),)),
    ]


def test_the_worst_comes_first():
    splits = ["train"] * 29 + ["test"]
    scan = scanned(FINE, splits, p0={"pixels": "x"}, p29={"pixels": "x"}, p3={"orientation": 3}, p4={"mode": "CMYK"})
    diagnosis = examine(scan)
    assert [finding.severity for finding in diagnosis.findings] == ["refuse", "warn", "warn", "note"]
    assert [finding.kind for finding in diagnosis.refused] == ["copies across splits"]


def test_a_finding_as_plain_values():
    finding = Finding("kind", "warn", "a", "b", "c", (("x", "y"),))
    assert finding.to_json() == {
        "kind": "kind",
        "severity": "warn",
        "got": "a",
        "needs": "b",
        "fix": "c",
        "samples": (("x", "y"),),
        "count": 1,
    }


def test_a_split_never_parts_copies():
    samples = scanned([0, 1] * 100).samples
    alike = [[number, number + 2, number + 4] for number in range(0, 190, 6)]
    before = split(samples, seed=3)
    place = {number: name for name, numbers in before.items() for number in numbers}
    assert any(len({place[number] for number in numbers}) > 1 for numbers in alike)
    parts = split(keep_together(samples, alike), seed=3)
    place = {number: name for name, numbers in parts.items() for number in numbers}
    assert all(len({place[number] for number in numbers}) == 1 for numbers in alike)
    shares = {name: len(numbers) / 200 for name, numbers in parts.items()}
    assert shares == pytest.approx({"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.03)
    zeros = [np.mean([samples[n].target == 0 for n in numbers]) for numbers in parts.values()]
    assert zeros == pytest.approx([0.5] * 3, abs=0.1)


def test_groups_that_share_a_copy_become_one():
    samples = SampleSet(
        [Sample(str(n), 0, group=group) for n, group in enumerate(["a", "a", "b", None, None, "c"])],
        ("x",),
        PictureFiles(),
        "",
    )
    groups = [sample.group for sample in keep_together(samples, [[1, 2], [3, 4]])]
    assert groups == ["a", "a", "a", "copies of 3", "copies of 3", "c"]


def test_good_samples_keep_the_test_and_no_doubtful_label():
    scan = scanned([0, 0, 0, 1, 1, 1], ["train", "test", "train", "train", "validation", "train"])
    kept = good_samples(scan.samples, [[0, 1], [2, 3], [4, 5]])
    assert [sample.id for sample in kept] == ["1.jpg", "4.jpg"]
