"""`torch.jit.trace` of models: it looks at every attribute, and wants the same operations each time."""

import keras
import numpy as np
import pytest
import torch

from striate import layers
from striate.models import Sequential

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "error::torch.jit.TracerWarning")


def _network(kind, sequential):
    return sequential(
        [
            kind.Input((8, 8, 1)),
            kind.Conv2D(2, 3, activation="relu"),
            kind.BatchNormalization(),
            kind.MaxPooling2D(),
            kind.Flatten(),
            kind.Dense(2),
        ]
    )


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("called", [False, True])
def test_a_trace_gives_what_keras_gives(compiled, called):
    model, twin = _network(layers, Sequential), _network(keras.layers, keras.Sequential)
    twin.set_weights(model.get_weights())
    if compiled:
        model.compile("adam", "mse")
    x = torch.rand(4, 8, 8, 1, generator=torch.Generator().manual_seed(0))
    if called:
        model(x)
    traced = torch.jit.trace(model, x)
    for batch in (x, x[:3] + 1):  # another number of items, too
        np.testing.assert_allclose(traced(batch).detach(), twin.predict(batch, verbose=0), atol=1e-5)
    assert model(x).shape == (4, 2)


def test_no_metrics_have_names_before_compile():
    assert _network(layers, Sequential).metrics_names == _network(keras.layers, keras.Sequential).metrics_names == []
