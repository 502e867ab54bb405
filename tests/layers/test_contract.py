"""One row for every layer: adding a layer is one class and one row here (and one table in tests/oracles/cases.py)."""

import pytest
import torch
from layer_contract import CHECKS, Example
from oracles.cases import CASES

from striate.foundation.checks import UserError
from striate.layers import TorchModule
from striate.layers.layer import registry

RANK = ((2, 3), r"\(N, H, W, C\)"), ((2, 4, 4, 4, 3), r"\(N, H, W, C\)")
LIST = (((2, 3), "a list of at least two inputs"), ([(2, 3)], "a list of at least two inputs"))
ONE = ([(2, 6, 6, 3), (2, 6, 6, 3)], "one array")
CHANNELS = ((2, 6, 6, 4), "3 channels on the last axis")
SMALL = ((2, 2, 6, 3), r"at least \(3, 3\) cells")

EXAMPLES = [
    Example("Activation", {"activation": "tanh"}, refused=(ONE,)),
    Example("Add", {}, [(2, 3), (2, 3)], (*LIST, ([(2, 3), (2, 4)], "inputs of equal shape"))),
    Example("AveragePooling2D", {"pool_size": 3}, refused=(*RANK, SMALL)),
    Example("BatchNormalization", {}, refused=(((3,), r"\(N, ..., C\)"), ((2, 4), "3 channels on axis -1"))),
    Example("Concatenate", {}, [(2, 3), (2, 4)], (*LIST, ([(2, 3), (3, 3)], "inputs that differ along axis -1 only"))),
    Example("Conv2D", {"filters": 4, "kernel_size": 3}, refused=(*RANK, CHANNELS, SMALL)),
    Example("Dense", {"units": 4}, refused=(((3,), r"\(N, ..., C\)"), ((2, 4), "3 on the last axis"))),
    Example(
        "Dropout", {"rate": 0.5, "noise_shape": (None, 1, 1, 3)}, refused=(ONE, ((2, 3), "as many axes as noise_shape"))
    ),
    Example("Flatten", {}, refused=(((), r"\(N, ...\)"),)),
    Example("GlobalAveragePooling2D", {}, refused=RANK),
    Example("GlobalMaxPooling2D", {"keepdims": True}, refused=RANK),
    Example("InputLayer", {"shape": (6, 6, 3)}, refused=(((2, 3), r"\(None, 6, 6, 3\)"), ((2, 6, 6, 4), "6, 6, 3"))),
    Example("MaxPooling2D", {"pool_size": (3, 3)}, refused=(*RANK, SMALL)),
    Example("ReLU", {"max_value": 1.0}, refused=(ONE,)),
    Example("Rescaling", {"scale": 2.0, "offset": [0.1, 0.2, 0.3]}, refused=(ONE, ((2, 4), "3 channels on the last"))),
    Example("Softmax", {"axis": 1}, refused=(ONE, ((3,), "an axis 1"))),
    Example("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, refused=RANK),
]
# Carries code, so that it has no config, and no sister in Keras.
OWN = {"TorchModule"}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.layer)
def test_layer_keeps_the_contract(example: Example, check):
    torch.manual_seed(0)
    check(example)


def test_every_layer_has_its_rows():
    known = {name for name, cls in registry.classes.items() if cls.__module__.startswith("striate.layers")} - OWN
    assert {example.layer for example in EXAMPLES} == known
    assert {case.layer for case in CASES} | {"InputLayer"} == known  # InputLayer computes nothing to compare


def test_torch_module_carries_code_and_is_not_saved():
    with pytest.raises(
        UserError, match=r"TorchModule 'mine' got a Linear to save; it needs a layer, since files carry"
    ):
        TorchModule(torch.nn.Linear(2, 2), name="mine").get_config()
