from pathlib import Path

import pytest
import torch

from striate.data.elements import as_element, call, count_slices, slices, stack
from striate.foundation.checks import UserError


def test_texts_and_paths_stay():
    element = as_element("map", ("a", b"b", Path("c"), ["d", "e"], None, [1, 2]))
    assert element[:5] == ("a", b"b", Path("c"), ["d", "e"], None)
    assert element[5].tolist() == [1, 2]


def test_stack_is_undone_by_slices():
    elements = [{"x": (torch.full((2,), n), None), "name": str(n)} for n in range(3)]
    stacked = stack("batch", elements)
    assert stacked["x"][0].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert stacked["name"] == ["0", "1", "2"]
    count = count_slices("unbatch", stacked)
    again = list(slices(stacked, count))
    assert [(e["x"][0].tolist(), e["x"][1], e["name"]) for e in again] == [([n, n], None, str(n)) for n in range(3)]
    assert [e["name"] for e in slices(stacked, count, start=2)] == ["2"]


def test_call():
    assert call(lambda a, b: a + b, (1, 2)) == 3
    assert call(lambda a: a, [1, 2]) == [1, 2]


@pytest.mark.parametrize(
    "elements",
    [
        [(torch.ones(1), torch.ones(1)), (torch.ones(1),)],
        [{"a": torch.ones(1)}, {"b": torch.ones(1)}],
        [(torch.ones(1),), torch.ones(1)],
    ],
)
def test_elements_that_differ_in_structure(elements):
    with pytest.raises(UserError, match=r"batch got elements that differ in structure; it needs elements of one"):
        stack("batch", elements)
