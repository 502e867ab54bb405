import io
import zipfile

import numpy as np
import pytest

from striate.data import array_samples
from striate.data.npz import read_npz
from striate.foundation.checks import UserError

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 5, 4)).astype("uint8")
LABELS = np.array([0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"], 3),
        (["train_images", "train_labels", "test_images", "test_labels"], 2),
        (["x_train", "y_train", "x_test", "y_test"], 2),
        (["x_train", "y_train"], 1),
        (["images", "labels"], 1),
        (["x", "y", "something_else"], 1),
    ],
)
def test_layouts(tmp_path, names, splits, compress):
    arrays = {name: LABELS if name[0] == "y" or "label" in name else PICTURES for name in names}
    (np.savez_compressed if compress else np.savez)(tmp_path / "data.npz", **arrays)
    samples = read_npz(tmp_path / "data.npz")
    assert len(samples) == 6 * splits
    assert len({sample.split for sample in samples}) == splits
    assert samples.counts() == {"0": 3 * splits, "1": 3 * splits}
    assert np.array_equal(samples.load(samples[-1])[..., 0], PICTURES[-1])


def test_medmnist(real_data):
    path = real_data("pneumonia28.npz")
    samples = read_npz(path)
    assert [sum(s.split == split for s in samples) for split in ("train", "validation", "test")] == [4708, 524, 624]
    with np.load(path) as arrays:
        assert np.array_equal(samples.load(samples[4710])[..., 0], arrays["val_images"][2])
        assert [s.target for s in samples if s.split == "test"] == arrays["test_labels"].tolist()


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def write(path, **contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(f"{name}.npy", content)
    return path


def header_declaring(shape):
    return npy(np.zeros((1, 1, 1), "uint8")).replace(b"(1, 1, 1)", str(shape).encode())


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ({"a": npy(PICTURES)}, r"arrays named a; it needs train_images and train_labels, x_train and y_train"),
        ({}, r"arrays named nothing"),
        ({"x": npy(PICTURES)}, r"arrays named x"),
        (
            {"x_train": npy(PICTURES), "y_train": npy(LABELS), "x_test": npy(PICTURES)},
            r"x_test without y_test; it needs pictures and labels",
        ),
        ({"x": npy(np.array([{}]), allow_pickle=True), "y": npy(LABELS)}, r"x of Python objects; it needs numbers"),
        (
            {"x": npy(PICTURES)[:-5], "y": npy(LABELS)},
            r"x of 243 bytes whose header declares 248; it needs equal sizes",
        ),
        ({"x": npy(PICTURES) + b"more", "y": npy(LABELS)}, r"x of 252 bytes whose header declares 248"),
        (
            {"x": header_declaring((10**5, 10**5, 10**5)), "y": npy(LABELS)},
            r"x of .* bytes whose header declares 10{12}",
        ),
        ({"x": b"no array", "y": npy(LABELS)}, r"a damaged file \(.*\); it needs x as NumPy saves it"),
        ({"x": b"", "y": npy(LABELS)}, r"a damaged file \(.*\); it needs x as NumPy saves it"),
    ],
)
def test_broken_contents(tmp_path, contents, text):
    path = write(tmp_path / "data.npz", **contents)
    with pytest.raises(UserError, match=rf"Reading '.*data\.npz' got {text}"):
        read_npz(path)


def test_zip_bombs_are_refused_before_they_unfold(tmp_path, monkeypatch):
    path = write(tmp_path / "data.npz", x=npy(np.zeros((100, 100, 100), "uint8")), y=npy(np.zeros(100, int)))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(array_samples, "memory_limit", lambda: 500_000)
    with pytest.raises(UserError, match=r"got 0.0 GB of declared content; it needs at most"):
        read_npz(path)


@pytest.mark.parametrize("keep", [0, 10, 300, -30])
def test_truncated_files(tmp_path, keep):
    np.savez(tmp_path / "whole.npz", x=PICTURES, y=LABELS)
    (tmp_path / "data.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:keep])
    with pytest.raises(UserError, match=r"a damaged file \(.*\); it needs a whole .npz file"):
        read_npz(tmp_path / "data.npz")


def test_flipped_bytes(tmp_path):
    np.savez(tmp_path / "data.npz", x=PICTURES, y=LABELS)
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[250] ^= 255
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"a damaged file \(Bad CRC-32"):
        read_npz(tmp_path / "data.npz")
