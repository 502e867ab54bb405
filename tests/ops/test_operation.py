"""Operations on symbols: the shapes, numbers and files of Keras's."""

import copy
import importlib
import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest
import torch
from model_files import assert_same_outputs, open_in_keras
from ops.op_cases import CALLS

import striate.layers
import striate.ops
from striate import activations, ops
from striate.foundation.checks import UserError
from striate.layers import Input
from striate.layers.symbol import Symbol
from striate.models import Model, load_model
from striate.ops.records import by_class, by_name
from striate.ops.table import TABLE

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

# What comes out of them cannot be told without numbers, here or in Keras.
NEED_NUMBERS = {"bincount", "nonzero", "segment_max", "segment_sum", "unique"}
# Of which Keras cannot run what it records itself.
BROKEN = {"adaptive_average_pool-0", "adaptive_max_pool-0", "conv_transpose-1", "conv_transpose-2", "conv_transpose-3"}
BROKEN |= {"cross-1", "log_softmax-1"}
BROKEN_NUMBERS = {"quantile-2"}  # it forgets the method


def of_keras(name):
    place = keras.ops
    for part in name.split("."):
        place = getattr(place, part)
    return place


def with_symbols(args, kwargs, symbol):
    """The arguments with symbols for arrays; and the arrays."""
    arrays = []

    def put(value):
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return symbol(value, f"x{len(arrays)}")
        if isinstance(value, list) and any(isinstance(item, np.ndarray) for item in value):
            return [put(item) for item in value]
        return value

    return [put(value) for value in args], {name: put(value) for name, value in kwargs.items()}, arrays


def as_keras_wants(name, args):
    """Arrays for lists of numbers: beside symbols Keras takes no lists."""
    parameters = list(inspect.signature(TABLE[name]).parameters)
    takes = [by_name()[name].takes_array(parameter) for parameter in parameters[: len(args)]]
    turned = [np.array(v) if is_numbers(v) and take else v for v, take in zip(args, takes, strict=False)]
    return [*turned, *args[len(turned) :]]


def is_numbers(value):
    return isinstance(value, list) and all(isinstance(item, int | float | list) for item in value)


def first_calls():
    """For each operation that can be recorded a call with an array, the one with the most arguments."""
    found = {}
    for name, args, kwargs in CALLS:
        args = as_keras_wants(name, args) if name in by_name() else args
        arrays = with_symbols(args, kwargs, lambda value, _: value)[2]
        odd = any(array.dtype in ("int8", "int16") or not np.isfinite(array).all() for array in arrays)
        places = (name == "repeat" and len(arrays) > 1) or (name == "where" and len(args) == 1)
        if name in by_name() and name not in NEED_NUMBERS and arrays and not odd and not places:
            found[name, len(kwargs)] = (name, args, kwargs)
    return list(found.values())


def ours(name, args, kwargs):
    args, kwargs, arrays = with_symbols(
        args, kwargs, lambda value, name: Input(batch_shape=value.shape, dtype=str(value.dtype), name=name)
    )
    return args, kwargs, arrays, TABLE[name](*args, **kwargs)


def symbols_of(args, kwargs, kind):
    values = [item for value in [*args, *kwargs.values()] for item in (value if isinstance(value, list) else [value])]
    return [value for value in values if isinstance(value, kind)]


CASES = first_calls()
IDS = [f"{name}-{len(kwargs)}" for name, _, kwargs in CASES]


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES, ids=IDS)
def test_shapes_and_dtypes_are_those_of_the_numbers(name, args, kwargs):
    *_, outcome = ours(name, args, kwargs)
    expected = TABLE[name](*args, **kwargs)
    listed = lambda value: list(value) if isinstance(value, list | tuple) else [value]  # noqa: E731
    for symbol, tensor in zip(listed(outcome), listed(expected), strict=True):
        assert symbol.shape == tuple(tensor.shape)
        assert symbol.dtype == str(tensor.dtype).removeprefix("torch.")


@pytest.mark.parametrize(
    ("case", "name", "args", "kwargs"), [(i, *c) for i, c in zip(IDS, CASES, strict=True)], ids=IDS
)
def test_files_go_to_keras_and_back(case, name, args, kwargs, tmp_path):
    expected = TABLE[name](*args, **kwargs)
    own_args, own_kwargs, arrays, outcome = ours(name, args, kwargs)
    inputs = symbols_of(own_args, own_kwargs, Symbol)
    x = [torch.from_numpy(array) for array in arrays]
    x = x[0] if len(x) == 1 else x
    model = Model(inputs, outcome)
    assert_same_outputs(model(x), expected, 1e-6)
    model.save(tmp_path / "ours.keras")
    assert_same_outputs(load_model(tmp_path / "ours.keras")(x), expected, 1e-6)
    if case in BROKEN:
        with pytest.raises((TypeError, ValueError, AttributeError)):
            their_model(name, args, kwargs, tmp_path)(x)
        return
    theirs = open_in_keras(tmp_path / "ours.keras")
    if case not in BROKEN_NUMBERS:
        assert_same_outputs(theirs(copy.deepcopy(x)), expected, 1e-5)  # its affine_transform writes into what it gets
    their_model(name, args, kwargs, tmp_path)
    assert_same_outputs(load_model(tmp_path / "theirs.keras")(x), expected, 1e-6)


def their_model(name, args, kwargs, folder):
    """The same of Keras's own, written and read."""
    args, kwargs, _ = with_symbols(
        args, kwargs, lambda value, name: keras.Input(batch_shape=value.shape, dtype=str(value.dtype), name=name)
    )
    model = keras.Model(symbols_of(args, kwargs, keras.KerasTensor), of_keras(name)(*args, **kwargs))
    model.save(folder / "theirs.keras")
    return open_in_keras(folder / "theirs.keras")


@pytest.mark.parametrize("record", by_class().values(), ids=lambda record: record.class_name)
def test_records_are_keras_classes(record):
    module = importlib.import_module(record.module)
    arguments = list(inspect.signature(getattr(module, record.class_name).__init__).parameters)[1:]
    called = list(inspect.signature(getattr(module, record.class_name).call).parameters)[1:]
    assert [name for name in called if name != "kwargs"] == list(record.called_with)
    own = {name for name in record.signature.parameters if name not in record.called_with}
    assert own == set(arguments) - {"name", "kwargs", "rms_scaling"}


UNKNOWN_SIZES = {
    "x[:, 0]": lambda lib, x: x[:, 0],
    "x[..., :3]": lambda lib, x: x[..., :3],
    "x[:, None]": lambda lib, x: x[:, None],
    "mean over a size not known": lambda lib, x: lib.ops.mean(x, axis=1),
    "sum of all": lambda lib, x: lib.ops.sum(x),
    "flattened": lambda lib, x: lib.ops.reshape(x, (-1, 6)),
    "joined": lambda lib, x: lib.ops.concatenate([x, x], axis=1),
    "stretched": lambda lib, x: x + lib.ops.mean(x, axis=-1, keepdims=True),
    "turned": lambda lib, x: x @ lib.ops.transpose(x, (0, 2, 1)),
    "enlarged": lambda lib, x: lib.ops.image.resize(lib.ops.expand_dims(x, -1), (8, 8)),
    "in halves": lambda lib, x: lib.ops.split(x, 2, axis=-1)[1],
}


@pytest.mark.parametrize("name", UNKNOWN_SIZES)
def test_sizes_not_known_are_keras_s(name):
    own, other = (UNKNOWN_SIZES[name](lib, lib.layers.Input((None, 6))) for lib in (striate, keras))
    assert own.shape == other.shape
    assert own.dtype == other.dtype


def test_what_is_known_of_a_symbol_is_told_at_once():
    x = Input((None, 6))
    assert ops.shape(x) == (None, None, 6)
    assert (ops.ndim(x), ops.dtype(x), ops.is_tensor(x)) == (3, "float32", False)
    assert ops.convert_to_tensor(x) is x
    assert activations.linear(x) is x
    assert x.reshape((-1, 6)).shape == (None, 6)


WRONG = {
    "a function": (lambda x: ops.map(torch.sum, x), r"ops.map got a symbol; it needs arrays: what comes out cannot be"),
    "numbers wanted": (
        lambda x: ops.nonzero(x),
        r"ops.nonzero got a symbol; it needs arrays: what comes out cannot be",
    ),
    "NumPy wanted": (lambda x: ops.convert_to_numpy(x), r"ops.convert_to_numpy got a symbol; it needs arrays"),
    "a shape of symbols": (lambda x: ops.zeros((2, x)), r"ops.zeros got a symbol; it needs arrays"),
    "a symbol as an option": (
        lambda x: ops.clip(x, 0, x),
        r"ops.clip got the symbol 'wrong' as x_max; it needs x_max w",
    ),
    "a weight": (
        lambda x: x + torch.nn.Parameter(torch.ones(6)),
        r"ops.add got a weight as x2; it needs arrays that tr",
    ),
    "a text": (lambda x: x + "1", r"ops.add got x1=.*, x2='1'; it needs|ops.add got a str"),
    "texts": (
        lambda x: Input((1,), dtype="string", name="t") + 1,
        r"ops.add got the symbol 't' of texts; it needs num",
    ),
    "a key": (lambda x: x["a"], r"ops.get_item got .*key='a'"),
    "a slice": (
        lambda x: x[:, "a":],
        r"ops.get_item got key with 'a'; it needs numbers, texts, arrays, slices and symbol",
    ),
    "a shape": (lambda x: ops.reshape(x, (5, 7)), r"ops.reshape got x=.* newshape=\(5, 7\); it needs"),
    "an axis": (lambda x: ops.mean(x, axis=7), r"ops.mean got .*axis=7"),
    "an argument": (lambda x: ops.mean(x, axes=1), r"ops.mean got an unknown argument axes=1; it needs .* 'axis'"),
    "torch": (
        lambda x: torch.relu(x),
        r"Symbol 'wrong' got torch's relu; it needs operations or layers: .* Use striate",
    ),
    "a loop": (lambda x: list(x), r"Symbol 'wrong' got iteration; it needs operations or layers"),
    "a choice": (lambda x: 1 if x else 2, r"Symbol 'wrong' got a question that needs its value"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_recorded_is_refused_in_one_sentence(name):
    compute, text = WRONG[name]
    with pytest.raises(UserError, match=text):
        compute(Input((4, 6), name="wrong"))


def test_operations_need_nothing_imported_first():
    code = "from striate.layers import Input; x = Input((3,)); print((x + 1).shape, x[:, 0].shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(None, 3) (None,)"
