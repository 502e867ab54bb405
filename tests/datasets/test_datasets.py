import socket

import keras
import numpy as np
import pytest

from striate import datasets
from striate.data.local import DEBIAN_FASHION
from striate.foundation.checks import UserError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, and no network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    (tmp_path / "datasets").mkdir()
    return tmp_path / "datasets"


def save(path, shape, label_shape=()):
    random = np.random.default_rng(0)
    sizes = {"train": 6, "test": 4}
    arrays = {f"x_{part}": random.integers(0, 256, (n, *shape)).astype("uint8") for part, n in sizes.items()}
    arrays |= {f"y_{part}": random.integers(0, 10, (n, *label_shape)).astype("uint8") for part, n in sizes.items()}
    np.savez(path, **arrays)
    return arrays


def same(got, arrays):
    (x, y), (a, b) = got
    for own, name in zip((x, y, a, b), ("x_train", "y_train", "x_test", "y_test"), strict=True):
        np.testing.assert_array_equal(own, arrays[name])


def test_mnist_is_what_keras_reads(home, monkeypatch):
    arrays = save(home / "mnist.npz", (28, 28))
    monkeypatch.setattr(keras.src.datasets.mnist, "get_file", lambda *args, **kwargs: str(home / "mnist.npz"))
    same(datasets.mnist.load_data(), arrays)
    same(keras.datasets.mnist.load_data(), arrays)
    same(datasets.mnist.load_data("mnist.npz"), arrays)  # Keras's default, said aloud


def test_paths_are_read(tmp_path):
    arrays = save(tmp_path / "c.npz", (32, 32, 3), (1,))
    same(datasets.cifar10.load_data(path=tmp_path / "c.npz"), arrays)


def test_cifar100_by_label_mode(home):
    arrays = save(home / "cifar100_coarse.npz", (32, 32, 3), (1,))
    same(datasets.cifar100.load_data("coarse"), arrays)
    with pytest.raises(UserError, match=r"datasets.cifar100.load_data got label_mode='rough'"):
        datasets.cifar100.load_data("rough")


def test_five_thousand_digits():
    (x, y), (a, b) = datasets.mnist.load_digits()
    assert x.shape == (4000, 28, 28)
    assert a.shape == (1000, 28, 28)
    assert np.bincount(y).tolist() == [400] * 10
    assert np.bincount(b).tolist() == [100] * 10
    assert x.dtype == y.dtype == np.uint8


@pytest.mark.skipif(not DEBIAN_FASHION.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian():
    (x, y), (a, b) = datasets.fashion_mnist.load_data()
    assert (x.shape, a.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert np.bincount(y).tolist() == [6000] * 10
    assert np.bincount(b).tolist() == [1000] * 10


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "mnist",
            r"datasets.mnist.load_data got no copy in .*mnist.npz; it needs one on this machine: striate fetches",
        ),
        ("mnist", r"got no copy in .* Put mnist.npz into ~/.keras/datasets, or pass path=.*load_digits\(\)"),
        ("cifar10", r"datasets.cifar10.load_data got no copy in .* numpy.savez\('cifar10.npz'"),
        ("cifar100", r"datasets.cifar100.load_data got no copy in .* numpy.savez\('cifar100_fine.npz'"),
    ],
)
def test_where_there_is_no_copy_it_says_how_to_get_one(name, text):
    with pytest.raises(UserError, match=text):
        getattr(datasets, name).load_data()


def test_fashion_mnist_without_a_copy(tmp_path):
    with pytest.raises(UserError, match=r"got no copy in .*nowhere.* apt install dataset-fashion-mnist"):
        datasets.fashion_mnist.load_data(tmp_path / "nowhere")


def test_files_of_something_else(tmp_path):
    save(tmp_path / "c.npz", (32, 32, 3))
    with pytest.raises(UserError, match=r"got x_train of shape \(6, 32, 32, 3\) in .*; it needs \(N, 28, 28\)"):
        datasets.mnist.load_data(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", a=1)
    with pytest.raises(UserError, match=r"got arrays named a; it needs x_train, y_train, x_test, y_test"):
        datasets.mnist.load_data(tmp_path / "d.npz")
    (tmp_path / "e.npz").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"got a damaged file"):
        datasets.mnist.load_data(tmp_path / "e.npz")
    with pytest.raises(UserError, match=r"without train-images-idx3-ubyte; it needs that file"):
        datasets.mnist.load_data(tmp_path)
    np.savez(
        tmp_path / "f.npz", **{name: np.array([{}], object) for name in ("x_train", "y_train", "x_test", "y_test")}
    )
    with pytest.raises(UserError, match=r"of Python objects; it needs numbers"):
        datasets.mnist.load_data(tmp_path / "f.npz")
