import numpy as np
import pytest
import torch

from striate.data.tensors import as_tensor, as_tensors, map_leaves, named_leaves
from striate.foundation.checks import UserError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("float64", torch.float32),
        ("float32", torch.float32),
        ("float16", torch.float16),
        (">f4", torch.float32),
        (">f8", torch.float32),
        ("longdouble", torch.float32),
        ("uint8", torch.uint8),
        ("int8", torch.int8),
        ("int32", torch.int32),
        ("int64", torch.int64),
        (">i2", torch.int16),
        ("uint16", torch.int32),
        ("uint32", torch.int64),
        ("uint64", torch.int64),
        ("bool", torch.bool),
    ],
)
def test_dtypes(given, expected):
    array = np.array([[0, 1], [1, 0]], dtype=given)
    tensor = as_tensor("fit", "x", array)
    assert tensor.dtype == expected
    assert tensor.tolist() == array.tolist()


def test_largest_unsigned_values_survive():
    array = np.array([np.iinfo("uint32").max], dtype="uint32")
    assert as_tensor("fit", "x", array).item() == 2**32 - 1
    with pytest.raises(UserError, match=r"x with 18446744073709551615; it needs integers below 2\*\*63"):
        as_tensor("fit", "x", np.array([2**64 - 1], dtype="uint64"))


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64"])
@pytest.mark.parametrize("writeable", [True, False])
def test_shares_memory(dtype, writeable):
    array = np.zeros((4, 3), dtype)
    view = array.view()
    view.flags.writeable = writeable
    tensor = as_tensor("fit", "x", view)
    array[2, 1] = 7
    assert tensor[2, 1] == 7


def test_read_only_memory_outlives_its_array():
    array = np.arange(1000, dtype="float32")
    array.flags.writeable = False
    tensor = as_tensor("fit", "x", array)
    del array
    np.ones(1000, "float32")
    assert torch.equal(tensor, torch.arange(1000, dtype=torch.float32))


def test_memory_map(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12, dtype="float32").reshape(4, 3))
    tensor = as_tensor("fit", "x", np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert tensor[3].tolist() == [9, 10, 11]


@pytest.mark.parametrize("view", [np.s_[::-1], np.s_[:, ::-1], np.s_[::2], np.s_[:, 1:]])
def test_strided_views(view):
    array = np.arange(12, dtype="float32").reshape(4, 3)[view]
    assert as_tensor("fit", "x", array).tolist() == array.tolist()


def test_torch_tensors_pass_through():
    tensor = torch.ones(3, 2)
    assert as_tensor("fit", "x", tensor).data_ptr() == tensor.data_ptr()
    assert as_tensor("fit", "x", tensor.double()).dtype == torch.float32
    assert as_tensor("fit", "x", tensor.bfloat16()).dtype == torch.bfloat16
    assert not as_tensor("fit", "x", tensor.clone().requires_grad_()).requires_grad


@pytest.mark.parametrize(
    ("value", "shape", "dtype"),
    [
        ([1, 2, 3], (3,), torch.int64),
        ([[1.0, 2.0], [3.0, 4.0]], (2, 2), torch.float32),
        ([[[1], [2]], [[3], [4]]], (2, 2, 1), torch.int64),
        ((1, 2), (2,), torch.int64),
        ([True, False], (2,), torch.bool),
        ([np.float32(1), np.float32(2)], (2,), torch.float32),
    ],
)
def test_lists_of_numbers_are_one_array(value, shape, dtype):
    tensor = as_tensors("fit", "x", value)
    assert tuple(tensor.shape) == shape
    assert tensor.dtype == dtype


def test_lists_tuples_and_dicts_of_arrays_keep_their_nesting():
    array = np.zeros((2, 3), "float32")
    tree = as_tensors("fit", "x", {"a": array, "b": (array, [array, None])})
    assert isinstance(tree["b"], tuple)
    assert isinstance(tree["b"][1], list)
    assert [name for name, _ in named_leaves("x", tree)] == ["x['a']", "x['b'][0]", "x['b'][1][0]"]
    assert map_leaves(lambda leaf: leaf.shape[1], tree) == {"a": 3, "b": (3, [3, None])}


class Column:
    """Speaks NumPy's protocol, as a pandas column does."""

    def __array__(self, dtype=None, copy=None):
        return np.array([1, 2, 3], dtype=dtype)


def test_objects_that_speak_numpys_protocol():
    assert as_tensors("fit", "x", Column()).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("y", ["cat", "dog"], r"fit got y of dtype <U3; it needs numbers\. For class names: classes, y = numpy.unique"),
        ("x", np.array([1, None]), r"x of dtype object; it needs numbers"),
        ("x", np.array(["2020-01-01"], "datetime64[D]"), r"x of dtype datetime64\[D\]; .* Convert x to float32"),
        ("x", np.array([1j]), r"x of dtype complex128"),
        ("x", torch.tensor([1j]), r"x of dtype complex64"),
        ("x", [[1, 2], [3]], r"x as a ragged list; it needs rows that all have one shape\. Pad or cut"),
        ("x", "text", r"x of type str; it needs an array, a tensor or a list of numbers"),
        ("x", {1, 2}, r"x of type set"),
        ("x", {"a": {"b": {1}}}, r"x\['a'\]\['b'\] of type set"),
        ("x", np.array(["a", 1.5], dtype=object), r"x of dtype object; it needs numbers\. Stack pictures"),
    ],
)
def test_refusals(name, value, text):
    with pytest.raises(UserError, match=text):
        as_tensors("fit", name, value)
