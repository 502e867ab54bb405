"""`add_loss`, `losses` and activity_regularizer, beside Keras's."""

import copy
import gc
from typing import Any

import keras
import numpy as np
import pytest
import torch

from striate import layers
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Dense, Identity, Input
from striate.layers.loss_adder import anything_added
from striate.models import Model, Sequential

X = np.linspace(-1, 1, 12).reshape(4, 3).astype("float32")


def kinds(base: Any) -> Any:
    """Layers of one's own that add losses, of Keras's or of ours."""

    class Squares(base):
        def __init__(self, factor: float, **options: Any) -> None:
            super().__init__(**options)
            self.factor = factor

        def call(self, x: torch.Tensor) -> torch.Tensor:
            self.add_loss(self.factor * (x**2).mean())
            return x + 1

    class Twice(base):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.inner, self.other = Squares(1.0), Squares(10.0)

        def call(self, x: torch.Tensor) -> torch.Tensor:
            self.add_loss([x.abs().sum(), x.sum()])
            return self.inner(self.other(self.inner(x)))

    class Sometimes(base):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.inner = Squares(1.0)

        def call(self, x: torch.Tensor, training: bool | None = None) -> torch.Tensor:
            return self.inner(x) if training else x

    return Squares, Twice, Sometimes


OURS, THEIRS = kinds(layers.Layer), kinds(keras.layers.Layer)


def figures(layer: Any) -> list[float]:
    return [loss.item() for loss in layer.losses]


@pytest.mark.parametrize("index", [0, 1])
def test_losses_are_those_of_the_last_pass_as_in_keras(index: int):
    ours, theirs = (kinds[index](*([2.0] if index == 0 else [])) for kinds in (OURS, THEIRS))
    assert ours.losses == theirs.losses == []
    for factor in (1, 3):
        for layer in (ours, theirs):
            layer(torch.tensor(factor * X))
        assert figures(ours) == pytest.approx(figures(theirs), rel=1e-6)
    if index:
        assert figures(ours.inner) == pytest.approx(figures(theirs.inner), rel=1e-6)
        assert len(ours.losses) == 5
        for layer in (ours, theirs):
            layer.inner(torch.tensor(X))
        assert figures(ours) == pytest.approx(figures(theirs), rel=1e-6)
        assert len(ours.losses) == 4


def test_a_pass_that_does_not_reach_a_layer_forgets_its_losses_as_keras_does():
    for _, _, sometimes in (OURS, THEIRS):
        layer = sometimes()
        layer(torch.tensor(X), training=True)
        assert len(layer.losses) == len(layer.inner.losses) == 1
        layer(torch.tensor(X), training=False)
        assert layer.losses == layer.inner.losses == []


def test_regularizers_of_trainable_weights_come_after():
    found = []
    for k, (squares, _, _) in ((layers, OURS), (keras.layers, THEIRS)):
        dense = [k.Dense(2, kernel_initializer="ones", kernel_regularizer="l2", bias_regularizer="l1") for _ in "12"]
        model = (Sequential if k is layers else keras.Sequential)([dense[0], squares(1.0), dense[1]])
        model(torch.tensor(X))
        before = figures(model)
        dense[0].trainable = False
        found.append((before, figures(model), figures(dense[0]), figures(dense[1])))
    for one, other in zip(*found, strict=True):
        assert one == pytest.approx(other, rel=1e-6)
    assert [len(part) for part in found[0]] == [5, 3, 0, 2]


def test_an_activity_regularizer_sees_every_output():
    found = []
    for k in (layers, keras.layers):
        keras.utils.set_random_seed(1)
        lstm = k.LSTM(3, return_state=True, activity_regularizer="l2", kernel_initializer="ones")
        lstm.build((2, 5, 3))
        lstm.set_weights([np.full(weight.shape, 0.1, "float32") for weight in lstm.weights])
        lstm(torch.ones(2, 5, 3))
        found.append(figures(lstm))
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert len(found[0]) == 3


def test_what_shows_a_shape_adds_nothing():
    squares = OURS[0]
    model = Model(x := Input((3,)), squares(1.0)(x))
    assert model.losses == []
    Sequential([Input((3,)), squares(1.0), Dense(1)])

    class Around(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = squares(1.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.inner.compute_output_shape(tuple(x.shape))
            return self.inner(x)

    layer = Around()
    layer(torch.tensor(X))
    assert len(layer.losses) == 1


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_copies_files_and_traces_carry_no_losses(tmp_path: Any):
    model = Sequential([Input((3,)), Dense(3, activity_regularizer="l2"), OURS[0](1.0), Dense(1)])
    model.compile("sgd", "mse")
    x = torch.tensor(X)
    model(x)
    assert len(model.losses) == 2
    twin = copy.deepcopy(model)
    assert twin.losses == []
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    assert not [name for name in torch.load(tmp_path / "weights.pt", weights_only=True) if "loss" in name]
    traced = torch.jit.trace(model, x)
    torch.jit.save(traced, tmp_path / "traced.pt")
    assert {name for name, _ in torch.jit.load(tmp_path / "traced.pt").named_parameters()} == set(
        dict(model.named_parameters())
    )
    model(x)
    twin(x)
    assert len(twin.losses) == len(model.losses) == 2


def test_losses_go_with_their_layer():
    gc.collect()
    before = anything_added()
    layer = OURS[0](1.0)
    layer(torch.tensor(X))
    assert anything_added()
    del layer
    gc.collect()
    assert anything_added() == before


def test_an_error_in_a_pass_ends_it():
    class Faulty(layers.Layer):
        def forward(self, x: torch.Tensor, fail: bool = False) -> torch.Tensor:
            self.add_loss(x.sum())
            if fail:
                raise RuntimeError("no")
            return x

    layer = Faulty()
    with pytest.raises(RuntimeError, match="no"):
        layer(torch.tensor(X), fail=True)
    layer(torch.tensor(X))
    assert len(layer.losses) == 1
    with pytest.raises(UserError, match="outside of a forward pass"):
        layer.add_loss(torch.ones(()))


# Refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (1.5, r"^Adds 'a'\.add_loss got 1\.5; it needs a scalar tensor that the layer computed\. Compute it with torc"),
        (None, r"^Adds 'a'\.add_loss got None; it needs a scalar tensor"),
        (np.float32(2), r"^Adds 'a'\.add_loss got np\.float32\(2\.0\); it needs a scalar tensor"),
        (Input((3,), name="i"), r"^Adds 'a'\.add_loss got <Symbol 'i' shape=\(None, 3\) dtype=float32>; it needs a sc"),
        (torch.ones(4), r"add_loss got a tensor of shape \(4,\); .* Take its mean or its sum: self\.add_loss\(loss\.m"),
        (torch.ones((), dtype=torch.complex64), r"add_loss got a tensor of torch\.complex64; .* Take its absolute val"),
        ([torch.ones(()), 1], r"^Adds 'a'\.add_loss got 1; it needs a scalar tensor"),
    ],
)  # fmt: skip
def test_what_is_no_loss_is_refused(loss: Any, text: str):
    class Adds(layers.Layer):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.add_loss(loss)
            return x

    layer = Adds(name="a")
    with pytest.raises(UserError, match=text):
        layer(torch.tensor(X))
    assert layer.losses == []


def test_a_loss_from_outside_is_refused():
    model = Sequential([Input((3,)), Dense(1)], name="m")
    text = (
        r"^Sequential 'm'\.add_loss got a call outside of a forward pass; it needs to be called while the layer comput"
        r"es: losses last until the next forward pass\. Call add_loss in forward \(or call\) of a layer, and call the l"
    )
    with pytest.raises(UserError, match=text):
        model.add_loss(torch.ones(()))


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Dense(1, activity_regularizer="l3"), UserError, r"Dense '.*' got regularizer 'l3'; it needs a known"),
        (
            lambda: layers.LSTMCell(2, activity_regularizer="l2"),
            UnsupportedError,
            r"^LSTMCell '.*' got activity_regularizer='l2'; it needs activity_regularizer=None: what .* ActivityRegula",
        ),
        (lambda: layers.InputLayer((3,), activity_regularizer="l2"), UnsupportedError, r"^InputLayer '.*' got activit"),
        (
            lambda: layers.TimeDistributed(Dense(1, activity_regularizer="l2", name="d")),
            UnsupportedError,
            r"got Dense 'd' with an activity_regularizer; it needs a layer without: Keras ignores it here\. Give the",
        ),
        (lambda: layers.ActivityRegularization(l1=-1), UserError, r"got l1=-1; it needs a number of at least 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_penalised_is_refused(make: Any, error: type, text: str):
    with pytest.raises(error, match=text):
        make()


def test_layers_that_are_joined_still_show_what_comes_out():
    flips = [layers.RandomFlip(seed=1, activity_regularizer="l1"), layers.RandomRotation(0.1, seed=1), Identity()]
    model = Sequential([Input((4, 4, 1)), *flips])
    model(torch.ones(2, 4, 4, 1), training=True)
    assert figures(model) == pytest.approx([0.01 * 16])
