"""Weights alone: read by the library that owns the format, and refused where they do not fit."""

import json
import struct

import pytest
import safetensors.torch
import torch
from model_files import convnet, stir

from striate.foundation.checks import UserError
from striate.layers import Dense, Input, TorchModule
from striate.models import Model, Sequential


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


def state(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def assert_unchanged(model, before):
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_keyed_by_the_names_of_state_dict_in_keras_axes(path):
    model = stir(convnet())
    model.save_weights(path)
    found = safetensors.torch.load_file(path)
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in model.state_dict().items())
    assert found["conv.kernel"].shape == (3, 3, 3, 4)


def test_what_the_library_writes_is_read(path):
    model, other = stir(convnet()), stir(convnet(), 1)
    safetensors.torch.save_file({name: t.contiguous() for name, t in other.state_dict().items()}, path)
    model.load_weights(path)
    assert_unchanged(model, state(other))


def test_there_and_back_gives_equal_bytes(path, tmp_path):
    stir(convnet()).save_weights(path)
    twin = convnet()
    twin.load_weights(path)
    twin.save_weights(tmp_path / "again.safetensors")
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_shared_weights_are_written_once(path):
    def build():
        x = Input((4,), name="x")
        inner = Model(x, Dense(4, name="shared")(x), name="inner")
        return Model(x, [inner(x), inner.get_layer("shared")(x)])

    stir(build()).save_weights(path)
    assert len(safetensors.torch.load_file(path)) == 2
    twin = stir(build(), 1)
    twin.load_weights(path)
    assert all(torch.equal(*pair) for pair in zip(twin.weights, stir(build()).weights, strict=True))


def test_other_precision_is_converted(path):
    model = stir(convnet())
    safetensors.torch.save_file({name: t.contiguous().double() for name, t in model.state_dict().items()}, path)
    twin = convnet()
    twin.load_weights(path)
    assert_unchanged(twin, state(model))


OTHER = r"\. Load a file of the same model\.$"
REFUSED = {
    "one missing": (
        lambda t: t.pop("norm.beta"),
        r"got no weight 'norm\.beta'; it needs the model's 8 weights and no" + ".*",
    ),
    "one too many": (
        lambda t: t.update(x=torch.ones(1)),
        r"got a weight 'x'; it needs the model's 8 weights and no others" + OTHER,
    ),
    "another shape": (
        lambda t: t.update({"last.bias": torch.ones(6)}),
        r"got 'last\.bias' of shape \(6,\); it needs \(5,\)" + OTHER,
    ),
    "another kind": (
        lambda t: t.update({"last.bias": torch.ones(5, dtype=torch.int32)}),
        r"got 'last\.bias' of dtype torch\.int32; it needs torch\.float32" + OTHER,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_weights_are_refused_and_none_changes(path, case):
    change, text = REFUSED[case]
    tensors = {name: tensor.contiguous() for name, tensor in stir(convnet(), 1).state_dict().items()}
    change(tensors)
    safetensors.torch.save_file(tensors, path)
    model = stir(convnet())
    before = state(model)
    with pytest.raises(UserError, match=text) as caught:
        model.load_weights(path)
    assert str(caught.value).startswith(f"Weights file {str(path)!r} got ")
    assert_unchanged(model, before)


def header(value):
    text = json.dumps(value).encode()
    return struct.pack("<Q", len(text)) + text


DAMAGED = {
    "empty": b"",
    "text": b"hello",
    "a pickle": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00cos\nsystem\n.",
    "a header of exabytes": struct.pack("<Q", 2**62) + b"{}",
    "a header that is no JSON": struct.pack("<Q", 4) + b"oops",
    "deep JSON": struct.pack("<Q", 20_000) + b"[" * 10_000 + b"]" * 10_000,
    "offsets past the end": header({"conv.kernel": {"dtype": "F32", "shape": [3, 3, 3, 4], "data_offsets": [0, 432]}}),
    "a shape of terabytes": header({"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4]}}) + b"1234",
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files_are_refused(path, case):
    path.write_bytes(DAMAGED[case])
    model = stir(convnet())
    before = state(model)
    with pytest.raises(
        UserError, match=r"got no whole safetensors file \(.*\); it needs a whole one\. Save or fetch it again"
    ):
        model.load_weights(path)
    assert_unchanged(model, before)


def test_truncated(path):
    model = stir(convnet())
    model.save_weights(path)
    data = path.read_bytes()
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        with pytest.raises(UserError, match="got no whole safetensors file"):
            model.load_weights(path)


def test_no_such_file(path):
    with pytest.raises(UserError, match=r"^Weights file '.*' got no whole safetensors file \(.*[Nn]o such file"):
        convnet().load_weights(path)


def test_any_torch_module_in_the_model(path):
    def build():
        linear = TorchModule(torch.nn.Linear(4, 3), name="linear")
        return Sequential(
            [Input((4,)), linear, TorchModule(torch.nn.BatchNorm1d(3), name="norm"), Dense(2, name="last")]
        )

    model, twin = build(), build()
    model.save_weights(path)
    twin.load_weights(path)
    assert_unchanged(twin, state(model))
