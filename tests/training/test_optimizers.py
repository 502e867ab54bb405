import contextlib
import json
import os
import re
import string
import warnings

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
from oracles.compare import double_precision

from striate import optimizers as addresses
from striate.foundation.checks import UnsupportedError, UserError
from striate.training import optimizers
from striate.training.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lion,
    Nadam,
    RMSprop,
    TorchOptimizer,
)
from striate.training.optimizers.lookup import INSTEAD

# Keras's own __array__, which NumPy 2 grumbles at.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SHAPES = {"conv.kernel": (3, 3, 2, 4), "dense.kernel": (4, 6), "dense.bias": (6,)}
STEPS = 20

CASES = [
    (SGD, {}),
    (SGD, {"weight_decay": 0.1}),
    (SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.9, "nesterov": True}),
    (SGD, {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1}),
    (Adam, {}),
    (Adam, {"amsgrad": True}),
    (Adam, {"epsilon": 0.1}),
    (Adam, {"epsilon": 0.0, "beta_1": 0.0}),
    (Adam, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2, "amsgrad": True, "weight_decay": 0.1}),
    (AdamW, {}),
    (AdamW, {"weight_decay": 0.2, "epsilon": 1e-3}),
    (RMSprop, {}),
    (RMSprop, {"momentum": 0.9}),
    (RMSprop, {"centered": True, "epsilon": 1e-2}),
    (RMSprop, {"rho": 0.5, "momentum": 0.9, "centered": True, "epsilon": 0.1, "weight_decay": 0.1}),
    (Adagrad, {}),
    (Adagrad, {"initial_accumulator_value": 0.5, "epsilon": 0.1, "weight_decay": 0.1}),
    (Adadelta, {}),
    (Adadelta, {"rho": 0.5, "epsilon": 0.1, "weight_decay": 0.1}),
    (Adamax, {}),
    (Adamax, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1, "weight_decay": 0.1}),
    (Nadam, {}),
    (Nadam, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1, "weight_decay": 0.1}),
    (Lion, {}),
    (Lion, {"beta_1": 0.5, "beta_2": 0.25, "weight_decay": 0.1}),
    (Ftrl, {}),
    (Ftrl, {"l1_regularization_strength": 0.5, "l2_regularization_strength": 0.25, "beta": 0.1}),
    (Ftrl, {"l2_shrinkage_regularization_strength": 0.1, "learning_rate_power": -0.75, "weight_decay": 0.1}),
    (Ftrl, {"initial_accumulator_value": 1.0, "learning_rate_power": 0.0}),
    # What all of them can do, on one with a kernel of torch's and on one with a rule of its own.
    (Adam, {"clipnorm": 0.5}),
    (Adam, {"global_clipnorm": 0.5}),
    (RMSprop, {"clipnorm": 0.5, "weight_decay": 0.1}),
    (RMSprop, {"global_clipnorm": 2.0}),
    (RMSprop, {"clipvalue": 0.25, "momentum": 0.5}),
    (Nadam, {"clipvalue": 0.25}),
    (SGD, {"use_ema": True}),
    (AdamW, {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3}),
    (SGD, {"loss_scale_factor": 8.0, "momentum": 0.5}),
    (SGD, {"gradient_accumulation_steps": 3, "momentum": 0.5}),
    (Adam, {"gradient_accumulation_steps": 4, "amsgrad": True, "weight_decay": 0.1}),
    (Nadam, {"gradient_accumulation_steps": 3}),
    (Adamax, {"gradient_accumulation_steps": 2}),
    (
        Lion,
        {
            "gradient_accumulation_steps": 2,
            "use_ema": True,
            "ema_momentum": 0.75,
            "ema_overwrite_frequency": 2,
            "clipnorm": 1.0,
            "loss_scale_factor": 4.0,
        },
    ),
]
IDS = [f"{cls.__name__}-{'-'.join(options) or 'default'}" for cls, options in CASES]
each_case = pytest.mark.parametrize(("cls", "options"), CASES, ids=IDS)


def permuted(array):
    """A parameter with Keras's axes over torch's channels_last memory, as our convolutions keep theirs."""
    out_first = torch.from_numpy(array).permute(3, 2, 0, 1)
    return out_first.contiguous(memory_format=torch.channels_last).permute(2, 3, 1, 0)


def start(dtype="float32"):
    """Weights away from zero, so that a relative tolerance says something."""
    rng = np.random.default_rng(0)
    sign = [rng.choice([-1.0, 1.0], size=shape) for shape in SHAPES.values()]
    return [(s * rng.uniform(1, 2, size=s.shape)).astype(dtype) for s in sign]


def gradients(step, dtype="float32"):
    rng = np.random.default_rng(100 + step)
    return [rng.normal(size=shape).astype(dtype) * 10.0 ** -(step % 4) for shape in SHAPES.values()]


def parameters(dtype="float32"):
    conv, *others = start(dtype)
    tensors = [permuted(conv), *map(torch.from_numpy, others)]
    return {name: torch.nn.Parameter(tensor) for name, tensor in zip(SHAPES, tensors, strict=True)}


def walk(optimizer, weights, steps, skip=lambda step, index: False):
    for step in steps:
        if step == 10:
            optimizer.learning_rate = 0.003
        optimizer.zero_grad()
        for index, weight in enumerate(weights.values()):
            if not skip(step, index):
                weight.grad = torch.from_numpy(gradients(step, str(weight.dtype)[6:])[index])
        optimizer.step()


def keras_walk(cls, options, skip=lambda step, index: False, dtype="float32"):
    optimizer = getattr(keras.optimizers, cls.__name__)(learning_rate=0.01, **options)
    variables = [
        keras.Variable(w, name=n.replace(".", "_"), dtype=dtype) for n, w in zip(SHAPES, start(dtype), strict=True)
    ]
    optimizer.build(variables)
    for step in range(STEPS):
        if step == 10:
            optimizer.learning_rate = 0.003
        grads = [None if skip(step, i) else torch.from_numpy(g) for i, g in enumerate(gradients(step, dtype))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of missing gradients
            optimizer.apply(grads, variables)
    return optimizer, variables


def skip_some(step, index):
    return (index == 1 and step in (0, 1, 7)) or (index == 2 and step % 2)


def assert_near(got, expected, tolerance):
    """Equal up to `tolerance`, but for the rounding of the largest number, which is all that cancellation leaves."""
    noise = np.finfo(expected.dtype).eps * np.abs(expected).max(initial=0) if expected.dtype.kind == "f" else 0
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=noise)


# Ftrl takes the difference of large sums, which leaves float32 only noise.
IN_BOTH = [
    (dtype, *case) for dtype in ("float32", "float64") for case in CASES if (dtype, case[0]) != ("float32", Ftrl)
]


@pytest.mark.parametrize(("dtype", "cls", "options"), IN_BOTH, ids=lambda value: getattr(value, "__name__", str(value)))
@pytest.mark.parametrize("skip", [lambda step, index: False, skip_some], ids=["all", "some gradients"])
def test_trajectory_and_variables_equal_keras(cls, options, skip, dtype):
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype]
    weights = parameters(dtype)
    optimizer = cls(learning_rate=0.01, **options)
    optimizer.build(weights.items())
    walk(optimizer, weights, range(STEPS), skip)
    with double_precision() if dtype == "float64" else contextlib.nullcontext():
        expected, variables = keras_walk(cls, options, skip, dtype)
    for weight, variable in zip(weights.values(), variables, strict=True):
        assert str(weight.dtype) == f"torch.{variable.dtype}" == f"torch.{dtype}"
        assert_near(weight.detach(), variable.numpy(), tolerance)
    ours, theirs = optimizer.variables(), expected.variables
    for (name, tensor), variable in zip(ours, theirs, strict=True):
        # Keras makes a name up where it gives none.
        assert name == variable.name or re.fullmatch(r"variable(_\d+)?", variable.name)
        assert tuple(tensor.shape) == tuple(variable.shape)
        assert str(tensor.dtype) == f"torch.{variable.dtype}" or name == "learning_rate"  # float32 in files
        assert_near(tensor, variable.numpy(), tolerance if name != "learning_rate" else 1e-6)


@each_case
def test_slots_and_gradients_lie_in_memory_as_the_weight_does(cls, options):
    weights = parameters()
    kernel = weights["conv.kernel"]
    assert not kernel.is_contiguous()
    optimizer = cls(**options)
    optimizer.build(weights.values())
    walk(optimizer, weights, range(1))
    assert kernel.grad.stride() == kernel.stride()
    for name, tensor in optimizer.variables():
        if tuple(tensor.shape) == tuple(kernel.shape):
            assert tensor.stride() == kernel.stride(), name


@each_case
def test_weights_that_change_their_memory_format_or_dtype_on_the_way(cls, options):
    weights, plain = parameters(), parameters()
    optimizer, reference = cls(**options), cls(**options)
    optimizer.build(weights.values())
    reference.build(plain.values())
    for step in range(6):
        if step == 3:
            weights["conv.kernel"].data = weights["conv.kernel"].data.contiguous()
        walk(optimizer, weights, [step])
        walk(reference, plain, [step])
    for weight, other in zip(weights.values(), plain.values(), strict=True):
        np.testing.assert_array_equal(weight.detach(), other.detach())
    weights["dense.bias"].data = weights["dense.bias"].data.double()
    weights["dense.bias"].grad = torch.ones(6, dtype=torch.float64)
    optimizer.step()
    assert weights["dense.bias"].dtype == torch.float64


@each_case
def test_state_dict_continues_bit_for_bit(cls, options):
    unbroken, weights = parameters(), parameters()
    whole, first, second = cls(**options), cls(**options), cls(learning_rate=0.5, **options)
    whole.build(unbroken.items())
    walk(whole, unbroken, range(STEPS), skip_some)
    first.build(weights.items())
    walk(first, weights, range(9), skip_some)
    state = first.state_dict()
    resumed = {name: torch.nn.Parameter(weight.detach().clone()) for name, weight in weights.items()}
    second.build(resumed.items())
    second.load_state_dict(state)
    walk(first, weights, range(9, 12), skip_some)  # what was loaded is a copy, which this cannot touch
    walk(second, resumed, range(9, STEPS), skip_some)
    assert second.steps == STEPS
    assert second.iterations == STEPS // options.get("gradient_accumulation_steps", 1)
    assert second.learning_rate == 0.003
    for weight, other in zip(resumed.values(), unbroken.values(), strict=True):
        np.testing.assert_array_equal(weight.detach(), other.detach())


@each_case
def test_set_variables_takes_over_what_keras_saved(cls, options):
    theirs, variables = keras_walk(cls, options)
    weights = parameters()
    optimizer = cls(**options)
    optimizer.build(weights.items())
    with torch.no_grad():
        for weight, variable in zip(weights.values(), variables, strict=True):
            weight.copy_(variable.value)
    optimizer.set_variables([variable.numpy() for variable in theirs.variables])
    assert optimizer.steps == STEPS
    walk(optimizer, weights, [STEPS])
    theirs.apply([torch.from_numpy(g) for g in gradients(STEPS)], variables)
    for weight, variable in zip(weights.values(), variables, strict=True):
        np.testing.assert_allclose(weight.detach(), variable.numpy(), rtol=1e-5)


@each_case
def test_keras_reads_our_config_and_we_read_keras(cls, options):
    ours = cls(learning_rate=0.02, **options)
    config = json.loads(json.dumps(optimizers.serialize(ours)))
    assert config["module"] == "keras.optimizers"
    theirs = keras.optimizers.deserialize(json.loads(json.dumps(config)))
    assert type(theirs).__name__ == cls.__name__
    expected = theirs.get_config()
    expected["learning_rate"] = pytest.approx(expected["learning_rate"], rel=1e-7)  # a float32 in Keras
    assert ours.get_config() == expected
    again = optimizers.get(keras.optimizers.serialize(theirs))
    assert type(again) is cls
    assert again.config() == expected
    assert cls.from_config(ours.config()).config() == ours.config()


ALONE = [cls for name, cls in optimizers.registry.classes.items() if name != "LossScaleOptimizer"]


@pytest.mark.parametrize("cls", ALONE)
def test_defaults_and_names_are_keras(cls):
    expected = getattr(keras.optimizers, cls.__name__)(name="same").get_config()
    config = cls(name="same").config()
    assert config | {"learning_rate": 0} == expected | {"learning_rate": 0}
    assert np.float32(config["learning_rate"]) == np.float32(expected["learning_rate"])
    assert cls().name == keras.src.utils.naming.to_snake_case(cls.__name__)
    for name in (cls.__name__, cls.__name__.lower(), cls.__name__.upper()):
        assert type(optimizers.get(name)) is cls


def test_everything_of_keras_is_here_or_refused_by_name():
    for name in ("Optimizer", "OptimizerMap", "deserialize", "get", "legacy", "schedules", "serialize"):
        assert hasattr(keras.optimizers, name)
    names = {name for name in vars(keras.optimizers) if name[0] in string.ascii_uppercase}
    assert names - {"Optimizer", "OptimizerMap"} == {*optimizers.registry.classes, *INSTEAD}
    for name, fix in INSTEAD.items():
        with pytest.raises(UnsupportedError, match=f"optimizer {name!r}; it needs one of .*{re.escape(fix)}$"):
            optimizers.get(name)


def test_keras_addresses():
    assert [name for name in dir(keras.optimizers.schedules) if name[0] != "_"] == addresses.schedules.__all__
    assert set(optimizers.registry.classes) <= set(addresses.__all__)
    for name in addresses.__all__:
        assert hasattr(addresses, name)


def test_an_optimizer_passes_through_get():
    adam = Adam()
    assert optimizers.get(adam) is adam


def test_frozen_parameters_are_left_alone_until_they_are_unfrozen():
    weights = parameters()
    weights["dense.kernel"].requires_grad_(False)
    before = weights["dense.kernel"].detach().clone()
    optimizer = Adam()
    optimizer.build(weights.items())
    walk(optimizer, weights, range(3), skip=lambda step, index: index == 1)
    assert torch.equal(weights["dense.kernel"], before)
    names = [name for name, _ in optimizer.variables()]
    assert names[2:] == [f"{n}_{s}" for n in ("conv_kernel", "dense_bias") for s in ("momentum", "velocity")]
    weights["dense.kernel"].requires_grad_(True)
    optimizer.build(weights.items())
    walk(optimizer, weights, range(3, 5))
    assert not torch.equal(weights["dense.kernel"], before)
    assert len(optimizer.variables()) == 2 + 3 * 2


def test_build_again_keeps_the_state():
    weights = parameters()
    optimizer = SGD(momentum=0.9)
    optimizer.build(weights.items())
    walk(optimizer, weights, range(2))
    engine = optimizer.engine
    optimizer.build(weights.items())
    assert optimizer.engine is engine
    assert optimizer.iterations == 2


def test_learning_rate_is_written_to_torch_and_read_from_it():
    optimizer = Adam(learning_rate=0.1)
    optimizer.learning_rate = 0.2
    optimizer.build([torch.nn.Parameter(torch.ones(2))])
    assert optimizer.engine.param_groups[0]["lr"] == 0.2
    optimizer.learning_rate = np.float64(0.3)
    assert optimizer.engine.param_groups[0]["lr"] == 0.3
    torch.optim.lr_scheduler.StepLR(optimizer.engine, 1)  # torch's schedules find a torch optimizer
    optimizer.engine.param_groups[0]["lr"] = 0.4
    assert optimizer.learning_rate == 0.4
    assert optimizer.config()["learning_rate"] == 0.4


def test_zero_grad_drops_gradients():
    weights = parameters()
    optimizer = SGD()
    optimizer.build(weights.values())
    walk(optimizer, weights, range(1))
    optimizer.zero_grad()
    assert all(weight.grad is None for weight in weights.values())


class TestTorchOptimizer:
    def test_it_takes_the_same_steps_as_torch_alone(self):
        weights, plain = parameters(), parameters()
        alone = torch.optim.NAdam(plain.values(), lr=0.01)
        optimizer = optimizers.get(torch.optim.NAdam(weights.values(), lr=0.01))
        assert isinstance(optimizer, TorchOptimizer)
        optimizer.build(weights.items())
        walk(optimizer, weights, range(5))
        for step in range(5):
            for weight, gradient in zip(plain.values(), gradients(step), strict=True):
                weight.grad = torch.from_numpy(gradient)
            alone.step()
        for weight, other in zip(weights.values(), plain.values(), strict=True):
            assert torch.equal(weight, other)
        assert optimizer.iterations == 5
        assert [name for name, _ in optimizer.variables()] == ["iteration", "learning_rate"]

    def test_state_dict_round_trip(self):
        weights = parameters()
        optimizer = TorchOptimizer(torch.optim.Adagrad(weights.values()))
        walk(optimizer, weights, range(3))
        other = TorchOptimizer(torch.optim.Adagrad(parameters().values()))
        other.load_state_dict(optimizer.state_dict())
        assert other.iterations == 3

    def test_learning_rate_goes_to_all_groups(self):
        one, two = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
        optimizer = TorchOptimizer(torch.optim.SGD([{"params": [one]}, {"params": [two]}], lr=0.1))
        optimizer.learning_rate = 0.2
        assert [group["lr"] for group in optimizer.engine.param_groups] == [0.2, 0.2]

    def test_errors(self):
        one, two = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
        optimizer = TorchOptimizer(torch.optim.SGD([{"params": [one]}, {"params": [two], "lr": 0.5}], lr=0.1))
        with pytest.raises(UserError, match=r"needs parameter groups that share one learning rate. Set engine.par"):
            optimizer.learning_rate = 0.2
        with pytest.raises(UserError, match=r"SGD got parameters of another model; it needs some of the model's"):
            optimizer.build([torch.nn.Parameter(torch.ones(2))])
        with pytest.raises(UserError, match=r"SGD got a state that torch refuses \(.*\); it needs its own state_dict"):
            optimizer.load_state_dict({"state": {}, "param_groups": []})
        with pytest.raises(UserError, match="SGD got a request for its Keras configuration; it needs an optimizer of"):
            optimizers.serialize(optimizer)
        with pytest.raises(UserError, match=r"got torch.optim.LBFGS; it needs an optimizer whose step needs no clos"):
            optimizers.get(torch.optim.LBFGS([one]))


REFUSED = [
    (lambda: Adam(learning_rate=-1), "Adam got learning_rate=-1; it needs a number of at least 0"),
    (lambda: Adam(learning_rate=float("nan")), "Adam got learning_rate=nan; it needs a number of at least 0"),
    (lambda: Adam(learning_rate="fast"), "Adam got learning_rate='fast'"),
    (lambda: Adam(beta_1=1.0), "Adam got beta_1=1.0; it needs a rate from 0 up to but not including 1"),
    (lambda: Adam(beta_2=-0.1), r"Adam got beta_2=-0.1"),
    (lambda: Adam(epsilon=-1e-7), "Adam got epsilon=-1e-07; it needs a number of at least 0"),
    (lambda: Adam(amsgrad=1), "Adam got amsgrad=1; it needs True or False"),
    (lambda: Adam(weight_decay=-1), "Adam got weight_decay=-1; it needs a number of at least 0"),
    (lambda: AdamW(weight_decay=None), "AdamW got weight_decay=None; it needs a number of at least 0. Use Adam"),
    (lambda: SGD(momentum=1.5), "SGD got momentum=1.5; it needs a number from 0 to 1"),
    (lambda: SGD(nesterov="yes"), "SGD got nesterov='yes'; it needs True or False"),
    (lambda: RMSprop(rho=1.0), "RMSprop got rho=1.0; it needs a rate from 0"),
    (lambda: RMSprop(momentum=1.0), "RMSprop got momentum=1.0"),
    (lambda: RMSprop(epsilon=-1), "RMSprop got epsilon=-1"),
    (lambda: RMSprop(centered=None), "RMSprop got centered=None; it needs True or False"),
    (lambda: Adam(beta1=0.9), r"Adam got an unknown argument beta1=0.9; it needs .* Did you mean 'beta_1'\?"),
    (lambda: optimizers.get("adm"), r"Optimizer got optimizer 'adm'; it needs .* Did you mean 'Adam'\?"),
    (
        lambda: optimizers.get("muon"),
        "got optimizer 'muon'; it needs one of Adam, .*Keras optimizer. Pass torch.optim.Mu",
    ),
    (lambda: optimizers.get({"class_name": "Lamb", "config": {}}), "got optimizer 'Lamb'; it needs one of"),
    (lambda: Lion(beta_1=0), "Lion got beta_1=0; it needs a rate above 0 and up to 1: at 0 the momentum would do noth"),
    (lambda: Lion(beta_2=1), "Lion got beta_2=1; it needs a rate from 0"),
    (lambda: Nadam(beta_1=1.0), "Nadam got beta_1=1.0"),
    (lambda: Nadam(epsilon=-1), "Nadam got epsilon=-1"),
    (lambda: Adamax(beta_2=1.0), "Adamax got beta_2=1.0"),
    (lambda: Adadelta(rho=1.0), "Adadelta got rho=1.0"),
    (
        lambda: Adagrad(initial_accumulator_value=-1),
        "Adagrad got initial_accumulator_value=-1; it needs a number of at",
    ),
    (lambda: Ftrl(learning_rate_power=0.5), "Ftrl got learning_rate_power=0.5; it needs a number of at most 0"),
    (lambda: Ftrl(l1_regularization_strength=-1), "Ftrl got l1_regularization_strength=-1"),
    (lambda: Ftrl(beta=-1), "Ftrl got beta=-1; it needs a number of at least 0"),
    (lambda: optimizers.get(None), "Optimizer got optimizer None; it needs the name of a known optimizer"),
    (lambda: optimizers.get(torch.optim.Adam), r"got the class torch.optim.Adam; .* Pass torch.optim.Adam\(model.par"),
    (lambda: Adam().step(), r"Adam got a call before build; it needs parameters. Call build\(model.parameters"),
    (lambda: Adam().build([]), "Adam got no parameters; it needs a model with weights"),
    (
        lambda: Adam().build([("kernel", torch.nn.Parameter(torch.ones(4, 4)[:, ::2]))]),
        r"Adam got parameter 'kernel' with gaps in memory \(strides \(4, 2\)\); it needs dense parameters",
    ),
]


@pytest.mark.parametrize(("call", "text"), REFUSED, ids=[text[:40] for _, text in REFUSED])
def test_refusals(call, text):
    with pytest.raises(UserError, match=text):
        call()


def built(cls=Adam, **options):
    optimizer = cls(**options)
    optimizer.build(parameters().items())
    return optimizer


def test_refusals_of_a_built_optimizer():
    optimizer = built()
    with pytest.raises(UserError, match="Adam got no gradient; it needs one for some parameter"):
        optimizer.step()
    with pytest.raises(UserError, match="Adam got a new parameter 'x'; it needs the parameters it was built for"):
        optimizer.build([("x", torch.nn.Parameter(torch.ones(1)))])
    embedding = torch.nn.Embedding(3, 2, sparse=True)
    sparse = SGD()
    sparse.build(embedding.named_parameters())
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(UserError, match="SGD got a sparse gradient of 'weight'; it needs dense gradients"):
        sparse.step()


def test_a_refused_state_changes_nothing():
    optimizer = built()
    before = [(name, tensor.clone()) for name, tensor in optimizer.variables()]
    arrays = [tensor.numpy() + 1 for _, tensor in before]
    with pytest.raises(UserError, match="Adam got 2 variables; it needs 8, from 'iteration' to 'dense_bias_velocity'"):
        optimizer.set_variables(arrays[:2])
    with pytest.raises(UserError, match=r"got 'dense_bias_velocity' of shape \(7,\); it needs one of shape \(6,\)"):
        optimizer.set_variables([*arrays[:-1], np.zeros(7)])
    with pytest.raises(UserError, match=r"Adam got a state of 4 parameters with \['iterations', 'lr', 'params'\]"):
        optimizer.load_state_dict({"param_groups": [{"lr": 1, "iterations": 0, "params": [0, 1, 2, 3]}]})
    with pytest.raises(UserError, match=r"Adam got no 'conv_kernel_step'; it needs one of shape \(\)"):
        optimizer.load_state_dict(built(SGD).state_dict())
    with pytest.raises(UserError, match="Adam got a state of 0 parameters"):
        optimizer.load_state_dict({})
    for (_, tensor), (_, old) in zip(optimizer.variables(), before, strict=True):
        assert torch.equal(tensor, old)
