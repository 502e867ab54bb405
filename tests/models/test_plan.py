"""The plan is never noticed: whoever listens, changes a layer or asks for more gets what the layers give."""

import copy
from unittest import mock

import pytest
import torch
import torch.nn.utils.prune
from plan_models import X, assert_close, gradients, network, stack, without_plan

import striate
from striate import layers
from striate.foundation.checks import UserError
from striate.models import Model, Sequential, load_model
from striate.utils import set_random_seed


def test_it_says_what_runs_how():
    model = network()
    assert repr(model.plan).splitlines() == [
        "Conv2D 'first' + MaxPooling2D 'pool': convolution + ReLU + max-pooling (not called yet)",
        "Conv2D 'second' + BatchNormalization 'norm' + ReLU 'relu': convolution + batch normalisation + ReLU"
        " (not called yet)",
        "Flatten 'flatten': as it is",
        "Dense 'hidden' + Activation 'active': fully connected + ReLU (not called yet)",
        "Dense 'out': fully connected (not called yet)",
    ]
    with torch.no_grad():
        model(X)
    assert [line.rpartition(" (")[2] for line in model.plan.describe().splitlines()] == [
        "one kernel)",
        "torch's convolution, folded into one)",
        "Flatten 'flatten': as it is",
        "one kernel)",
        "one kernel)",
    ]
    model(X, training=True)
    assert "(torch's convolution, then statistics of the batch)" in model.plan.describe()


def test_it_says_why_layers_run_as_they_are():
    model = Sequential([layers.Input((3,)), layers.Dense(2, name="one")])
    said = []
    for change in (
        lambda: model.layers[0].register_forward_hook(lambda *_: None),
        lambda: setattr(model.layers[0], "activation", torch.tanh),
    ):
        undo = change()
        model(torch.ones(1, 3))
        said.append(model.plan.describe())
        if undo is not None:
            undo.remove()
    with torch.autocast("cpu", torch.float16):
        model(torch.ones(1, 3))
    said.append(model.plan.describe())
    model.double()(torch.ones(1, 3))
    said.append(model.plan.describe())
    assert said == [
        "Dense 'one': fully connected (layers as they are: hooks on Dense 'one')",
        "Dense 'one': fully connected (layers as they are: Dense 'one' has been changed)",
        "Dense 'one': fully connected (layers as they are: autocast to float16)",
        "Dense 'one': fully connected (layers as they are: no float32 array on the CPU)",
    ]


def test_it_can_be_turned_off():
    model = without_plan(network())
    assert [line.partition(": ")[2] for line in model.plan.describe().splitlines()] == ["as it is"] * 9


@pytest.mark.parametrize("name", ["first", "pool", "norm", "relu", "hidden", "active", "out"])
@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
def test_hooks_on_any_layer_see_what_it_sees(name, kind):
    seen = []
    for model in (network(), without_plan(network())):
        model(X)  # the hook comes later than the plan
        layer = model.get_layer(name)
        values = []
        handle = getattr(layer, f"register_{kind}_hook")(
            lambda *arguments, values=values: values.extend(
                tensor.detach().clone()
                for group in arguments[1:]
                for tensor in (group if isinstance(group, tuple) else [group])
                if tensor is not None
            )
        )
        gradients(model)
        handle.remove()
        gradients(model)
        seen.append(values)
    assert len(seen[0]) == len(seen[1]) > 0
    assert_close(*seen)


def test_a_hook_can_change_what_comes_out():
    model = network()
    model(X)
    model.get_layer("first").register_forward_hook(lambda layer, inputs, output: output * 0)
    assert_close(model(X), without_plan(model)(X))


def test_a_hook_for_all_modules_sees_every_layer():
    model, seen = network(), []
    model(X)
    with torch.nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(module)):
        model(X)
    assert [layer.name for layer in seen if layer is not model] == [layer.name for layer in stack()]


@pytest.mark.parametrize("name", [layer.name for layer in stack()])
def test_models_of_inner_values_see_them(name):
    model = network()
    inner = Model(model.input, [model.get_layer(name).output, model.output])
    theirs = without_plan(inner)
    model(X)
    for one, two in zip(inner(X), theirs(X), strict=True):
        assert_close(one, two)


class Doubled(layers.Dense):
    def forward(self, x):
        return 2 * super().forward(x)


class Squared(layers.MaxPooling2D):
    pass


def test_layers_of_ones_own_run_as_they_are():
    model = Sequential([layers.Input((4, 4, 1)), Squared(), layers.Flatten(), Doubled(3, activation="relu")])
    assert not model.plan.blocks
    assert_close(model(X[:, :4, :4, :1]), without_plan(model)(X[:, :4, :4, :1]))


CHANGES = {
    "another forward": lambda model: setattr(model.get_layer("hidden"), "forward", lambda x: x[:, :6] * 3),
    "another activation": lambda model: setattr(model.get_layer("first"), "activation", torch.tanh),
    "another Activation": lambda model: setattr(model.get_layer("active"), "activation", torch.tanh),
    "activation where there was none": lambda model: setattr(model.get_layer("hidden"), "activation", torch.tanh),
    "frozen": lambda model: setattr(model.get_layer("first"), "trainable", False),
    "a frozen norm": lambda model: setattr(model.get_layer("norm"), "trainable", False),
    "another slope": lambda model: setattr(model.get_layer("relu"), "negative_slope", 0.5),
    "another cap": lambda model: setattr(model.get_layer("relu"), "max_value", 0.1),
    "another epsilon": lambda model: setattr(model.get_layer("norm"), "epsilon", 0.5),
    "new weights": lambda model: model.set_weights([weight + 0.1 for weight in model.get_weights()]),
    "no bias": lambda model: setattr(model.get_layer("hidden"), "bias", None),
    "a weight of its own": lambda model: torch.nn.utils.parametrize.register_parametrization(
        model.get_layer("hidden"), "kernel", torch.nn.Softplus()
    ),
    "pruned": lambda model: torch.nn.utils.prune.l1_unstructured(model.get_layer("hidden"), "kernel", 3),
    "in double precision": lambda model: model.to(torch.float64),
    "in half the precision": lambda model: model.to(torch.bfloat16),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("training", [False, True])
def test_changes_after_the_first_call_count(change, training):
    found = []
    for model in (network(), without_plan(network())):
        model(X, training=True)
        CHANGES[change](model)
        found.append([*gradients(model, training=training), *model.buffers()])
    assert found[0][0].dtype == found[1][0].dtype
    assert_close(*found, tolerance=1e-1 if found[0][0].dtype == torch.bfloat16 else 1e-4)


def test_a_class_changed_for_all_counts():
    model = network()
    model(X)
    with mock.patch.object(layers.Dense, "forward", lambda self, x: x[:, :1] + self.kernel[0]):
        assert_close(model(X), without_plan(model)(X))


def test_other_windows_after_the_first_call_count():
    inputs = layers.Input((9, 10, 2))
    pooling = layers.MaxPooling2D(2, padding="same")
    model = Model(inputs, layers.Flatten()(pooling(layers.Conv2D(3, 2, activation="relu")(inputs))))
    model(X)
    pooling.strides = (1, 2)
    pooling.padding = "valid"
    assert_close(model(X), without_plan(model)(X))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "bfloat16", "float64"])
def test_other_precisions(precision, training):
    before = layers.policy.dtype_policy()
    layers.policy.set_dtype_policy(precision)
    try:
        model = network()
    finally:
        layers.policy.set_dtype_policy(before)
    assert_close(*(gradients(one, training=training) for one in (model, without_plan(model))), tolerance=1e-6)


def test_channels_first():
    set_random_seed(3)
    options = {"data_format": "channels_first"}
    model = Sequential([layers.Input((2, 9, 10)), *stack(**options)])
    x = X.movedim(-1, 1)
    assert_close(*(gradients(one, x, training=True) for one in (model, without_plan(model))))


def test_masks_go_through():
    inputs = layers.Input((5, 4))
    masked = layers.Masking()(inputs)
    y = layers.Dense(3, activation="relu")(masked)
    model = Model(inputs, layers.BatchNormalization()(y))
    x = torch.randn(2, 5, 4)
    x[0, 3:] = 0
    found, expected = (one(x, training=True) for one in (model, without_plan(model)))
    assert_close(found, expected)
    assert torch.equal(found._keras_mask, expected._keras_mask)
    assert not found._keras_mask.all()


@pytest.mark.parametrize("shape", [(3, 9, 10, 3), (3, 9, 10), (3, 2, 2, 2), (3, 9)])
def test_wrong_shapes_are_refused_in_the_same_words(shape):
    said = []
    inputs = layers.Input((None, None, 2))
    flat = layers.GlobalAveragePooling2D()
    conv = layers.Conv2D(3, 3, activation="relu", name="conv")
    model = Model(inputs, layers.Dense(2)(flat(layers.MaxPooling2D(name="pool")(conv(inputs)))))
    for one in (model, without_plan(model)):
        for _ in range(2):
            with pytest.raises(UserError) as caught:
                one(torch.ones(shape))
            said.append(str(caught.value))
            one(X)
    assert len(set(said)) == 1


def test_sizes_may_change_from_call_to_call():
    set_random_seed(3)
    inputs = layers.Input((None, None, 2))
    y = layers.MaxPooling2D(padding="same")(layers.Conv2D(3, 3, activation="relu")(inputs))
    model = Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling2D()(y)))
    expected = without_plan(model)
    for shape in [(1, 9, 9, 2), (2, 6, 7, 2), (1, 9, 9, 2), (0, 9, 9, 2), (300, 5, 5, 2)]:
        x = torch.randn(shape)
        if len(x):
            assert_close(*(gradients(one, x) for one in (model, expected)))
        else:
            assert model(x).shape == expected(x).shape


def test_other_memory_gives_the_same():
    model = network()
    wide = torch.randn(3, 2, 9, 10)
    for x in (wide.movedim(1, -1), torch.randn(3, 9, 10, 4)[..., ::2], torch.randn(9, 10, 2).expand(3, -1, -1, -1)):
        assert_close(*(gradients(one, x, training=True) for one in (model, without_plan(model))))


def test_a_layer_called_twice_and_a_value_read_twice():
    set_random_seed(3)
    inputs = layers.Input((6,))
    shared = layers.Dense(6, name="shared")
    one = layers.ReLU()(shared(inputs))
    two = shared(one)
    both = layers.Add()([two, layers.ReLU()(two)])
    model = Model(inputs, [both, one])
    x = torch.randn(4, 6)
    assert_close(model(x), without_plan(model)(x))


def test_gradients_of_gradients():
    model = network()
    found = []
    for one in (model, without_plan(model)):
        x = X.clone().requires_grad_()
        y = one(x, training=True)
        (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        found.append([slope, *torch.autograd.grad(slope.square().sum(), list(one.parameters()), allow_unused=True)])
    pairs = [(a, b) for a, b in zip(*found, strict=True) if a is not None or b is not None]
    for a, b in pairs:
        assert_close(a, torch.zeros_like(a) if b is None else b, tolerance=1e-3)


def test_copies_are_apart():
    model = network()
    before = model(X)
    other = copy.deepcopy(model)
    other.set_weights([weight * 0 for weight in other.get_weights()])
    assert_close(other(X), torch.zeros_like(before))
    assert_close(model(X), before, tolerance=0)
    other.get_layer("hidden").register_forward_hook(lambda *_: pytest.fail("not this model's"))
    model(X)


def test_files(tmp_path):
    model = network()
    model(X, training=True)
    model.save(tmp_path / "model.keras")
    assert_close(load_model(tmp_path / "model.keras")(X), model(X), tolerance=0)


def test_inference_and_no_gradients():
    model = network()
    expected = without_plan(model)(X)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert_close(model(X), expected)


def test_adam_learns_the_same():
    found = []
    set_random_seed(3)
    network = Sequential([layers.Input(X.shape[1:]), *stack()[:2], *stack()[5:]])  # no weight whose gradient is 0
    for model in (network, without_plan(network)):
        model.compile(striate.optimizers.Adam(0.01), "mse")
        history = model.fit(X, torch.ones(3, 2), epochs=5, batch_size=2, shuffle=False, verbose=0)
        found.append([torch.tensor(history.history["loss"]), model(X)])
    assert_close(*found, tolerance=1e-4)
