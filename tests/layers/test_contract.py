"""One row for every layer: adding a layer is one class and one row here (and one table in tests/oracles/cases.py)."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from layer_contract import CHECKS, Example
from oracles.cases import CASES

from striate.foundation.checks import UserError
from striate.layers import TorchModule
from striate.layers.layer import registry

LIST = (((2, 3), "a list of inputs"), ([(2, 3), (3, 3)], "inputs of as many items each"))
PAIR = (((2, 3), "a list of 2 inputs"), ([(2, 3)] * 3, "a list of 2 inputs"), LIST[1])
UNEQUAL = ([(2, 3), (2, 4)], "inputs of equal shape")
ONE = ([(2, 6, 6, 3), (2, 6, 6, 3)], "one array")
STEPS = ((2, 3), r"\(N, T, F\)"), ((2, 6, 3, 3), r"\(N, T, F\)"), ((2, 6, 4), "3 (features )?on the last axis")
PICTURES = tuple((shape, r"pictures \(N, H, W, C\) or \(H, W, C\)") for shape in ((2, 3), [(2, 6, 6, 3)] * 2))
LETTERS = {1: "(N, L, C)", 2: "(N, H, W, C)", 3: "(N, D, H, W, C)"}


def spatial(
    name: str, axes: tuple[int, ...] = (1, 2, 3), channels: bool = False, least: int = 1, **arguments: Any
) -> Iterator[Example]:
    """The rows of the layers "Conv1D" to "Conv3D", say, called "Conv{}D".

    Args:
        channels: Whether it refuses other channels than it was built for.
        least: How many cells it needs along each axis.
    """
    for count in axes:
        shape = (2, *(6,) * count, 3)
        refused = [(other, re.escape(LETTERS[count])) for other in ((2, 3), (*shape, 3), (shape[0], 3, *shape[1:]))]
        if channels:
            refused.append(((*shape[:-1], 4), "3 channels on the last axis"))
        if least > 1:
            few = (2, 2, *(6,) * (count - 1), 3)
            refused.append((few, re.escape(f"at least {(least,) * count} cells")))
        yield Example(name.format(count), arguments, shape, tuple(refused))


EXAMPLES = [
    Example("Activation", {"activation": "tanh"}, refused=(ONE,)),
    Example("ActivityRegularization", {"l1": 0.5, "l2": 0.25}, refused=(ONE,)),
    Example("Add", {}, [(2, 3), (2, 3)], (*LIST, UNEQUAL)),
    Example("AlphaDropout", {"rate": 0.5, "noise_shape": (None, 6, 1, 3)}, refused=(ONE, ((2, 3), "as many axes"))),
    Example("Average", {}, [(2, 3), (2, 3)], (*LIST, UNEQUAL)),
    *spatial("AveragePooling{}D", pool_size=3, least=3),
    Example("Bidirectional", {"layer": Example("GRU", {"units": 4})}, (2, 6, 3), STEPS),
    Example("BatchNormalization", {}, refused=(((3,), r"\(N, ..., C\)"), ((2, 4), "3 channels on axis -1"))),
    Example("CenterCrop", {"height": 4, "width": 5}, refused=PICTURES),
    Example(
        "Concatenate", {}, [(2, 3), (2, 4)], (*LIST, ([(2, 3), (2, 3, 3)], "inputs that differ along axis -1 only"))
    ),
    *spatial("Conv{}D", filters=4, kernel_size=3, channels=True, least=3),
    *spatial("Conv{}DTranspose", filters=4, kernel_size=3, strides=2, output_padding=1, channels=True),
    *spatial("Cropping{}D", cropping=1, least=3),
    Example("Dense", {"units": 4}, refused=(((3,), r"\(N, ..., C\)"), ((2, 4), "3 on the last axis"))),
    *spatial("DepthwiseConv{}D", (1, 2), kernel_size=3, depth_multiplier=2, channels=True, least=3),
    Example(
        "Dropout", {"rate": 0.5, "noise_shape": (None, 1, 1, 3)}, refused=(ONE, ((2, 3), "as many axes as noise_shape"))
    ),
    Example(
        "Dot",
        {"axes": (1, 2), "normalize": True},
        [(2, 3, 4), (2, 5, 3)],
        (*PAIR, ([(2, 3, 4), (2, 5, 4)], "as long as each other"), ([(2, 3), (2, 3)], r"the axes \(1, 2\)")),
    ),
    Example("ELU", {"alpha": 2.0}, refused=(ONE,), values=torch.randn),
    Example(
        "Embedding",
        {"input_dim": 9, "output_dim": 4, "mask_zero": True},
        (2, 5),
        (([(2, 3)], r"\(N, ...\)"),),
        lambda shape: torch.randint(0, 9, shape),
    ),
    Example("Flatten", {}, refused=(((), r"\(N, ...\)"),)),
    Example("GaussianDropout", {"rate": 0.5}, refused=(ONE,)),
    Example("GaussianNoise", {"stddev": 0.5}, refused=(ONE,)),
    *spatial("GlobalAveragePooling{}D"),
    *spatial("GlobalMaxPooling{}D", keepdims=True),
    Example(
        "GroupNormalization",
        {"groups": 3},
        refused=(((3,), r"\(N, ..., C\)"), ((2, 5, 6), "3 channels on axis -1")),
        values=torch.randn,
    ),
    Example("Identity", {}),
    Example("InputLayer", {"shape": (6, 6, 3)}, refused=(((2, 3), r"\(None, 6, 6, 3\)"), ((2, 6, 6, 4), "6, 6, 3"))),
    Example(
        "LayerNormalization",
        {"axis": [1, 3]},
        refused=(((2, 3), r"\(N, ..., C\) with the axes \(1, 3\)"), ((2, 5, 6, 3), r"sizes \(6, 3\) on axes \(1, 3\)")),
        values=torch.randn,
    ),
    Example("LeakyReLU", {"negative_slope": 0.5}, refused=(ONE,), values=torch.randn),
    Example("Masking", {"mask_value": 1.0}, (2, 6, 3), (ONE,)),
    *spatial("MaxPooling{}D", pool_size=3, least=3),
    Example("Maximum", {}, [(2, 3), (2, 3)], (*LIST, UNEQUAL)),
    Example("Minimum", {}, [(2, 3), (2, 3)], (*LIST, UNEQUAL)),
    Example("Multiply", {}, [(2, 3), (2, 3)], (*LIST, UNEQUAL)),
    Example(
        "Normalization",
        {"mean": [0.5, 1.0, 2.0], "variance": [1.0, 2.0, 0.5]},
        refused=(ONE, ((2, 6, 6, 4), r"sizes \(3,\) on axis \(-1,\)")),
    ),
    Example(
        "PReLU",
        {"shared_axes": [1, 2]},
        (2, 6, 6, 3),
        (ONE, ((2, 3), r"axes \[1, 2\]"), ((2, 6, 6, 4), "slopes")),
        torch.randn,
    ),
    Example("Permute", {"dims": (3, 1, 2)}, refused=(((2, 3), r"4 axes, N and those of dims=\(3, 1, 2\)"),)),
    Example("RNN", {"cell": Example("LSTMCell", {"units": 4})}, (2, 6, 3), STEPS),
    *(
        Example(f"Random{name}", {**arguments, "seed": 1}, refused=PICTURES)
        for name, arguments in (
            ("Brightness", {"factor": [-0.1, 0.1]}),
            ("Contrast", {"factor": [0.25, 0.5]}),
            ("Crop", {"height": 4, "width": 5}),
            ("Flip", {"mode": "vertical"}),
            ("Rotation", {"factor": [-0.25, 0.25]}),
            ("Translation", {"height_factor": [-0.25, 0.25], "width_factor": 0.5}),
            ("Zoom", {"height_factor": [-0.25, 0.25], "width_factor": None}),
        )
    ),
    Example("ReLU", {"max_value": 1.0}, refused=(ONE,)),
    Example("RepeatVector", {"n": 3}, (2, 5), (((2, 5, 3), r"\(N, F\)"), ([(2, 3), (2, 3)], r"\(N, F\)"))),
    Example("Rescaling", {"scale": 2.0, "offset": [0.1, 0.2, 0.3]}, refused=(ONE, ((2, 4), "3 channels on the last"))),
    Example("Resizing", {"height": 4, "width": 5, "interpolation": "bicubic"}, refused=PICTURES),
    Example("Reshape", {"target_shape": (4, -1)}, refused=(((2, 3), r"a multiple of 4 numbers .* these are 3"),)),
    *spatial("SeparableConv{}D", (1, 2), filters=4, kernel_size=3, channels=True, least=3),
    Example("Softmax", {"axis": 1}, refused=(ONE, ((3,), "an axis 1"))),
    *spatial("SpatialDropout{}D", rate=0.5),
    *(Example(name, {"units": 4, "return_sequences": True}, (2, 6, 3), STEPS) for name in ("GRU", "LSTM", "SimpleRNN")),
    Example("Subtract", {}, [(2, 3), (2, 3)], (*PAIR, UNEQUAL)),
    Example("UnitNormalization", {"axis": [1, 2]}, refused=(ONE, ((2, 3), "an axis 2"))),
    Example(
        "TimeDistributed", {"layer": Example("Dense", {"units": 4})}, (2, 6, 3), (((2, 3), r"\(N, T, ...\)"), STEPS[2])
    ),
    *spatial("UpSampling{}D", size=3),
    *spatial("ZeroPadding{}D", padding=2),
]
# Carries code, so that it has no config, and no sister in Keras.
OWN = {"TorchModule"}
# They do one step of a sequence, from an input and states: see recurrent/test_recurrent.py.
CELLS = {"GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"}
# Takes texts, and its sister needs TensorFlow: see preprocessing/test_text.py.
TEXTS = {"TextVectorization"}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.layer)
def test_layer_keeps_the_contract(example: Example, check):
    torch.manual_seed(0)
    check(example)


def test_every_layer_has_its_rows():
    known = {name for name, cls in registry.classes.items() if cls.__module__.startswith("striate.layers")}
    known -= OWN | CELLS | TEXTS
    assert {example.layer for example in EXAMPLES} == known
    assert {case.layer for case in CASES} | {"InputLayer"} == known  # InputLayer computes nothing to compare


def test_torch_module_carries_code_and_is_not_saved():
    with pytest.raises(
        UserError, match=r"TorchModule 'mine' got a Linear to save; it needs a layer, since files carry"
    ):
        TorchModule(torch.nn.Linear(2, 2), name="mine").get_config()
