"""The benchmark's PyTorch networks compute what striate's do: outputs, losses, gradients, weights after steps."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from striate.layers.structure import mode
from striate.training.losses import get
from striate.utils import set_random_seed

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from networks_table import NETWORKS
from torch_twin import Twin, channels_first, fold, torch_loss


def pair(name):
    """Both sides, with weights and statistics that are all different, and a batch."""
    set_random_seed(0)
    network = NETWORKS[name]
    model = network.make(0.0, **network.tiny)
    with torch.no_grad():
        for weight in [*model.parameters(), *model.buffers()]:
            if weight.ndim == 1:  # biases and statistics, which begin as zeros and ones
                weight += 0.2 * torch.rand_like(weight) - 0.1
    words = {"words": network.tiny["words"]} if network.words else {}
    x, y = type(network)(network.make, 4, network.loss, **words).data(model, 4)
    return model, Twin(model), torch.from_numpy(x), torch.from_numpy(y)


def assert_close(one, two, share=2e-5, floor=0.0):
    """Within a share of the largest number there is."""
    one, two = one.detach().numpy(), two.detach().numpy()
    assert one.shape == two.shape
    np.testing.assert_allclose(one, two, rtol=0, atol=share * float(np.abs(two).max()) + floor)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_the_same_with_normalization_folded_too(name):
    model, twin, x, _ = pair(name)
    twin.module.eval()
    outputs = channels_first(model(x))
    assert_close(outputs, twin.predict(channels_first(x)))
    fold(twin.module)
    assert_close(outputs, twin.predict(channels_first(x)))
    left = any("batch_norm" in name for name, _ in twin.module.named_modules())
    assert left == (name in ("inception_time", "volumes"))  # where they follow no convolution


@pytest.mark.parametrize("name", NETWORKS)
def test_loss_and_gradients_are_the_same(name):
    model, twin, x, y = pair(name)
    # In float64: dozens of normalizations of few numbers make float32's rounding as large as what is compared.
    model.double(), twin.module.double().train()
    x, y = (value.double() if value.is_floating_point() else value for value in (x, y))
    with mode(model, True):
        mine = get(NETWORKS[name].loss)(y, model(x))
    theirs = torch_loss(NETWORKS[name].loss)(twin.module(channels_first(x)), y)
    mine.backward()
    theirs.backward()
    assert abs(mine.item() / theirs.item() - 1) < 1e-9
    known = {id(parameter): parameter for parameter, _, _ in twin.weights}
    assert known.keys() == {id(parameter) for parameter in twin.module.parameters()}
    assert len(known) == len(list(model.parameters()))
    # A bias before batch normalization has no gradient but for rounding, of sums of gradients as large as others.
    floor = 1e-12 * max(parameter.grad.abs().max().item() for parameter in known.values())
    for parameter, weight, move in twin.weights:
        assert_close(move(weight.grad), parameter.grad, 1e-7, floor)
