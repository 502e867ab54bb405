"""Weights that take their step of Adam within the backward pass are what they would be; nobody misses a gradient."""

import pytest
import torch
from kernel_check import ENGINES, running, watched
from plan_models import without_plan

from striate import layers
from striate.callbacks import Callback, LambdaCallback
from striate.models import Model, Sequential
from striate.optimizers import SGD, Adam, AdamW
from striate.optimizers.schedules import ExponentialDecay
from striate.utils import set_random_seed

EARLY = "dense_backward_adam"
X = torch.randn(20, 1024, generator=torch.Generator().manual_seed(0))
Y = torch.ones(20, 2)


def network(*more, **options):
    set_random_seed(2)
    wide = layers.Dense(256, activation="relu", name="wide", **options)
    return Sequential([layers.Input((1024,)), wide, *more, layers.Dense(2)])


def trained(model, optimizer, loss="mse", **options):
    """The functions that were called, weights, and all that the optimizer keeps."""
    model(X)
    model.compile(optimizer, loss(model) if callable(loss) else loss)
    with watched() as names:
        model.fit(X, Y, epochs=3, batch_size=8, shuffle=False, verbose=0, **options)
    return names, [weight.detach() for weight in model.weights], [value for _, value in optimizer.variables()]


def assert_same(model, optimizer=lambda: Adam(0.001), early=True, loss="mse", **options):
    model(X)
    twin = without_plan(model)
    names, *found = trained(model, optimizer(), loss, **options)
    assert (EARLY in names) == early
    other, *expected = trained(twin, optimizer(), loss, **options)
    assert EARLY not in other
    for ours, theirs in zip(found, expected, strict=True):
        for one, two in zip(ours, theirs, strict=True):
            assert (
                one - two
            ).abs().float().mean() <= 5e-6  # one of many gradients may be all but 0, which Adam makes large
            torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("unit", "threads"), ENGINES)
@pytest.mark.parametrize("optimizer", [Adam, lambda: AdamW(0.001, 0.1), lambda: Adam(ExponentialDecay(0.002, 3, 0.5))])
def test_steps_are_the_same(optimizer, unit, threads):
    with running(unit, threads):
        assert_same(network(), optimizer)


def test_other_batches():
    with_all = network()
    names, *_ = trained(with_all, Adam())
    assert names.count(EARLY) == 9
    assert_same(network(layers.Dense(300, use_bias=False), layers.ReLU()))


OPTIMIZERS = {
    "sgd": SGD,
    "amsgrad": lambda: Adam(amsgrad=True),
    "clipped": lambda: Adam(clipvalue=0.1),
    "clipped by norm": lambda: Adam(global_clipnorm=0.1),
    "accumulated": lambda: Adam(gradient_accumulation_steps=2),
    "scaled": lambda: Adam(loss_scale_factor=8.0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_that_need_the_gradient(name):
    assert_same(network(), OPTIMIZERS[name], early=False)


def test_averages_follow():
    assert_same(network(), lambda: Adam(use_ema=True))


def test_a_loss_that_reads_the_weights():
    def loss(model):
        return lambda y, predicted: (y - predicted).square().mean(-1) + model.layers[0].kernel.square().sum()

    assert_same(network(), early=False, loss=loss)


def test_a_penalty():
    assert_same(network(kernel_regularizer="l2"), early=False)


def test_a_constraint():
    assert_same(network(kernel_constraint="max_norm"), early=False)


def test_a_layer_used_twice():
    set_random_seed(2)
    inputs, shared = layers.Input((1024,)), layers.Dense(1024, activation="relu")
    assert_same(Model(inputs, layers.Dense(2)(shared(shared(inputs)))), early=False)


class Reads(Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.seen = [weight.grad is not None for weight in self.model.parameters()]


def test_callbacks_that_may_read_gradients():
    reads, seen = Reads(), []
    trained(network(), Adam(), callbacks=[reads])
    assert all(reads.seen)
    model = network()
    listening = LambdaCallback(on_train_batch_end=lambda *_: seen.append(model.layers[0].kernel.grad is not None))
    trained(model, Adam(), callbacks=[listening])
    assert seen == [True] * 9


def test_gradients_after_a_batch_by_hand():
    model = network()
    model.compile("adam", "mse")
    model.train_on_batch(X, Y)
    assert all(weight.grad is not None for weight in model.parameters())


@pytest.mark.parametrize("freeze", ["trainable", "requires_grad"])
def test_frozen_weights_stay(freeze):
    model = network()
    model(X)
    layer = model.layers[0]
    if freeze == "trainable":
        layer.trainable = False
    else:
        layer.kernel.requires_grad_(False)
    before = layer.kernel.detach().clone()
    trained(model, Adam())
    assert torch.equal(layer.kernel, before)


def test_hooks_on_the_weight_see_its_gradient():
    seen = []
    model = network()
    model(X)
    model.layers[0].kernel.register_hook(seen.append)
    trained(model, Adam())
    assert len(seen) == 9
