"""What blocks leave to the layers, as it does not fit; and what they say or do where the layers would."""

import numpy as np
import pytest
import torch
from kernel_check import whole

from striate.foundation.checks import UserError
from striate.kernels import early
from striate.kernels.library import plain
from striate.layers import BatchNormalization, Conv1D, Conv2D, Dense, GlobalMaxPooling1D, Input, ReLU
from striate.models import Model, Sequential
from striate.optimizers import SGD, Adam


def test_an_empty_batch_moves_no_statistics():
    model = Sequential([BatchNormalization(input_shape=(3,))])
    model(torch.zeros(0, 3), training=True)
    twin = BatchNormalization()
    twin(torch.zeros(0, 3), training=True)
    assert torch.equal(model.layers[0].moving_variance, twin.moving_variance)


def test_an_axis_that_is_last_in_another_network():
    norm = BatchNormalization(axis=2)
    Model(first := Input((5, 8)), norm(first))
    model = Model(second := Input((4, 8, 8)), norm(second))
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(model(x, training=True), norm(x, training=True))


def test_keepdims_may_change():
    model = Sequential([Input((6, 3)), Conv1D(4, 2), GlobalMaxPooling1D()])
    assert model(torch.zeros(2, 6, 3)).shape == (2, 4)
    model.layers[1].keepdims = True
    assert model(torch.zeros(2, 6, 3)).shape == (2, 1, 4)


def test_a_bias_of_another_size():
    model = Sequential([Input((6, 3)), Conv1D(64, 2), GlobalMaxPooling1D()])
    model.layers[0].bias = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises((UserError, RuntimeError)):
        model(torch.zeros(2, 6, 3))


def test_weights_elsewhere_are_refused_in_words():
    model = Sequential([Input((3,)), Dense(2)])
    model(torch.zeros(1, 3))
    model.to("meta")
    with pytest.raises(UserError, match=r"Dense 'dense.*' got a tensor on cpu; it needs one on meta"):
        model(torch.zeros(1, 3))


def test_a_view_of_negatives_is_read_by_torch():
    assert not plain(torch._neg_view(torch.ones(2)))
    model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
    assert model(torch._neg_view(torch.ones(1, 2))).item() == -2


def test_gradients_of_gradients_where_a_layer_is_shared():
    x = torch.randn(3, 4)
    shared = Dense(4, activation="relu")
    model = Model(inputs := Input((4,)), shared(shared(inputs)))

    def second(compute):
        first = torch.autograd.grad(compute(x).square().sum(), list(shared.parameters()), create_graph=True)
        again = torch.autograd.grad(sum(g.square().sum() for g in first), list(shared.parameters()))
        return [*first, *again]

    for one, two in zip(second(model), second(lambda x: shared(shared(x))), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


def test_relu_up_to_a_cap_hands_nothing_on_at_its_ends():
    """Of a channel that is constant all is 0 after normalisation: where torch's relu6 has no gradient."""
    model = Sequential([Input((3,)), BatchNormalization(), ReLU(6.0)])
    x = torch.ones(4, 3)
    for create_graph in (False, True):
        (gradient,) = torch.autograd.grad(
            model(x, training=True).sum(), model.layers[0].beta, create_graph=create_graph
        )
        assert torch.equal(gradient, torch.zeros(3))


def test_weights_with_gaps_are_not_stepped():
    model = Sequential([Input((4,)), Dense(3)])
    model.compile(SGD(0.1), "mse")
    model.fit(np.zeros((4, 4)), np.ones((4, 3)), verbose=0)
    wide = torch.zeros(4, 6)
    model.layers[0].kernel.data = wide[:, ::2]
    with pytest.raises(UserError, match=r"parameter .*kernel.* with gaps in memory"):
        model.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)
    assert not wide[:, 1::2].any()


def test_hooks_on_torchs_optimizer_are_called():
    model, steps = Sequential([Input((4,)), Dense(3)]), []
    model.compile(Adam(), "mse")
    model.fit(np.zeros((4, 4)), np.ones((4, 3)), verbose=0)
    model.optimizer.engine.register_step_post_hook(lambda *_: steps.append(1))
    model.fit(np.zeros((4, 4)), np.ones((4, 3)), verbose=0)
    assert steps == [1]


def test_weights_that_are_read_once():
    a, b, c = (whole(2).requires_grad_() for _ in range(3))
    loss = (a * b + (a + 1) * 2).sum()
    assert [weight is b for weight in early.read_once(loss, [a, b, c])] == [True]


def test_layers_that_do_not_learn_are_folded_unless_a_gradient_goes_through_them():
    layers = [Conv2D(8, 3, name="conv"), BatchNormalization(name="norm"), ReLU(name="relu")]
    model = Sequential([Input((9, 9, 3)), *layers])
    model.trainable = False
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.5, 1.5, w.shape).astype("float32") for w in model.get_weights()])

    def one_by_one(x):
        for layer in layers:
            x = layer(x, training=True) if layer.name == "norm" else layer(x)
        return x

    x, same = (torch.ones(2, 9, 9, 3).uniform_(generator=torch.Generator().manual_seed(0)) for _ in range(2))
    torch.testing.assert_close(model(x, training=True), one_by_one(same), rtol=1e-4, atol=1e-5)
    assert "folded into one" in model.plan.describe()
    model(x.requires_grad_()).square().sum().backward()
    assert "gradients through moving statistics" in model.plan.describe()
    one_by_one(same.requires_grad_()).square().sum().backward()
    torch.testing.assert_close(x.grad, same.grad, rtol=1e-4, atol=1e-3)
    layers[0].trainable = True
    model(x.detach())
    assert "gradients through moving statistics" in model.plan.describe()
