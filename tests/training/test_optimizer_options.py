import os

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
from oracles.compare import double_precision

from striate.foundation.checks import UserError
from striate.training.optimizer_options import DEFAULTS, check_options, clip_global_norm, clip_norms, clip_values
from striate.training.optimizers import SGD, Adam, AdamW, TorchOptimizer


def weights_of(*values):
    return [torch.nn.Parameter(torch.tensor(value)) for value in values]


def make(cls, weights, **options):
    optimizer = cls(**options)
    optimizer.build((f"layer.{name}", weight) for name, weight in zip(("kernel", "bias"), weights, strict=False))
    return optimizer


def step(optimizer, weights, gradient=1.0):
    for weight in weights:
        weight.grad = torch.full_like(weight, gradient)
    optimizer.step()


REFUSED = [
    (
        {"clipnorm": 1.0, "clipvalue": 2.0},
        r"^X got clipnorm=1.0 and clipvalue=2.0; it needs one kind of clipping. Keep",
    ),
    ({"clipnorm": 0}, "^X got clipnorm=0; it needs a number above 0"),
    ({"global_clipnorm": -1}, "^X got global_clipnorm=-1; it needs a number above 0"),
    ({"clipvalue": "big"}, "^X got clipvalue='big'"),
    ({"loss_scale_factor": 0.0}, "^X got loss_scale_factor=0.0; it needs a number above 0"),
    ({"use_ema": 1}, "^X got use_ema=1; it needs True or False"),
    ({"use_ema": True, "ema_momentum": 1.5}, "^X got ema_momentum=1.5; it needs a number from 0 to 1"),
    (
        {"use_ema": True, "ema_overwrite_frequency": 0},
        "^X got ema_overwrite_frequency=0; it needs a whole number of at",
    ),
    (
        {"ema_overwrite_frequency": 3},
        "^X got ema_overwrite_frequency=3 with use_ema=False; it needs averages to overwrite with. Pass use_ema=True",
    ),
    ({"gradient_accumulation_steps": 1}, "^X got gradient_accumulation_steps=1; it needs a whole number of at least 2"),
]


@pytest.mark.parametrize(("options", "text"), REFUSED, ids=[str(options) for options, _ in REFUSED])
def test_refused(options, text):
    with pytest.raises(UserError, match=text):
        check_options("X", options)


def test_defaults_ask_for_nothing():
    assert check_options("X", {}) == DEFAULTS


def test_a_misspelt_option_is_told():
    with pytest.raises(UserError, match=r"Adam got an unknown argument clip_norm=1.0; .* Did you mean 'clipnorm'\?"):
        Adam(clip_norm=1.0)


def test_clipping_equals_torch():
    rng = np.random.default_rng(0)
    gradients = [torch.from_numpy(rng.normal(size=shape)) for shape in ((3, 4), (5,))]
    expected = [gradient.clone().requires_grad_() for gradient in gradients]
    for one, gradient in zip(expected, gradients, strict=True):
        one.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(expected, 0.5)
    clip_global_norm(gradients, 0.5)
    for one, gradient in zip(expected, gradients, strict=True):
        torch.testing.assert_close(gradient, one.grad, rtol=1e-5, atol=0)  # torch adds 1e-6 to the norm


@pytest.mark.parametrize("clip", [clip_norms, clip_global_norm, clip_values])
def test_zero_and_short_gradients_stay_as_they_are(clip):
    gradients = [torch.zeros(3), torch.tensor([0.25])]
    clip(gradients, 0.5)
    assert [gradient.tolist() for gradient in gradients] == [[0.0] * 3, [0.25]]


def test_an_infinite_gradient_does_not_pass_for_zero():
    gradients = [torch.ones(2), torch.tensor([float("inf")])]
    clip_global_norm(gradients, 1.0)
    assert all(gradient.isnan().all() for gradient in gradients)


def test_accumulated_steps_equal_one_of_the_mean():
    rng = np.random.default_rng(1)
    first, second = weights_of([1.0, 2.0]), weights_of([1.0, 2.0])
    many, one = make(Adam, first, gradient_accumulation_steps=4), make(Adam, second)
    for _ in range(3):
        gradients = torch.from_numpy(rng.normal(size=(4, 2))).float()
        for gradient in gradients:
            before = first[0].detach().clone()
            first[0].grad = gradient.clone()
            many.step()
        assert not torch.equal(before, first[0])
        second[0].grad = gradients.mean(0)
        one.step()
    torch.testing.assert_close(first[0], second[0], rtol=1e-5, atol=0)
    assert (many.iterations, one.iterations) == (3, 3)
    assert (many.steps, one.steps) == (12, 3)


def test_the_loss_scale_goes_in_and_out():
    weights, plain = weights_of([1.0, -2.0]), weights_of([1.0, -2.0])
    scaled, reference = make(SGD, weights, loss_scale_factor=1024.0), make(SGD, plain)
    for optimizer, (weight,) in ((scaled, weights), (reference, plain)):
        optimizer.scale_loss(weight.square().sum()).backward()
        if optimizer is scaled:
            assert weight.grad.tolist() == [2048.0, -4096.0]
        optimizer.step()
    assert torch.equal(weights[0], plain[0])


class TestWeightDecay:
    @pytest.mark.parametrize("cls", [SGD, AdamW])
    @pytest.mark.parametrize("by", ["name", "weight"])
    def test_some_weights_do_not_shrink(self, cls, by):
        weights = weights_of([1.0, 2.0], [1.0, 2.0])
        optimizer = cls(weight_decay=0.5, learning_rate=0.5)
        optimizer.exclude_from_weight_decay(**({"var_names": ["bias"]} if by == "name" else {"var_list": [weights[1]]}))
        optimizer.build([("bias_layer.kernel", weights[0]), ("bias_layer.bias", weights[1])])
        step(optimizer, weights, 0.0)
        assert weights[0].tolist() == [0.75, 1.5]
        assert weights[1].tolist() == [1.0, 2.0]

    def test_it_equals_keras(self):
        weights = [weight.detach().double().requires_grad_() for weight in weights_of([1.0, 2.0], [1.0, 2.0])]
        gradient = torch.full((2,), 0.25, dtype=torch.float64)
        with double_precision():
            ours, theirs = (k(weight_decay=0.5, learning_rate=0.125) for k in (AdamW, keras.optimizers.AdamW))
            variables = [keras.Variable([1.0, 2.0], name=name, dtype="float64") for name in ("kernel", "bias")]
            for optimizer in (ours, theirs):
                optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
            ours.build(zip(("a.kernel", "a.bias"), weights, strict=True))
            theirs.build(variables)
            for _ in range(5):
                step(ours, weights, 0.25)
                theirs.apply([gradient] * 2, variables)
        for weight, variable in zip(weights, variables, strict=True):
            np.testing.assert_allclose(weight.detach(), variable.value.detach(), rtol=1e-12)

    def test_refused(self):
        optimizer = make(SGD, weights_of([1.0]))
        with pytest.raises(UserError, match="SGD got exclude_from_weight_decay after build; it needs to know before"):
            optimizer.exclude_from_weight_decay(var_names=["bias"])
        with pytest.raises(UserError, match=r"SGD got var_names='\(' \(.*\); it needs regular expressions. Mend it"):
            SGD().exclude_from_weight_decay(var_names=["("])


class TestAverages:
    def test_they_take_the_place_of_the_weights_at_the_end(self):
        weights = weights_of([1.0])
        optimizer = make(SGD, weights, learning_rate=1.0, use_ema=True, ema_momentum=0.5)
        optimizer.finalize_variable_values()  # nothing is averaged yet
        assert weights[0].tolist() == [1.0]
        for _ in range(3):
            step(optimizer, weights)
        assert weights[0].tolist() == [-2.0]
        optimizer.finalize_variable_values()
        assert weights[0].tolist() == [(0 * 0.5 - 1 * 0.5) * 0.5 - 2 * 0.5]

    def test_swapped_twice_nothing_has_changed(self):
        weights = weights_of([1.0])
        optimizer = make(SGD, weights, learning_rate=1.0, use_ema=True, ema_momentum=0.5)
        step(optimizer, weights), step(optimizer, weights)
        optimizer.swap_averages()
        assert weights[0].tolist() == [-0.5]
        again = make(SGD, weights_of([0.0]), use_ema=True)
        again.load_state_dict(optimizer.state_dict())
        assert again.engine.param_groups[0]["averages_in_model"] == 1
        optimizer.swap_averages()
        assert weights[0].tolist() == [-1.0]

    def test_the_end_may_come_while_they_are_swapped(self):
        weights = weights_of([1.0])
        optimizer = make(SGD, weights, learning_rate=1.0, use_ema=True, ema_momentum=0.5)
        step(optimizer, weights), step(optimizer, weights)
        optimizer.swap_averages()
        for _ in range(2):
            optimizer.finalize_variable_values()
            assert weights[0].tolist() == [-0.5]

    def test_an_average_begins_with_a_weight_that_is_unfrozen_late(self):
        weights = weights_of([1.0], [8.0])
        weights[1].requires_grad_(False)
        optimizer = make(SGD, weights, learning_rate=1.0, use_ema=True, ema_momentum=0.5)
        step(optimizer, weights[:1])
        weights[1].requires_grad_(True)
        step(optimizer, weights)
        optimizer.finalize_variable_values()
        assert weights[1].tolist() == [7.5]

    @pytest.mark.parametrize(
        "optimizer", [make(SGD, weights_of([1.0])), TorchOptimizer(torch.optim.SGD(weights_of([1.0])))]
    )
    def test_refused_where_there_are_none(self, optimizer):
        with pytest.raises(
            UserError, match=r"SGD got a request for averaged weights; it needs to keep averages\. Pass use_e"
        ):
            optimizer.swap_averages()
