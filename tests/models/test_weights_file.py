"""Weight files of Keras: read whole, or refused by the name of the layer and the trouble."""

import io

import h5py
import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.models.layout import Group
from striate.models.skeleton import write_weights
from striate.models.weights_file import WeightsFile


def groups(shape=(3, 4), dtype=torch.float32):
    torch.manual_seed(0)
    return [
        Group("", "Model 'm'", "m", {}),
        Group("layers/dense", "Dense 'd'", "d", {"kernel": torch.rand(shape).to(dtype), "bias": torch.rand(4)}),
        Group("layers/flatten", "Flatten 'f'", "f", {}),
        Group("layers/dense_1", "Dense 'e'", "e", {"kernel": torch.rand(2000, 2)}),
    ]


def good():
    file = io.BytesIO()
    write_weights(file, groups())
    return file


def changed(change):
    file = good()
    with h5py.File(file, "r+") as opened:
        change(opened)
    return file


def check(file, wanted=None):
    with WeightsFile(file, "Weights file 'w'") as opened:
        opened.check(wanted or groups())
        return list(opened.read(wanted or groups()))


def test_what_was_written_is_read():
    for (tensor, values), expected in zip(
        check(good()), [w for g in groups() for w in g.weights.values()], strict=True
    ):
        assert torch.equal(values, expected)
        assert tensor.shape == values.shape


def test_check_needs_no_memory_for_the_weights():
    with torch.device("meta"):
        wanted = groups()
    with WeightsFile(good(), "w") as opened:
        opened.check(wanted)
        assert opened.count(wanted[1]) == 2
        assert opened.count(Group("layers/none", "", None, {})) == 0


def replace(path, **options):
    def change(file):
        del file[path]
        file.create_dataset(path, **options)

    return change


def link(path, target):
    def change(file):
        del file[path]
        file[path] = target

    return change


def virtual(file):
    layout = h5py.VirtualLayout((3, 4), "f4")
    layout[...] = h5py.VirtualSource("other.h5", "x", (3, 4))
    del file["layers/dense/vars/0"]
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def external(file):
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (3, 4), "f4", external=[("/etc/passwd", 0, 48)])


def cycle(file):
    file["layers/self"] = file["layers"]


def deep(file):
    file.create_group("/".join(["layers", *["deep"] * 70]))


KERNEL = "layers/dense/vars/0"
DAMAGED = r"\. Save or fetch the file again; nothing was loaded\.$"
OTHER = r"\. Load a file of the same model\.$"
REFUSED = {
    "a missing group": (
        lambda file: file.pop("layers/dense"),
        r"^Weights file 'w': Dense 'd' got 0 weights; it needs 2 weights \(kernel, bias\)" + OTHER,
    ),
    "a missing array": (
        lambda file: file.pop(KERNEL),
        r"^Weights file 'w': Dense 'd' got 1 weight \(1\); it needs 2 weights \(kernel, bias\)" + OTHER,
    ),
    "a wrong name": (
        lambda file: file.move(KERNEL, "layers/dense/vars/x"),
        r"Dense 'd' got no array 0 \('kernel'\); it needs one for every weight" + OTHER,
    ),
    "one too many in a layer": (
        lambda file: file.create_dataset("layers/dense/vars/2", data=[1.0]),
        r"Dense 'd' got 3 weights \(0, 1, 2\); it needs 2 weights \(kernel, bias\)" + OTHER,
    ),
    "a layer too many": (
        lambda file: file.create_dataset("layers/dense_2/vars/0", data=[1.0]),
        r"^Weights file 'w' got an array 'layers/dense_2/vars/0'; it needs only weights that the model has" + OTHER,
    ),
    "weights beside a layer": (
        lambda file: file.create_dataset("layers/x", data=[1.0]),
        r"got an array 'layers/x'; it needs only weights",
    ),
    "weights at the top": (
        lambda file: file.create_dataset("x", data=[1.0]),
        "got an array 'x'; it needs only weights",
    ),
    "another shape": (
        replace(KERNEL, data=np.zeros((4, 3), "f4")),
        r"^Weights file 'w': Dense 'd' got 'kernel' of shape \(4, 3\); it needs \(3, 4\)" + OTHER,
    ),
    "a scalar": (replace(KERNEL, data=np.float32(1)), r"Dense 'd' got 'kernel' of shape \(\); it needs \(3, 4\)"),
    "no shape": (replace(KERNEL, data=h5py.Empty("f4")), r"Dense 'd' got 'kernel' of shape None; it needs \(3, 4\)"),
    "terabytes": (
        replace(KERNEL, shape=(10**6, 10**6), dtype="f8", chunks=(1000, 1000)),
        r"Dense 'd' got 'kernel' of shape \(1000000, 1000000\); it needs \(3, 4\)",
    ),
    "texts": (
        replace(KERNEL, data=np.full((3, 4), b"x")),
        r"Dense 'd' got 'kernel' of dtype \|S1; it needs torch.float32",
    ),
    "python objects": (
        replace(KERNEL, data=np.full((3, 4), "x", object), dtype=h5py.string_dtype()),
        r"'kernel' of dtype object; it needs torch.float32",
    ),
    "references": (
        replace(KERNEL, shape=(3, 4), dtype=h5py.ref_dtype),
        r"'kernel' of dtype object; it needs torch.float32",
    ),
    "records": (
        replace(KERNEL, shape=(3, 4), dtype=[("a", "f4")]),
        r"'kernel' of dtype .*'a'.*; it needs torch.float32",
    ),
    "complex numbers": (
        replace(KERNEL, shape=(3, 4), dtype="c8"),
        "'kernel' of dtype complex64; it needs torch.float32",
    ),
    "whole numbers": (replace(KERNEL, shape=(3, 4), dtype="i4"), "'kernel' of dtype int32; it needs torch.float32"),
    "opaque bytes": (replace(KERNEL, data=np.zeros((3, 4), "V16")), r"'kernel' of dtype \|V16; it needs torch.float32"),
    "a group for an array": (
        lambda file: (file.pop(KERNEL), file.create_group(KERNEL)),
        r"Dense 'd' got 1 weight \(1\); it needs 2 weights",
    ),
    "an array for a group": (
        lambda file: (file.pop("layers/dense"), file.create_dataset("layers/dense", data=1.0)),
        r"^Weights file 'w' got an array in the place of 'layers/dense/vars'; it needs a group" + DAMAGED,
    ),
    "a soft link": (
        link(KERNEL, h5py.SoftLink("/layers/dense_1/vars/0")),
        r"^Weights file 'w' got a link '0' \(SoftLink\) to elsewhere; it needs the arrays themselves" + DAMAGED,
    ),
    "an external link": (
        link(KERNEL, h5py.ExternalLink("/etc/passwd", "/")),
        r"got a link '0' \(ExternalLink\) to elsewhere",
    ),
    "a linked layer": (
        link("layers/dense", h5py.ExternalLink("other.h5", "/")),
        r"got a link 'dense' \(ExternalLink\)",
    ),
    "a linked extra": (
        lambda file: file.__setitem__("layers/more", h5py.ExternalLink("other.h5", "/")),
        r"got a link 'more' \(ExternalLink\)",
    ),
    "a virtual array": (
        virtual,
        r"^Weights file 'w' got 'kernel' of Dense 'd' kept in another file; it needs" + ".*" + DAMAGED,
    ),
    "an external array": (external, r"got 'kernel' of Dense 'd' kept in another file"),
    "nothing stored": (
        replace(KERNEL, shape=(3, 4), dtype="f4", chunks=(1, 1)),
        r"^Weights file 'w' got 'kernel' of Dense 'd' with 0 of its 48 bytes; it needs arrays that are whole" + DAMAGED,
    ),
    "less stored than declared": (
        lambda file: (
            replace("layers/dense_1/vars/0", shape=(2000, 2), dtype="f4", chunks=(10, 2))(file)
            or file["layers/dense_1/vars/0"].__setitem__((slice(0, 10), slice(None)), 1)
        ),
        r"got 'kernel' of Dense 'e' with 80 of its 16,000 bytes",
    ),
    "a bomb": (
        replace("layers/dense_1/vars/0", data=np.zeros((2000, 2), "f4"), compression="gzip", compression_opts=9),
        r"got 'kernel' of Dense 'e' with \d+ of its 16,000 bytes",
    ),
    "a filter of others": (
        replace(KERNEL, data=np.ones((3, 4), "f4"), compression="lzf"),
        r"got 'kernel' of Dense 'd' with HDF5 filters \[32000\]; it needs plain or gzip arrays" + DAMAGED,
    ),
    "a cycle": (cycle, r"got groups nested 65 deep with [\d,]+ objects; it needs a file as Keras writes it" + DAMAGED),
    "deep groups": (deep, r"got groups nested 65 deep"),
    "a type in the place of an array": (
        lambda file: (file.pop(KERNEL), file.__setitem__(KERNEL, np.dtype("f4"))),
        r"Dense 'd' got no array 0 \('kernel'\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    change, text = REFUSED[case]
    with pytest.raises(UserError, match=text):
        check(changed(change))


def test_a_bomb_of_many_arrays_over_the_same_bytes():
    """Arrays that share their bytes by hard links declare more than the file holds."""
    weights = {str(index): torch.zeros(2000) for index in range(50)}
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened["vars/0"] = np.ones(2000, "f4")
        for index in range(1, 50):
            opened[f"vars/{index}"] = opened["vars/0"]
    with pytest.raises(UserError, match=r"got arrays of 400,000 bytes in [\d,]+; it needs arrays that are in the file"):
        check(file, [Group("", "Model 'm'", "m", weights)])


@pytest.mark.parametrize("options", [{"compression": "gzip"}, {"shuffle": True, "fletcher32": True}, {"dtype": ">f8"}])
def test_other_ways_to_store_the_same_numbers(options):
    numbers = np.random.default_rng(0).normal(size=(3, 4)).astype("f4")
    pairs = check(changed(replace(KERNEL, data=numbers, **options)))
    np.testing.assert_array_equal(pairs[0][1].numpy(), numbers)


def test_bfloat16_as_keras_stores_it():
    file = io.BytesIO()
    write_weights(file, groups(dtype=torch.bfloat16))
    assert torch.equal(check(file)[0][1], groups(dtype=torch.bfloat16)[1].weights["kernel"])
    scalar = [Group("", "Model 'm'", "m", {"s": torch.tensor(1.5, dtype=torch.bfloat16)})]
    file = io.BytesIO()
    write_weights(file, scalar)
    assert check(file, scalar)[0][1].shape == ()


def test_what_training_and_chance_leave_is_no_weight():
    """Older versions of Keras keep metrics and the state of Dropout's generator beside the weights."""
    extra = ["optimizer/vars/0", "metrics/mean/vars/0", "_loss_tracker/vars/0", "layers/dropout/seed_generator/vars/0"]
    found = check(changed(lambda file: [file.create_dataset(path, data=[1.0]) for path in extra]))
    expected = [weight for group in groups() for weight in group.weights.values()]
    assert all(torch.equal(values, weight) for (_, values), weight in zip(found, expected, strict=True))


@pytest.mark.parametrize("data", [b"", b"x" * 100, b"\x89HDF\r\n\x1a\n" + b"\0" * 100, b"\x89HDF\r\n\x1a\n\xff\xff"])
def test_no_hdf5(data):
    with pytest.raises(
        UserError, match=r"^Weights file 'w' got no whole HDF5 file \(.*\); it needs a whole weight file" + DAMAGED
    ):
        check(io.BytesIO(data))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(share):
    data = good().getvalue()
    with pytest.raises(UserError, match="got no whole HDF5 file"):
        check(io.BytesIO(data[: int(len(data) * share)]))
