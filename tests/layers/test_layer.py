"""What every layer has, whatever it computes: names, weights, modes, freezing, dtypes, errors."""

import json
from typing import Any

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.foundation.names import clear_names
from striate.layers import (
    GRU,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Bidirectional,
    CenterCrop,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalMaxPooling2D,
    Input,
    InputLayer,
    Layer,
    MaxPooling2D,
    RandomBrightness,
    RandomZoom,
    ReLU,
    Rescaling,
    Softmax,
    TorchModule,
    ZeroPadding2D,
)
from striate.layers.holder import holders_in, weights_of
from striate.layers.layer import ShapeError, registry
from striate.layers.structure import as_tensor, mode, shape_of

# Arguments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Conv2D(0, 3), r"Conv2D '\w+' got filters=0; it needs a whole number of at least 1. Pass for example"),
        (lambda: Conv2D(2.5, 3), r"filters=2.5; it needs a whole number of at least 1"),
        (lambda: Conv2D(True, 3), r"filters=True; it needs a whole number of at least 1"),
        (lambda: Conv2D(2, 0), r"kernel_size=0; it needs a whole number of at least 1, or 2 of them"),
        (lambda: Conv2D(2, (3, 3, 3)), r"kernel_size=\(3, 3, 3\); it needs a whole number of at least 1, or 2 of them"),
        (lambda: Conv2D(2, 3, strides=(1, 0)), r"strides=\(1, 0\); it needs a whole number of at least 1, or 2 of the"),
        (lambda: Conv2D(2, 3, padding="full"), r"padding='full'; it needs one of 'valid', 'same'. Choose one of"),
        (lambda: Conv2D(2, 3, padding="sam"), r"padding='sam'; it needs one of 'valid', 'same'. Did you mean 'same'\?"),
        (lambda: Conv2D(3, 3, groups=2), r"groups=2; it needs groups that divide filters=3. Change groups or filters."),
        (lambda: Conv2D(2, 3, strides=2, dilation_rate=2), r"strides=\(2, 2\) with dilation_rate=\(2, 2\); it needs o"),
        (lambda: Conv2D(2, 3, data_format="channel_first"), r"data_format='channel_first'; it needs one of .* 'chan"),
        (lambda: Conv2D(2, 3, activation="rely"), r"activation='rely'; it needs the name .* Did you mean 'relu'\?"),
        (lambda: Conv2D(2, 3, use_bias="no"), r"use_bias='no'; it needs True or False"),
        (lambda: Conv2D(2, 3, dtype="float31"), r"dtype='float31'; it needs one of 'float32'.* Did you mean 'float32'"),
        (lambda: Conv2D(2, 3, name="a/b"), r"Conv2D got name='a/b'; it needs a text without '/'"),
        (lambda: Conv2D(2, 3, name=""), r"Conv2D got name=''; it needs a text"),
        (lambda: Conv2D(2, 3, input_shape=(0, 4, 1)), r"got input shape \(0, 4, 1\); it needs positive whole numbers"),
        (lambda: Conv2D(2, 3, input_shape=4), r"got input shape 4; it needs positive whole numbers"),
        (lambda: MaxPooling2D("2"), r"pool_size='2'; it needs a whole number of at least 1, or 2 of them"),
        (lambda: AveragePooling2D(2, strides=-1), r"strides=-1; it needs a whole number of at least 1, or 2 of them"),
        (lambda: GlobalMaxPooling2D(data_format="NCHW"), r"data_format='NCHW'; it needs one of 'channels_last', 'cha"),
        (lambda: Dense(0), r"Dense '\w+' got units=0; it needs a whole number of at least 1"),
        (lambda: BatchNormalization(axis=1.5), r"axis=1.5; it needs a whole number. Pass axis=-1"),
        (lambda: BatchNormalization(momentum=2), r"momentum=2; it needs a share from 0 to 1"),
        (lambda: BatchNormalization(epsilon=0), r"epsilon=0; it needs a positive number"),
        (lambda: ReLU(max_value=-1), r"max_value=-1; it needs a number of at least 0"),
        (lambda: ReLU(negative_slope="x"), r"negative_slope='x'; it needs a number of at least 0"),
        (lambda: Softmax(axis="last"), r"Softmax '\w+' got axis='last'; it needs a whole number"),
        (lambda: Rescaling("x"), r"Rescaling '\w+' got scale='x'; it needs a number, or one for every channel"),
        (lambda: Rescaling(1, [[1]]), r"offset=\[\[1\]\]; it needs a number, or one for every channel"),
        (lambda: Concatenate(axis=0), r"axis=0; it needs a whole number other than 0, the batch axis. Pass axis=-1"),
        (lambda: ZeroPadding2D(-1), r"padding=-1; it needs a whole number of at least 0, two of them, or two pairs"),
        (lambda: ZeroPadding2D((1, 2, 3)), r"padding=\(1, 2, 3\); it needs a whole number of at least 0, two of them"),
        (lambda: InputLayer(), r"InputLayer '\w+' got no shape; it needs the shape of one item. Pass for example shap"),
        (lambda: Input((3,), batch_size=0), r"batch_size=0; it needs a whole number of at least 1"),
        (lambda: Input((3,), sparse=True), r"InputLayer got sparse=True; it needs sparse=False: striate does not supp"),
        (lambda: TorchModule(torch.nn.ReLU(), data_format="rows"), r"data_format='rows'; it needs one of 'channels_fi"),
        (lambda: Conv2D(2, int), r"kernel_size=<class 'int'>; it needs a whole number of at least 1, or 2 of them"),
        (lambda: Conv2D(2, 2**31), r"kernel_size=2147483648; it needs a whole number .* and below 2\*\*31, or 2"),
        (lambda: ZeroPadding2D(((1, 2**70), (0, 0))), r"padding=.*; it needs a whole number .* and below 2\*\*31"),
        (lambda: Dense(2**63), r"units=9223372036854775808; it needs a whole number of at least 1 and below 2\*\*63"),
        (lambda: Dense(int), r"units=<class 'int'>; it needs a whole number of at least 1"),
        (lambda: Dropout(float), r"rate=<class 'float'>; it needs a rate from 0"),
        (lambda: RandomBrightness(np.True_), r"factor=np.True_; it needs a number from -1 to 1, or two of them"),
        (lambda: RandomZoom((None, 1)), r"height_factor=None; it needs a number above -1, up to 1, or two of them"),
        (lambda: Conv2D(2, 3, data_format=""), r"data_format=''; it needs one of 'channels_last', 'channels_first'"),
        (lambda: CenterCrop(2, 2, data_format=False), r"data_format=False; it needs one of 'channels_last', 'channe"),
        (lambda: Dense(2, activation=torch.nn.ReLU), r"activation=<class '.*ReLU'>; it needs the name of a known a"),
        (lambda: Dense(2, dtype={"config": None}), r"dtype=.*; it needs one of 'float32'"),
        (lambda: Dense(2, name="a\0"), r"Dense got name='a\\x00'; it needs a text without '/'"),
        (lambda: Dense(2, name="\ud800"), r"Dense got name='\\ud800'; it needs a text without '/'"),
        (lambda: Input(batch_shape=3), r"batch_shape=3; it needs a shape that begins with the number of items, or "),
        (lambda: GRU(2, cell=3), r"GRU got an unknown argument cell=3; it needs arguments it knows"),
        (lambda: GRU(2, arguments={}), r"GRU got an unknown argument arguments=\{\}; it needs arguments it knows"),
        (lambda: Bidirectional(GRU(2), weights=3)(torch.zeros(1, 2, 3)), r"a int for weights; it needs a list of 6"),
        (lambda: Embedding(2, 2, weights=[[1, 1], [1]]), r"weight 0 with rows of several lengths; it needs an array"),
        (lambda: Rescaling({"config": None}), r"scale=\{'config': None\}; it needs a number, or one for every channel"),
        (lambda: Dense(2, lora_rank=4), r"lora_rank=4; it needs lora_rank=None"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (
            Conv2D(np.int64(2), np.int32(3), strides=[1, 1], padding="SAME", name="c"),
            Conv2D(2, 3, strides=1, padding="same", name="c"),
        ),
        (Conv2D(2, 3, dtype=torch.float64, name="c"), Conv2D(2, 3, dtype="float64", name="c")),
        (Dense(2, kernel_constraint=None, activity_regularizer=None, name="d"), Dense(2, name="d")),
        (Dropout(np.float32(0.5), name="d"), Dropout(0.5, name="d")),
        (Rescaling(np.array([1.0, 2.0]), name="r"), Rescaling([1.0, 2.0], name="r")),
        (
            InputLayer((None, np.int64(3)), batch_size=4, sparse=None, name="i"),
            InputLayer((None, 3), batch_size=4, name="i"),
        ),
        (ZeroPadding2D([[1, 2], [3, 4]], name="z"), ZeroPadding2D(((1, 2), (3, 4)), name="z")),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_numpy_and_keras_code_passes_is_as_plain_values(given: Layer, plain: Layer):
    assert json.dumps(given.get_config()) == json.dumps(plain.get_config())


# Names --------------------------------------------------------------------------------------------


def test_names_count_up_as_in_keras():
    clear_names()
    keras.utils.clear_session()
    ours = [cls().name for cls in (Flatten, MaxPooling2D, ReLU, Flatten, MaxPooling2D, Flatten)]
    layers = keras.layers
    kinds = (layers.Flatten, layers.MaxPooling2D, layers.ReLU, layers.Flatten, layers.MaxPooling2D, layers.Flatten)
    assert ours == [cls().name for cls in kinds]


def test_a_name_of_ones_own_does_not_count():
    clear_names()
    assert [Flatten(name="mine").name, Flatten().name, Flatten().name] == ["mine", "flatten", "flatten_1"]


# Building and calling -----------------------------------------------------------------------------


def test_shapes_are_checked_before_weights_are_made():
    layer = Conv2D(4, 3)
    with pytest.raises(ShapeError):
        layer(torch.zeros(2, 8, 3))
    assert not layer.built
    assert not list(layer.parameters())
    assert layer(torch.zeros(2, 8, 8, 3)).shape == (2, 6, 6, 4)


@pytest.mark.parametrize(
    ("make", "shape", "text"),
    [
        (lambda: Conv2D(2, 3, name="c"), (None, 8, 8, None), r"Conv2D 'c' got shape \(.*\); it needs a known number o"),
        (lambda: Conv2D(2, 3, groups=2, name="c"), (None, 8, 8, 3), r"it needs channels that groups=2 divides. Change"),
        (lambda: Conv2D(2, 3, dilation_rate=4), (None, 8, 8, 3), r"it needs at least \(9, 9\) cells for its window. U"),
        (lambda: Dense(2, name="d"), (None, None), r"Dense 'd' got shape \(None, None\); it needs a last axis of know"),
        (lambda: BatchNormalization(axis=2), (None, 3), r"it needs \(N, ..., C\) with the axis 2 to normalise. Change"),
        (lambda: BatchNormalization(axis=0), (None, 3), r"it needs \(N, ..., C\) with the axis 0 to normalise. Change"),
        (lambda: BatchNormalization(), (None, None), r"it needs an axis -1 of known size. Give Input or input_shape a"),
        (lambda: Concatenate(axis=2), [(None, 3), (None, 3)], r"it needs an axis 2. Change axis."),
        (lambda: Concatenate(axis=-2), [(None, 3), (None, 3)], r"it needs an axis -2. Change axis."),
        (lambda: Softmax(axis=3), (None, 3), r"Softmax '\w+' got shape \(None, 3\); it needs an axis 3. Change axis."),
        (lambda: Rescaling([1, 2, 3]), (None, 4), r"it needs 3 channels on the last axis, one for every number of sca"),
        (lambda: Add(), [(None, 4), (None, 3, 3)], r"it needs inputs of equal shape, or with axes of 1 to stretch. Ma"),
    ],
)  # fmt: skip
def test_shapes_that_cannot_be_are_refused(make: Any, shape: Any, text: str):
    with pytest.raises(ShapeError, match=text):
        make().compute_output_shape(shape)


@pytest.mark.parametrize("value", [3, "text", [1.0, 2.0], [[1.0]], None, {"a": 1}])
def test_what_is_no_array_is_refused(value: Any):
    text = r"Dense 'd' got a \w+; it needs a tensor or a NumPy array. Pass np.asarray\(x\)."
    with pytest.raises(UserError, match=text):
        Dense(2, name="d")(value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_arrays_come_in_the_dtype_of_the_layer(dtype: str):
    layer = Dense(2, dtype=dtype)
    assert layer(np.ones((1, 3))).dtype == getattr(torch, dtype)
    assert layer.kernel.dtype == getattr(torch, dtype)


def test_a_layer_of_ones_own_with_kerass_call():
    class Noise(Layer):
        def call(self, inputs: torch.Tensor, training: Any = None) -> torch.Tensor:
            return inputs + 1 if training else inputs

    layer, x = Noise(), torch.zeros(2, 3)
    assert layer(x).sum() == 0
    assert layer(x, training=True).sum() == 6
    assert layer.train()(x).sum() == 6


def test_a_layer_of_ones_own_adds_weights_as_in_keras():
    class Scale(Layer):
        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor", regularizer="l2")
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.factor

    layer = Scale()
    layer(torch.ones(2, 3))
    assert [tuple(weight.shape) for weight in layer.trainable_weights] == [(3,)]
    assert [tuple(weight.shape) for weight in layer.non_trainable_weights] == [()]
    assert layer.penalty().item() == pytest.approx(0.03)
    layer.trainable = False
    layer.trainable = True
    assert len(layer.trainable_weights) == 1


def test_input_and_output_of_a_layer_called_once():
    layer, x = Dense(2, name="d"), Input((3,))
    y = layer(x)
    assert layer.input is x
    assert layer.output is y
    layer(x)
    with pytest.raises(UserError, match=r"Dense 'd' got 2 calls; it needs to have been called on exactly one symbol"):
        _ = layer.output
    with pytest.raises(UserError, match=r"got 0 calls"):
        _ = Dense(2).input


def test_calls_on_symbols_and_arrays_share_weights():
    layer = Dense(2)
    layer(Input((3,)))
    kernel = layer.kernel
    layer(torch.zeros(1, 3))
    assert layer.kernel is kernel


def test_hooks_of_torch_see_every_call():
    layer, seen = Dense(2), []
    layer.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape)))
    layer(torch.zeros(1, 3)), layer(torch.zeros(2, 3), training=True)
    assert seen == [(1, 2), (2, 2)]


# Weights, freezing, modes -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Dense", "Conv2D", "BatchNormalization"])
def test_frozen_before_building_stays_frozen(name: str):
    needed = {"Dense": (2,), "Conv2D": (2, 1), "BatchNormalization": ()}[name]
    layer = registry.classes[name](*needed, trainable=False)
    layer(torch.zeros(2, 4, 4, 3))
    assert layer.trainable_weights == []
    layer.trainable = True
    assert len(layer.trainable_weights) == 2


def test_moving_statistics_never_train():
    layer = BatchNormalization()
    layer(torch.zeros(2, 3))
    layer.trainable = False
    layer.trainable = True
    theirs = keras.layers.BatchNormalization()
    theirs.build((None, 3))
    assert len(layer.trainable_weights) == len(theirs.trainable_weights) == 2
    assert len(layer.non_trainable_weights) == len(theirs.non_trainable_weights) == 2


def test_one_mode_for_a_while_and_then_each_ones_own():
    network = torch.nn.Sequential(Dropout(0.5), torch.nn.Sequential(Dropout(0.5), torch.nn.Dropout()))
    network[1][0].train()
    before = [module.training for module in network.modules()]
    seen: list[bool] = []

    def fail() -> None:
        with mode(network, True):
            seen.extend(module.training for module in network.modules())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert seen == [True] * 5
    assert [module.training for module in network.modules()] == before


def test_weights_of_any_module():
    inner = torch.nn.Sequential(Dense(2), torch.nn.BatchNorm1d(2))
    inner(torch.zeros(3, 4))
    assert len(weights_of(inner)) == 2 + 2 + 3
    assert [type(layer).__name__ for layer in holders_in(inner)] == ["Dense"]


def test_get_weights_are_copies():
    layer = Dense(2)
    layer(torch.zeros(1, 3))
    layer.get_weights()[0][:] = 9
    assert layer.kernel.abs().max() < 9


def test_set_weights_takes_arrays_tensors_and_lists():
    layer = Dense(2)
    layer(torch.zeros(1, 2))
    layer.set_weights([[[1, 2], [3, 4]], torch.tensor([5.0, 6.0], requires_grad=True)])
    assert layer(torch.ones(1, 2)).tolist() == [[9.0, 12.0]]
    assert layer.kernel.requires_grad


def test_the_convolution_kernel_lies_as_torch_reads_it():
    layer = Conv2D(4, 3)
    layer(torch.zeros(1, 8, 8, 3))
    assert layer.kernel.shape == (3, 3, 3, 4)
    assert layer.kernel.movedim((-1, -2), (0, 1)).is_contiguous(memory_format=torch.channels_last)
    layer.set_weights(layer.get_weights())
    layer.load_state_dict(layer.state_dict())
    assert layer.kernel.movedim((-1, -2), (0, 1)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "make", [lambda: Conv2D(4, 3, padding="same"), lambda: MaxPooling2D(2), lambda: BatchNormalization()]
)
def test_pictures_stay_channels_last_in_memory(make: Any):
    assert make()(torch.randn(2, 8, 8, 3)).is_contiguous()


def test_dtypes_follow_torch():
    layer = Conv2D(4, 3)
    symbol = layer(Input((8, 8, 3)))
    layer.double()
    assert (layer.dtype, layer.kernel.dtype, symbol.dtype) == ("float64", torch.float64, "float64")
    assert layer.get_config()["dtype"]["config"]["name"] == "float64"
    layer.to("meta")
    assert layer.dtype == "float64"
    assert Flatten().half().dtype == "float16"


# Structures ---------------------------------------------------------------------------------------


def test_arrays_become_tensors_in_any_structure():
    given = {"a": np.zeros((2, 3)), "b": [np.zeros(2, "int64"), (torch.zeros(1), "text")]}
    found = as_tensor(given)
    assert found["a"].dtype == torch.float32
    assert found["b"][0].dtype == torch.int64
    assert found["b"][1][1] == "text"
    assert shape_of(found) == {"a": (2, 3), "b": [(2,), [(1,), None]]}


def test_read_only_arrays_are_copied():
    array = np.zeros(3, "float32")
    array.flags.writeable = False
    as_tensor(array).add_(1)
    assert array.sum() == 0


# Dtypes of what comes in --------------------------------------------------------------------------


@pytest.mark.parametrize("given", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8])
@pytest.mark.parametrize("own", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize(
    "make", [lambda dtype: Conv2D(2, 3, dtype=dtype), lambda dtype: BatchNormalization(dtype=dtype)]
)
def test_what_comes_in_takes_the_dtype_of_the_layer(make: Any, own: str, given: torch.dtype):
    layer = make(own)
    assert layer(torch.ones(1, 4, 4, 2, dtype=given)).dtype == getattr(torch, own)


def test_whole_numbers_become_floats_where_only_floats_can_be_computed_with():
    x = np.full((1, 4, 4, 2), 3, "uint8")
    assert Dropout(0.5)(x, training=True).dtype == AveragePooling2D(2)(x).dtype == torch.float32
    assert Softmax()(x).dtype == Dense(2)(x[0, 0]).dtype == torch.float32
    assert Flatten()(x).dtype == torch.uint8


def test_whole_numbers_reach_layers_of_ones_own_and_embeddings():
    class Kind(Layer):
        def forward(self, inputs: dict[str, list[torch.Tensor]]) -> list[torch.dtype]:
            return [value.dtype for value in inputs["all"]]

    ones = [torch.ones(2, dtype=dtype) for dtype in (torch.int64, torch.float64, torch.complex64)]
    assert Kind()({"all": ones}) == [torch.int64, torch.float32, torch.complex64]
    embedding = TorchModule(torch.nn.Embedding(5, 3), data_format="channels_last")
    embedding.built = True
    assert embedding.forward(embedding.cast(torch.tensor([1, 2]))).shape == (2, 3)


def test_a_torch_module_gets_the_dtype_of_its_own_weights():
    layer = TorchModule(torch.nn.Linear(4, 2).double())
    assert layer(torch.zeros(1, 4)).dtype == torch.float64
    assert TorchModule(torch.nn.ReLU())(torch.zeros(1, 4, dtype=torch.float64)).dtype == torch.float64


def test_no_copy_where_the_dtype_fits():
    x = torch.zeros(2, 3)
    assert Flatten().cast(x) is x


def test_torchs_autocast_chooses_the_dtypes():
    layer, x = Dense(2), torch.ones(1, 3)
    layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
        assert ReLU()(y).dtype == y.dtype == torch.bfloat16
        assert layer(x.double()).dtype == torch.bfloat16
        assert Dense(2, dtype="float64")(y).dtype == torch.float64


# Layers inside layers -----------------------------------------------------------------------------


class Blocks(Layer):
    def __init__(self, blocks: Any, **options: Any) -> None:
        super().__init__(**options)
        self.blocks = blocks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks.values() if hasattr(self.blocks, "values") else self.blocks:
            for layer in block if isinstance(block, torch.nn.ModuleList) else [block]:
                x = layer(x)
        return x


@pytest.mark.parametrize(
    "make",
    [
        lambda: [Dense(8), Dense(8)],
        lambda: (Dense(8), Dense(8)),
        lambda: {"a": Dense(8), "b": Dense(8)},
        lambda: [[Dense(8)], [Dense(8)]],
    ],
    ids=["list", "tuple", "dict", "nested"],
)
def test_layers_in_lists_and_dicts_are_trained(make: Any):
    layer = Blocks(make())
    layer(torch.zeros(2, 8)).sum().backward()
    assert len(layer.trainable_weights) == len(list(layer.parameters())) == 4
    assert all(weight.grad is not None for weight in layer.trainable_weights)
    assert len(layer.blocks) == 2


def test_a_list_filled_bit_by_bit_is_trained():
    layer = Blocks([])
    layer.blocks.append(Dense(8))
    layer(torch.zeros(2, 8))
    assert len(layer.trainable_weights) == 2


def test_weights_of_layers_in_a_list_are_in_the_order_of_keras():
    ours, theirs = Blocks([BatchNormalization(), Dense(3)]), keras.Sequential()
    ours(torch.zeros(2, 8))
    for layer in (keras.layers.Input((8,)), keras.layers.BatchNormalization(), keras.layers.Dense(3)):
        theirs.add(layer)
    assert [weight.shape for weight in ours.get_weights()] == [weight.shape for weight in theirs.weights]


def test_other_lists_and_dicts_stay():
    layer = Blocks([1, 2])
    layer.sizes, layer.pairs, layer._own, layer.nothing = (3, 4), {"a": 1}, [Dense(2)], []
    layer.built = True
    assert (layer.blocks, layer.sizes, layer.pairs, layer.nothing) == ([1, 2], (3, 4), {"a": 1}, [])
    assert isinstance(layer._own, list)


@pytest.mark.parametrize("key", ["a.b", "keys", 1])
def test_keys_that_torch_takes_for_no_names_are_refused(key: Any):
    with pytest.raises(UserError, match=r"Blocks got layers in a dict by \[.*\]; it needs texts that torch takes"):
        Blocks({key: Dense(2)})


@pytest.mark.parametrize("blocks", [lambda: [Dense(2)], lambda: Dense(2)], ids=["list", "layer"])
def test_layers_inside_a_frozen_layer_are_frozen(blocks: Any):
    layer = Blocks(blocks(), trainable=False)
    if isinstance(layer.blocks, Dense):
        layer.blocks = torch.nn.ModuleList([layer.blocks])
    layer(torch.zeros(1, 3))
    assert len(layer.weights) == 2
    assert layer.trainable_weights == []


def test_forward_hears_of_training_as_call_does():
    class Modes(Layer):
        def forward(self, x: torch.Tensor, training: Any) -> torch.Tensor:
            self.mode = training
            return x

    layer, x, seen = Modes(), torch.zeros(1, 2), []
    for call in (layer, lambda x: layer(x, training=True), layer.train(), lambda x: layer(x, training=False)):
        call(x)
        seen.append(layer.mode)
    assert seen == [True, True, True, False]
    assert layer.eval()(x) is x
    assert layer.mode is False
    assert Modes()(Input((3,))).shape == (None, 3)


# What comes in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "value", "text"),
    [
        (
            lambda: Dense(2),
            np.array([["a"]]),
            r"Dense '\w+' got an array of dtype object; it needs numbers. Turn words",
        ),
        (
            lambda: Add(),
            [np.array(["a"]), np.array(["b"])],
            r"Add '\w+' got an array of dtype object; it needs numbers",
        ),
        (
            lambda: ReLU(),
            np.zeros(2, "datetime64[s]"),
            r"got an array of dtype datetime64\[s\]; it needs numbers. Conv",
        ),
        (lambda: Dense(2), torch.zeros(2, 2).to_sparse(), r"a tensor of sparse_coo; it needs real .* Call x.to_dense"),
        (lambda: Flatten(), torch.zeros(2, 2, dtype=torch.complex64), r"a tensor of complex64; .* Take its abs\(\)"),
        (lambda: ReLU(), [], r"ReLU '\w+' got \[\]; it needs a tensor or a NumPy array. Pass np.asarray\(x\)."),
        (lambda: Add(), [[torch.ones(1, 2)]], r"got shape \[\[\(1, 2\)\]\]; it needs a list of inputs"),
        (
            lambda: Conv2D(2, 3),
            torch.zeros(2, 0, 4, 3),
            r"shape \(2, 0, 4, 3\); it needs at least one cell on every axis",
        ),
        (
            lambda: GlobalMaxPooling2D(),
            torch.zeros(2, 4, 0, 3),
            r"it needs at least one cell on every axis but the fir",
        ),
        (
            lambda: CenterCrop(2, 2),
            torch.zeros(2, 0, 4, 3),
            r"it needs pictures \(N, H, W, C\) .* of at least one cell",
        ),
        (lambda: CenterCrop(2, 2), [torch.zeros(4, 4, 3)] * 3, r"it needs pictures \(N, H, W, C\)"),
        (
            lambda: Dense(2),
            torch.zeros(2, 0),
            r"a weight of shape \(0, 2\); it needs weights that hold numbers. Look at",
        ),
        (
            lambda: Dense(2**40),
            torch.zeros(1, 2**20),
            r"Dense '\w+' got a weight of shape \(1048576, 1099511627776\), ",
        ),
        (
            lambda: Dense(2),
            torch.zeros(1, 3, device="meta"),
            r"a tensor on meta; it needs one on cpu, where its weights",
        ),
    ],
)
def test_what_a_layer_cannot_calculate_with_is_refused_and_forgotten(make, value, text):
    layer = make()
    if getattr(value, "device", None) == torch.device("meta"):
        layer(torch.zeros(1, 3))
    before = [id(weight) for weight in layer.weights]
    with pytest.raises(UserError, match=text):
        layer(value)
    assert [id(weight) for weight in layer.weights] == before


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3)[::-1],
        np.arange(6.0, dtype=">f4").reshape(2, 3),
        np.arange(6, dtype="uint16").reshape(2, 3),
        np.arange(6, dtype="longdouble").reshape(2, 3)[:, ::-1],
        np.broadcast_to(np.float32(1), (2, 3)),
    ],
)
def test_arrays_that_torch_cannot_read_are_read(array):
    np.testing.assert_array_equal(ReLU()(array).numpy(), keras.layers.ReLU()(array.astype("float32")).numpy())


@pytest.mark.parametrize("layer", [Flatten, BatchNormalization])
def test_no_items_are_no_reason_to_fail(layer):
    assert len(layer()(torch.zeros(0, 4, 4, 3))) == 0


def test_numpy_numbers_among_the_arguments_are_saved():
    for layer in (RandomZoom(np.float32(0.5)), Dropout(0.5, noise_shape=(None, np.int64(1)))):
        assert type(layer).from_config(json.loads(json.dumps(layer.get_config()))).get_config() == layer.get_config()


@pytest.mark.parametrize("library", [Conv2D, keras.layers.Conv2D])
def test_arguments_that_keras_takes_too(library):
    layer = library(2, np.array([3, 2]), kernel_initializer=None, dtype=np.float32)
    assert (layer(torch.zeros(1, 4, 4, 1)).shape, layer.kernel_size) == ((1, 2, 3, 2), (3, 2))
