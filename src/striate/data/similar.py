"""Finding pictures that are copies of each other: by hashes that are near, confirmed by thumbnails."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from striate.data.facts import THUMBNAIL, Facts

RADIUS = 7
"""Bits that may differ: one less than there are bands, so that two near hashes share a whole byte somewhere."""

DIFFERENCE = 6.0
"""Mean grey levels by which two copies' thumbnails may differ, brightness and contrast made equal."""

SMALLEST = 64  # pixels of the shorter side; of less, other pictures look like copies
FAINTEST = 6.0  # grey levels of contrast; the hash of an empty picture is noise
_CELLS = 2**22  # comparisons at once
_ONES = np.array([number.bit_count() for number in range(256)], np.uint8)


def copies(facts: Sequence[Facts]) -> list[list[int]]:
    """Group pictures that are the same or near copies: encoded anew, resized, mirrored, slightly changed.

    Args:
        facts: Of each picture.

    Returns:
        The numbers of the pictures in each group of two or more, rising.
    """
    sets = DisjointSets(len(facts))
    first: dict[str, int] = {}
    for number, fact in enumerate(facts):
        sets.join(first.setdefault(fact.pixels, number), number)
    able = [n for n in first.values() if min(facts[n].width, facts[n].height) >= SMALLEST]
    able = [n for n in able if facts[n].contrast >= FAINTEST]
    plain, mirrored = (np.array([getattr(facts[n], name) for n in able], np.uint64) for name in ("hash", "mirrored"))
    for other, turned in ((plain, False), (mirrored, True)):
        for left, right in near_hashes(plain, other):
            for one, two in zip(left.tolist(), right.tolist(), strict=True):
                if one < two and alike(facts[able[one]], facts[able[two]], turned):
                    sets.join(able[one], able[two])
    return sets.groups()


def near_hashes(left: np.ndarray, right: np.ndarray, radius: int = RADIUS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Find all pairs of hashes that differ in at most `radius` bits, some of them more than once.

    Hashes that differ in at most 7 bits agree in one of their 8 bytes at least (Norouzi, Punjani and Fleet 2012,
    "Fast search in Hamming space with multi-index hashing"), so only those that share a byte are compared.

    Args:
        left: uint64 of shape (N,).
        right: uint64 of shape (M,).
        radius: At most 7.

    Yields:
        Places in `left` and places in `right`.

    Example:
        >>> one, two = np.array([0, 255], "uint64"), np.array([1], "uint64")
        >>> sorted({(int(i), int(j)) for some in near_hashes(one, two) for i, j in zip(*some)})
        [(0, 0), (1, 0)]
    """
    for shift in range(0, 64, 8):
        ours, theirs = (_by_byte(hashes, shift) for hashes in (left, right))
        for value, rows in ours.items():
            columns = theirs.get(value)
            if columns is None:
                continue
            step = max(1, _CELLS // len(columns))
            for begin in range(0, len(rows), step):
                some = rows[begin : begin + step]
                distance = count_ones(left[some, None] ^ right[columns])
                row, column = np.nonzero(distance <= radius)
                yield some[row], columns[column]


def count_ones(words: np.ndarray) -> np.ndarray:
    """How many bits of each uint64 are set."""
    if hasattr(np, "bitwise_count"):  # NumPy 2
        return np.bitwise_count(words)
    return _ONES[np.ascontiguousarray(words)[..., None].view(np.uint8)].sum(-1, dtype=np.uint8)


def alike(one: Facts, two: Facts, mirrored: bool) -> bool:
    """Whether the thumbnails of two pictures (the second mirrored) are the same but for small changes."""
    first, second = (
        np.frombuffer(fact.thumbnail, np.uint8).reshape(THUMBNAIL, THUMBNAIL, 3).astype(np.float32)
        for fact in (one, two)
    )
    if mirrored:
        second = second[:, ::-1]
    scale = max(min(first.std() / max(second.std(), 1e-3), 1.5), 1 / 1.5)
    return difference(first, second, scale) <= DIFFERENCE


def difference(first: np.ndarray, second: np.ndarray, scale: float) -> float:
    """The mean distance in grey levels, once the second has the first's brightness and contrast."""
    return float(np.abs((first - first.mean()) - scale * (second - second.mean())).mean())


def _by_byte(hashes: np.ndarray, shift: int) -> dict[int, np.ndarray]:
    """Where each value of one byte stands."""
    byte = (hashes >> np.uint64(shift)).astype(np.uint8)
    order = np.argsort(byte, kind="stable")
    values, starts = np.unique(byte[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True)) if len(hashes) else {}


class DisjointSets:
    """Numbers joined into sets (union-find)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, number: int) -> int:
        """The smallest number of its set."""
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def join(self, one: int, two: int) -> None:
        """Make one set of two."""
        low, high = sorted((self.find(one), self.find(two)))
        self._parent[high] = low

    def groups(self) -> list[list[int]]:
        """The sets of two or more."""
        members: dict[int, list[int]] = defaultdict(list)
        for number in range(len(self._parent)):
            members[self.find(number)].append(number)
        return [numbers for numbers in members.values() if len(numbers) > 1]


def joined(count: int, sets: Iterable[Iterable[int]]) -> list[list[int]]:
    """Merge sets that share a number."""
    disjoint = DisjointSets(count)
    for numbers in sets:
        first, *rest = numbers
        for number in rest:
            disjoint.join(first, number)
    return disjoint.groups()
