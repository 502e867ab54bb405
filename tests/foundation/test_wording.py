"""Values are told in few words, and no more of them is written down than is told."""

from collections import Counter

import numpy as np
import pytest
import torch

from striate.foundation.wording import describe_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        ([torch.ones(2), 3], "[a float32 Tensor of shape (2,), 3]"),
        ([np.zeros(1)] * 4, "[" + "a float64 ndarray of shape (1,), " * 3 + "...]"),
        ([1, [2, (3, "four")], {"five": 6}], "[1, [2, (3, 'four')], {'five': 6}]"),
        (list(range(10**6)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1..."),
        ("x" * 10**6, "'" + "x" * 59 + "..."),
        (torch.ones(2, device="meta"), "a float32 Tensor of shape (2,) on meta"),
    ],
)
def test_values_in_few_words(value, text):
    assert describe_value(value) == text


@pytest.mark.parametrize("within", [lambda rows: rows, lambda rows: (rows, 1), lambda rows: {"rows": [rows]}])
def test_of_a_long_list_only_the_beginning_is_written_down(within):
    written = Counter()

    class Item:
        def __repr__(self):
            written["items"] += 1
            return "i"

    text = describe_value(within([Item() for _ in range(1000)]))
    assert "[i, i, i, i, " in text
    assert text.endswith("...")
    assert len(text) == 63
    assert written["items"] <= 20
