"""Which weight is where: the same paths as in the files of real Keras."""

import keras
import pytest
import torch
from model_files import WEIGHTS, arrays_in, convnet, entries

from striate import layers, models
from striate.layers import Dense, Input
from striate.layers.layer import Layer
from striate.models import Model, Sequential
from striate.models.layout import groups

HERE = type("striate", (), {"layers": layers, "models": models})

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def paths(model):
    return [f"{group.path}/vars/{i}".lstrip("/") for group in groups(model) for i in range(len(group.weights))]


def small(k):
    return k.models.Sequential(
        [
            k.layers.Input((8, 8, 3)),
            k.layers.Conv2D(4, 3),
            k.layers.BatchNormalization(),
            k.layers.Conv2D(4, 3, use_bias=False),
            k.layers.Flatten(),
            k.layers.Dense(3),
            k.layers.Dense(2),
        ]
    )


def nested(k):
    x, shared = k.layers.Input((4,)), k.layers.Dense(4)
    inner_input = k.layers.Input((4,))
    inner = k.models.Model(inner_input, k.layers.Dense(4)(k.layers.Dense(4)(inner_input)))
    stack = k.models.Sequential([k.layers.Dense(4), k.layers.BatchNormalization()])
    y = k.layers.Add()([shared(x), inner(shared(x)), stack(inner(x))])
    return k.models.Model(x, [k.layers.Dense(2)(y), k.layers.Dense(3)(shared(y))])


def several(k):
    a, b = k.layers.Input((4,)), k.layers.Input((4,))
    deep = k.layers.Dense(4)(k.layers.Dense(5)(k.layers.Dense(6)(b)))
    joined = k.layers.Concatenate()([k.layers.Dense(4)(a), deep])
    return k.models.Model([a, b], [k.layers.Dense(2)(joined), k.layers.Dense(7)(a)])


@pytest.mark.parametrize("build", [small, nested, several], ids=lambda build: build.__name__)
def test_paths_and_shapes_are_those_of_keras(build, tmp_path):
    theirs = build(keras)
    theirs.save(tmp_path / "model.keras")
    expected = {
        path: array.shape
        for path, array in arrays_in(entries(tmp_path / "model.keras")[WEIGHTS]).items()
        if not path.startswith("optimizer")
    }
    found = {
        f"{group.path}/vars/{index}": tuple(weight.shape)
        for group in groups(build(HERE))
        for index, weight in enumerate(group.weights.values())
    }
    assert found == expected


def test_names_of_layers_do_not_matter():
    assert paths(convnet()) == [
        *(f"layers/conv2d/vars/{index}" for index in range(2)),
        *(f"layers/batch_normalization/vars/{index}" for index in range(4)),
        *(f"layers/dense/vars/{index}" for index in range(2)),
    ]


def test_layers_inside_a_layer_of_ones_own_go_by_attribute():
    class Block(Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.second, self.first = Dense(2), Dense(2)
            self.more = torch.nn.ModuleList([Dense(2), torch.nn.Linear(2, 2), Dense(2)])

        def forward(self, x):
            for layer in (self.first, self.second, *self.more):
                x = layer(x)
            return x

    model = Sequential([Input((2,)), Block()])
    assert [group.path for group in groups(model) if group.weights] == [
        "layers/block/first",
        "layers/block/more/dense",
        "layers/block/more/linear",
        "layers/block/more/dense_1",
        "layers/block/second",
    ]


def test_a_model_subclass_has_the_paths_that_keras_gives_it(tmp_path):
    def build(k):
        class Net(k.models.Model):
            def __init__(self):
                super().__init__()
                self.first, self.second, self._third = (k.layers.Dense(2) for _ in range(3))

            def call(self, x):
                return self._third(self.second(self.first(x)))

        return Net()

    theirs, ours = build(keras), build(HERE)
    theirs(torch.zeros(1, 2)), ours(torch.zeros(1, 2))
    theirs.save_weights(tmp_path / "net.weights.h5")
    assert sorted(paths(ours)) == sorted(arrays_in((tmp_path / "net.weights.h5").read_bytes()))


def test_every_weight_is_there_once():
    x = Input((4,))
    shared = Dense(4)
    inner = Model(x, shared(x))
    model = Model(x, shared(inner(x)))
    weights = [weight for group in groups(model) for weight in group.weights.values()]
    assert len(weights) == 2
    assert {id(weight) for weight in weights} == {id(weight) for weight in model.weights}


def dict_outputs(k):
    x = k.layers.Input((4,), name="x")
    return k.models.Model(x, {"z": k.layers.Dense(4, name="z")(x), "a": k.layers.Dense(4, name="a")(x)})


def dict_arguments(k):
    b, a = k.layers.Input((4,), name="b"), k.layers.Input((4,), name="a")
    inner = k.models.Model({"b": b, "a": a}, k.layers.Add()([b, a]), name="inner")
    x = k.layers.Input((4,), name="x")
    arguments = {"b": k.layers.Dense(4, name="to_b")(x), "a": k.layers.Dense(4, name="to_a")(x)}
    return k.models.Model(x, inner(arguments))


@pytest.mark.parametrize("build", [dict_outputs, dict_arguments], ids=lambda build: build.__name__)
def test_dicts_count_by_sorted_keys(build):
    assert [layer.name for layer in build(HERE).layers] == [layer.name for layer in build(keras).layers]
