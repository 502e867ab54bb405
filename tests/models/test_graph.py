"""Graphs: what Keras makes of the same calls, order of layers included, which files rely on."""

from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import striate.layers
import striate.models
from striate.foundation.checks import UserError
from striate.foundation.nested import flatten
from striate.layers import Add, Concatenate, Conv2D, Dense, Flatten, Input, Layer, MaxPooling2D
from striate.layers.symbol import ShapeError
from striate.models import Model, Sequential
from striate.models.graph import Graph

WIDTH = 4


class Step(NamedTuple):
    """One call: of a new layer, or of one that a step before made; on the results of steps before."""

    kind: str
    sources: tuple[int, ...]
    again: int | None


@st.composite
def plans(draw: Any) -> tuple[int, list[Step], list[int]]:
    """How many inputs, which calls, and whose results are the outputs."""
    inputs = draw(st.integers(1, 3))
    steps: list[Step] = []
    for index in range(draw(st.integers(1, 9))):
        results = st.integers(0, inputs + index - 1)
        kind = draw(st.sampled_from(["dense", "relu", "add", "concatenate", "nested", "again"]))
        makers = [at for at, step in enumerate(steps) if step.kind in ("dense", "nested")]
        if kind == "again" and makers:
            steps.append(Step(kind, (draw(results),), draw(st.sampled_from(makers))))
        elif kind in ("add", "concatenate"):
            steps.append(Step(kind, tuple(draw(st.lists(results, min_size=2, max_size=3))), None))
        else:
            steps.append(Step("dense" if kind == "again" else kind, (draw(results),), None))
    made = st.integers(inputs, inputs + len(steps) - 1)
    return inputs, steps, draw(st.lists(made, min_size=1, max_size=3, unique=True))


def build(lib: Any, plan: tuple[int, list[Step], list[int]]) -> Any:
    """The model of a plan, in striate or in Keras."""
    inputs, steps, outputs = plan
    symbols = [lib.layers.Input((WIDTH,), name=f"in{index}") for index in range(inputs)]
    begin, layers = list(symbols), {}
    for index, (kind, sources, again) in enumerate(steps):
        on = [symbols[source] for source in sources]
        name = f"{kind}{index}"
        if kind == "again":
            symbols.append(layers[again](on[0]))
        elif kind == "add":
            symbols.append(lib.layers.Add(name=name)(on))
        elif kind == "concatenate":
            joined = lib.layers.Concatenate(name=name)(on)
            symbols.append(lib.layers.Dense(WIDTH, name=f"{name}_narrow")(joined))
        elif kind == "nested":
            inner = [lib.layers.Input((WIDTH,)), lib.layers.Dense(WIDTH, name="inside")]
            layers[index] = lib.models.Sequential(inner, name=name)
            symbols.append(layers[index](on[0]))
        else:
            layers[index] = lib.layers.ReLU(name=name) if kind == "relu" else lib.layers.Dense(WIDTH, name=name)
            symbols.append(layers[index](on[0]))
    return lib.models.Model(begin, [symbols[output] for output in outputs])


@settings(max_examples=80, deadline=None, derandomize=True)
@given(plans())
def test_random_graphs_are_those_of_keras(plan: tuple[int, list[Step], list[int]]):
    ours, theirs = build(striate, plan), build(keras, plan)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [tuple(weight.shape) for weight in ours.weights] == [tuple(weight.shape) for weight in theirs.weights]
    random = np.random.default_rng(0)
    weights = [random.normal(size=tuple(weight.shape)).astype("float32") / 2 for weight in theirs.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    x = [random.normal(size=(3, WIDTH)).astype("float32") for _ in range(plan[0])]
    outputs = ours(x)
    expected = theirs(x)
    expected = expected if isinstance(expected, list) else [expected]  # Keras opens a list of one
    outputs = outputs if isinstance(outputs, list) else [outputs]
    for got, wanted, symbol in zip(outputs, expected, ours.outputs, strict=True):
        assert tuple(symbol.shape) == (None, *got.shape[1:])
        np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), rtol=1e-5, atol=1e-6)


# Running ------------------------------------------------------------------------------------------


def two_inputs() -> tuple[Any, Any, Any]:
    a, b = Input((2,), name="a"), Input((3,), name="b")
    return a, b, Concatenate()([a, b])


def test_memory_of_what_nothing_reads_any_more_is_given_back():
    x = Input((4,))
    y = x
    for _ in range(5):
        y = Dense(4)(y)
    graph = Graph(x, y)
    alive: list[int] = []
    values: dict[int, Any] = {}

    def step(node: Any, args: Any, kwargs: Any) -> Any:
        alive.append(len(values))
        return node.layer(*args)

    values.update(graph._bind(torch.zeros(1, 4), lambda symbol, value: value))
    graph._follow(values, step)
    assert max(alive) <= 2


def test_a_graph_deeper_than_the_stack_works():
    x = Input((1,))
    y = x
    relu = striate.layers.ReLU
    for _ in range(1500):
        y = relu()(y)
    graph = Graph(x, y)
    assert len(graph.layers) == 1501
    assert graph.run(torch.ones(2, 1)).shape == (2, 1)


def test_shared_layers_run_for_every_call():
    a, b = Input((4,)), Input((4,))
    shared = Dense(3)
    model = Model([a, b], [shared(a), shared(b)])
    assert len(model.layers) == 3
    one, two = model([torch.ones(1, 4), 2 * torch.ones(1, 4)])
    torch.testing.assert_close(2 * (one - shared.bias), two - shared.bias)
    assert len(model.weights) == 2


def test_only_the_calls_between_inputs_and_outputs_count():
    x = Input((4,))
    hidden = Dense(3, name="hidden")(x)
    Dense(9, name="elsewhere")(hidden)
    model = Model(x, Dense(2, name="end")(hidden))
    assert [layer.name for layer in model.layers][1:] == ["hidden", "end"]


def test_a_model_may_begin_in_the_middle():
    x = Input((8, 8, 1))
    features = Conv2D(2, 3, name="features")(x)
    y = Dense(2, name="head")(Flatten()(features))
    head = Model(features, y)
    whole = Model(x, y)
    pictures = torch.randn(3, 8, 8, 1)
    torch.testing.assert_close(head(Model(x, features)(pictures)), whole(pictures))
    assert "features" not in [layer.name for layer in head.layers]


@pytest.mark.parametrize(
    "structure",
    [lambda a, b: [a, b], lambda a, b: (a, b), lambda a, b: {"a": a, "b": b}],
    ids=["list", "tuple", "dict"],
)
def test_outputs_come_in_the_structure_they_were_given(structure):
    x = Input((4,))
    outputs = structure(Dense(1)(x), Dense(2)(x))
    result = Model(x, outputs)(torch.zeros(5, 4))
    assert type(result) is type(outputs)
    assert [tuple(leaf.shape) for leaf in flatten(result)] == [(5, 1), (5, 2)]


@pytest.mark.parametrize(
    "given_as",
    [
        lambda a, b: [a, b],
        lambda a, b: (a, b),
        lambda a, b: {"a": a, "b": b},
        lambda a, b: {"b": b, "a": a},
        lambda a, b: {"b": b, "a": a, "spare": a},
    ],
    ids=["list", "tuple", "dict", "dict turned", "dict with more"],
)
def test_inputs_come_as_a_list_or_by_name(given_as):
    a, b, joined = two_inputs()
    model = Model([a, b], joined)
    one, two = torch.randn(4, 2), torch.randn(4, 3)
    torch.testing.assert_close(model(given_as(one, two)), torch.cat([one, two], -1))


def test_a_dict_of_inputs_goes_by_its_own_keys():
    a, b, joined = two_inputs()
    model = Model({"left": a, "right": b}, joined)
    one, two = torch.randn(4, 2), torch.randn(4, 3)
    torch.testing.assert_close(model({"right": two, "left": one}), torch.cat([one, two], -1))


@pytest.mark.parametrize(
    ("given_as", "text"),
    [
        (lambda a, b: [a], r"got 1 inputs; it needs 2 \(a, b\). Pass one array for every input, in this order"),
        (lambda a, b: {"a": a, "c": b}, r"got inputs named 'a', 'c'; it needs 'a', 'b'. Add 'b'."),
        (lambda a, b: [b, a], r"InputLayer 'a' got shape \(4, 3\); it needs \(None, 2\)"),
        (lambda a, b: [a, "b"], r"Model '\w+' got a str; it needs a tensor or a NumPy array. Pass np.asarray\(x\)."),
    ],
    ids=["too few", "other name", "turned", "text"],
)
def test_wrong_inputs_are_refused(given_as, text: str):
    a, b, joined = two_inputs()
    with pytest.raises(UserError, match=text):
        Model([a, b], joined)(given_as(torch.zeros(4, 2), torch.zeros(4, 3)))


def test_inputs_that_nothing_needs_take_their_place():
    a, b, _ = two_inputs()
    model = Model([a, b], Dense(1)(a))
    assert {"a", "b"} <= {layer.name for layer in model.layers}
    assert model([torch.zeros(4, 2), torch.zeros(4, 3)]).shape == (4, 1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda a, b, y: (a, y), r"Model got outputs that depend on Input 'b'; it needs every input named. List"),
        (
            lambda a, b, y: (a, 3),
            r"Model got outputs=3; it needs symbols \(or a list or dict of them\). Start with Input",
        ),
        (lambda a, b, y: ([], y), r"Model got inputs=\[\]; it needs symbols"),
        (lambda a, b, y: ([a, 1], y), r"Model got inputs=\[.*, 1\]; it needs symbols"),
        (lambda a, b, y: ([a, b], Dense(1, name="a")(y)), r"Model got two layers called 'a'; it needs names that are"),
    ],
    ids=["input left out", "number", "none", "one number", "name twice"],
)
def test_graphs_that_cannot_be_are_refused(make, text: str):
    inputs, outputs = make(*two_inputs())
    with pytest.raises(UserError, match=text):
        Model(inputs, outputs)


def test_a_shape_that_may_not_go_in_names_its_source_and_the_culprit():
    x = Input((8, 8, 3), name="picture")
    flat = Flatten(name="flat")(x)
    text = r"MaxPooling2D 'pool' got shape \(None, 4\) from Dense 'dense\w*'; it needs \(N, H, W, C\). Put it before Fl"
    with pytest.raises(ShapeError, match=text):
        MaxPooling2D(name="pool")(Dense(4)(flat))
    with pytest.raises(
        ShapeError, match=r"got shape \(None, 4\) from InputLayer 'vector'; it needs \(N, H, W, C\). Put"
    ):
        MaxPooling2D()(Input((4,), name="vector"))


def test_new_shapes_are_checked_all_the_way():
    x = Input((None, None, 1))
    model = Model(x, Conv2D(2, 5, name="wide")(MaxPooling2D(name="pool")(x)))
    assert model.compute_output_shape((None, 20, 16, 1)) == (None, 6, 4, 2)
    text = r"Conv2D 'wide' got shape \(None, 4, 8, 1\) from MaxPooling2D 'pool'; it needs at least \(5, 5\) cells"
    with pytest.raises(ShapeError, match=text):
        model.compute_output_shape((None, 8, 16, 1))


def test_layers_called_by_keyword_run():
    class Blend(Layer):
        def forward(self, x: torch.Tensor, other: torch.Tensor, share: float = 0.5) -> torch.Tensor:
            return share * x + (1 - share) * other

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    a, b = Input((2,), name="a"), Input((2,), name="b")
    model = Model([a, b], Blend()(a, other=b, share=0.25))
    torch.testing.assert_close(model([torch.ones(1, 2), torch.zeros(1, 2)]), torch.full((1, 2), 0.25))


def test_layers_with_several_outputs_run():
    class Halves(Layer):
        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            return list(x.chunk(2, -1))

    x = Input((6,))
    left, right = Halves()(x)
    assert (left.shape, right.shape) == ((None, 3), (None, 3))
    model = Model(x, Add()([left, right]))
    torch.testing.assert_close(model(torch.ones(2, 6)), torch.full((2, 3), 2.0))


def test_a_sequential_is_a_graph_as_well():
    model = Sequential([Input((4,)), Dense(3, name="middle"), Dense(2)])
    features = Model(model.inputs, model.get_layer("middle").output)
    x = torch.randn(2, 4)
    torch.testing.assert_close(features(x), model.layers[0](x))
