"""Nested structures, against optree (dicts in the order given) and Keras's tree (dicts by sorted keys)."""

import json
from collections import OrderedDict, namedtuple

import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras.src.tree import optree_impl

from striate.foundation.nested import StructureError, as_lists, flatten, flatten_with_path, map_structure, pack

Pair = namedtuple("Pair", ["first", "second"])

keys = st.text("abcdefgh", max_size=3)
leaves = st.none() | st.booleans() | st.integers() | keys
structures = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=20,
)


def in_order(tree):
    """Optree sorts keys unless told otherwise."""
    return optree.dict_insertion_ordered(True, namespace="here"), {"namespace": "here", "none_is_leaf": True}


def is_shape(value):
    """A tuple or list of sizes, as those who walk shapes mean it."""
    return isinstance(value, list | tuple) and all(size is None or isinstance(size, int) for size in value)


@given(structures)
def test_leaves_are_those_of_optree(tree):
    ordered, options = in_order(tree)
    with ordered:
        paths, found, _ = optree.tree_flatten_with_path(tree, **options)
    assert flatten(tree) == found
    assert flatten_with_path(tree) == list(zip(paths, found, strict=True))


@given(structures)
def test_sorted_leaves_are_those_of_keras(tree):
    # Not `keras.tree`, which on torch leaves a dict inside a dict as it is; on TensorFlow and JAX it is this one.
    assert flatten(tree, sort_keys=True) == optree_impl.flatten(tree)


@given(structures)
def test_shapes_are_leaves_where_the_caller_says_so(tree):
    ordered, options = in_order(tree)
    with ordered:
        paths, found, _ = optree.tree_flatten_with_path(tree, is_leaf=is_shape, **options)
        mapped = optree.tree_map(repr, tree, is_leaf=is_shape, **options)
    assert flatten(tree, is_leaf=is_shape) == found
    assert flatten_with_path(tree, is_leaf=is_shape) == list(zip(paths, found, strict=True))
    assert same(map_structure(repr, tree, is_leaf=is_shape), mapped)
    assert same(pack(tree, map(repr, found), is_leaf=is_shape), mapped)


@given(structures)
def test_maps_as_optree_does(tree):
    ordered, options = in_order(tree)
    with ordered:
        mapped = optree.tree_map(repr, tree, **options)
        both = optree.tree_map(lambda one, two: (one, two), tree, mapped, **options)
    assert same(map_structure(repr, tree), mapped)
    assert same(map_structure(lambda one, two: (one, two), tree, mapped), both)
    assert same(pack(tree, map(repr, flatten(tree))), mapped)


@given(structures)
def test_lists_are_what_json_makes_of_tuples(tree):
    assert same(as_lists(tree), json.loads(json.dumps(tree)))


def same(one, two):
    """Equal, and of equal types and order of keys, which == does not tell."""
    return one == two and repr(one) == repr(two)


def test_a_shape_of_lists_stays_one_where_the_caller_says_so():
    assert as_lists(((None, 2), [(None, 3)]), is_leaf=is_shape) == [(None, 2), [(None, 3)]]


def test_a_leaf_of_the_first_is_met_by_anything():
    assert map_structure(lambda size, words: (size, words), [1, {"a": 2}], [("x", "y"), {"a": {}}]) == [
        (1, ("x", "y")),
        {"a": (2, {})},
    ]
    assert map_structure(lambda one, two: [one, two], [(1, 2)], [(3, 4)], is_leaf=is_shape) == [[(1, 2), (3, 4)]]


def test_dicts_are_walked_together_by_key_in_the_order_of_the_first():
    assert list(map_structure(int.__sub__, {"b": 5, "a": 7}, {"a": 1, "b": 2}).items()) == [("b", 3), ("a", 6)]


def test_of_subclasses_only_namedtuples_stay():
    class Three(tuple):
        pass

    class Row(list):
        pass

    tree = [Pair(1, 2), Three((1, 2)), Row((3,)), OrderedDict(a=4)]
    assert [type(part) for part in map_structure(str, tree)] == [Pair, tuple, list, dict]
    assert [type(part) for part in as_lists(tree)] == [list, list, list, dict]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ([1, 2], [1]),
        ([1, 2], (1, 2)),
        ((1, 2), [1, 2]),
        ([1, [2]], [1, 2]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, [1]),
        ((), {}),
    ],
)
def test_structures_that_differ_are_refused(one, two):
    with pytest.raises(
        StructureError,
        match=r"^map_structure got structures that differ; "
        r"it needs the same nesting, lengths and keys in all of them\. Mend the one that is different\.$",
    ):
        map_structure(lambda *_: None, one, one, two)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_leaves_must_be_as_many_as_places(count):
    with pytest.raises(
        StructureError,
        match=rf"^pack got {count} leaves; it needs 3 for this structure\. Pass one for each place\.$",
    ):
        pack([1, (2, 3)], range(count))
