"""Dynamic loss scaling against Keras's: weights, scale and counters after steps of which some overflow."""

import keras
import numpy as np
import pytest
import torch
from oracles.compare import double_precision

from striate.foundation.checks import UnsupportedError, UserError
from striate.training.optimizers import SGD, Adam, LossScaleOptimizer, TorchOptimizer, get

STEPS = 24
BAD = {3: np.inf, 4: -np.inf, 9: np.nan, 17: np.inf}  # what one gradient holds at these steps
INSIDE = {
    "momentum": ("SGD", {"learning_rate": 0.125, "momentum": 0.5}),
    "adam": ("Adam", {"learning_rate": 0.0625}),
    "clipvalue": ("SGD", {"learning_rate": 0.125, "clipvalue": 0.5}),
    "clipnorm": ("SGD", {"learning_rate": 0.125, "clipnorm": 0.5}),
    "global_clipnorm": ("SGD", {"learning_rate": 0.125, "global_clipnorm": 0.5}),
    "averages": ("SGD", {"learning_rate": 0.125, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3}),
    "accumulation": ("SGD", {"learning_rate": 0.125, "gradient_accumulation_steps": 3}),
    "decay": ("AdamW", {"learning_rate": 0.0625, "weight_decay": 0.25}),
}
START = [[0.5, -1.0, 2.0], [0.25]]


def wrapped(library, case, schedule=False, **scaling):
    kind, options = INSIDE[case]
    options = dict(options)
    if schedule:
        options["learning_rate"] = library.optimizers.schedules.ExponentialDecay(0.25, 2, 0.5)
    inner = getattr(library.optimizers, kind)(**options)
    return library.optimizers.LossScaleOptimizer(inner, **scaling)


@pytest.fixture(name="ours")
def striate_here():
    import striate

    return striate


@pytest.fixture
def doubles():
    """In float64 a difference in meaning stands out from rounding."""
    with double_precision():
        yield


@pytest.mark.usefixtures("doubles")
@pytest.mark.parametrize("schedule", [False, True])
@pytest.mark.parametrize("case", INSIDE)
def test_steps_equal_keras(case, schedule, ours):
    scaling = {"initial_scale": 64.0, "dynamic_growth_steps": 3}
    mine, theirs = (wrapped(library, case, schedule, **scaling) for library in (ours, keras))
    weights = [torch.nn.Parameter(torch.tensor(values, dtype=torch.float64)) for values in START]
    variables = [keras.Variable(np.asarray(values), dtype="float64") for values in START]
    mine.build(weights), theirs.build(variables)
    rng, scales = np.random.default_rng(5), []
    for step in range(STEPS):
        if step == 12 and not schedule:
            mine.learning_rate = theirs.learning_rate = 0.03125
        before = [weight.detach().clone() for weight in weights]
        for weight, variable in zip(weights, variables, strict=True):
            gradient = rng.normal(size=weight.shape)
            if step in BAD and weight is weights[0]:
                gradient[1] = BAD[step]
            scaled = mine.scale_loss(torch.from_numpy(gradient))
            assert torch.equal(scaled.nan_to_num(), theirs.scale_loss(torch.from_numpy(gradient)).nan_to_num())
            weight.grad, variable.value.grad = scaled.clone(), scaled.clone()
        mine.step()
        with torch.no_grad():
            theirs.apply([variable.value.grad for variable in variables], variables)
        assert mine.dynamic_scale == float(theirs.dynamic_scale)
        assert (mine.step_counter, mine.iterations) == (int(theirs.step_counter), int(theirs.iterations))
        assert mine.learning_rate == pytest.approx(float(theirs.learning_rate), rel=1e-6)
        assert step not in BAD or all(map(torch.equal, before, weights))
        scales.append(mine.dynamic_scale)
        for weight, variable in zip(weights, variables, strict=True):
            np.testing.assert_allclose(weight.detach(), variable.value.detach(), rtol=1e-9)
    assert min(scales) < 64 < max(scales)
    mine.finalize_variable_values(), theirs.finalize_variable_values(variables)
    for weight, variable in zip(weights, variables, strict=True):
        np.testing.assert_allclose(weight.detach(), variable.value.detach(), rtol=1e-9)


def test_defaults_are_keras():
    expected = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(), name="same").get_config()
    config = LossScaleOptimizer(SGD(), name="same").get_config()
    assert LossScaleOptimizer(SGD()).name == "loss_scale_optimizer"
    assert {**config, "inner_optimizer": None} == {**expected, "inner_optimizer": None}
    back = get(keras.optimizers.serialize(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(momentum=0.5), 8.0)))
    assert (back.initial_scale, back.inner_optimizer.momentum) == (8.0, 0.5)
    assert get(back.config() | {"class_name": "LossScaleOptimizer", "config": back.config()}).config() == back.config()


def stepped(optimizer, weight, *gradients):
    for gradient in gradients:
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()


def test_a_state_goes_on_where_it_was():
    one, other = (torch.nn.Parameter(torch.tensor([1.0, 2.0])) for _ in range(2))
    first, second = (LossScaleOptimizer(Adam(0.25), 8.0, 3) for _ in range(2))
    first.build([one]), second.build([other])
    stepped(first, one, 1.0, np.inf, 2.0, 3.0)
    with torch.no_grad():
        other.copy_(one)
    second.load_state_dict(first.state_dict())
    assert (second.dynamic_scale, second.step_counter, second.iterations) == (4.0, 2, 3)
    stepped(first, one, 4.0, 5.0), stepped(second, other, 4.0, 5.0)
    assert torch.equal(one, other)
    assert first.dynamic_scale == second.dynamic_scale == 8.0
    with pytest.raises(
        UserError, match=r"LossScaleOptimizer got a state with \['param_groups', 'state'\]; it needs one"
    ):
        second.load_state_dict(first.inner_optimizer.state_dict())


def test_torchs_own_optimizers_are_scaled_too():
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = LossScaleOptimizer(torch.optim.SGD([weight], lr=0.5), 4.0)
    assert isinstance(optimizer.inner_optimizer, TorchOptimizer)
    stepped(optimizer, weight, np.inf)
    assert weight.tolist() == [1.0]
    stepped(optimizer, weight, 2.0)  # 1 at a scale of 2
    assert weight.tolist() == [0.5]


def test_gradients_larger_than_float32s_square_root_are_finite():
    weight = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    optimizer = LossScaleOptimizer(SGD(0.0), 4.0)
    optimizer.build([weight])
    stepped(optimizer, weight, 3e38)
    assert (optimizer.dynamic_scale, optimizer.step_counter) == (4.0, 1)


def test_gradients_that_no_scale_makes_finite_are_told():
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = LossScaleOptimizer(SGD(0.5), 2.0**-23)
    optimizer.build([weight])
    stepped(optimizer, weight, np.nan)
    with pytest.raises(
        UserError, match=r"got gradients that are not finite, down to a loss scale of 6.0e-08; it needs"
    ):
        stepped(optimizer, weight, np.nan)
    assert weight.tolist() == [1.0]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: LossScaleOptimizer(), UserError, "got optimizer None; it needs the name of a known optimizer"),
        (lambda: LossScaleOptimizer("adm"), UserError, "Did you mean 'Adam'"),
        (
            lambda: LossScaleOptimizer(SGD(loss_scale_factor=2.0)),
            UserError,
            r"got SGD with loss_scale_factor=2.0; it needs an optimizer that scales no loss. Leave loss_scale",
        ),
        (lambda: LossScaleOptimizer(LossScaleOptimizer(SGD())), UserError, "got a LossScaleOptimizer inside; it needs"),
        (lambda: LossScaleOptimizer(SGD(), 0.0), UserError, "got initial_scale=0.0; it needs a number above 0"),
        (lambda: LossScaleOptimizer(SGD(), np.inf), UserError, "got initial_scale=inf; it needs a number above 0"),
        (lambda: LossScaleOptimizer(SGD(), 2.0, 0), UserError, "got dynamic_growth_steps=0; it needs a whole number"),
        (
            lambda: LossScaleOptimizer(SGD(), dynamic=False),
            UnsupportedError,
            "got dynamic=False; it needs dynamic=True",
        ),
        (lambda: LossScaleOptimizer(SGD(), clipnorm=1.0), UnsupportedError, "got clipnorm=1.0; it needs clipnorm=None"),
        (lambda: LossScaleOptimizer(SGD(), growth=3), UserError, "got an unknown argument growth=3"),
    ],
)
def test_refused(make, error, text):
    with pytest.raises(error, match=f"LossScaleOptimizer {text}|{text}"):
        make()
