"""Constraints in training and in files, beside real Keras: same weights and data in, same weights out."""

import copy
import types

import keras
import numpy as np
import pytest
import torch
from model_files import open_in_keras
from oracles.compare import double_precision

from striate import constraints, layers, models, optimizers, saving
from striate.foundation.checks import UserError

RNG = np.random.default_rng(11)
PICTURES, SERIES, ROWS, TARGETS = (
    RNG.normal(size=(40, *shape)).astype("float32") for shape in ((6, 6, 3), (5, 3), (3,), (1,))
)
WORDS = RNG.integers(0, 7, (40, 4))
HERE = types.SimpleNamespace(layers=layers, models=models, constraints=constraints, optimizers=optimizers)


def kinds(k, axis):
    """Every constraint, tight enough to be felt."""
    return {
        "max_norm": k.constraints.MaxNorm(0.4, axis=axis),
        "min_max_norm": k.constraints.MinMaxNorm(0.3, 0.6, rate=0.5, axis=axis),
        "non_neg": "non_neg",
        "unit_norm": k.constraints.UnitNorm(axis=axis),
    }


def one_layer(k, name, kind):
    """The layer of that name with a constraint on all of its weights."""
    of, bias = kinds(k, 0)[kind], {"bias_constraint": kinds(k, 0)[kind]}
    filters = kinds(k, [0, 1, 2])[kind]
    return {
        "Dense": lambda: k.layers.Dense(4, kernel_constraint=of, **bias),
        "Conv2D": lambda: k.layers.Conv2D(4, 3, kernel_constraint=filters, **bias),
        "Conv2DTranspose": lambda: k.layers.Conv2DTranspose(4, 3, kernel_constraint=filters, **bias),
        "DepthwiseConv2D": lambda: k.layers.DepthwiseConv2D(3, depthwise_constraint=kinds(k, [0, 1])[kind], **bias),
        "SeparableConv2D": lambda: k.layers.SeparableConv2D(
            4, 3, depthwise_constraint=kinds(k, [0, 1])[kind], pointwise_constraint=filters, **bias
        ),
        "Embedding": lambda: k.layers.Embedding(7, 3, embeddings_constraint=kinds(k, 1)[kind]),
        "BatchNormalization": lambda: k.layers.BatchNormalization(beta_constraint=of, gamma_constraint=of),
        "LayerNormalization": lambda: k.layers.LayerNormalization(beta_constraint=of, gamma_constraint=of),
        "PReLU": lambda: k.layers.PReLU(alpha_constraint=of),
        "LSTM": lambda: k.layers.LSTM(4, kernel_constraint=of, recurrent_constraint=of, **bias),
        "GRU": lambda: k.layers.GRU(4, kernel_constraint=of, recurrent_constraint=of),
    }[name]()


DATA = {"Embedding": WORDS, "LSTM": SERIES, "GRU": SERIES, "Dense": ROWS, "PReLU": ROWS, "LayerNormalization": ROWS}
LAYERS = [
    "Dense",
    "Conv2D",
    "Conv2DTranspose",
    "DepthwiseConv2D",
    "SeparableConv2D",
    "Embedding",
    "BatchNormalization",
    "LayerNormalization",
    "PReLU",
    "LSTM",
    "GRU",
]


def network(k, layer, kind, **options):
    begin = k.layers.Input(DATA.get(layer, PICTURES).shape[1:], dtype="int32" if layer == "Embedding" else None)
    return k.models.Sequential([begin, one_layer(k, layer, kind), k.layers.Flatten(), k.layers.Dense(1)], **options)


def twins(build):
    """The same network here and in Keras, with the same weights."""
    keras.utils.set_random_seed(7)
    theirs, ours = build(keras), build(HERE)
    ours = ours.double() if keras.config.floatx() == "float64" else ours
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def assert_same(ours, theirs, relative, absolute):
    for weight, mine, other in zip(theirs.weights, ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, relative, absolute, err_msg=weight.path)


def train(model, name, optimizer, epochs=5):
    """Twenty steps."""
    model.compile(optimizer, "mse")
    return model.fit(DATA.get(name, PICTURES), TARGETS, batch_size=10, epochs=epochs, shuffle=False, verbose=0)


@pytest.mark.parametrize("kind", kinds(HERE, 0))
@pytest.mark.parametrize("name", LAYERS)
def test_weights_after_twenty_steps_are_those_of_keras(name, kind):
    with double_precision():
        ours, theirs = twins(lambda k: network(k, name, kind))
        free = twins(lambda k: network(k, name, kind))[0]
        for _, weight in free.named_parameters():
            weight.constraint = None
        for model in (ours, theirs, free):
            train(model, name, "sgd")
        assert_same(ours, theirs, 1e-9, 1e-12)
    felt = [not np.allclose(*pair) for pair in zip(ours.get_weights(), free.get_weights(), strict=True)]
    assert any(felt), "the constraint was not felt"


@pytest.mark.parametrize("name", ["Conv2D", "LSTM"])
def test_single_precision(name):
    ours, theirs = twins(lambda k: network(k, name, "max_norm"))
    for model in (ours, theirs):
        train(model, name, "adam")
    assert_same(ours, theirs, 1e-5, 1e-5)


@pytest.mark.parametrize("kind", ["min_max_norm", "non_neg"])
@pytest.mark.parametrize(
    "options",
    [
        {"gradient_accumulation_steps": 3},
        {"use_ema": True, "ema_momentum": 0.5},
        {"use_ema": True, "ema_overwrite_frequency": 3},
        {"weight_decay": 0.1, "clipnorm": 0.5},
    ],
    ids=str,
)
def test_the_moment_in_a_step_is_kerass(options, kind):
    with double_precision():
        ours, theirs = twins(lambda k: network(k, "Dense", kind))
        for k, model in ((HERE, ours), (keras, theirs)):
            train(model, "Dense", k.optimizers.Adam(0.05, **options))
        assert_same(ours, theirs, 1e-9, 1e-12)


def test_steps_that_loss_scaling_skips_leave_weights_as_they_are():
    grads = [np.full((3, 4), np.inf), np.full((3, 4), 0.5)]
    found = []
    for k in (HERE, keras):
        layer = k.layers.Dense(4, use_bias=False, kernel_constraint=k.constraints.MinMaxNorm(2, 3, rate=0.5))
        layer.build((None, 3))
        layer.set_weights([np.linspace(-1, 1, 12).reshape(3, 4)])
        optimizer = k.optimizers.LossScaleOptimizer(k.optimizers.SGD(0.1), initial_scale=4.0)
        kernels = []
        for grad in grads:
            grad = torch.tensor(grad, dtype=torch.float32)
            if k is keras:
                optimizer.apply([grad], [layer.kernel])
            else:
                optimizer.build([layer.kernel])
                layer.kernel.grad = grad
                optimizer.step()
            kernels.append(layer.get_weights()[0])
        found.append(kernels)
    np.testing.assert_allclose(found[0], found[1], 1e-6)
    assert not np.allclose(*found[0])


def test_frozen_weights_and_those_without_gradient_stay():
    for k in (HERE, keras):
        kernel = np.linspace(-1, 1, 6).reshape(3, 2).astype("float32")
        frozen = k.layers.Dense(2, kernel_constraint="non_neg", trainable=False)
        model = k.models.Sequential([k.layers.Input((3,)), frozen, k.layers.Dense(1)])
        frozen.set_weights([kernel, np.zeros(2)])
        train(model, "Dense", "sgd", epochs=1)
        np.testing.assert_array_equal(frozen.get_weights()[0], kernel)


# Beyond Keras -------------------------------------------------------------------------------------


def dense(constraint="non_neg"):
    model = models.Sequential([layers.Input((3,)), layers.Dense(1, kernel_constraint=constraint)])
    model.layers[0].set_weights([np.full((3, 1), -1.0), np.zeros(1)])
    return model


@pytest.mark.parametrize("change", [copy.deepcopy, lambda model: model.double().float(), models.clone_model])
def test_copies_keep_their_constraints(change):
    model = change(dense())
    train(model, "Dense", "sgd", epochs=1)
    assert model.layers[0].get_weights()[0].min() >= 0
    assert model.layers[0].kernel.constraint is not dense().layers[0].kernel.constraint


def test_torchs_optimizers_bring_weights_back_too():
    model = dense()
    train(model, "Dense", torch.optim.SGD(model.parameters(), lr=0.1), epochs=1)
    assert model.layers[0].get_weights()[0].min() >= 0


def test_a_weight_can_be_given_a_constraint_where_it_is_made_or_later():
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight((1,), "ones", constraint=constraints.NonNeg())

        def forward(self, x):
            return self.factor * x

    model = models.Sequential([layers.Input((3,)), Scale(), layers.Dense(1)])
    model.layers[1].kernel.constraint = constraints.MaxNorm(0.25)
    model.layers[0].factor.data.fill_(-1)
    train(model, "Dense", "sgd")
    assert model.layers[0].factor.item() >= 0
    assert np.linalg.norm(model.layers[1].get_weights()[0]) <= 0.25 + 1e-6


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, r"^Own got None from its __call__; it needs the weight's new values, a tensor of shape \(3, 1\)\. Mend"),
        (torch.ones(1), r"^Own got a tensor of shape \(1,\) from its __call__; it needs the weight's new values, a te"),
    ],
)  # fmt: skip
def test_a_constraint_of_ones_own_that_gives_no_weight_is_refused(answer, text):
    class Own(constraints.Constraint):
        def __call__(self, weight):
            return answer

    with pytest.raises(UserError, match=text):
        train(dense(Own()), "Dense", "sgd")


# Files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", kinds(HERE, 0))
@pytest.mark.parametrize("name", LAYERS)
def test_files_keep_constraints_both_ways(name, kind, tmp_path):
    ours, theirs = tmp_path / "ours.keras", tmp_path / "theirs.keras"
    network(HERE, name, kind, name="n").save(ours)
    network(keras, name, kind, name="n").save(theirs)
    there, back = open_in_keras(ours), models.load_model(theirs)

    def described(layer):
        return {key: value for key, value in layer.get_config().items() if key.endswith("_constraint")}

    assert described(there.layers[0]) == described(keras.saving.load_model(theirs).layers[0])
    assert described(back.layers[0]) == described(models.load_model(ours).layers[0]) == described(there.layers[0])
    assert sum(value is not None for value in described(there.layers[0]).values()) >= 1
    for model in (there, back):
        model.set_weights([np.full(weight.shape, 0.1, "float32") for weight in model.weights])
        train(model, name, "sgd", epochs=1)
    assert_same(back, there, 1e-5, 1e-5)


def test_classes_of_ones_own_go_by_their_registered_name(tmp_path):
    @saving.register_keras_serializable("mine")
    class Clip(constraints.Constraint):
        def __init__(self, limit):
            self.limit = limit

        def __call__(self, weight):
            return weight.clamp(-self.limit, self.limit)

        def get_config(self):
            return {"limit": self.limit}

    class Theirs(keras.constraints.Constraint):
        def __init__(self, limit):
            self.limit = limit

        def get_config(self):
            return {"limit": self.limit}

    dense(Clip(0.25)).save(tmp_path / "own.keras")
    twin = models.load_model(tmp_path / "own.keras")
    train(twin, "Dense", "sgd")
    assert np.abs(twin.layers[0].get_weights()[0]).max() <= 0.25
    there = keras.saving.load_model(tmp_path / "own.keras", custom_objects={"mine>Clip": Theirs})
    assert there.layers[0].kernel_constraint.limit == 0.25
    saving.get_custom_objects().pop("mine>Clip")
    with pytest.raises(UserError, match=r"Dense '.*' got constraint 'Clip'; it needs a constraint of striate's"):
        models.load_model(tmp_path / "own.keras")
