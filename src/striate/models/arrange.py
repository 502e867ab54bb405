"""Where boxes and lines of a directed graph go: ranks from the sources on, few crossings, lines that avoid boxes.

Distances count `along` the ranks and `across` them, so that drawings go down or to the right alike.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

GAP_ALONG, GAP_ACROSS = 30.0, 26.0
LANE = 8.0  # how wide a line is that passes a rank
SWEEPS, SETTLING = 12, 300
STRAIGHT = 64.0  # how much more a straight line counts, where one may hope for it, than a box in the middle

Point = tuple[float, float]
"""(along, across)."""


@dataclass
class _Place:
    """A box, or a line passing a rank, in its rank."""

    rank: int
    along: float
    across: float
    center: float = 0.0
    before: list["_Place"] = field(default_factory=list)
    after: list["_Place"] = field(default_factory=list)


@dataclass(frozen=True)
class Arrangement:
    """Where everything is.

    Args:
        boxes: The corner of each box that is nearest to the origin.
        lines: For each edge, the points that it goes through, from box to box.
        along, across: How large the whole is.
    """

    boxes: list[Point]
    lines: list[list[Point]]
    along: float
    across: float


def arrange(sizes: Sequence[Point], edges: Sequence[tuple[int, int]]) -> Arrangement:
    """Find a place for every box and a way for every edge.

    Args:
        sizes: How large each box is, (along, across).
        edges: Pairs of numbers of boxes; none leads back.

    Source: Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system structures, IEEE
    Transactions on Systems, Man, and Cybernetics 11 (1981); the places within a rank are an isotonic regression.

    Example:
        >>> arrange([(10, 20), (10, 20)], [(0, 1)]).boxes
        [(0.0, 0.0), (40.0, 0.0)]
    """
    places = [_Place(rank, *size) for rank, size in zip(_ranks(len(sizes), edges), sizes, strict=True)]
    ways = [_way(places[source], places[target]) for source, target in edges]
    ranks: list[list[_Place]] = [[] for _ in range(max((place.rank for place in places), default=-1) + 1)]
    for place in [*places, *(lane for way in ways for lane in way[1:-1])]:
        ranks[place.rank].append(place)
    _put(ranks)
    starts, thick = _along(ranks)
    left = min((place.center - place.across / 2 for rank in ranks for place in rank), default=0.0)
    right = max((place.center + place.across / 2 for rank in ranks for place in rank), default=0.0)
    boxes = [
        (starts[place.rank] + (thick[place.rank] - place.along) / 2, place.center - place.across / 2 - left)
        for place in places
    ]
    lines = [_points(way, starts, thick, left) for way in ways]
    return Arrangement(boxes, lines, (starts[-1] + thick[-1]) if ranks else 0.0, right - left)


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """How many edges lead to each box, at most."""
    ranks = [0] * count
    for _ in range(count):
        changed = False
        for source, target in edges:
            if ranks[target] <= ranks[source]:
                ranks[target], changed = ranks[source] + 1, True
        if not changed:
            break
    return ranks


def _way(source: _Place, target: _Place) -> list[_Place]:
    """The places that an edge joins: its ends, and a lane in every rank between."""
    lanes = [_Place(rank, 0.0, LANE) for rank in range(source.rank + 1, target.rank)]
    way = [source, *lanes, target]
    for first, second in itertools.pairwise(way):
        first.after.append(second)
        second.before.append(first)
    return way


def _put(ranks: list[list[_Place]]) -> None:
    """Order the ranks, and centre what they hold under what it comes from and over what it leads to."""
    for rank in ranks:
        _space(rank, [0.0] * len(rank))
    for sweep in range(2 * SWEEPS):
        downward = sweep % 2 == 0
        for rank in ranks if downward else ranks[::-1]:
            wished = [_wish(place, place.before if downward else place.after) for place in rank]
            if sweep < SWEEPS:  # then the order is settled, and only distances change
                order = sorted(range(len(rank)), key=wished.__getitem__)
                rank[:], wished = [rank[number] for number in order], [wished[number] for number in order]
            _space(rank, wished)
    for sweep in range(SETTLING):  # at last between both sides, which makes lines straight
        for rank in ranks if sweep % 2 else ranks[::-1]:
            _space(rank, [_wish(place, [*place.before, *place.after]) for place in rank])


def _wish(place: _Place, neighbours: list[_Place]) -> float:
    """The mean place of the neighbours, by how much they pull."""
    pulls = [_pull(place, one) for one in neighbours]
    total = sum(one.center * pull for one, pull in zip(neighbours, pulls, strict=True))
    return total / sum(pulls) if neighbours else place.center


def _pull(place: _Place, other: _Place) -> float:
    """How much a line between two places should be straight: much where it passes, or is the only one of both."""
    upper, lower = (place, other) if place.rank < other.rank else (other, place)
    return STRAIGHT if len(upper.after) == 1 and len(lower.before) == 1 else 1.0


def _space(rank: list[_Place], wished: list[float]) -> None:
    """Put the places of a rank as near to their wishes as the room they need allows (least squares)."""
    offset, offsets = 0.0, []
    for previous, place in zip([None, *rank], rank, strict=False):
        offset += 0.0 if previous is None else (previous.across + place.across) / 2 + GAP_ACROSS
        offsets.append(offset)
    groups: list[tuple[float, float, int]] = []  # (mean of what is left of the wishes, its weight, how many share it)
    for place, wish, offset in zip(rank, wished, offsets, strict=True):
        mean, weight, count = wish - offset, sum(_pull(place, one) for one in [*place.before, *place.after]) or 1.0, 1
        while groups and groups[-1][0] >= mean:
            other, more, others = groups.pop()
            mean = (mean * weight + other * more) / (weight + more)
            weight, count = weight + more, count + others
        groups.append((mean, weight, count))
    means = [mean for mean, _, count in groups for _ in range(count)]
    for place, mean, offset in zip(rank, means, offsets, strict=True):
        place.center = mean + offset


def _along(ranks: list[list[_Place]]) -> tuple[list[float], list[float]]:
    """Where the ranks begin, and how thick they are."""
    thick = [max(place.along for place in rank) for rank in ranks]
    starts, position = [], 0.0
    for one in thick:
        starts.append(position)
        position += one + GAP_ALONG
    return starts, thick


def _points(way: list[_Place], starts: list[float], thick: list[float], left: float) -> list[Point]:
    """From the end of a box, straight through the ranks between, to the beginning of the other."""
    points = []
    for place in way:
        begin, end = starts[place.rank], starts[place.rank] + thick[place.rank]
        points += [(begin, place.center - left), (end, place.center - left)]
    first, last = way[0], way[-1]
    points[0] = (starts[first.rank] + (thick[first.rank] + first.along) / 2, points[0][1])
    points[-1] = (starts[last.rank] + (thick[last.rank] - last.along) / 2, points[-1][1])
    return points
