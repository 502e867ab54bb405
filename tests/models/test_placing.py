"""Arrays that are needed at the same time lie apart in a program's memory, also those of several threads."""

import itertools

import pytest
from program_models import SEEDS, random_network

from striate.models import grouping
from striate.models.grouping import groups_of
from striate.models.lowering import Lowering
from striate.models.lowering_steps import Compiled
from striate.models.placing import place_arrays
from striate.utils import set_random_seed

ITEMS, THREADS = 13, 3


def laid_out(seed):
    """Groups, which steps need each array that lies in memory, and how much memory there is."""
    set_random_seed(seed)
    model = random_network(seed)
    lowering = Lowering(model.graph, [(ITEMS, *model.inputs[0].shape[1:])])
    groups = groups_of(lowering.steps, THREADS)
    whole = place_arrays(lowering.steps, lowering.outputs, groups, THREADS)
    needs = {}
    for time, step in enumerate(lowering.steps):
        written = [step.output] if isinstance(step, Compiled) else []
        for value in (*written, *step.reads):
            if value.storage.offset is not None:
                needs.setdefault(value.storage, set()).add(time)
    for value in lowering.outputs:
        if value.storage in needs:
            needs[value.storage].add(len(lowering.steps))
    return groups, needs, whole


def places(storage, groups):
    group = next((group for group in groups if storage in group.inner), None)
    if group is None:
        return [(storage.offset, storage.offset + storage.numbers)]
    apart, size = group.apart(storage)[1], storage.numbers // ITEMS * group.size
    return [(begin := storage.offset + thread * apart, begin + size) for thread in range(THREADS)]


def spans(storage, needs, groups, widened):
    """From when to when an array is needed; whole groups, if widened, since their threads are not in step."""
    begin, end = (0, max(map(max, needs.values()))) if storage.is_kept else (min(needs[storage]), max(needs[storage]))
    for group in groups if widened else ():
        begin = group.first if group.first <= begin <= group.last else begin
        end = group.last if group.first <= end <= group.last else end
    return begin, end


def meet(one, two):
    return one[0] <= two[1] and two[0] <= one[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_arrays_needed_at_the_same_time_lie_apart(seed, monkeypatch):
    monkeypatch.setattr(grouping, "NEAR", (1 << 9, 1 << 11, 1 << 13)[seed % 3])
    groups, needs, whole = laid_out(seed)
    for storage in needs:
        found = places(storage, groups)
        assert all(0 <= begin <= end <= whole for begin, end in found)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(found))
    for a, b in itertools.combinations(needs, 2):
        together = any(a in group.inner and b in group.inner for group in groups)
        if meet(*(spans(storage, needs, groups, not together) for storage in (a, b))):
            pairs = zip(places(a, groups), places(b, groups), strict=True) if together else ()
            pairs = pairs or itertools.product(places(a, groups), places(b, groups))
            assert all(one[1] <= two[0] or two[1] <= one[0] for one, two in pairs)


def test_most_networks_have_groups(monkeypatch):
    """What is checked above is not only arrays of all items."""
    monkeypatch.setattr(grouping, "NEAR", 1 << 11)
    assert sum(bool(laid_out(seed)[0]) for seed in SEEDS) > len(SEEDS) / 3
