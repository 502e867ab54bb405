"""Large weights that take their steps within the backward pass end up with the bits that they had without that."""

from unittest import mock

import pytest
import torch
from kernel_check import ENGINES, running

from striate import layers
from striate.callbacks import Callback
from striate.models import Model
from striate.optimizers import SGD, Adagrad, Adam, Adamax, AdamW, Lion, LossScaleOptimizer, Nadam
from striate.optimizers.schedules import ExponentialDecay
from striate.training.diagnose import NotFiniteError
from striate.training.early_steps import EarlySteps
from striate.utils import set_random_seed

X = torch.randn(12, 6, 6, 40, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3
LARGE = 4  # weights of the network below


class Watches(Callback):
    """Not striate's own: it might read gradients, so that all weights step at the end."""

    def on_train_batch_end(self, batch, logs=None):
        assert all(weight.grad is not None for weight in self.model.trainable_weights)


def network(shared=False, **options):
    set_random_seed(3)
    x = inputs = layers.Input((6, 6, 40))
    for strides in (1, 2):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(48, 3, strides, "same", **options)(x)))
    wide = layers.Dense(432, activation="relu")
    x = wide(layers.Flatten()(x))
    x = wide(x) if shared else x
    x = layers.Reshape((9, 48))(x)
    return Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(layers.Conv1D(144, 3)(x))))


def trained(optimizer, callbacks=(), **options):
    """How often weights took their step early, weights, and what the optimizer keeps."""
    model = network(**options)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    with mock.patch.object(EarlySteps, "_step_early", autospec=True, side_effect=EarlySteps._step_early) as step:
        model.fit(X, Y, epochs=2, batch_size=4, shuffle=False, verbose=0, callbacks=list(callbacks))
    kept = [value for _, value in optimizer.variables()]
    return step.call_count, [weight.detach().clone() for weight in model.weights] + kept


def assert_same(optimizer, steps, **options):
    count, found = trained(optimizer(), **options)
    none, expected = trained(optimizer(), [Watches()], **options)
    assert (count, none) == (steps, 0)
    assert all(map(torch.equal, found, expected))


OPTIMIZERS = {
    "sgd": lambda: SGD(0.05),
    "decayed": lambda: SGD(0.05, weight_decay=0.1),
    "momentum": lambda: SGD(0.05, 0.9),
    "nesterov": lambda: SGD(0.05, 0.9, nesterov=True),
    "adam": Adam,
    "amsgrad": lambda: Adam(amsgrad=True),
    "averaged": lambda: Adam(use_ema=True, ema_overwrite_frequency=2),
    "scheduled": lambda: Adam(ExponentialDecay(0.002, 2, 0.5)),
    "adamw": lambda: AdamW(0.001, 0.1),
    "adagrad": lambda: Adagrad(0.05),
    "adamax": Adamax,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_same_bits(name):
    assert_same(OPTIMIZERS[name], 6 * LARGE)


@pytest.mark.parametrize(("unit", "threads"), ENGINES)
def test_the_same_bits_by_every_instruction_set(unit, threads):
    with running(unit, threads):
        assert_same(Adam, 6 * LARGE)


def test_some_weights_do_not_decay():
    def optimizer():
        found = AdamW(0.001, 0.1)
        found.exclude_from_weight_decay(var_names=["bias"])
        return found

    assert_same(optimizer, 6 * LARGE)


class Own(Adam):
    """A subclass may do more with gradients."""


LATER = {
    "clipped": lambda: SGD(0.05, clipvalue=0.01),
    "clipped by norm": lambda: SGD(0.05, global_clipnorm=0.1),
    "accumulated": lambda: Adam(gradient_accumulation_steps=2),
    "scaled": lambda: SGD(0.05, loss_scale_factor=8.0),
    "scaled as needed": lambda: LossScaleOptimizer(SGD(0.05)),
    "a product over all steps": Nadam,
    "not compiled": lambda: Lion(0.001),
    "the user's": Own,
}


@pytest.mark.parametrize("name", LATER)
def test_optimizers_that_need_all_gradients(name):
    assert_same(LATER[name], 0)


def test_without_compiled_kernels():
    with running("reference", 1):
        assert_same(Adam, 0)


def test_weights_that_are_read_twice_step_at_the_end():
    assert_same(Adam, 6 * (LARGE - 1), shared=True)


@pytest.mark.parametrize("options", [{"kernel_regularizer": "l2"}, {"kernel_constraint": "max_norm"}])
def test_weights_of_which_more_is_asked_step_at_the_end(options):
    assert_same(Adam, 6 * (LARGE - 2), **options)


@pytest.mark.parametrize("listen", ["register_hook", "register_post_accumulate_grad_hook"])
def test_hooks_on_a_weight(listen):
    model, seen = network(), []
    model.compile("adam", "sparse_categorical_crossentropy")
    getattr(model.layers[1].kernel, listen)(lambda one: seen.append(one.shape))
    model.fit(X, Y, batch_size=4, verbose=0)
    assert seen == [model.layers[1].kernel.shape] * 3


def test_no_hook_is_left_and_no_gradient_where_steps_were_taken():
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    large = model.plan.alone()
    assert len(large) == LARGE
    assert not any(weight._post_accumulate_grad_hooks for weight in large)
    assert all((weight.grad is None) == any(weight is one for one in large) for weight in model.trainable_weights)


def test_an_exception_on_the_way_leaves_no_hook():
    weight = torch.nn.Parameter(torch.ones(2**14))
    optimizer = SGD(0.5)
    optimizer.build([weight])
    loss = weight.sum()
    loss.register_hook(lambda gradient: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        optimizer.backward(loss, [weight])
    assert not weight._post_accumulate_grad_hooks
    optimizer.backward(weight.sum(), [weight])
    optimizer.step()
    assert weight.grad is None
    assert optimizer.iterations == 1
    assert torch.equal(weight.detach(), torch.full((2**14,), 0.5))


def test_gradients_that_are_no_numbers_spoil_what_they_spoiled_at_the_end():
    found = []
    for callbacks in ([], [Watches()]):
        model = network()
        model.compile(SGD(0.1), lambda y, p: (p.sum(-1) * 0 + 1).sub(1).abs().sqrt())  # finite, its slope is not
        model.fit(X, Y, batch_size=12, verbose=0, callbacks=callbacks)
        found.append([weight.detach().isnan() for weight in model.weights])
    assert all(map(torch.equal, *found))
    assert any(map(torch.any, found[0]))


def test_a_loss_that_is_no_number_moves_nothing():
    model = network()
    before = [weight.detach().clone() for weight in model.weights]
    model.compile("adam", lambda y, p: p.sum(-1) / 0)
    with pytest.raises(NotFiniteError):
        model.fit(X, Y, verbose=0)
    assert all(map(torch.equal, before, model.weights))
