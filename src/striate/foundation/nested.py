"""Nested structures: lists, tuples and dicts, inside each other, around leaves.

Every function walks in the order given. Whatever is no list, tuple or dict is a leaf, None and texts included; and so
is what the caller's `is_leaf` says: a shape is a tuple, but to those who walk shapes it is one leaf. What comes out is
built of plain lists, tuples and dicts; of their subclasses only namedtuples stay what they are.

The words are those of Keras's `tree` and of optree; unlike these, a dict keeps the order of its keys.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from striate.foundation.checks import UserError

NESTS = (dict, list, tuple)

IsLeaf = Callable[[Any], bool]


class StructureError(UserError):
    """Structures that belong together differ."""


def flatten(structure: Any, *, is_leaf: IsLeaf | None = None, sort_keys: bool = False) -> list[Any]:
    """The leaves, in order.

    Args:
        structure: What to walk.
        is_leaf: Asked whether to take a list, tuple or dict for a leaf.
        sort_keys: Go through dicts by sorted keys, as Keras does: the numbers in its files count so.

    Example:
        >>> flatten({"b": [1, None], "a": (2, {})})
        [1, None, 2]
        >>> flatten({"b": [1, None], "a": (2, {})}, sort_keys=True)
        [2, 1, None]
        >>> flatten([(None, 8), (None, 4)], is_leaf=lambda part: isinstance(part, tuple))
        [(None, 8), (None, 4)]
    """
    if not isinstance(structure, NESTS) or (is_leaf is not None and is_leaf(structure)):
        return [structure]
    if isinstance(structure, dict):
        structure = [structure[key] for key in (sorted(structure) if sort_keys else structure)]
    return [leaf for part in structure for leaf in flatten(part, is_leaf=is_leaf, sort_keys=sort_keys)]


def flatten_with_path(structure: Any, *, is_leaf: IsLeaf | None = None) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves, each with the keys and positions that lead to it.

    Example:
        >>> flatten_with_path({"left": 1, "right": [2, 3]})
        [(('left',), 1), (('right', 0), 2), (('right', 1), 3)]
    """
    if not isinstance(structure, NESTS) or (is_leaf is not None and is_leaf(structure)):
        return [((), structure)]
    parts = structure.items() if isinstance(structure, dict) else enumerate(structure)
    return [((key, *path), leaf) for key, part in parts for path, leaf in flatten_with_path(part, is_leaf=is_leaf)]


def map_structure(function: Callable[..., Any], structure: Any, *others: Any, is_leaf: IsLeaf | None = None) -> Any:
    """The same structure with `function(leaf)` in the place of every leaf.

    Args:
        function: Called with one leaf of each structure.
        structure: What to walk.
        others: Structures like it, walked along; where it has a leaf, they may have anything.
        is_leaf: As for `flatten`; asked about the parts of `structure`.

    Raises:
        StructureError: One of the others has something else where `structure` has a list, tuple or dict, or one of
            another length or with other keys.

    Example:
        >>> map_structure(lambda size: size * 2, {"left": 1, "right": (2, 3)})
        {'left': 2, 'right': (4, 6)}
        >>> map_structure(max, [1, (5, 3)], [2, (4, 4)])
        [2, (5, 4)]
    """
    return _map(function, is_leaf, structure, *others)


def _map(function: Callable[..., Any], is_leaf: IsLeaf | None, structure: Any, *others: Any) -> Any:
    """As `map_structure`. It walks every layer's arguments: words for arguments would cost as much as the walk."""
    if not isinstance(structure, NESTS) or (is_leaf is not None and is_leaf(structure)):
        return function(structure, *others)
    for other in others:
        _check_alike(structure, other)
    if isinstance(structure, dict):
        return {
            key: _map(function, is_leaf, part, *[other[key] for other in others]) for key, part in structure.items()
        }
    parts = list(map(partial(_map, function, is_leaf), structure, *others))
    if isinstance(structure, list):
        return parts
    return structure._make(parts) if hasattr(structure, "_make") else tuple(parts)


def pack(structure: Any, leaves: Iterable[Any], *, is_leaf: IsLeaf | None = None) -> Any:
    """The same structure with these leaves, one after the other: `flatten` undone.

    Raises:
        StructureError: There are more or fewer leaves than the structure has.

    Example:
        >>> pack({"left": "a", "right": ("b", "c")}, [1, 2, 3])
        {'left': 1, 'right': (2, 3)}
    """
    given, places = list(leaves), len(flatten(structure, is_leaf=is_leaf))
    if len(given) != places:
        raise StructureError("pack", f"{len(given)} leaves", f"{places} for this structure", "Pass one for each place.")
    following = iter(given)
    return map_structure(lambda _: next(following), structure, is_leaf=is_leaf)


def as_lists(structure: Any, *, is_leaf: IsLeaf | None = None) -> Any:
    """The same structure with lists for tuples, as JSON holds them.

    Example:
        >>> as_lists({"left": (1, (2, 3)), "right": "x"})
        {'left': [1, [2, 3]], 'right': 'x'}
    """
    if not isinstance(structure, NESTS) or (is_leaf is not None and is_leaf(structure)):
        return structure
    walk = partial(as_lists, is_leaf=is_leaf)
    if isinstance(structure, dict):
        return {key: walk(part) for key, part in structure.items()}
    return list(map(walk, structure))


def _check_alike(one: Any, other: Any) -> None:
    """Refuse to walk two structures together that differ right here."""
    kind = next(kind for kind in NESTS if isinstance(one, kind))
    same = isinstance(other, kind) and len(other) == len(one)
    if not same or (kind is dict and other.keys() != one.keys()):
        needs = "the same nesting, lengths and keys in all of them"
        raise StructureError("map_structure", "structures that differ", needs, "Mend the one that is different.")
