from typing import Any

import keras
import numpy as np
import pytest
import torch

import striate.layers
import striate.models
from striate.foundation.checks import UserError
from striate.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
    Rescaling,
    TorchModule,
)
from striate.layers.symbol import ShapeError
from striate.models import Model, Sequential


def tutorial() -> Sequential:
    return Sequential(
        [
            Conv2D(32, (3, 3), activation="relu", input_shape=(64, 64, 3)),
            MaxPooling2D(pool_size=(2, 2)),
            Flatten(name="flatten"),
            Dense(128, activation="relu"),
            Dense(1, activation="sigmoid", name="last"),
        ]
    )


def small() -> Sequential:
    return Sequential([Input((4,)), Dense(3, name="first"), Dense(2, name="second")])


def state(model: Sequential) -> dict[str, Any]:
    x = torch.ones(2, *model.input_shape[1:])
    return {
        "layers": list(model.layers),
        "nodes": [list(layer.nodes) for layer in model.layers],
        "names": list(model.state_dict()),
        "weights": [weight.copy() for weight in model.get_weights()],
        "output_shape": model.output_shape,
        "prediction": model(x).detach().numpy(),
    }


def assert_same_state(before: dict[str, Any], after: dict[str, Any]) -> None:
    for key in ("layers", "nodes", "names", "output_shape"):
        assert before[key] == after[key], key
    for one, two in zip(before["weights"], after["weights"], strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(before["prediction"], after["prediction"])


# The tutorial -------------------------------------------------------------------------------------


def test_the_tutorial_has_the_shapes_and_counts_of_keras():
    theirs = keras.Sequential(
        [
            keras.layers.Input((64, 64, 3)),
            keras.layers.Conv2D(32, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D(pool_size=(2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    ours = tutorial()
    assert [layer.output.shape for layer in ours.layers] == [layer.output.shape for layer in theirs.layers]
    assert [layer.count_params() for layer in ours.layers] == [layer.count_params() for layer in theirs.layers]
    assert [weight.shape for weight in ours.get_weights()] == [weight.shape for weight in theirs.weights]
    assert ours.output_shape == theirs.output_shape == (None, 1)
    assert ours.input_shape == theirs.input_shape == (None, 64, 64, 3)


def test_the_mistake_of_the_tutorial_is_refused_and_changes_nothing():
    model = tutorial()
    before = state(model)
    text = (
        r"^MaxPooling2D 'max_pooling2d\w*' got shape \(None, 1\) from Dense 'last'; it needs \(N, H, W, C\)\. "
        r"Put it before Flatten 'flatten'\.$"
    )
    with pytest.raises(ShapeError, match=text):
        model.add(MaxPooling2D(pool_size=(2, 2)))
    assert_same_state(before, state(model))
    model.add(Dense(2))
    assert model.output_shape == (None, 2)


def test_the_same_mistake_in_the_list_is_refused():
    layers = [Conv2D(2, 3, input_shape=(8, 8, 1)), Flatten(name="flat"), Conv2D(2, 3, name="late")]
    text = r"Conv2D 'late' got shape \(None, 72\) from Flatten 'flat'; it needs \(N, H, W, C\)\. Put it before Flatten"
    with pytest.raises(ShapeError, match=text):
        Sequential(layers)


def test_a_window_larger_than_what_is_left_is_refused():
    model = Sequential([Conv2D(2, 3, input_shape=(6, 6, 1)), MaxPooling2D(2)])
    text = r"Conv2D 'big' got shape \(None, 2, 2, 2\) from MaxPooling2D .*; it needs at least \(3, 3\) cells"
    with pytest.raises(ShapeError, match=text):
        model.add(Conv2D(2, 3, name="big"))
    assert len(model.layers) == 2


# add, pop, layers, get_layer ----------------------------------------------------------------------


def test_layers_are_in_order_without_the_input():
    assert [layer.name for layer in small().layers] == ["first", "second"]


@pytest.mark.parametrize(
    "first",
    [
        lambda: [Input((4,)), Dense(3)],
        lambda: [Dense(3, input_shape=(4,))],
        lambda: [Sequential([Dense(5, input_shape=(4,))]), Dense(3)],
        lambda: [Rescaling(2.0, input_shape=(4,)), Dense(3)],
        lambda: [TorchModule(torch.nn.Linear(4, 5), input_shape=(4,)), Dense(3)],
    ],
    ids=["Input", "input_shape", "model", "weightless", "torch"],
)
def test_a_known_start_builds_at_once(first):
    model = Sequential(first())
    assert model.built
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 3)
    assert model(torch.zeros(2, 4)).shape == (2, 3)


def test_without_a_start_the_first_data_builds():
    model = Sequential([Dense(3), Dense(2)])
    assert not model.built
    assert model.get_weights() == []
    assert model(np.zeros((5, 4), "float32")).shape == (5, 2)
    assert model.built
    assert model.input_shape == (None, 4)
    assert [weight.shape for weight in model.get_weights()] == [(4, 3), (3,), (3, 2), (2,)]


def test_build_makes_the_weights_of_keras():
    ours, theirs = Sequential([Dense(3), Dense(2)]), keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])
    ours.build((None, 4))
    theirs.build((None, 4))
    assert [tuple(weight.shape) for weight in ours.weights] == [tuple(weight.shape) for weight in theirs.weights]
    assert ours.input_shape == theirs.input_shape


def test_a_build_that_is_refused_changes_nothing():
    model = Sequential([Conv2D(2, 3), MaxPooling2D(2), Conv2D(2, 3)])
    with pytest.raises(ShapeError, match=r"it needs at least \(3, 3\) cells"):
        model.build((None, 6, 6, 1))
    assert not model.built
    assert all(not layer.nodes for layer in model.layers)
    model.build((None, 12, 12, 1))
    assert model.output_shape == (None, 3, 3, 2)


def test_unknown_sizes_stay_unknown():
    model = Sequential([Input((None, None, 3)), Conv2D(4, 3), MaxPooling2D(2)])
    assert model.output_shape == (None, None, None, 4)
    assert model(torch.zeros(1, 9, 7, 3)).shape == (1, 3, 2, 4)
    assert model.compute_output_shape((2, 9, 7, 3)) == (2, 3, 2, 4)


def test_pop_takes_the_last_layer_off():
    model = small()
    second = model.layers[-1]
    assert model.pop() is second
    assert model.output_shape == (None, 3)
    assert [layer.name for layer in model.layers] == ["first"]
    assert list(model.state_dict()) == ["first.kernel", "first.bias"]
    assert not second.nodes
    model.add(second)
    assert model.output_shape == (None, 2)


def test_pop_and_add_until_nothing_is_left():
    model = small()
    model.pop()
    model.pop()
    assert model.layers == []
    with pytest.raises(UserError, match=r"got pop\(\); it needs at least one layer. Add layers first."):
        model.pop()
    model.add(Dense(7))
    assert model(torch.zeros(1, 4)).shape == (1, 7)


def test_replacing_the_head_keeps_the_rest():
    model = small()
    kept = model.layers[0].get_weights()
    model.pop()
    model.add(Dense(5, name="head"))
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], kept[0])
    assert model(torch.zeros(1, 4)).shape == (1, 5)


def test_get_layer_by_name_and_place():
    model = small()
    assert model.get_layer("second") is model.layers[1]
    assert model.get_layer(index=0) is model.layers[0]
    assert model.get_layer(index=-1) is model.layers[1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "secnd"}, r"name='secnd'; it needs the name of one of its layers. Did you mean 'second'\?"),
        ({"index": 2}, r"index=2; it needs an index below 2. Count from 0."),
        ({"index": -3}, r"index=-3; it needs an index below 2"),
        ({}, r"name=None; it needs the name of one of its layers"),
    ],
)
def test_get_layer_refuses_what_is_not_there(arguments: dict[str, Any], text: str):
    with pytest.raises(UserError, match=text):
        small().get_layer(**arguments)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (lambda: 3, r"Sequential '\w+' got 3; it needs layers or torch modules. Pass a layer."),
        (lambda: Dense, r"it needs layers or torch modules. Call the class: Dense\(10\), not Dense."),
        (lambda: Dense(2, name="first"), r"got Dense 'first'; it needs names that are unique; there is a layer"),
        (lambda: Input((4,)), r"got InputLayer '\w+' after other layers; it needs it first. Put Input first."),
        (lambda: Dense(2)(Input((4,))), r"got <Symbol .*; it needs layers, not what calling them returned."),
        (lambda: Dropout(0.5, noise_shape=(None, 1, 1)), r"got shape \(None, 2\) from Dense 'second'; it needs as"),
    ],
    ids=["number", "class", "name", "input", "symbol", "shape"],
)
def test_add_is_atomic(layer, text: str):
    model = small()
    before = state(model)
    with pytest.raises(UserError, match=text):
        model.add(layer())
    assert_same_state(before, state(model))


def test_the_same_layer_twice_is_refused():
    model = small()
    with pytest.raises(UserError, match=r"Make a new layer, or give it another name="):
        model.add(model.layers[0])


def test_an_empty_model_says_so():
    with pytest.raises(UserError, match=r"got no layers; it needs at least one layer. Add layers first."):
        Sequential()(torch.zeros(1, 2))
    with pytest.raises(UserError, match=r"got no input shape yet; it needs a known input shape for this. Call build"):
        _ = Sequential([Dense(2)]).output_shape


# Weights ------------------------------------------------------------------------------------------


def test_weights_go_out_and_in():
    one, two = small(), small()
    two.set_weights(one.get_weights())
    x = torch.randn(3, 4)
    torch.testing.assert_close(one(x), two(x))
    assert all(a is not b for a, b in zip(one.get_weights(), one.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda weights: weights[:-1], r"got 3 weights; it needs 4. Pass what get_weights\(\) returns."),
        (lambda weights: [*weights[:-1], np.zeros(3)], r"got weight 3 of shape \(3,\); it needs \(2,\)"),
        (lambda weights: [*weights[:-1], np.array(["a", "b"])], r"got weight 3 of <U\d+; it needs numbers"),
    ],
    ids=["too few", "shape", "text"],
)
def test_set_weights_changes_all_or_nothing(spoil, text: str):
    model = small()
    before = state(model)
    with pytest.raises(UserError, match=text):
        model.set_weights(spoil([weight + 1 for weight in model.get_weights()]))
    assert_same_state(before, state(model))


def test_set_weights_before_build_says_what_to_do():
    with pytest.raises(UserError, match=r"got 1 weights; it needs 0. Build the layer first \(call it"):
        Sequential([Dense(2)]).set_weights([np.zeros((2, 2))])


def test_weights_are_those_of_keras_in_order():
    random = np.random.default_rng(1)

    def build(lib: Any) -> Any:
        make = lib.layers
        conv = [make.Input((6, 6, 3)), make.Conv2D(4, 3), make.BatchNormalization()]
        return lib.models.Sequential([*conv, make.Flatten(), make.Dense(2)])

    theirs = build(keras)
    ours = build(striate)
    weights = [random.uniform(0.2, 1, tuple(weight.shape)).astype("float32") for weight in theirs.weights]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    x = random.normal(size=(2, 6, 6, 3)).astype("float32")
    np.testing.assert_allclose(ours(x).detach().numpy(), theirs(x).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert len(ours.trainable_weights) == len(theirs.trainable_weights)
    assert len(ours.non_trainable_weights) == len(theirs.non_trainable_weights)
    assert ours.count_params() == theirs.count_params()


# It is a torch module -----------------------------------------------------------------------------


def test_torch_modules_are_layers():
    model = Sequential(
        [
            Input((8, 8, 3)),
            torch.nn.Conv2d(3, 4, 3),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(),
            Flatten(),
            Dense(2),
        ]
    )
    assert model.output_shape == (None, 2)
    assert [layer.output.shape for layer in model.layers][:2] == [(None, 6, 6, 4), (None, 6, 6, 4)]
    x = torch.randn(3, 8, 8, 3)
    expected = torch.nn.Sequential(*(layer.module for layer in model.layers[:3]))(x.movedim(-1, 1)).movedim(1, -1)
    torch.testing.assert_close(model.layers[2].output.shape, (None, 6, 6, 4))
    torch.testing.assert_close(model.layers[4](model.layers[3](expected)), model(x))


def test_a_layer_works_inside_torch():
    network = torch.nn.Sequential(Conv2D(4, 3), Flatten(), torch.nn.Linear(144, 2))
    network(torch.zeros(2, 8, 8, 3)).sum().backward()
    assert {name.split(".")[0] for name, _ in network.named_parameters()} == {"0", "2"}
    assert network[0].kernel.grad is not None


def test_plain_torch_training_works():
    torch.manual_seed(0)
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(32, 4), torch.randn(32, 2)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_parameters_and_names_are_those_of_the_layers():
    model = small()
    names = [name for name, _ in model.named_parameters()]
    assert names == ["first.kernel", "first.bias", "second.kernel", "second.bias"]


def test_double_precision_by_one_word():
    model = Sequential([Rescaling(0.5, input_shape=(4, 4, 3)), Conv2D(2, 3), BatchNormalization(), Flatten(), Dense(1)])
    x = torch.randn(2, 4, 4, 3, dtype=torch.float64)
    single = model(x.float())
    model.to(torch.float64)
    assert model(x).dtype == torch.float64
    assert model(x.numpy()).dtype == torch.float64
    torch.testing.assert_close(model(x).float(), single, rtol=1e-5, atol=1e-6)
    assert {layer.dtype for layer in model.layers} == {"float64"}


def test_mode_is_that_of_keras_inference_until_told():
    model = Sequential([Dropout(0.5, input_shape=(1000,))])
    x = torch.ones(1, 1000)
    assert not model.training
    assert torch.equal(model(x), x)
    assert (model(x, training=True) == 0).any()
    assert not model.training
    model.train()
    assert (model(x) == 0).any()
    assert torch.equal(model(x, training=False), x)
    assert model.training


def test_a_sequential_is_a_layer_of_another():
    inner = Sequential([Dense(3, name="a"), Dense(2, name="b")], name="inner")
    outer = Sequential([Input((4,)), inner, Dense(1)])
    assert outer.output_shape == (None, 1)
    assert outer.get_layer("inner").get_layer("b") is inner.layers[1]
    assert next(name for name, _ in outer.named_parameters()) == "inner.a.kernel"
    outer(torch.zeros(2, 4)).sum().backward()
    assert inner.layers[0].kernel.grad is not None


def test_freezing_reaches_all_layers():
    model = small()
    model.trainable = False
    assert model.trainable_weights == []
    assert [layer.trainable for layer in model.layers] == [False, False]
    model.get_layer("second").trainable = True
    assert len(model.trainable_weights) == 2


def test_wrong_data_is_refused_with_the_input():
    model = tutorial()
    with pytest.raises(UserError, match=r"InputLayer '\w+' got shape \(1, 32, 32, 3\); it needs \(None, 64, 64, 3\)"):
        model(torch.zeros(1, 32, 32, 3))


def test_a_missing_channel_axis_of_one_is_added():
    model = Sequential([Conv2D(2, 3, input_shape=(8, 8, 1))])
    assert model(torch.zeros(5, 8, 8)).shape == (5, 6, 6, 2)


def test_whole_numbers_are_taken_as_floats():
    model = Sequential([Rescaling(1 / 255, input_shape=(2, 2, 1))])
    np.testing.assert_allclose(model(np.full((1, 2, 2, 1), 255, "uint8")).numpy(), 1.0)


def test_models_are_not_shared_between_instances():
    one, two = small(), small()
    assert one.layers[0] is not two.layers[0]
    assert isinstance(one, Model)


# What is refused, and what stays -----------------------------------------------------------------


@pytest.mark.parametrize("layers", [lambda: Dense(2), lambda: Input((4,)), lambda: 4])
def test_layers_come_in_a_list(layers: Any):
    with pytest.raises(UserError, match=r"it needs a list of layers. (Put it in brackets|Pass for example)"):
        Sequential(layers())


@pytest.mark.parametrize("shape", [4, (), (None,), "4", [(None, 4), (None, 4)]])
def test_build_refuses_what_is_no_shape(shape: Any):
    with pytest.raises(UserError, match=r"\.build got input_shape=.*; it needs a shape, N included. Pass for example"):
        Sequential([Dense(2)]).build(shape)


def test_a_built_model_refuses_another_shape():
    model = small()
    model.build((None, 4)), model.build((7, 4)), model.build()
    with pytest.raises(ShapeError, match=r"got shape \(None, 5\); it needs \(None, 4\)"):
        model.build((None, 5))


def test_pop_takes_this_models_call_and_no_others():
    layer = Dense(3)
    model = Sequential([Input((4,)), Dense(4), layer])
    own, x = layer.nodes[0], Input((4,))
    other = Model(x, layer(x))
    assert model.pop() is layer
    assert own not in layer.nodes
    assert layer.nodes == [other.output.node]
    assert model.output_shape == (None, 4)


def test_whatever_goes_wrong_no_call_stays_recorded():
    class Broken(Dense):
        def compute_output_shape(self, input_shape: Any) -> Any:
            raise RuntimeError("broken")

    model, good = small(), Dense(3)
    before = state(model)
    with pytest.raises(RuntimeError, match="broken"):
        model._extend([good, Broken(2)])
    assert good.nodes == []
    assert_same_state(before, state(model))


def test_modules_beside_the_layers_stay():
    model = small()
    model.extra = torch.nn.Linear(2, 2)
    model.add(Dense(1))
    model.pop()
    assert isinstance(model.extra, torch.nn.Linear)
    assert "extra.weight" in model.state_dict()
    before = state(model)
    with pytest.raises(UserError, match=r"got Dense 'extra'; it needs another name: the model has an attribute"):
        model.add(clash := Dense(1, name="extra"))
    assert clash.nodes == []
    assert_same_state(before, state(model))


# Freezing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [{"input_shape": (4,)}, {}], ids=["built", "not built"])
def test_what_a_frozen_model_takes_is_frozen(first: dict[str, Any]):
    model = Sequential([Dense(3, **first)], trainable=False)
    model.add(Dense(2))
    model(torch.zeros(1, 4))
    assert len(model.weights) == 4
    assert model.trainable_weights == []
    model.trainable = True
    assert len(model.trainable_weights) == 4


def test_an_add_keeps_what_was_unfrozen():
    model = small()
    model.trainable = False
    model.get_layer("second").trainable = True
    model.add(Dense(1))
    assert len(model.trainable_weights) == 2


# Precision ---------------------------------------------------------------------------------------


def test_layers_of_another_precision_than_the_data():
    assert Sequential([Dense(1, dtype="float64", input_shape=(4,))])(torch.zeros(2, 4)).dtype == torch.float64
    assert Sequential([Dense(1, dtype="float64"), Dense(1)])(torch.zeros(2, 4)).dtype == torch.float32


@pytest.mark.parametrize("shape", [{"input_shape": (4,)}, {}], ids=["built", "not built"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_converted_model_takes_any_data(shape: dict[str, Any], dtype: torch.dtype):
    model = Sequential([Dense(3, **shape), TorchModule(torch.nn.Linear(3, 2))]).to(dtype)
    if shape:
        assert model(torch.zeros(2, 4)).dtype == dtype
        assert model(torch.zeros(2, 4, dtype=torch.float16)).dtype == dtype
        assert model(torch.zeros(2, 4, dtype=torch.int32)).dtype == dtype
    else:
        assert model(torch.zeros(2, 4)).dtype == dtype


def test_a_build_that_is_refused_half_way_leaves_every_layer_free():
    model = Sequential([Conv2D(4, 3), MaxPooling2D(4), Dense(2)])
    with pytest.raises(ShapeError, match="MaxPooling2D"):
        model.build((None, 5, 5, 3))
    assert not model.layers[0].built
    assert model.layers[0].weights == []
    model.build((None, 64, 64, 1))
    assert model.output_shape == (None, 15, 15, 2)
