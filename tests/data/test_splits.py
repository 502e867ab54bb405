import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data import Sample, SampleSet, read_split, split, write_split
from striate.data.samples import Rows
from striate.foundation.checks import UserError


def make(targets, groups=None, splits=None):
    names = [f"c{number}" for number in range(max(targets) + 1)]
    groups, splits = groups or [None] * len(targets), splits or [None] * len(targets)
    rows = zip(targets, groups, splits, strict=True)
    samples = [Sample(f"row-{n}", t, group=g, split=s) for n, (t, g, s) in enumerate(rows)]
    return SampleSet(samples, names, Rows({}), "rows")


def counts(samples, parts):
    return {name: Counter(samples[index].target for index in indices) for name, indices in parts.items()}


def test_every_class_in_the_same_fractions():
    samples = make([0] * 500 + [1] * 100 + [2] * 30)
    parts = split(samples, seed=1)
    assert counts(samples, parts) == {
        "train": {0: 400, 1: 80, 2: 24},
        "validation": {0: 50, 1: 10, 2: 3},
        "test": {0: 50, 1: 10, 2: 3},
    }
    assert sorted(itertools.chain(*parts.values())) == list(range(630))
    assert all(indices == sorted(indices) for indices in parts.values())


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ({"train": 0.8, "test": 0.2}, {"train": 16, "test": 4}),
        ({"train": 0.5, "validation": 0.5}, {"train": 10, "validation": 10}),
        ({"train": 1.0}, {"train": 20}),
        ({"test": 0.01, "train": 0.99}, {"train": 18, "test": 2}),
    ],
)
def test_fractions(fractions, expected):
    parts = split(make([0, 1] * 10), fractions)
    assert {name: len(indices) for name, indices in parts.items()} == expected


@given(
    sizes=st.lists(st.integers(3, 60), min_size=1, max_size=5),
    shares=st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_counts_are_as_near_as_whole_numbers_can_be(sizes, shares, seed):
    samples = make([target for target, size in enumerate(sizes) for _ in range(size)])
    fractions = {name: share / sum(shares) for name, share in zip(("train", "validation", "test"), shares, strict=True)}
    found = counts(samples, split(samples, fractions, seed))
    for target, size in enumerate(sizes):
        for name, share in fractions.items():
            assert found[name][target] >= 1
            if all(size * other >= 1 for other in fractions.values()):
                assert abs(found[name][target] - size * share) < 1


def test_seed_and_ids_alone_decide():
    samples = make([0, 1] * 50)
    first = split(samples, seed=1)
    assert split(samples, seed=1) == first
    assert split(samples, seed=2) != first
    turned = samples[::-1]
    again = split(turned, seed=1)
    for name, indices in first.items():
        assert {samples[i].id for i in indices} == {turned[i].id for i in again[name]}


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together(seed):
    draw = np.random.default_rng(seed)
    groups = [str(g) for g in draw.integers(0, 60, 1000)]
    targets = draw.integers(0, 3, 1000).tolist()
    samples = make(targets, groups)
    parts = split(samples, seed=seed)
    owners = {}
    for name, indices in parts.items():
        for index in indices:
            assert owners.setdefault(samples[index].group, name) == name
    assert len(owners) == 60
    for name, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        found = counts(samples, parts)[name]
        for target in range(3):
            assert abs(found[target] / targets.count(target) - share) < 0.05


def test_groups_of_one_class_each():
    samples = make([0] * 50 + [1] * 50, [str(n // 5) for n in range(100)])
    found = counts(samples, split(samples, {"train": 0.6, "validation": 0.2, "test": 0.2}))
    assert found == {"train": {0: 30, 1: 30}, "validation": {0: 10, 1: 10}, "test": {0: 10, 1: 10}}


def test_samples_without_a_group_are_groups_of_one():
    samples = make([0, 1] * 10, [None] * 10 + ["0"] * 10)
    parts = split(samples)
    assert len({name for name, indices in parts.items() for i in indices if samples[i].group == "0"}) == 1


def test_stated_splits_are_kept():
    samples = make([0, 1] * 50, splits=["train"] * 80 + ["test"] * 20)
    parts = split(samples)
    assert parts["test"] == list(range(80, 100))
    assert counts(samples, parts)["validation"] == {0: 4, 1: 4}  # 1/9 of train, so that 0.8 to 0.1 is kept
    assert sorted(parts["train"] + parts["validation"]) == list(range(80))
    whole = make([0, 1] * 50, splits=["train"] * 60 + ["validation"] * 20 + ["test"] * 20)
    assert split(whole) == {"train": list(range(60)), "validation": list(range(60, 80)), "test": list(range(80, 100))}
    assert split(whole, {"train": 1.0})["validation"] == list(range(60, 80))


@pytest.mark.parametrize(
    ("samples", "fractions", "text"),
    [
        (make([0] * 10 + [1] * 2), None, r"too few samples of c1 \(2\); it needs at least 3 samples of every class"),
        (make([0] * 10 + list(range(1, 9))), None, r"too few samples of c1 \(1\), c2 \(1\), .* and 3 more"),
        (make([0] * 10, ["a"] * 5 + ["b"] * 5), None, r"too few groups of c0 \(2\); it needs at least 3 groups"),
        (make([0, 1] * 5), {"train": 0.5}, r"fractions that add up to 0.5; it needs a sum of 1"),
        (make([0, 1] * 5), {"test": 1.0}, r"fractions for test; it needs a fraction for train"),
        (make([0, 1] * 5), {}, r"fractions for nothing"),
        (make([0, 1] * 5), {"train": 0.5, "tset": 0.5}, r"fractions='tset'; .* Did you mean 'test'"),
        (make([0, 1] * 5), {"train": 1.0, "test": 0.0}, r"fractions\['test'\]=0.0; it needs a fraction above 0"),
        (make([0, 1], splits=["train", None]), None, r"'row-1' without a split beside samples with one"),
        (make([0, 1], splits=["test", "test"]), None, r"data that states splits, but no train"),
        (make([0, 1], splits=["train", "tset"]), None, r"the split of 'row-1'='tset'; .* Did you mean 'test'"),
        (
            make([0, 1], ["a", "a"], ["train", "test"]),
            None,
            r"group 'a' in train and test; it needs every group in one",
        ),
    ],
)
def test_refusals(samples, fractions, text):
    with pytest.raises(UserError, match=rf"split got {text}"):
        split(samples, fractions)


def test_groups_that_cannot_be_dealt():
    groups = ["a"] * 98 + ["b", "c"]
    samples = make([0, 1] * 49 + [1, 1], groups)
    with pytest.raises(UserError, match=r"split got too few groups of c0 \(1\); it needs at least 3 groups"):
        split(samples)
    rows = [(1, "a"), (2, "a"), (0, "b"), (1, "c"), (2, "c"), (0, "d"), (2, "d"), (0, "e"), (1, "f")]
    with pytest.raises(UserError, match=r"split got groups that leave no c2 for test; it needs groups of every"):
        split(make([target for target, _ in rows], [f"g{'abcdef'.index(group)}" for _, group in rows]))
    mixed = make([0, 1, 0, 1, 0, 1] + [0] * 20, ["a", "a", "a", "b", "b", "c"] + [f"{n}" for n in range(20)])
    parts = split(mixed)
    assert all(found[1] for found in counts(mixed, parts).values())


def test_a_split_survives_its_file(tmp_path):
    samples = make([0, 1] * 20, ["a,b", 'quote"', "ä"] * 13 + [None])
    parts = split(samples, {"train": 0.5, "test": 0.5})
    write_split(tmp_path / "run/split.csv", samples, parts)
    lines = (tmp_path / "run/split.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,target,group,split"
    assert lines[1].startswith('row-0,c0,"a,b",')
    assert len(lines) == 41
    assert read_split(tmp_path / "run/split.csv", samples) == parts
    assert read_split(tmp_path / "run/split.csv", samples[::-1])["test"] == sorted(
        39 - index for index in parts["test"]
    )


@pytest.mark.parametrize("parts", [{"train": [0]}, {"train": [0, 1], "test": [1]}, {"train": [0, 5]}])
def test_assignments_that_are_refused(tmp_path, parts):
    with pytest.raises(UserError, match=r"write_split got \d places for 2 samples; it needs every sample in one part"):
        write_split(tmp_path / "split.csv", make([0, 1]), parts)
    assert not (tmp_path / "split.csv").exists()


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("", r"a table headed ; it needs id,target,group,split"),
        ("id,split\n", r"a table headed id,split"),
        ("id,target,group,split\nrow-0,c0\n", r"a table headed"),
        ("id,target,group,split\nrow-0,c0,,train\n", r"no line for 'row-1'; it needs a line for every sample"),
        ("id,target,group,split\n", r"no line for 'row-0' and 1 more"),
        ("id,target,group,split\nrow-9,c0,,train\n", r"'row-9', which is not in the data or stands twice"),
        ("id,target,group,split\nrow-0,c0,,train\nrow-0,c0,,train\n", r"'row-0', which is not in the data or stands"),
        (
            "id,target,group,split\nrow-0,c1,,train\n",
            r"'row-0' as 'c1', in the data as 'c0'; it needs the same targets",
        ),
        ("id,target,group,split\nrow-0,c0,,tain\n", r"split='tain'; .* Did you mean 'train'"),
        (b"\xff\xfe", r"'utf-8' codec"),
        (None, r".*No such file or directory.*; it needs a table written by write_split"),
    ],
)
def test_files_that_are_refused(tmp_path, table, text):
    if table is not None:
        (tmp_path / "split.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(UserError, match=rf"Reading '.*split.csv' got {text}"):
        read_split(tmp_path / "split.csv", make([0, 1]))
