"""Weight files written as a stream are the files that HDF5 would have written."""

import io

import h5py
import numpy as np
import pytest
import torch

from striate.models.layout import Group
from striate.models.skeleton import PAGE, Skeleton, write_weights

DTYPES = ["float32", "float64", "float16", "bfloat16", "int32", "int64", "uint8", "bool"]
SHAPES = [(), (0, 3), (5,), (PAGE,), (40, 50), (3, 3, 20, 30)]


def written(groups):
    out = io.BytesIO()
    write_weights(out, groups)
    return out.getvalue()


def make(shape, dtype):
    return (torch.rand(shape) * 100).to(getattr(torch, dtype))


def test_every_dtype_and_shape_comes_back():
    torch.manual_seed(0)
    groups = [
        Group(f"layers/{dtype}", "", f"name of {dtype}", {str(shape): make(shape, dtype) for shape in SHAPES})
        for dtype in DTYPES
    ]
    with h5py.File(io.BytesIO(written(groups)), "r") as file:
        for group in groups:
            inside = file[f"{group.path}/vars"]
            assert inside.attrs["name"] == group.name
            assert len(inside) == len(SHAPES)
            for index, tensor in enumerate(group.weights.values()):
                found = inside[str(index)]
                if tensor.dtype == torch.bfloat16:
                    assert found.attrs["dtype"] == "bfloat16"
                    got = torch.from_numpy(np.array(found[()]).view(np.int16)).view(torch.bfloat16)
                else:
                    got = torch.from_numpy(np.asarray(found[()]))
                assert got.dtype == tensor.dtype
                assert torch.equal(got, tensor)


def test_bytes_are_where_hdf5_itself_puts_them():
    """The same calls of the library, with the numbers handed to it, give the same file."""
    torch.manual_seed(0)
    tensors = {str(index): torch.rand(100, 20 + index) for index in range(5)}
    plain = io.BytesIO()
    with h5py.File(plain, "w") as file:
        for path in ("a", "b/c"):
            group = file.create_group(f"{path}/vars")
            for name, tensor in tensors.items():
                properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                properties.set_layout(h5py.h5d.CONTIGUOUS)
                properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
                properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
                group.create_dataset(name, shape=tuple(tensor.shape), dtype="f4", dcpl=properties)[...] = tensor.numpy()
    assert written([Group(path, "", None, tensors) for path in ("a", "b/c")]) == plain.getvalue()


def test_axes_that_are_stored_in_another_order():
    kernel = torch.rand(64, 3, 3, 16).movedim(0, -1)
    assert not kernel.is_contiguous()
    with h5py.File(io.BytesIO(written([Group("a", "", None, {"k": kernel})])), "r") as file:
        np.testing.assert_array_equal(file["a/vars/0"][()], kernel.numpy())


def test_writing_needs_no_seek_and_little_memory():
    class Counting(io.RawIOBase):
        total = 0

        def write(self, data):
            self.total += len(data)
            return len(data)

        def seek(self, *_):
            pytest.fail("a seek")

    kept = []
    skeleton = Skeleton.__init__

    class Watched(Skeleton):
        def __init__(self):
            skeleton(self)
            kept.append(self)

    groups = [Group(f"layers/l{index}", "", "x", {"k": torch.zeros(1000, 100)}) for index in range(50)]
    out = Counting()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("striate.models.skeleton.Skeleton", Watched)
        write_weights(out, groups)
    assert out.total > 50 * 400_000
    assert len(kept[0].pages) * PAGE < 500_000


def test_the_error_of_a_full_disk_comes_through():
    class Full(io.RawIOBase):
        def write(self, data):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_weights(Full(), [Group("a", "", None, {"k": torch.zeros(10_000)})])


def test_skeleton_is_a_file_of_zeros_but_for_what_was_written():
    file, plain = Skeleton(), io.BytesIO()
    random = np.random.default_rng(0)
    for _ in range(200):
        place, data = int(random.integers(0, 20_000)), random.bytes(int(random.integers(0, 9_000)))
        for one in (file, plain):
            one.seek(place)
            one.write(data)
    assert file.between(0, file.size) == plain.getvalue()
    buffer = bytearray(100)
    file.seek(-150, io.SEEK_END)
    assert file.readinto(buffer) == 100
    assert bytes(buffer) == plain.getvalue()[-150:-50]
    assert file.tell() == file.size - 50
    assert file.seek(-10, io.SEEK_CUR) == file.size - 60
    assert file.truncate() == file.size
