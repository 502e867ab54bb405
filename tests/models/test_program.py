"""A program gives what its model gives, for every network, batch and instruction set."""

import threading

import numpy as np
import pytest
import torch
from kernel_check import ENGINES, running
from plan_models import network as small_network
from program_models import SEEDS, random_network

from striate import layers
from striate.foundation.checks import UserError
from striate.layers.structure import mode
from striate.layers.symbol import ShapeError
from striate.models import Model, Sequential
from striate.models.program import MOST_SHAPES, Program
from striate.utils import set_random_seed

TOLERANCE = 2e-5


def expected(model, x):
    with torch.no_grad(), mode(model, False), running("reference"):
        return model(x)


def assert_same(found, wanted):
    scale = max(1.0, wanted.abs().max().item())
    torch.testing.assert_close(found, wanted, rtol=0, atol=TOLERANCE * scale)


def check(model, x):
    """For every instruction set; twice, since memory is used again."""
    wanted = expected(model, x)
    for unit, threads in ENGINES:
        with running(unit, threads):
            program = Program(model)
            for _ in range(2):
                assert_same(program(x), wanted)
    return program


def with_statistics(model):
    """Its moving statistics, biases and factors unlike those that layers begin with."""
    random_ = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if tensor.ndim == 1 and tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=random_) + (0.5 if "variance" in name else 0))
    return model


# Random networks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_any_network(seed):
    compare_random_network(seed, (1, 3))


@pytest.mark.parametrize("seed", SEEDS)
def test_any_network_some_items_at_a_time(seed, monkeypatch):
    monkeypatch.setattr("striate.models.grouping.NEAR", (1 << 9, 1 << 11, 1 << 13)[seed % 3])
    compare_random_network(seed, (13,))


def compare_random_network(seed, batches):
    set_random_seed(seed)
    model = with_statistics(random_network(seed))
    for items in batches:
        x = torch.randn(items, *model.inputs[0].shape[1:])
        wanted = expected(model, x)
        for unit, threads in ENGINES[:: 2 - seed % 2]:
            with running(unit, threads):
                program = Program(model)
                found = program(x), program(x)
            for outputs in found:
                pairs = zip(outputs, wanted, strict=True) if isinstance(wanted, list) else [(outputs, wanted)]
                for one, two in pairs:
                    assert_same(one, two)


def test_most_layers_of_them_become_instructions():
    """What is compared above is not the layers with themselves."""
    described = []
    for seed in SEEDS:
        model = random_network(seed)
        program = Program(model)
        program(torch.randn(2, *model.inputs[0].shape[1:]))
        described += program.describe().splitlines()
    as_they_are = [line for line in described if line.endswith("as it is")]
    assert len(as_they_are) < len(described) / 10
    for kind in ("convolution", "pool", "greatest", "mean", "scaled", "copy", "sum", "difference", "product"):
        assert any(kind in line.split(": ")[-1] for line in described), kind


# What becomes of layers ----------------------------------------------------------------------------


def lines(model, items=2):
    program = check(with_statistics(model), torch.randn(items, *model.inputs[0].shape[1:]))
    return [line.split(": ") for line in program.describe().splitlines()]


def test_what_follows_a_convolution_is_part_of_it():
    x = inputs = layers.Input((8, 8, 33))
    y = layers.Conv2D(33, 1, name="a")(layers.ReLU(name="r")(layers.BatchNormalization(name="n")(x)))
    y = layers.Add(name="sum")([layers.BatchNormalization(name="m")(y), x])
    model = Model(inputs, layers.Activation("relu", name="last")(y))
    assert lines(model) == [
        ["BatchNormalization 'n' + ReLU 'r'", "scaled channels"],
        ["Conv2D 'a' + BatchNormalization 'm' + Add 'sum' + Activation 'last'", "product"],
    ]


def test_a_convolution_that_others_read_stays_what_it_is():
    inputs = layers.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, name="a")(inputs)
    model = Model(inputs, [layers.ReLU(name="r")(y), y])
    program = Program(model)
    x = torch.randn(2, 8, 8, 3)
    for found, wanted in zip(program(x), expected(model, x), strict=True):
        assert_same(found, wanted)
    assert program.describe().splitlines() == ["Conv2D 'a': convolution", "ReLU: scaled channels"]


@pytest.mark.parametrize(("filters", "size", "said"), [(40, 16, "Winograd's convolution"), (40, 3, "convolution")])
def test_tiles_are_for_pictures_large_enough(filters, size, said):
    model = Sequential([layers.Input((size, size, 64)), layers.Conv2D(filters, 3, padding="same", name="a")])
    assert lines(model, 1) == [["Conv2D 'a'", said]]


def test_tiles_with_what_follows():
    x = inputs = layers.Input((9, 8, 32))
    y = layers.BatchNormalization(name="n")(layers.Conv2D(32, 3, padding="same", use_bias=False, name="a")(x))
    model = Model(inputs, layers.ReLU(6.0, name="r")(layers.Add(name="s")([x, y])))
    name = "Conv2D 'a' + BatchNormalization 'n' + Add 's' + ReLU 'r'"
    assert lines(model) == [[name, "Winograd's convolution"]]


@pytest.mark.parametrize(
    ("kind", "cells", "window", "options", "said"),
    [
        (layers.Conv1D, (512,), 8, {"padding": "same"}, "Winograd's convolution along lines"),
        (layers.Conv1D, (512,), 5, {"padding": "causal"}, "Winograd's convolution along lines"),
        (layers.Conv1D, (512,), 5, {"strides": 2}, "convolution"),
        (layers.Conv1D, (512,), 5, {"dilation_rate": 2}, "convolution"),
        (layers.Conv1D, (511,), 5, {}, "convolution"),
        (layers.Conv2D, (20, 36), 5, {}, "Winograd's convolution along lines"),
        (layers.Conv3D, (9, 8, 8), 3, {"padding": "same"}, "Winograd's convolution along lines"),
    ],
)
def test_lines_are_for_many_cells_and_channels(kind, cells, window, options, said):
    x = layers.Input((*cells, 32))
    y = layers.BatchNormalization(name="n")(kind(32, window, name="a", **options)(x))
    model = Model(x, layers.ReLU(name="r")(y))
    assert lines(model, 1) == [[f"{kind.__name__} 'a' + BatchNormalization 'n' + ReLU 'r'", said]]


def test_lines_side_by_side():
    x = layers.Input((512, 32))
    model = Model(x, layers.Concatenate()([layers.Conv1D(32, window, padding="same")(x) for window in (3, 9)]))
    assert [said for _, said in lines(model, 1)] == ["Winograd's convolution along lines"] * 2 + ["copy"] * 2


def test_the_tutorials_network():
    names = [["Conv2D 'first' + MaxPooling2D 'pool'", "convolution + ReLU + max-pooling, one kernel"]]
    assert lines(small_network())[:1] == names


def test_zeros_around_are_part_of_what_reads_them():
    stack = [layers.ZeroPadding2D(((1, 2), (0, 3)), name="z"), layers.Conv2D(5, 3, strides=2, name="a")]
    assert lines(Sequential([layers.Input((7, 8, 3)), *stack])) == [["Conv2D 'a'", "convolution"]]


def test_some_items_at_a_time(monkeypatch):
    """Those whose arrays stay near; not where few of them come, or where weights would not."""
    monkeypatch.setattr("striate.models.grouping.NEAR", 10_000)
    monkeypatch.setattr("striate.models.grouping.LIGHT", 2_000)
    x = inputs = layers.Input((8, 8, 16))
    y = layers.Add(name="s")(
        [x, layers.Conv2D(16, 1, name="b")(layers.DepthwiseConv2D(3, padding="same", name="a")(x))]
    )
    y = layers.Flatten()(layers.MaxPooling2D(4, name="p")(y))
    model = Model(inputs, layers.Dense(40, name="heavy")(y))
    with running("generic", 2):
        for items, said in ((33, ", 2 of 33 items at a time"), (3, "")):
            program, given = Program(model), torch.randn(items, 8, 8, 16)
            assert_same(program(given), expected(model, given))
            assert program.describe().splitlines() == [
                "DepthwiseConv2D 'a': depthwise convolution" + said,
                "Conv2D 'b' + Add 's': product" + said,
                "MaxPooling2D 'p': greatest of windows" + said,
                "Dense 'heavy': product",
            ]


@pytest.mark.parametrize("kind", ["series", "pictures", "volumes"])
def test_lines_some_items_at_a_time(kind, monkeypatch):
    """Lines of a series are all alike, whichever item they are of; those of pictures are not."""
    monkeypatch.setattr("striate.models.grouping.NEAR", 100_000)
    shape, conv, window = {
        "series": ((256, 16), layers.Conv1D, 5),
        "pictures": ((16, 16, 16), layers.Conv2D, (5, 5)),
        "volumes": ((8, 8, 8, 16), layers.Conv3D, 3),
    }[kind]
    stack = [conv(32, window, padding="same", name="a"), layers.ReLU(), conv(16, window, padding="same", name="b")]
    model = Sequential([layers.Input(shape), *stack])
    given = torch.randn(45, *shape)
    for unit, threads in ENGINES:
        with running(unit, threads):
            program = Program(model)
            assert_same(program(given), expected(model, given))
            assert all("along lines" in line and "of 45 items" in line for line in program.describe().splitlines())


def test_zeros_around_stay_zeros_some_items_at_a_time(monkeypatch):
    """They are written once, when memory is new."""
    monkeypatch.setattr("striate.models.grouping.NEAR", 5_000)
    stack = [layers.ReLU(), layers.ZeroPadding2D(2), layers.AveragePooling2D(3, 1), layers.Dense(24), layers.Dense(24)]
    model = Sequential([layers.Input((8, 8, 4)), layers.Conv2D(4, 1), *stack, layers.Conv2D(2, 1)])
    assert all("at a time" in made for *_, made in lines(model, 33))


def test_models_within_models():
    inner = Sequential([layers.Input((6, 6, 3)), layers.Conv2D(4, 3, name="a"), layers.ReLU(name="r")], name="inner")
    inputs = layers.Input((6, 6, 3))
    model = Model(inputs, layers.Add()([inner(inputs), inner(layers.Dense(3)(inputs))]))
    assert sum(line[0].startswith("Conv2D 'a' + ReLU 'r'") for line in lines(model)) == 2


# How it is called ----------------------------------------------------------------------------------


def test_several_inputs_by_name_and_outputs():
    a, b = layers.Input((4,), name="a"), layers.Input((4,), name="b", dtype="int32")
    model = Model({"a": a, "b": b}, {"sum": layers.Add()([layers.Dense(3)(a), layers.Dense(3)(b)]), "same": a})
    x = {"a": torch.randn(5, 4), "b": torch.randint(0, 9, (5, 4), dtype=torch.int32)}
    found, wanted = Program(model)(x), expected(model, x)
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert_same(found[name], wanted[name])
    assert found["same"].data_ptr() != x["a"].data_ptr()


def test_words_and_arrays_of_numpy():
    model = Sequential(
        [layers.Input((6,), dtype="int32"), layers.Embedding(10, 4), layers.Conv1D(3, 2), layers.GlobalMaxPooling1D()]
    )
    x = np.random.default_rng(0).integers(0, 10, (3, 6))
    assert_same(Program(model)(x), expected(model, torch.from_numpy(x)))


def test_results_stay_what_they_are_when_it_is_called_again():
    program = Program(small_network())
    x = torch.randn(2, 9, 10, 2)
    first = program(x)
    before = first.clone()
    program(-x)
    assert torch.equal(first, before)


def test_strided_arrays():
    model = small_network()
    x = torch.randn(2, 2, 9, 10).permute(0, 2, 3, 1)
    assert_same(Program(model)(x), expected(model, x))


def test_it_is_of_the_weights_as_they_were():
    model = Sequential([layers.Dense(2, input_shape=(3,))])
    program, x = Program(model), torch.randn(2, 3)
    before = program(x)
    with torch.no_grad():
        model.layers[-1].kernel.mul_(2)
    assert torch.equal(program(x), before)
    assert_same(Program(model)(x), expected(model, x))


def test_shapes_come_and_go():
    program = Program(small_network())
    for items in [*range(1, MOST_SHAPES + 3), 1]:
        assert program(torch.randn(items, 9, 10, 2)).shape == (items, 2)


def test_several_threads():
    model = small_network()
    program, x = Program(model), torch.randn(4, 9, 10, 2)
    wanted, found = expected(model, x), []
    threads = [threading.Thread(target=lambda: found.append(program(x))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    for one in found:
        assert_same(one, wanted)


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        ([layers.Input((4, 2)), layers.Masking(), layers.LSTM(3)], "masks steps"),
        ([layers.Input((4,)), layers.Embedding(9, 2, mask_zero=True), layers.GlobalAveragePooling1D()], "masks steps"),
    ],
)
def test_masks_are_left_to_the_layers(stack, said):
    model = Sequential(stack)
    x = torch.ones(2, *model.inputs[0].shape[1:])
    program = Program(model)
    assert_same(program(x), expected(model, x))
    assert said in program.describe()


def test_layers_that_somebody_listens_to_are_called():
    model = small_network()
    heard = []
    model.get_layer("first").register_forward_hook(lambda *_: heard.append(1))
    program = Program(model)
    program(torch.randn(2, 9, 10, 2))
    assert heard
    assert "Conv2D 'first', as it is" in program.describe()


def test_it_predicts_whatever_mode_the_model_is_in():
    model = Sequential([layers.Input((6, 6, 3)), layers.RandomFlip(seed=1), layers.Conv2D(2, 3), layers.Dropout(0.5)])
    x = torch.randn(8, 6, 6, 3)
    model.train()
    program = Program(model)
    for _ in range(2):
        assert_same(program(x), expected(model, x))
    assert model.training
    assert "as it is" in program.describe()


@pytest.mark.parametrize("change", [torch.nn.Module.double, torch.nn.Module.half])
def test_weights_of_another_dtype(change):
    """They are left to the layers: a kernel would read something else at their addresses."""
    model, x = small_network(), torch.randn(2, 9, 10, 2)
    change(model)
    found, wanted = Program(model)(x), expected(model, x)
    assert found.dtype == wanted.dtype
    torch.testing.assert_close(found, wanted)


def test_weights_on_another_device():
    model, x = small_network(), torch.randn(2, 9, 10, 2)
    model.to("meta")
    with pytest.raises(UserError) as theirs, torch.no_grad():
        model(x)
    with pytest.raises(UserError) as ours:
        Program(model)(x)
    assert str(ours.value) == str(theirs.value)


def test_hooks_on_all_modules_are_called():
    model, x, heard = small_network(), torch.randn(2, 9, 10, 2), []
    program = Program(model)
    program(x)
    with torch.nn.modules.module.register_module_forward_hook(lambda *_: heard.append(1)):
        program(x)
    assert len(heard) > len(model.layers) - 2


def test_a_forward_of_ones_own():
    class Own(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model, x = Own(), torch.ones(1, 3)
    wanted = model(x)
    program = Program(model)
    assert_same(program(x), wanted)
    assert program.describe() == "layers as they are: a forward, hooks or a precision of its own"


def test_without_a_compiled_library():
    with running("reference"):
        program = Program(small_network())
        assert program(torch.randn(2, 9, 10, 2)).shape == (2, 2)
        assert program.describe() == "layers as they are: nothing is compiled here"


def test_the_environment_can_forbid_it(monkeypatch):
    monkeypatch.setenv("STRIATE_PLAN", "off")
    program = Program(small_network())
    assert program(torch.randn(2, 9, 10, 2)).shape == (2, 2)
    assert program.describe() == "layers as they are: STRIATE_PLAN=off"


def test_wrong_shapes_are_refused_as_the_model_refuses_them():
    with pytest.raises(ShapeError, match=r"5\)"):
        Program(small_network())(torch.randn(2, 9, 10, 5))


def test_predict_makes_one_where_it_pays(monkeypatch):
    model, x = small_network(), np.random.default_rng(0).normal(size=(70, 9, 10, 2)).astype("float32")
    made = []
    call = Program.__call__
    monkeypatch.setattr(Program, "__call__", lambda self, x: made.append(len(x)) or call(self, x))
    found = model.predict(x[:40], verbose=0)
    assert made == []
    found = model.predict(x, verbose=0)
    assert made == [32, 32, 6]
    assert_same(torch.from_numpy(found), expected(model, torch.from_numpy(x)))


def test_in_another_precision_the_model_is_called():
    model, x = small_network(), torch.randn(2, 9, 10, 2)
    model.compile(loss="mse", precision="bfloat16")
    program = Program(model)
    with torch.no_grad():  # with gradients to come, batch normalization would be left to its layer
        torch.testing.assert_close(program(x), model(x))
    assert "precision" in program.describe()


def test_an_empty_batch():
    assert Program(small_network())(torch.zeros(0, 9, 10, 2)).shape == (0, 2)
