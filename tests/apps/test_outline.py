"""Any JSON takes a form that people can read."""

import pytest

from striate.apps.outline import Grid, Pairs, Text, outline

TEXTS = [
    (None, "–"),
    (True, "yes"),
    (False, "no"),
    (7, "7"),
    (1234, "1234"),
    (123456, "123,456"),
    (0.1, "0.1"),
    (float("nan"), "nan"),
    ("word", "word"),
    ([], "none"),
    ([1, 2, "three"], "1, 2, three"),
    (list(range(500)), ", ".join(map(str, range(200))) + ", and 300 more"),
    ([[1, 2], [3, 4]], "[[1, 2], [3, 4]]"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_text(value, text):
    assert outline({"key": value}).pairs[0][1].text == text


def test_lists_of_objects_of_all_kinds_are_numbered():
    found = outline([{"a": {"b": 1}}, "word"])
    assert [name for name, _ in found.pairs] == ["1", "2"]
    assert found.pairs[1][1] == Text("word")


def test_nothing_is_no_pairs():
    assert outline({}) == Pairs([])


def test_numbers_keep_their_value():
    assert outline(123456).value == "123456"
    assert outline(1 / 3).value == "0.3333333333333333"
    assert outline("1").value is None


def test_records_are_a_table_of_all_their_keys():
    grid = outline([{"id": "a", "size": 1}, {"id": "b", "reason": "broken"}])
    assert isinstance(grid, Grid)
    assert grid.head == ["id", "size", "reason"]
    assert [[cell.text for cell in row] for row in grid.rows] == [["a", "1", ""], ["b", "", "broken"]]
    assert [grid.is_number(column) for column in range(3)] == [False, True, False]


def test_long_tables_are_cut_and_say_so():
    grid = outline([{"id": index} for index in range(250)])
    assert (len(grid.rows), grid.left) == (200, 50)


def test_wide_tables_stand_upright():
    grid = outline({"train": {str(k): k for k in range(20)}, "test": {str(k): -k for k in range(20)}})
    assert grid.head == ["", "train", "test"]
    assert [cell.text for cell in grid.rows[3]] == ["3", "3", "-3"]


def test_objects_in_objects_are_pairs_in_pairs():
    found = outline({"seed": 0, "data_of": {"path": "x", "parts": [{"a": 1}]}})
    assert [name for name, _ in found.pairs] == ["seed", "data of"]
    assert isinstance(found.pairs[1][1].pairs[1][1], Grid)


def test_depth_has_an_end():
    value: dict = {"end": 1}
    for _ in range(100):
        value = {"deeper": value}
    assert "deeper" in str(outline(value))
