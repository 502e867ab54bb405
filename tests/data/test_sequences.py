import keras
import numpy as np
import pytest

from striate import utils
from striate.foundation.checks import UnsupportedError, UserError

LISTS = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9]]


@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("maxlen", [None, 2, 7])
@pytest.mark.parametrize("sequences", [LISTS, [[[1.5, 2]], [[3, 4], [5, 6]]]], ids=["numbers", "vectors"])
def test_pad_sequences_agrees_with_keras(sequences, maxlen, padding, truncating):
    arguments = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "dtype": "float32", "value": -1.0}
    ours, theirs = (module.pad_sequences(sequences, **arguments) for module in (utils, keras.utils))
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_pad_sequences_of_texts():
    assert utils.pad_sequences([["a"], ["b", "c"]], dtype=object, value="").tolist() == [["", "a"], ["b", "c"]]


def windows(data, length, stride, rate, start=0, end=None):
    """As the documentation of Keras's function has it, with NumPy."""
    part = data[start:end]
    every = np.lib.stride_tricks.sliding_window_view(part, (length - 1) * rate + 1, axis=0)
    return np.moveaxis(every, -1, 1)[::stride, ::rate]


@pytest.mark.parametrize(("length", "stride", "rate"), [(10, 3, 2), (5, 1, 1), (3, 4, 5)])
@pytest.mark.parametrize(("start", "end"), [(None, None), (10, None), (None, 60), (7, 71)])
def test_windows(length, stride, rate, start, end):
    data = np.arange(99 * 2).reshape(99, 2)
    targets = np.arange(99) * 7
    options = {"sequence_stride": stride, "sampling_rate": rate, "start_index": start, "end_index": end}
    dataset = utils.timeseries_dataset_from_array(data, targets, length, batch_size=4, **options)
    x, y = (np.concatenate([np.asarray(batch[part]) for batch in dataset]) for part in (0, 1))
    expected = windows(data, length, stride, rate, start or 0, end)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(y, 7 * expected[:, 0, 0] // 2)  # the targets of the steps where windows begin


def test_windows_are_counted_by_the_targets():
    dataset = utils.timeseries_dataset_from_array(np.arange(20), np.arange(5), 3, batch_size=None)
    assert [int(y) for _, y in dataset] == [0, 1, 2, 3, 4]


def test_shuffled_windows_are_the_same_windows():
    orders = [
        [
            int(x[0])
            for x in utils.timeseries_dataset_from_array(np.arange(30), None, 2, batch_size=None, shuffle=True, seed=s)
        ]
        for s in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(29))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: utils.pad_sequences(5), "pad_sequences got sequences of type int; it needs a list of lists"),
        (lambda: utils.pad_sequences([1, 2]), "pad_sequences got sequences of type list"),
        (lambda: utils.pad_sequences(LISTS, padding="left"), "pad_sequences got padding='left'"),
        (lambda: utils.pad_sequences(LISTS, value="x"), "pad_sequences got value='x' with dtype='int32'"),
        (lambda: utils.pad_sequences([[[1]], [[1, 2]]]), r"got steps of shape \(2,\) in sequence 1; it needs \(1,\)"),
        (lambda: utils.timeseries_dataset_from_array(np.arange(9), None, 0), "got sequence_length=0"),
        (lambda: utils.timeseries_dataset_from_array(np.arange(9), None, 20), "got windows over 20 steps of 9"),
        (lambda: utils.timeseries_dataset_from_array(np.arange(9), None, 2, 9), "got sequence_stride=9 for 9 steps"),
        (lambda: utils.timeseries_dataset_from_array(np.arange(9), None, 2, start_index=9), "got start_index=9"),
    ],
)
def test_refusals(call, text):
    with pytest.raises(UserError, match=text):
        call()


def test_other_formats_are_refused():
    with pytest.raises(UnsupportedError, match="got format='grain'; it needs 'tf'"):
        utils.timeseries_dataset_from_array(np.arange(9), None, 2, format="grain")
