"""Summaries: counts and shapes are Keras's; FLOPs, receptive fields and memory are counted by hand or by a loop."""

import copy
import html
import json
import os
import re
from typing import Any
from unittest import mock

import keras
import numpy as np
import pytest
import torch

import striate.layers
import striate.models
from striate.layers import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MaxPooling2D,
    ReLU,
    TorchModule,
)
from striate.models import Model, Sequential
from striate.models.summary import Summary
from striate.models.summary_view import count, memory


def tutorial(lib: Any) -> Any:
    make = lib.layers
    return lib.models.Sequential(
        [
            make.Input((64, 64, 3)),
            make.Conv2D(32, (3, 3), activation="relu", name="conv2d"),
            make.MaxPooling2D(pool_size=(2, 2), name="max_pooling2d"),
            make.Flatten(name="flatten"),
            make.Dense(128, activation="relu", name="dense"),
            make.Dense(1, activation="sigmoid", name="dense_1"),
        ],
        name="sequential",
    )


def branches(lib: Any) -> Any:
    make = lib.layers
    x = make.Input((32, 32, 3), name="picture")
    a = make.Conv2D(8, 3, padding="same", name="narrow")(x)
    b = make.Conv2D(8, 5, padding="same", name="wide")(x)
    y = make.BatchNormalization(name="norm")(make.Add(name="add")([a, b]))
    y = make.Concatenate(name="join")([make.ReLU(name="relu")(y), x])
    y = make.GlobalAveragePooling2D(name="mean")(y)
    return lib.models.Model(x, [make.Dense(3, name="kind")(y), make.Dense(1, name="age")(y)])


def twins(lib: Any) -> Any:
    make = lib.layers
    inside = [
        make.Input((16, 16, 1)),
        make.Conv2D(4, 3, name="inner"),
        make.Flatten(name="flat"),
        make.Dense(5, name="code"),
    ]
    encoder = lib.models.Sequential(inside, name="encoder")
    a, b = make.Input((16, 16, 1), name="a"), make.Input((16, 16, 1), name="b")
    return lib.models.Model([a, b], make.Add(name="sum")([encoder(a), encoder(b)]))


def unbuilt(lib: Any) -> Any:
    return lib.models.Sequential([lib.layers.Conv2D(4, 3, name="conv"), lib.layers.Dense(2, name="dense")])


def frozen(lib: Any) -> Any:
    model = tutorial(lib)
    model.get_layer("dense").trainable = False
    return model


def open_sizes(lib: Any) -> Any:
    make = lib.layers
    return lib.models.Sequential(
        [make.Input((None, None, 3)), make.Conv2D(4, 3, name="conv"), make.Conv2D(2, 3, name="two")]
    )


# Against Keras ------------------------------------------------------------------------------------

MODELS = [tutorial, branches, twins, unbuilt, frozen, open_sizes]


def keras_text(model: Any) -> str:
    lines: list[str] = []
    with mock.patch.dict(os.environ, {"COLUMNS": "200"}):  # which rich takes for the terminal's width
        model.summary(line_length=200, print_fn=lambda text: lines.append(text))
    return "\n".join(lines)


def keras_rows(text: str) -> list[tuple[str, str, str]]:
    """Layer, shape and parameters of every row that Keras prints."""
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split("[│┃|]", line)[1:-1]]
        if len(cells) >= 3 and cells[0] and not cells[0].startswith("Layer"):
            rows.append((cells[0], cells[1], cells[2]))
    return rows


@pytest.mark.parametrize("make", MODELS)
def test_layers_shapes_and_counts_are_those_that_keras_prints(make):
    theirs = keras_rows(keras_text(make(keras)))
    rows = Summary(make(striate)).rows
    shapes = ["?" if row.output_shape is None else str(row.output_shape) for row in rows]
    ours = [
        (f"{row.name} ({row.kind})", shape, f"{row.params:,}" + ("" if row.built else " (unbuilt)"))
        for row, shape in zip(rows, shapes, strict=True)
    ]
    assert [row[0].replace("Functional", "Model") for row in theirs] == [row[0] for row in ours]
    assert theirs == ours


@pytest.mark.parametrize("make", MODELS)
def test_the_footer_is_the_one_that_keras_prints(make):
    theirs = re.findall(r"(\w[\w-]* params): ([^\n]+)", keras_text(make(keras)))
    ours = dict(re.findall(r"(\w[\w-]* params): ([^\n]+)", Summary(make(striate)).text(120)))
    assert len(theirs) == 3
    assert {key: value.strip() for key, value in theirs} == ours


def test_connections_are_those_that_keras_prints():
    theirs = {}
    for line in keras_text(branches(keras)).splitlines():
        cells = [cell.strip() for cell in re.split("[│┃|]", line)[1:-1]]
        if len(cells) == 4 and not cells[0].startswith("Layer"):
            theirs[cells[0].split()[0]] = tuple(name.removesuffix("[0][0]") for name in cells[3].split(", "))
    ours = {row.name: row.connected_to or ("-",) for row in Summary(branches(striate)).rows}
    assert ours == theirs


def test_optimizer_weights_count_as_in_keras():
    theirs, ours = tutorial(keras), tutorial(striate)
    x, y = np.zeros((2, 64, 64, 3), "float32"), np.zeros((2, 1), "float32")
    for model in (ours, theirs):
        model.compile(optimizer="adam", loss="binary_crossentropy")
        model.fit(x, y, verbose=0)
    found = re.findall(r"(\w[\w-]* params): ([\d,]+)", keras_text(theirs))
    assert re.findall(r"(\w[\w-]* params): ([\d,]+)", Summary(ours).text(120)) == found
    assert [key for key, _ in found][-1] == "Optimizer params"


# What Keras does not tell -------------------------------------------------------------------------


def test_flops_are_multiplications_and_additions():
    rows = {row.name: row.flops for row in Summary(tutorial(striate)).rows}
    assert rows == {
        "conv2d": 62 * 62 * 32 * (2 * 27 + 1),
        "max_pooling2d": 0,
        "flatten": 0,
        "dense": 128 * (2 * 30752 + 1),
        "dense_1": 2 * 128 + 1,
    }
    assert Summary(tutorial(striate)).flops == sum(rows.values())


def test_flops_agree_with_those_that_torch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    model = Sequential(
        [Conv2D(8, 3, strides=2, use_bias=False, input_shape=(17, 15, 3)), Flatten(), Dense(4, use_bias=False)]
    )
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 17, 15, 3))
    assert Summary(model).flops == counter.get_total_flops()


def seen_by_gradient(model: Any, size: int) -> int:
    """Rows of the input that the middle cell of the output depends on."""
    x = torch.rand(1, size, size, model.input_shape[-1], dtype=torch.float64, requires_grad=True)
    y = model.to(torch.float64)(x)
    y[0, y.shape[1] // 2, y.shape[2] // 2].sum().backward()
    rows = x.grad.abs().sum((0, 2, 3)).nonzero()
    return int(rows.max() - rows.min() + 1)


@pytest.mark.parametrize(
    "stack",
    [
        lambda: [Conv2D(2, 3)],
        lambda: [Conv2D(2, 3), Conv2D(2, 5)],
        lambda: [Conv2D(2, 3, strides=2), Conv2D(2, 3)],
        lambda: [Conv2D(2, 3, dilation_rate=3), Conv2D(2, 2)],
        lambda: [
            Conv2D(2, 3),
            striate.layers.AveragePooling2D(2),
            Conv2D(2, 3),
            BatchNormalization(),
            ReLU(max_value=99.0),
        ],
        lambda: [striate.layers.AveragePooling2D(3, strides=2), Conv2D(2, 1), Dense(3), Conv2D(2, 3)],
    ],
)
def test_receptive_fields_are_what_gradients_reach(stack):
    model = Sequential([Input((41, 41, 1)), *stack()])
    for layer in model.layers:  # no dead cells
        layer.set_weights([np.abs(weight) + 0.1 for weight in layer.get_weights()])
    field = Summary(model).rows[-1].receptive_field
    assert field == (seen_by_gradient(model, 41),) * 2


def test_receptive_fields_of_branches_and_heads():
    fields = {row.name: row.receptive_field for row in Summary(branches(striate)).rows}
    assert fields == {
        "picture": (1, 1),
        "narrow": (3, 3),
        "wide": (5, 5),
        "add": (5, 5),
        "norm": (5, 5),
        "relu": (5, 5),
        "join": (5, 5),
        "mean": "all",
        "kind": "all",
        "age": "all",
    }


def test_receptive_fields_go_through_models_inside():
    inner = Sequential([Conv2D(2, 3, name="a"), MaxPooling2D(2, name="b")], name="inner")
    model = Sequential([Input((20, 20, 1)), Conv2D(2, 3, name="first"), inner, Conv2D(2, 3, name="last")])
    fields = {row.name: row.receptive_field for row in Summary(model, expand_nested=True).rows}
    assert fields == {"first": (3, 3), "inner": (6, 6), "a": (5, 5), "b": (6, 6), "last": (10, 10)}


def test_layers_of_ones_own_tell_no_receptive_field():
    class Shift(Layer):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.roll(5, 1)

    model = Sequential(
        [Input((8, 8, 3)), Conv2D(2, 3), Shift(), ReLU(), TorchModule(torch.nn.Conv2d(2, 2, 3)), Flatten()]
    )
    assert [row.receptive_field for row in Summary(model).rows] == [(3, 3), None, None, None, None]


def test_output_bytes_are_those_of_the_arrays():
    model = tutorial(striate)
    x = torch.zeros(1, 64, 64, 3)
    for row, layer in zip(Summary(model).rows, model.layers, strict=True):
        x = layer(x)
        assert row.output_bytes == x.numel() * x.element_size()
    assert Summary(model).activation_bytes == sum(row.output_bytes for row in Summary(model).rows)


def test_shared_layers_work_for_every_call():
    rows = {row.name: row for row in Summary(twins(striate), expand_nested=True).rows}
    once = 14 * 14 * 4 * 19 + 5 * (2 * 784 + 1)
    assert rows["encoder"].flops == 2 * once
    assert rows["encoder"].connected_to == ("a", "b")
    assert rows["sum"].connected_to == ("encoder[0][0]", "encoder[1][0]")
    assert rows["encoder"].params == rows["inner"].params + rows["code"].params
    assert [row.depth for row in rows.values()] == [0, 0, 0, 1, 1, 1, 0]
    assert Summary(twins(striate)).flops == 2 * once


def test_another_input_shape_can_be_measured():
    model = open_sizes(striate)
    assert [row.flops for row in Summary(model).rows] == [None, None]
    assert Summary(model).flops is None
    rows = Summary(model, (None, 10, 8, 3)).rows
    assert [row.output_shape for row in rows] == [(None, 8, 6, 4), (None, 6, 4, 2)]
    assert [row.flops for row in rows] == [8 * 6 * 4 * 55, 6 * 4 * 2 * 73]


def test_what_a_torch_module_does_is_not_guessed():
    model = Sequential([Input((8, 8, 3)), torch.nn.Conv2d(3, 2, 3), torch.nn.ReLU(), Flatten(), Dense(1)])
    summary = Summary(model)
    assert [row.flops for row in summary.rows] == [None, 0, 0, 145]
    assert summary.flops is None
    assert "FLOPs per item: at least 145" in summary.text(100)


class Net(Model):
    def __init__(self) -> None:
        super().__init__(name="net")
        self.conv = Conv2D(4, 3, name="conv")
        self.norm = torch.nn.Dropout(0.5)
        self.flat = Flatten(name="flat")
        self.inner = Sequential([Dense(3, name="small")], name="inner")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(self.flat(self.norm(self.conv(x))))


def test_a_subclass_is_shown_before_and_after_it_is_built():
    model = Net()
    before = Summary(model).rows
    assert [(row.name, row.kind, row.built) for row in before] == [
        ("conv", "Conv2D", False),
        ("norm", "Dropout", True),
        ("flat", "Flatten", False),
        ("inner", "Sequential", False),
    ]
    assert {row.output_shape for row in before} == {None}
    model(torch.zeros(2, 8, 8, 3))
    after = Summary(model, expand_nested=True).rows
    assert [(row.name, row.output_shape, row.params) for row in after] == [
        ("conv", (None, 6, 6, 4), 112),
        ("norm", (None, 6, 6, 4), 0),
        ("flat", (None, 144), 0),
        ("inner", (None, 3), 435),
        ("small", (None, 3), 435),
    ]
    assert after[0].flops == 36 * 4 * 55


@pytest.mark.parametrize("make", [Net, lambda: branches(striate), lambda: tutorial(striate)])
def test_a_look_leaves_the_model_as_it_was(make):
    model = make()
    model(torch.zeros(1, 32, 32, 3) if model.name != "sequential" else torch.zeros(1, 64, 64, 3))
    model.train()
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    modes = [module.training for module in model.modules()]
    Summary(model, (None, 64, 64, 3) if model.name == "sequential" else None, expand_nested=True).text(100)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(not module._forward_hooks for module in model.modules())


# How it looks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("make", [tutorial, branches, twins, unbuilt])
def test_no_line_is_longer_than_asked(make, width: int):
    text = Summary(make(striate), expand_nested=True, show_trainable=True).text(width)
    assert max(map(len, text.splitlines())) <= width


def test_the_tutorial_at_100_columns():
    lines = Summary(tutorial(striate)).text(100).splitlines()
    assert lines == [
        'Model: "sequential"',
        "",
        "                                                                     Receptive",
        " Layer (type)                  Output Shape          Param #  FLOPs      Field    Output",
        " ────────────────────────────────────────────────────────────────────────────────────────",
        " conv2d (Conv2D)               (None, 62, 62, 32)        896  6.8 M      3 x 3  480.5 KB",
        " max_pooling2d (MaxPooling2D)  (None, 31, 31, 32)          0      0      4 x 4  120.1 KB",
        " flatten (Flatten)             (None, 30752)               0      0        all  120.1 KB",
        " dense (Dense)                 (None, 128)         3,936,384  7.9 M        all     512 B",
        " dense_1 (Dense)               (None, 1)                 129    257        all       4 B",
        "",
        " Total params: 3,937,409 (15.02 MB)",
        " Trainable params: 3,937,409 (15.02 MB)",
        " Non-trainable params: 0 (0.00 B)",
        " FLOPs per item: 14.6 M",
        " Activations per item: 721.3 KB",
        "",
        " FLOPs: additions and multiplications for one item; Receptive Field: input cells that one cell sees;",
        " Output: memory for one item; all: the whole input",
    ]


def test_the_tutorial_at_80_columns_breaks_names_only():
    lines = Summary(tutorial(striate)).text(80).splitlines()
    assert lines[3].split() == ["Layer", "(type)", "Output", "Shape", "Param", "#", "FLOPs", "Field", "Output"]
    assert [line.strip() for line in lines[6:8]] == [
        "max_pooling2d       (None, 31, 31, 32)          0      0      4 x 4  120.1 KB",
        "(MaxPooling2D)",
    ]


def test_what_there_is_no_room_for_is_named():
    text = Summary(tutorial(striate)).text(64)
    room = re.search(
        r"Left out \(line_length=(\d+) has room for all\): Receptive Field, Output", " ".join(text.split())
    )
    assert room
    assert "Left out" not in Summary(tutorial(striate)).text(int(room[1]))
    assert "Left out" in Summary(tutorial(striate)).text(int(room[1]) - 1)


def test_the_legend_says_what_is_shown_and_no_more():
    room = Summary(tutorial(striate)).text(200).splitlines()[-1]
    assert "Receptive Field: " in room
    assert "Output: memory" in room
    assert "-: " not in room
    assert "?: " not in room
    narrow = Summary(tutorial(striate)).text(64)
    assert " FLOPs: additions and multiplications for one item" in narrow.splitlines()
    own = Summary(Sequential([striate.layers.Conv2D(2, 3, input_shape=(8, 8, 3)), torch.nn.Hardshrink()]))
    assert own.text(200).endswith("Output: memory for one item; -: nothing to tell")
    assert "<p>FLOPs: additions" in own.html()
    assert Summary(unbuilt(striate)).text(200).endswith("; ?: not known")


def test_columns_come_when_there_is_something_to_tell():
    vectors = Summary(Sequential([Dense(2, input_shape=(3,))])).text(100)
    assert "Receptive" not in vectors
    assert "Connected to" not in vectors
    assert "Trainable\n" not in vectors
    assert "Connected to" in Summary(branches(striate)).text(140)
    assert "Trainable\n" in Summary(frozen(striate), show_trainable=True).text(140)


def test_trainable_says_yes_no_or_nothing():
    rows = {row.name: row.trainable for row in Summary(frozen(striate)).rows}
    assert rows == {"conv2d": True, "max_pooling2d": None, "flatten": None, "dense": False, "dense_1": True}
    text = Summary(frozen(striate), show_trainable=True).text(120)
    assert re.search(r"dense \(Dense\) .* no$", text, re.M)
    assert re.search(r"conv2d \(Conv2D\) .* yes$", text, re.M)


def test_show_prints_and_print_fn_takes(capsys: pytest.CaptureFixture[str]):
    model = tutorial(striate)
    Summary(model).show(100)
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed == Summary(model).text(100).splitlines()
    model.summary(line_length=100)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == printed
    taken: list[str] = []
    model.summary(100, print_fn=taken.append)
    assert taken == [Summary(model).text(100)]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("length", [None, 60])
def test_a_notebook_gets_html_and_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], length: int | None
):
    shown: list[Any] = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append((bundle, raw)))
    monkeypatch.setenv("COLUMNS", "70")  # of the terminal that the kernel was started in
    model = tutorial(striate)
    model.summary(line_length=length)
    text = Summary(model).text(length or 100)
    assert shown == [({"text/html": Summary(model).html(), "text/plain": text}, True)]
    assert text.startswith('Model: "sequential"')
    assert capsys.readouterr().out == ""


def test_html_holds_every_cell_and_escapes():
    model = Sequential([Dense(2, input_shape=(3,), name="<b>&")], name="a<script>")
    page = Summary(model, show_trainable=True).html()
    assert "<script>" not in page
    assert html.escape('Model: "a<script>"') in page
    assert html.escape("<b>& (Dense)") in page
    assert "(None, 2)" in page
    assert page.count("<tr>") == 2
    assert "http" not in page
    assert Summary(model).html() == model._repr_html_()


def test_every_rule_outweighs_those_of_jupyterlab():
    """`:not(.x).jp-RenderedHTMLCommon td` sets all cells flush right, `.jp-OutputArea-output dt` narrows the footer."""
    page = Summary(tutorial(striate)).html()
    style = page[page.index("<style>") + len("<style>") : page.index("</style>")]
    selectors = [one.strip() for rule in re.findall(r"([^{}]+)\{", style) for one in rule.split(",")]
    assert len(selectors) > 10
    assert [selector for selector in selectors if not selector.startswith(".striate-summary.striate-summary")] == []


def test_html_is_well_formed():
    from xml.etree import ElementTree

    root = ElementTree.fromstring(Summary(branches(striate), expand_nested=True).html())
    rows = root.findall(".//tbody/tr")
    assert len(rows) == 10
    assert [cell.text for cell in rows[3]][:4] == ["add (Add)", "(None, 32, 32, 8)", "0", "narrow\nwide"]


def test_the_dict_is_json():
    found = json.loads(json.dumps(Summary(branches(striate)).as_dict()))
    assert found["params"] == {"total": 912, "trainable": 896, "non_trainable": 16}
    assert [layer["name"] for layer in found["layers"]] == [row.name for row in Summary(branches(striate)).rows]
    assert found["layers"][0]["receptive_field"] == [1, 1]
    assert found["layers"][-1]["receptive_field"] == "all"
    assert found["flops"] == sum(layer["flops"] for layer in found["layers"])


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "?"),
        (0, "0"),
        (999, "999"),
        (1000, "1.0 K"),
        (999_949, "999.9 K"),
        (999_950, "1.0 M"),
        (2_500_000_000_000, "2.5 T"),
        (3_000_000_000_000_000, "3000.0 T"),
    ],
)
def test_numbers_are_short(number: int | None, text: str):
    assert count(number) == text


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 2**20, 123_456_789, 5 * 2**40])
def test_sizes_are_those_of_keras(size: int):
    from keras.src.utils.summary_utils import readable_memory_size

    assert memory(size, 2) == readable_memory_size(size)


def test_an_empty_model_has_a_summary():
    text = Summary(Sequential(name="nothing")).text(80)
    assert 'Model: "nothing"' in text
    assert "Total params: 0 (0.00 B)" in text


def test_models_of_other_shapes_have_summaries():
    x = Input((6,), name="x")
    model = Model({"x": x}, {"one": Dense(1)(x), "two": Dropout(0.5)(Concatenate()([x, x]))})
    assert len(Summary(model).rows) == 4
    assert GlobalAveragePooling2D()(Add()([Input((4, 4, 2)), Input((4, 4, 2))])).shape == (None, 2)
