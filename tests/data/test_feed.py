import copy

import numpy as np
import pytest
import torch

from striate.data import Batch, Feed, check_finite, make_feed
from striate.foundation.checks import UserError


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(3, 2),
        torch.zeros(3, 2, dtype=torch.uint8),
        torch.full((3, 2), 3e38),  # finite, though the sum is not
        (torch.zeros(3), {"a": torch.ones(3, dtype=torch.int64)}),
    ],
)
def test_finite_batches_pass_unchanged(x):
    before = copy.deepcopy(x)
    check_finite(Batch(x), 0)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("value", "kind"), [(float("nan"), "NaN"), (float("inf"), "infinity"), (-float("inf"), "infinity")]
)
def test_names_input_batch_and_sample(value, kind):
    x = {"picture": torch.zeros(4, 2, 2), "age": torch.zeros(4)}
    x["picture"][2, 1, 0] = value
    text = rf"fit got {kind} in x\['picture'\], sample 2 of batch 5; it needs finite numbers"
    with pytest.raises(UserError, match=text):
        check_finite(Batch(x), 5)


def test_names_the_row_of_a_shuffled_array():
    x = np.zeros((20, 3))
    x[13, 1] = np.nan
    feed = make_feed(x, batch_size=4, shuffle=True, seed=5)

    def look():
        for number, batch in enumerate(feed.epoch(7)):
            check_finite(batch, number, "evaluate", feed, epoch=7)

    with pytest.raises(UserError, match=r"evaluate got NaN in x, sample \d of batch \d \(row 13 of the data\)"):
        look()


def test_a_bare_feed_knows_nothing():
    feed = Feed()
    assert (feed.steps, feed.size, feed.batch_size, feed.rows(0, 0)) == (None, None, None, None)
    with pytest.raises(NotImplementedError):
        feed.epoch(0)
