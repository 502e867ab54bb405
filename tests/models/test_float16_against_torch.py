"""Training in float16 against a loop of torch's own: `torch.autocast` and `torch.amp.GradScaler`."""

import numpy as np
import pytest
import torch

from striate.layers import Dense, Input
from striate.models import Model, Sequential
from striate.training.callback import Callback
from striate.training.optimizers import SGD, LossScaleOptimizer

RNG = np.random.default_rng(11)
X = RNG.normal(size=(96, 6)).astype("float32")
Y = (X @ RNG.normal(size=(6, 1))).astype("float32")
BATCH, EPOCHS, GROWTH = 8, 3, 5
HIGH = 2.0**20  # a scale at which float16 overflows in the first backward passes
CLIPS = {"plain": {}, "clipvalue": {"clipvalue": 0.125}, "global_clipnorm": {"global_clipnorm": 0.5}}
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")),
]


class Track(Callback):
    """The scale after each batch."""

    def on_train_begin(self, logs=None):
        self.scales = []

    def on_train_batch_end(self, batch, logs=None):
        self.scales.append(self.model.optimizer.dynamic_scale)


class Scaled(Model):
    """A step of one's own that scales the loss and hands over gradients, as Keras's guide writes it."""

    def train_step(self, data):
        x, y = data
        self.zero_grad()
        y_pred = self(x)
        loss = self.compute_loss(y=y, y_pred=y_pred)
        self.optimizer.scale_loss(loss).backward()
        self.optimizer.apply([weight.grad for weight in self.trainable_weights], self.trainable_weights)
        return {"loss": loss}


class Handed(Model):
    """A step of one's own that leaves the scale to the optimizer's `backward`."""

    def train_step(self, data):
        x, y = data
        self.optimizer.zero_grad()
        loss = self.compute_loss(y=y, y_pred=self(x))
        self.optimizer.backward(loss)
        self.optimizer.step()
        return {"loss": loss}


def network(kind):
    torch.manual_seed(2)
    model = Sequential([Input((6,)), Dense(16, "relu"), Dense(1)])
    return model if kind is Sequential else kind(model.input, model.output)


def by_torch(model, clip, device):
    """Weights and scales that a plain loop of torch's comes to from the weights of `model`."""
    twin = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    with torch.no_grad():
        for mine, theirs in zip(model.weights, twin.parameters(), strict=True):
            theirs.copy_(mine.t())
    twin.to(device)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.0625, momentum=0.5)
    scaler = torch.amp.GradScaler(device, init_scale=HIGH, growth_interval=GROWTH)
    scales, x, y = [], torch.from_numpy(X).to(device), torch.from_numpy(Y).to(device)
    for start in [*range(0, len(X), BATCH)] * EPOCHS:
        optimizer.zero_grad()
        with torch.autocast(device, torch.float16):
            predicted = twin(x[start : start + BATCH])
        loss = (predicted.float() - y[start : start + BATCH]).square().mean()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        if "clipvalue" in clip:
            torch.nn.utils.clip_grad_value_(twin.parameters(), clip["clipvalue"])
        if "global_clipnorm" in clip:
            torch.nn.utils.clip_grad_norm_(twin.parameters(), clip["global_clipnorm"])
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return [weight.detach().cpu() for weight in twin.parameters()], scales


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("kind", [Sequential, Scaled, Handed])
def test_scales_and_weights_are_those_of_torchs_scaler(kind, clip, device):
    model, track = network(kind), Track()
    weights, scales = by_torch(model, CLIPS[clip], device)
    first = [weight.detach().clone() for weight in model.weights]
    model.to(device)
    inner = SGD(0.0625, momentum=0.5, **CLIPS[clip])
    model.compile(LossScaleOptimizer(inner, HIGH, GROWTH), "mse", precision="float16")
    model.fit(X, Y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[track])
    assert track.scales == scales
    moves = np.diff(np.log2([HIGH, *scales]))
    assert {-1, 0, 1} == set(moves), "the scale goes down, stays and goes up"
    assert model.optimizer.iterations == len(scales) - np.sum(moves < 0)
    for mine, theirs, begin in zip(model.weights, weights, first, strict=True):
        # torch's clip_grad_norm_ adds 1e-6 to the norm that it divides by.
        np.testing.assert_allclose(mine.detach().cpu().numpy(), theirs.t().numpy(), rtol=1e-4, atol=1e-5)
        assert np.abs((mine.cpu() - begin).detach().numpy()).max() > 0.05


def test_a_skipped_step_leaves_all_but_the_scale():
    """At the largest scale the first steps overflow: weights and momentum stay what they were."""
    model = network(Sequential)
    model.compile(LossScaleOptimizer(SGD(0.0625, momentum=0.5), 2.0**40, GROWTH), "mse", precision="float16")
    before = [weight.detach().clone() for weight in model.weights]
    model.fit(X[:BATCH], Y[:BATCH], batch_size=BATCH, verbose=0)
    assert all(map(torch.equal, before, model.weights))
    slots = [tensor for name, tensor in model.optimizer.variables() if "momentum" in name]
    assert slots
    assert not any(slot.any() for slot in slots)
    assert (model.optimizer.dynamic_scale, model.optimizer.iterations) == (2.0**39, 0)
