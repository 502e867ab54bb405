"""A network that has every block of the plan, and the same without its plan."""

import copy
import os
from unittest import mock

import pytest
import torch

from striate import layers
from striate.kernels.library import units
from striate.models import Sequential
from striate.utils import set_random_seed

if not units():
    pytest.skip("nothing is compiled here", allow_module_level=True)

X = torch.randn(3, 9, 10, 2, generator=torch.Generator().manual_seed(0))


def stack(**options):
    return [
        layers.Conv2D(5, 3, activation="relu", name="first", **options),
        layers.MaxPooling2D(name="pool", **options),
        layers.Conv2D(4, 2, padding="same", name="second", **options),
        layers.BatchNormalization(axis=1 if options.get("data_format") == "channels_first" else -1, name="norm"),
        layers.ReLU(name="relu"),
        layers.Flatten(name="flatten"),
        layers.Dense(6, name="hidden"),
        layers.Activation("relu", name="active"),
        layers.Dense(2, name="out"),
    ]


def network(**options):
    set_random_seed(3)
    return Sequential([layers.Input(X.shape[1:]), *stack(**options)])


def without_plan(model):
    """A copy that computes layer by layer."""
    found = copy.deepcopy(model)
    vars(found._need_graph()).pop("plan", None)
    with mock.patch.dict(os.environ, STRIATE_PLAN="off"):
        assert not found.plan.blocks
    return found


def assert_close(found, expected, tolerance=1e-5):
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def gradients(model, x=X, **options):
    """Outputs, and their squares' gradients by the input and the weights."""
    x = x.clone().requires_grad_()
    y = model(x, **options)
    wanted = [x, *(weight for weight in model.parameters() if weight.requires_grad)]
    found = torch.autograd.grad(y.square().sum(), wanted, allow_unused=True)
    return [y, *(torch.zeros(0) if one is None else one for one in found)]
