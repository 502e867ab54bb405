"""Functional models against Keras; subclasses; models as torch modules and as layers."""

import copy
from typing import Any

import keras
import numpy as np
import pytest
import torch

import striate.layers
import striate.models
from striate.foundation.checks import UserError
from striate.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    ReLU,
    TorchModule,
)
from striate.layers.symbol import ShapeError
from striate.models import Model, Sequential, load_model


def residual(lib: Any) -> Any:
    make = lib.layers
    x = make.Input((12, 12, 3), name="picture")
    y = make.Conv2D(8, 3, padding="same", name="stem")(x)
    for index in range(2):
        z = make.BatchNormalization(name=f"norm{index}")(y)
        z = make.ReLU(name=f"relu{index}")(z)
        z = make.Conv2D(8, 3, padding="same", name=f"conv{index}")(z)
        y = make.Add(name=f"add{index}")([y, z])
    y = make.MaxPooling2D(name="pool")(y)
    pools = [make.GlobalAveragePooling2D(name="mean")(y), make.GlobalMaxPooling2D(name="max")(y)]
    y = make.Concatenate(name="both")(pools)
    return lib.models.Model(x, [make.Dense(3, name="kind", activation="softmax")(y), make.Dense(1, name="age")(y)])


def shared_and_nested(lib: Any) -> Any:
    make = lib.layers
    encoder = lib.models.Sequential(
        [make.Input((8, 8, 1)), make.Conv2D(4, 3, name="inner"), make.Flatten(name="flat"), make.Dense(5, name="code")],
        name="encoder",
    )
    a, b = make.Input((8, 8, 1), name="a"), make.Input((8, 8, 1), name="b")
    joined = make.Add(name="sum")([encoder(a), encoder(b)])
    return lib.models.Model([a, b], make.Dense(2, name="end")(joined))


def nested_functional(lib: Any) -> Any:
    make = lib.layers
    u, v = make.Input((4,), name="u"), make.Input((4,), name="v")
    block = lib.models.Model(
        [u, v], [make.Add(name="plus")([u, v]), make.Concatenate(name="cat")([u, v])], name="block"
    )
    x = make.Input((4,), name="x")
    plus, cat = block([make.Dense(4, name="one")(x), x])
    return lib.models.Model(x, make.Concatenate(name="all")([make.Dense(3, name="two")(plus), cat]))


@pytest.mark.parametrize("make", [residual, shared_and_nested, nested_functional])
def test_functional_models_are_those_of_keras(make):
    ours, theirs = make(striate), make(keras)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [layer.count_params() for layer in ours.layers] == [layer.count_params() for layer in theirs.layers]
    assert ours.output_shape == theirs.output_shape
    assert ours.input_shape == theirs.input_shape
    random = np.random.default_rng(2)
    weights = [random.uniform(0.1, 0.5, tuple(weight.shape)).astype("float32") for weight in theirs.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    x = [random.normal(size=(3, *symbol.shape[1:])).astype("float32") for symbol in ours.inputs]
    x = x if len(x) > 1 else x[0]
    for training in (False, True):
        got, expected = (model(x, training=training) for model in (ours, theirs))
        for one, two in zip(_list(got), _list(expected), strict=True):
            np.testing.assert_allclose(one.detach().numpy(), two.detach().numpy(), rtol=1e-5, atol=1e-6)
    for one, two in zip(ours.weights, theirs.weights, strict=True):  # moving statistics moved alike
        np.testing.assert_allclose(one.detach().numpy(), two.value.detach().numpy(), rtol=1e-5, atol=1e-6)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_features_by_layer_name():
    model = residual(striate)
    features = Model(model.inputs, model.get_layer("relu1").output)
    x = torch.randn(2, 12, 12, 3)
    assert features(x).shape == (2, 12, 12, 8)
    assert features.get_layer("stem") is model.get_layer("stem")
    assert "pool" not in [layer.name for layer in features.layers]
    several = Model(model.input, {name: model.get_layer(name).output for name in ("stem", "pool")})
    assert {key: tuple(value.shape) for key, value in several(x).items()} == {
        "stem": (2, 12, 12, 8),
        "pool": (2, 6, 6, 8),
    }


def test_input_and_output_are_what_the_model_was_made_with():
    x = Input((4,), name="x")
    y = {"one": Dense(1)(x)}
    model = Model(x, y)
    assert model.input is x
    assert model.output is y
    assert model.inputs == [x]
    assert model.outputs == [y["one"]]
    assert model.output_names == ["one"]
    assert Model(x, Dense(2, name="two")(x)).output_names == ["two"]


def test_set_weights_of_another_model_is_refused_and_changes_nothing():
    model, other = residual(striate), shared_and_nested(striate)
    before = model.get_weights()
    with pytest.raises(UserError, match=r"Model '\w+' got 6 weights; it needs 18. Pass what get_weights"):
        model.set_weights(other.get_weights())
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_copy_stands_alone():
    model = residual(striate)
    x = torch.randn(2, 12, 12, 3)
    twin = copy.deepcopy(model)
    torch.testing.assert_close(twin(x), model(x))
    twin.set_weights([weight + 1 for weight in twin.get_weights()])
    assert (twin(x)[1] - model(x)[1]).abs().max() > 0
    assert twin.get_layer("stem") is not model.get_layer("stem")


def test_state_goes_from_one_to_another():
    one, two = residual(striate), residual(striate)
    two.load_state_dict(one.state_dict())
    x = torch.randn(2, 12, 12, 3)
    torch.testing.assert_close(one(x), two(x))


def test_gradients_reach_every_trainable_weight():
    model = residual(striate)
    kind, age = model(torch.randn(4, 12, 12, 3), training=True)
    (kind.square().sum() + age.square().sum()).backward()
    assert all(weight.grad is not None for weight in model.trainable_weights)
    assert len(model.trainable_weights) == len(list(model.parameters()))


def test_double_precision_by_one_word():
    model = shared_and_nested(striate).to(torch.float64)
    pair = [np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8, 1))]
    assert model(pair).dtype == torch.float64
    assert model([value.astype("uint8") for value in pair]).dtype == torch.float64


def test_whole_numbers_follow_the_precision():
    model = Sequential([Dense(3, input_shape=(4,))]).to(torch.float64)
    assert model(np.ones((2, 4), "uint8")).dtype == torch.float64


def test_a_subclass_that_forgets_to_begin_hears_of_it():
    class Hasty(Model):
        def __init__(self) -> None:
            self.head = Dense(2)

    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\) call"):
        Hasty()


# Subclasses ---------------------------------------------------------------------------------------


class Net(Model):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.conv = Conv2D(4, 3, activation="relu")
        self.norm = BatchNormalization()
        self.drop = Dropout(0.5)
        self.flat = Flatten()
        self.head = Dense(2)
        self.runs = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return self.head(self.flat(self.drop(self.norm(self.conv(x)))))


class KerasNet(Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = Dense(3)
        self.modes: list[Any] = []

    def call(self, inputs: torch.Tensor, training: Any = None) -> torch.Tensor:
        self.modes.append(training)
        return self.dense(inputs)


def test_a_subclass_builds_itself_on_data():
    model = Net()
    assert not model.built
    assert model(np.zeros((2, 8, 8, 3), "float32")).shape == (2, 2)
    assert model.built
    assert [layer.name.rstrip("_0123456789") for layer in model.layers] == [
        "conv2d",
        "batch_normalization",
        "dropout",
        "flatten",
        "dense",
    ]
    assert len(model.weights) == len(model.get_weights()) == 8


def test_a_subclass_builds_itself_for_a_shape():
    model = Net()
    model.build((None, 8, 8, 3))
    assert model.built
    assert model.compute_output_shape((None, 8, 8, 3)) == (None, 2)
    assert model.count_params() == 3 * 3 * 3 * 4 + 4 + 16 + 144 * 2 + 2


def test_building_leaves_mode_statistics_and_chance_alone():
    model = Net()
    model.build((None, 8, 8, 3))
    model.train()
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    model.compute_output_shape((None, 8, 8, 3))
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_a_call_on_data_runs_a_subclass_once():
    model = Net()
    for count, items in enumerate((4, 4, 2, 4), start=1):
        model(torch.randn(items, 8, 8, 3))
        assert model.runs == count


def test_the_first_call_in_training_counts_the_data_alone():
    model = Net()
    x = torch.randn(16, 8, 8, 3) + 3
    model(x, training=True)
    mean = torch.relu(model.conv(x)).mean((0, 1, 2))
    torch.testing.assert_close(model.norm.moving_mean, 0.01 * mean, rtol=1e-5, atol=1e-7)


def test_a_subclass_works_on_whole_numbers():
    class Lookup(Model):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(10, 4)
            self.head = Dense(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.table(x).mean(1))

    assert Lookup()(torch.tensor([[1, 2, 3]])).shape == (1, 2)


def test_a_subclass_may_make_its_layers_in_build():
    class Late(Model):
        def build(self, input_shape: Any) -> None:
            self.head = Dense(input_shape[-1] * 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x)

    assert Late()(torch.zeros(5, 4)).shape == (5, 8)


def test_kerass_call_serves_as_forward_and_hears_of_training():
    model = KerasNet()
    x = torch.zeros(1, 4)
    model.build((None, 4))
    model.modes.clear()
    model(x), model(x, training=True), model.train()(x), model(x, training=False)
    assert model.modes == [False, True, True, False]


def test_a_subclass_is_a_layer_of_other_models():
    inner = Net(name="inner")
    model = Sequential([Input((8, 8, 3)), inner, Dense(1)])
    assert model.output_shape == (None, 1)
    assert model(torch.zeros(3, 8, 8, 3)).shape == (3, 1)
    assert "inner.conv.kernel" in dict(model.named_parameters())


def test_a_subclass_may_have_several_inputs_and_outputs():
    class Two(Model):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = Dense(2), Dense(3)

        def forward(self, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
            return [self.a(inputs["left"]), self.b(inputs["right"])]

    model = Two()
    one, two = model({"left": np.zeros((5, 4), "float32"), "right": np.zeros((5, 6), "float32")})
    assert (one.shape, two.shape) == ((5, 2), (5, 3))
    assert model.compute_output_shape({"left": (None, 4), "right": (None, 6)}) == [(None, 2), (None, 3)]


def test_plain_torch_parts_belong_to_a_subclass():
    class Mixed(Model):
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
            self.head = Dense(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(x))

    model = Mixed()
    model(torch.zeros(1, 4)).sum().backward()
    assert len(list(model.parameters())) == len(model.weights) == 4
    model.set_weights([weight * 0 for weight in model.get_weights()])
    assert model(torch.ones(1, 4)).abs().max() == 0


def test_plain_torch_parts_act_as_in_inference_until_told():
    class Noisy(Model):
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Sequential(torch.nn.Linear(4, 50), torch.nn.Dropout(0.5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(x)

    model, x = Noisy(), torch.ones(1, 4)
    torch.testing.assert_close(model(x), model(x))
    assert (model(x, training=True) == 0).any()
    assert not any(module.training for module in model.modules())


def test_a_subclass_without_forward_says_so():
    class Empty(Model):
        pass

    with pytest.raises(UserError, match=r"Empty 'empty\w*' got a call; it needs a forward method. Write forw"):
        Empty()(torch.zeros(1, 2))


def test_a_subclass_has_no_graph_and_says_so():
    with pytest.raises(UserError, match=r"got a forward of its own; it needs a graph of layers for this"):
        _ = Net().output_shape


# Torch modules as layers --------------------------------------------------------------------------


def test_torch_modules_in_a_functional_model():
    x = Input((8, 8, 3))
    y = TorchModule(torch.nn.Conv2d(3, 4, 3, stride=2))(x)
    assert y.shape == (None, 3, 3, 4)
    y = TorchModule(torch.nn.LayerNorm(4), data_format="channels_last")(y)
    y = GlobalAveragePooling2D()(y)
    model = Model(x, TorchModule(torch.nn.Linear(4, 2))(y))
    model(torch.randn(2, 8, 8, 3)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert len(model.weights) == 6


def test_a_torch_module_follows_mode_and_freezing():
    layer = TorchModule(torch.nn.BatchNorm2d(3))
    model = Sequential([Input((4, 4, 3)), layer])
    model(torch.randn(8, 4, 4, 3))
    assert layer.module.running_mean.abs().max() == 0
    model(torch.randn(8, 4, 4, 3) + 1, training=True)
    assert layer.module.running_mean.abs().max() > 0
    assert not layer.module.training
    model.trainable = False
    assert not layer.module.weight.requires_grad


def test_a_torch_module_says_what_it_cannot_take():
    text = r"TorchModule 'mine' got shape \(None, 8, 8, 4\) from InputLayer '\w+'; it needs one that Conv2d takes"
    with pytest.raises(ShapeError, match=text):
        TorchModule(torch.nn.Conv2d(3, 8, 3), name="mine")(Input((8, 8, 4)))
    with pytest.raises(UserError, match=r"TorchModule got .*Conv2d.*; it needs a torch.nn.Module. Pass an instance"):
        TorchModule(torch.nn.Conv2d)


def test_a_layer_that_does_not_say_its_shape_is_tried():
    class Crop(Layer):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, 1:-1, 2:]

    assert Crop()(Input((10, None, 3))).shape == (None, 8, None, 3)


def test_symbols_refuse_what_needs_numbers_with_a_way_out():
    x = Input((4,), name="x")
    text = r"Symbol 'x' got torch's \w+; it needs operations or layers: it has a shape but no numbers. Use striate"
    with pytest.raises(UserError, match=text):
        torch.relu(x)
    with pytest.raises(UserError, match=r"Symbol 'x' got a question that needs its value"):
        bool(x)
    with pytest.raises(UserError, match=r"Symbol 'x' got iteration"):
        list(x)


@pytest.mark.parametrize(("argument", "value"), [("positions", [0.5]), ("layer_range", ("a", "b"))])
def test_what_summary_cannot_do_is_refused(argument: str, value: Any):
    with pytest.raises(UserError, match=rf"\.summary got {argument}=.*; it needs no {argument}. Leave {argument} out."):
        residual(striate).summary(**{argument: value})


def test_relu_and_add_make_a_symbol_of_the_right_dtype():
    x = Input((4,), dtype="int32")
    assert x.dtype == "int32"
    assert ReLU()(Dense(2, dtype="float64")(x)).dtype == "float32"
    assert Add()([x, x]).shape == (None, 4)


# Layers in lists ----------------------------------------------------------------------------------


class Stages(Model):
    def __init__(self) -> None:
        super().__init__()
        self.stages = [Dense(8, name="one"), Dense(8, name="two")]
        self.heads = {"a": Dense(2, name="head")}
        self.late: list[Layer] = []
        self.late.append(ReLU(name="late"))
        self.first = self.stages[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stage in self.stages:
            x = stage(x)
        return self.late[0](self.heads["a"](x))


def test_layers_in_lists_are_layers_of_the_model():
    model = Stages()
    model.build((None, 4))
    assert [layer.name for layer in model.layers] == ["one", "two", "head", "late"]
    assert model.get_layer("two") is model.stages[1]
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert all(name in "\n".join(lines) for name in ("one", "two", "head", "late"))
    assert "ModuleList" not in "\n".join(lines)
    model(torch.zeros(2, 4)).sum().backward()
    assert all(weight.grad is not None for weight in model.trainable_weights)
    assert len(model.trainable_weights) == 6


def test_the_same_input_twice_is_refused():
    x = Input((4,), name="x")
    with pytest.raises(UserError, match=r"Model got inputs 'x', 'x'; it needs every input once. Make an Input of its"):
        Model([x, x], Dense(2)(x))


def test_build_refuses_what_is_no_shape():
    with pytest.raises(UserError, match=r"\.build got input_shape=4; it needs a shape, N included. Pass for example"):
        Net().build(4)


def test_every_input_has_its_own_dtype():
    x = Input((2,), dtype="float64")
    model = Model(x, Dense(1, dtype="float64", kernel_initializer="ones")(x))
    value = torch.tensor([[1.0, 1e-12]], dtype=torch.float64)
    assert model(value).item() == 1 + 1e-12
    assert model(value.float()).dtype == torch.float64


def frozen_base_and_live_norm(k):
    x = k.layers.Input((4,), name="a")
    base = k.models.Sequential([k.layers.Input((4,)), k.layers.BatchNormalization()], name="base")
    return k.models.Model(x, k.layers.BatchNormalization(name="norm")(base(x, training=False), training=True))


@pytest.mark.parametrize("said", [{}, {"training": True}, {"training": False}], ids=str)
def test_training_said_within_a_network_counts_where_the_call_says_nothing(said):
    x = np.random.default_rng(1).normal(3, 2, (8, 4)).astype("float32")
    theirs, ours = frozen_base_and_live_norm(keras), frozen_base_and_live_norm(striate)
    expected, got = theirs(x, **said), ours(x, **said)
    np.testing.assert_allclose(got.detach(), expected.detach(), rtol=1e-5, atol=1e-6)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_training_said_within_a_network_does_not_count_in_predict():
    x = Input((50,))
    model = Model(x, Dropout(0.5)(x, training=True))
    ones = np.ones((2, 50), "float32")
    assert (model(ones) == 0).any()
    np.testing.assert_array_equal(model.predict(ones, verbose=0), ones)


def test_arrays_given_by_name_are_cast_and_whole_numbers_stay():
    class Chosen(Layer):
        def forward(self, x, other, rows):
            return (x + other)[rows]

    got = Chosen()(np.ones((3, 2)), other=np.ones((3, 2)), rows=np.array([0, 2]))
    assert got.dtype == torch.float32
    assert got.shape == (2, 2)


def test_outputs_of_one_layer_have_names_of_their_own():
    a, b = Input((2,)), Input((2,))
    head = Dense(1, name="head")
    model = Model([a, b], [head(a), head(b)])
    assert model.output_names == ["head", "head_1"]
    model.compile("sgd", loss=["mse", "mse"])
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    history = model.fit([x, 2 * x], [y, 3 * y], verbose=0).history
    assert set(history) == {"loss", "head_loss", "head_1_loss"}
    assert history["loss"][0] == pytest.approx(history["head_loss"][0] + history["head_1_loss"][0])


def test_names_may_hold_dots_which_torch_does_not_see(tmp_path):
    def build(k):
        inner = k.layers.Input((3,))
        inside = k.models.Model(inner, k.layers.Dense(2, name="hidden")(inner), name="mobilenet_1.00_224")
        x = k.layers.Input((3,))
        return k.models.Model(x, k.layers.Dense(1, name="last")(inside(x)), name="v1.5")

    theirs, ours = build(keras), build(striate)
    theirs.save(tmp_path / "theirs.keras")
    again = load_model(tmp_path / "theirs.keras")
    assert again.name == "v1.5"
    assert again.get_layer("mobilenet_1.00_224").get_layer("hidden").units == 2
    assert next(iter(again.state_dict())) == "mobilenet_1_00_224.hidden.kernel"
    assert again.get_submodule("mobilenet_1_00_224") is again.get_layer("mobilenet_1.00_224")
    again.save_weights(tmp_path / "again.safetensors")
    ours.load_weights(tmp_path / "again.safetensors")
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_names_that_differ_by_a_dot_alone_are_refused():
    text = r"^Sequential 's' got Dense 'a_b'; it needs another name: the model has an attribute 'a_b' already"
    with pytest.raises(UserError, match=text):
        Sequential([Dense(1, name="a.b"), Dense(1, name="a_b")], name="s")
