import itertools
import re
from xml.etree import ElementTree

import pytest

from striate import utils
from striate.foundation.checks import UnsupportedError, UserError
from striate.foundation.custom_objects import register_keras_serializable
from striate.layers import (
    Activation,
    Add,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
)
from striate.models import Model, Sequential
from striate.models.arrange import GAP_ACROSS, arrange


def branching():
    picture, figures = Input((16, 16, 3), name="picture"), Input((5,), name="figures")
    x = Conv2D(4, 3, padding="same", activation="relu", name="first")(picture)
    x = Add(name="joined")([x, Activation("relu", name="bent")(Conv2D(4, 3, padding="same", name="second")(x))])
    head = Sequential(
        [Input((16, 16, 4)), Conv2D(8, 3, name="inner"), GlobalAveragePooling2D(name="pooled")], name="head"
    )
    z = Concatenate(name="all")(
        [head(x), Flatten(name="flat")(MaxPooling2D(4, name="small")(x)), Dense(2, name="d")(figures)]
    )
    return Model([picture, figures], [Dense(3, name="classes")(z), Dense(1, name="<age>")(z)], name="branching")


def texts(plot):
    return [element.text for element in ElementTree.fromstring(plot.svg).iter() if element.tag.endswith("}text")]


def test_layers_are_boxes_and_connections_lines():
    model = branching()
    root = ElementTree.fromstring(utils.plot_model(model, None).svg)
    lines = [element for element in root.iter() if element.tag.endswith("}polygon")]
    assert len(lines) == sum(len(set(node.inputs)) for node in model.graph.nodes)
    assert texts(utils.plot_model(model, None)) == [type(node.layer).__name__ for node in model.graph.nodes]


def test_options_show_what_they_are_called():
    model = branching()
    assert "picture (InputLayer)" in texts(utils.plot_model(model, None, show_layer_names=True))
    assert "<age> (Dense)" in texts(utils.plot_model(model, None, show_layer_names=True))
    shapes = texts(utils.plot_model(model, None, show_shapes=True))
    assert "(None, 16, 16, 3)" in shapes
    assert shapes.count("Input shape") > shapes.count("Output shape") - 2  # merges have several
    assert "float32" in texts(utils.plot_model(model, None, show_dtype=True))
    assert "relu" in texts(utils.plot_model(model, None, show_layer_activations=True))
    own = register_keras_serializable("own")(abs)
    assert "own>abs" in texts(
        utils.plot_model(Sequential([Input((2,)), Dense(1, activation=own)]), None, show_layer_activations=True)
    )
    assert "yes" in texts(utils.plot_model(model, None, show_trainable=True))
    model.trainable = False
    assert "no" in texts(utils.plot_model(model, None, show_trainable=True))


def test_models_inside_are_opened_when_asked_for():
    model = branching()
    closed = texts(utils.plot_model(model, None, show_layer_names=True))
    opened = texts(utils.plot_model(model, None, show_layer_names=True, expand_nested=True))
    assert set(opened) - set(closed) == {"inner (Conv2D)", "pooled (GlobalAveragePooling2D)"} | {
        name for name in opened if name.startswith("input_layer")
    }


def test_it_goes_down_or_to_the_right():
    def size(rankdir):
        root = ElementTree.fromstring(utils.plot_model(branching(), None, rankdir=rankdir).svg)
        return float(root.get("width")), float(root.get("height"))

    assert size("TB")[1] > size("TB")[0]
    assert size("LR")[0] > size("LR")[1]


def test_files_and_notebooks(tmp_path):
    plot = utils.plot_model(branching(), tmp_path / "model.svg")
    assert (tmp_path / "model.svg").read_text(encoding="utf-8") == plot.svg == plot._repr_svg_()
    assert re.fullmatch(r"<ModelPlot of \d+ bytes of SVG>", repr(plot))


def test_refusals(tmp_path):
    for name in ("model.png", "model.pdf", "model"):
        with pytest.raises(UnsupportedError, match=r"plot_model got to_file='.*'; .* without Graphviz. Use .svg"):
            utils.plot_model(branching(), tmp_path / name)
    assert not list(tmp_path.iterdir())
    with pytest.raises(
        UserError, match="plot_model got the Sequential 'bare'; it needs a model whose layers are known"
    ):
        utils.plot_model(Sequential([Dense(1)], name="bare"), None)
    with pytest.raises(UserError, match="plot_model got rankdir='BT'"):
        utils.plot_model(branching(), None, rankdir="BT")
    with pytest.raises(UserError, match="plot_model got an unknown argument 'show_shape'"):
        utils.plot_model(branching(), None, show_shape=True)
    with pytest.raises(UnsupportedError, match=r"model_to_dot got a call; .* Use plot_model"):
        utils.model_to_dot(branching())


SIZES = [(20, 60), (20, 200), (50, 40), (20, 90), (20, 30), (20, 60), (20, 80)]
EDGES = [(0, 1), (0, 2), (1, 3), (0, 3), (3, 4), (2, 5), (4, 5), (0, 6), (5, 6)]


def test_boxes_do_not_overlap_and_lines_miss_them():
    plan = arrange(SIZES, EDGES)
    spans = [
        (along, along + size[0], across, across + size[1])
        for (along, across), size in zip(plan.boxes, SIZES, strict=True)
    ]
    for one, other in itertools.combinations(spans, 2):
        assert one[1] <= other[0] or other[1] <= one[0] or one[3] + GAP_ACROSS / 2 <= other[2] or other[3] < one[2]
    for (source, target), line in zip(EDGES, plan.lines, strict=True):
        assert [along for along, _ in line] == sorted(along for along, _ in line)
        for (begin, across), (end, _) in itertools.pairwise(line):
            for number, span in enumerate(spans):
                if number not in (source, target) and span[0] < (begin + end) / 2 < span[1]:
                    assert not span[2] < across < span[3]
    assert all(0 <= span[0] <= span[1] <= plan.along + 1e-9 for span in spans)
    assert all(-1e-9 <= span[2] <= span[3] <= plan.across + 1e-9 for span in spans)


def test_a_chain_is_straight():
    plan = arrange([(10, 20), (10, 80), (10, 40)], [(0, 1), (1, 2)])
    assert {round(across, 6) for line in plan.lines for _, across in line} == {40}
