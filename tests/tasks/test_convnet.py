"""The network of the size dial."""

import pytest
import torch

from striate.tasks.convnet import WIDTHS, convnet


@pytest.mark.parametrize("shape", [(16, 16, 3), (28, 28, 1), (20, 31, 1), (96, 96, 3), (2, 2, 1)])
@pytest.mark.parametrize("size", WIDTHS)
def test_any_picture_gets_probabilities(shape, size):
    model = convnet(shape, 3, size)
    outputs = model(torch.randint(0, 256, (2, *shape), dtype=torch.uint8))
    assert outputs.shape == (2, 3)
    torch.testing.assert_close(outputs.sum(1), torch.ones(2))
    assert model.count_params() < 6_000_000


def test_the_dial_is_a_dial():
    small, medium, large = (convnet((28, 28, 1), 10, size).count_params() for size in ("small", "medium", "large"))
    assert small < medium < large


def test_pixels_are_scaled_inside():
    model = convnet((4, 4, 1), 2, "small", scale=0.5, offset=-1.0)
    inside = model.get_layer("rescaling")
    torch.testing.assert_close(inside(torch.tensor([0.0, 2.0, 4.0])), torch.tensor([-1.0, 0.0, 1.0]))
