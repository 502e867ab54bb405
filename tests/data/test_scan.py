"""One pass over all files: the same by threads and by processes, and what is broken is named."""

import pytest

from striate.data import scan as module
from striate.data.readers import read_classification
from striate.data.samples import Rows, Sample, SampleSet
from striate.data.scan import can_scan, scan
from striate.foundation.checks import UserError


def test_broken_files_are_left_out_with_a_reason(cats_and_dogs):
    (cats_and_dogs / "cat" / "1.png").write_bytes(b"")
    (cats_and_dogs / "notes.txt").write_text("x")
    samples = read_classification(cats_and_dogs)
    seen = []
    found = scan(samples, lambda done, total: seen.append((done, total)))
    assert seen == [(done, 11) for done in range(1, 12)]
    assert [sample.id for sample in found.samples] == [one.id for one in samples if one.id != "cat/1.png"]
    assert [facts.width for facts in found.facts] == [6, 8, 9, 10] + [5] * 6
    broken = str(cats_and_dogs / "cat" / "1.png")
    assert {source: problem.kind for source, problem in found.problems.items()} == {broken: "empty"}
    assert found.samples.quarantined[-1] == (broken, "an empty file (0 bytes); needs a picture")
    assert len(samples.quarantined) == 1


def test_processes_find_the_same_as_threads(cats_and_dogs, monkeypatch):
    samples = read_classification(cats_and_dogs)
    by_threads = scan(samples).facts
    monkeypatch.setattr(module, "FEW", 1)
    assert scan(samples).facts == by_threads


def test_a_class_whose_files_are_all_broken_is_refused(cats_and_dogs):
    for path in (cats_and_dogs / "cat").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(
        UserError, match=r"no readable sample of cat \(for example .*0.png: a file that is no picture\)"
    ):
        scan(read_classification(cats_and_dogs))


def test_only_files_can_be_scanned(cats_and_dogs):
    assert can_scan(read_classification(cats_and_dogs))
    assert not can_scan(SampleSet([Sample("a-0", 0)], ("x",), Rows({}), ""))
