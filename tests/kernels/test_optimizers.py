"""The compiled steps of optimizers are those that torch takes, in guarded memory, for any sizes and strides."""

from unittest import mock

import pytest
import torch
from kernel_check import BAND, ENGINES, EPSILON, Memory, normal, running, watched

from striate.kernels.library import Library, units
from striate.kernels.optimizers import step
from striate.training.optimizers import SGD, Adagrad, Adam, Adamax, AdamW, Nadam

RULES = [
    ("sgd", SGD, {"learning_rate": 0.1}),
    ("sgd", SGD, {"weight_decay": 0.1}),
    ("momentum", SGD, {"momentum": 0.9}),
    ("momentum", SGD, {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1}),
    ("adam", Adam, {}),
    ("adam", Adam, {"amsgrad": True, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2, "weight_decay": 0.1}),
    ("adam", AdamW, {"weight_decay": 0.2, "learning_rate": 0.01}),
    ("nadam", Nadam, {"weight_decay": 0.1}),
    ("adagrad", Adagrad, {"initial_accumulator_value": 0.5, "weight_decay": 0.1}),
    ("adamax", Adamax, {"weight_decay": 0.1}),
]
SHAPES = [(1,), (3,), (4,), (8,), (9,), (16,), (17,), (5, 7), (2, 6, 3, 5), (0,), ()]
MANY = [*SHAPES, (130, 129)]  # so many numbers that threads share them
STEPS = 20


def train(kind, options, shapes, dtype=torch.float32, spoilt=None):
    """Weights, and what the optimizer keeps, after some steps along random gradients; and their memory.

    The last weight has its last axis first in memory. One has no gradient at times. `spoilt` is one number of the
    gradients of one step.
    """
    memory, weights = Memory(), []
    for shape in shapes:
        value = normal(*shape).to(dtype)
        value = value.movedim(-1, 1).contiguous().movedim(1, -1) if value.ndim == 4 else value
        weights.append(torch.nn.Parameter(memory.like(value).copy_(value)))
    optimizer = kind(**options)
    optimizer.build(weights)
    for _, slots in optimizer.engine.state.items():
        for key, slot in slots.items():
            slots[key] = memory.like(slot).copy_(slot)
    for number in range(STEPS):
        for index, weight in enumerate(weights):
            gradient = normal(*weight.shape, seed=100 * number + index).to(dtype)
            weight.grad = memory.like(weight).copy_(gradient)
        if spoilt is not None and number == 7:
            weights[7].grad[2, 3] = spoilt
        if number % 3 == 2:
            weights[1].grad = None
        optimizer.step()
    memory.check()
    return [weight.detach() for weight in weights], optimizer


def check_steps(name, kind, options, shapes):
    expected, theirs = train(kind, options, shapes, torch.float64)
    for unit, threads in ENGINES:
        with running(unit, threads), watched() as names:
            found, ours = train(kind, options, shapes)
        assert names == [name] * STEPS
        for one, two in zip(found, expected, strict=True):
            torch.testing.assert_close(one.double(), two, rtol=0, atol=STEPS * 4 * EPSILON)
        for (label, one), (other, two) in zip(ours.variables(), theirs.variables(), strict=True):
            assert label == other
            torch.testing.assert_close(one.double(), two.double(), rtol=STEPS * EPSILON, atol=STEPS * EPSILON)


@pytest.mark.parametrize("shapes", [SHAPES, MANY], ids=["few", "many"])
@pytest.mark.parametrize(("name", "kind", "options"), RULES)
def test_steps_are_torchs(name, kind, options, shapes):
    check_steps(name, kind, options, shapes)


OTHERS = {
    "nothing": lambda call: lambda *values: None,
    "twice": lambda call: lambda *values: (call(*values), call(*values)),
    "a little more decay": lambda call: lambda *values: call(*values[:3], values[3] + 0.1, *values[4:]),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(("name", "kind", "options"), RULES)
def test_other_steps_are_noticed(name, kind, options, other):
    found = Library.__getattr__

    def changed(self, asked):
        return OTHERS[other](found(self, asked))

    with mock.patch.object(Library, "__getattr__", changed), pytest.raises(AssertionError, match="not close"):
        check_steps(name, kind, options, SHAPES[1:4])


@pytest.mark.parametrize(("name", "kind", "options"), RULES)
def test_files_hold_what_they_would_hold(name, kind, options):
    with running("reference"):
        _, theirs = train(kind, options, SHAPES)
    with running(units()[0]):
        _, ours = train(kind, options, SHAPES)
    expected, found = theirs.state_dict(), ours.state_dict()
    for group in found["param_groups"] + expected["param_groups"]:
        group.pop("eps", None)  # torch's Adam and SGD are told these anew at every step
        group.pop("dampening", None)
    assert found["param_groups"] == expected["param_groups"]
    for index, state in expected["state"].items():
        assert found["state"][index].keys() == state.keys()
        for key, value in state.items():
            torch.testing.assert_close(found["state"][index][key], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e-45, 1e30])
@pytest.mark.parametrize(("name", "kind", "options"), RULES)
def test_gradients_out_of_the_ordinary(name, kind, options, value):
    with running("reference"):
        expected, _ = train(kind, options, SHAPES, spoilt=value)
    for unit in units():
        with running(unit):
            found, _ = train(kind, options, SHAPES, spoilt=value)
        for one, two in zip(found, expected, strict=True):
            torch.testing.assert_close(one, two, rtol=STEPS * EPSILON, atol=STEPS * 4 * EPSILON, equal_nan=True)


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("rate", [1, torch.tensor(0.5), torch.tensor(0.5, dtype=torch.float64)])
def test_learning_rates_of_other_kinds(kind, rate):
    weights = []
    for unit in ("reference", units()[0]):
        weight = torch.nn.Parameter(torch.ones(5))
        with running(unit):
            optimizer = kind()
            optimizer.build([weight])
            optimizer.engine.param_groups[0]["lr"] = rate
            weight.grad = torch.full((5,), 2.0)
            optimizer.step()
        weights.append(weight.detach())
    torch.testing.assert_close(*weights)


@pytest.mark.parametrize(("name", "kind", "options"), RULES)
def test_a_backward_pass_through_older_weights_is_refused(name, kind, options):
    weight = torch.nn.Parameter(torch.ones(5))
    optimizer = kind(**options)
    optimizer.build([weight])
    loss = weight.square().sum()
    weight.grad = torch.ones(5)
    with watched() as names:
        optimizer.step()
    assert names == [name]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def weight_with_gradient(value):
    weight = torch.nn.Parameter(value)
    weight.grad = torch.ones_like(value)
    return weight


class Own(torch.Tensor):
    pass


@pytest.mark.parametrize(
    "odd",
    [
        weight_with_gradient(torch.ones(3, dtype=torch.float64)),
        weight_with_gradient(torch.ones(3, dtype=torch.bfloat16)),
        weight_with_gradient(torch.ones(3, device="meta")),
        weight_with_gradient(torch.ones(3).as_subclass(Own)),
    ],
    ids=lambda weight: f"{weight.dtype} {weight.device} {type(weight).__name__}",
)
def test_what_is_left_to_torch(odd):
    weight = weight_with_gradient(torch.ones(3))
    assert not step("sgd", [weight, odd], [], 0.1, 0.0)
    assert torch.equal(weight.detach(), torch.ones(3))


def test_a_step_that_writes_elsewhere_is_noticed():
    memory = Memory()
    memory.like(torch.ones(3)).as_strided((1,), (1,), BAND - 1).fill_(0)
    with pytest.raises(AssertionError):
        memory.check()
