import re

import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.layers import Input
from striate.models import Model
from striate.models.applications.imagenet import class_names, decode_predictions, preprocess_input


def test_names():
    names = class_names()
    assert len(names) == len({number for number, _ in names}) == 1000
    assert all(re.fullmatch(r"n\d{8}", number) and name and " " not in name for number, name in names)
    # As in the tables that everybody prints.
    known = {
        0: "tench",
        207: "golden_retriever",
        281: "tabby",
        388: "giant_panda",
        504: "coffee_mug",
        999: "toilet_tissue",
    }
    assert {place: names[place][1] for place in known} == known


def test_decoding():
    scores = np.zeros((2, 1000))
    scores[0, [388, 207]], scores[1, 999] = [0.7, 0.2], 1.0
    first, second = decode_predictions(torch.from_numpy(scores), top=2)
    assert first == [("n02510455", "giant_panda", 0.7), ("n02099601", "golden_retriever", 0.2)]
    assert second[0] == ("n15075141", "toilet_tissue", 1.0)
    with pytest.raises(UserError, match=r"decode_predictions got an array of shape \(2, 10\); it needs \(N, 1000\)"):
        decode_predictions(scores[:, :10])


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_arrays_tensors_and_symbols_alike(mode):
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype("uint8")
    expected = preprocess_input(x, mode=mode)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(preprocess_input(torch.from_numpy(x), mode=mode).numpy(), expected, rtol=1e-6)
    begin = Input((4, 4, 3))
    model = Model(begin, preprocess_input(begin, mode=mode))
    np.testing.assert_allclose(model.predict(x.astype("float32"), verbose=0), expected, rtol=1e-5, atol=1e-5)


def test_refused():
    with pytest.raises(UserError, match=r"preprocess_input got mode='keras'; it needs one of 'caffe', 'tf', 'torch'"):
        preprocess_input(np.zeros((1, 1, 3)), mode="keras")
    with pytest.raises(UserError, match="preprocess_input got data_format='channels'; it needs one of 'channels_last'"):
        preprocess_input(np.zeros((1, 1, 3)), data_format="channels")
