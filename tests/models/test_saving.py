"""Files appear whole or not at all, whatever the disk does."""

import errno
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from model_files import WEIGHTS, arrays_in, convnet, entries, open_in_keras, stir

from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Activation, Dense, Input, Rescaling
from striate.models import Sequential, load_model
from striate.models.saving import KERAS_VERSION, load_weights, save_model, save_weights

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

FILES = ["model.keras", "model.weights.h5", "model.safetensors"]
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 8, 8, 3)).astype("float32"), RNG.integers(0, 5, 24)


def write(model, path):
    (save_model if path.name.endswith(".keras") else save_weights)(model, path)


def test_what_is_in_the_file(tmp_path):
    stir(convnet()).save(tmp_path / "model.keras")
    contents = entries(tmp_path / "model.keras")
    assert list(contents) == ["metadata.json", "config.json", WEIGHTS]
    metadata = json.loads(contents["metadata.json"])
    assert metadata["keras_version"] == KERAS_VERSION
    assert len(metadata["date_saved"].split("@")) == 2
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("name", FILES)
def test_there_and_back_gives_equal_bytes(tmp_path, name):
    def weights(path):
        return entries(path)[WEIGHTS] if name.endswith(".keras") else path.read_bytes()

    model = stir(convnet())
    write(model, tmp_path / name)
    if name.endswith(".keras"):
        twin = load_model(tmp_path / name)
    else:
        twin = convnet()
        load_weights(twin, tmp_path / name)
    (tmp_path / "again").mkdir()
    write(twin, tmp_path / "again" / name)
    assert weights(tmp_path / name) == weights(tmp_path / "again" / name)
    assert [path.name for path in (tmp_path / "again").iterdir()] == [name]


def test_the_same_bytes_with_the_optimizer_inside(tmp_path):
    model = convnet()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, batch_size=8, verbose=0)
    model.save(tmp_path / "one.keras")
    load_model(tmp_path / "one.keras").save(tmp_path / "two.keras")
    one, two = (entries(tmp_path / name) for name in ("one.keras", "two.keras"))
    assert one[WEIGHTS] == two[WEIGHTS]
    assert one["config.json"] == two["config.json"]
    assert len(arrays_in(one[WEIGHTS])) == 8 + 2 + 2 * 6


def test_the_model_is_as_it_was(tmp_path):
    model = stir(convnet())
    before = [weight.clone() for weight in model.weights]
    random = torch.get_rng_state()
    nodes = [len(layer.nodes) for layer in model.layers]
    model.save(tmp_path / "model.keras")
    assert all(torch.equal(*pair) for pair in zip(model.weights, before, strict=True))
    assert torch.equal(torch.get_rng_state(), random)
    assert nodes == [len(layer.nodes) for layer in model.layers]


def test_without_the_optimizer(tmp_path):
    model = convnet()
    model.compile("adam", "mse")
    model.save(tmp_path / "model.keras", include_optimizer=False)
    assert not any(path.startswith("optimizer") for path in arrays_in(entries(tmp_path / "model.keras")[WEIGHTS]))
    assert load_model(tmp_path / "model.keras").compile_config is None
    assert not open_in_keras(tmp_path / "model.keras").compiled


def test_missing_folders_are_made(tmp_path):
    convnet().save(tmp_path / "a" / "b" / "model.keras")
    assert load_model(str(tmp_path / "a" / "b" / "model.keras")).built


def test_weights_on_their_own_are_read_by_keras(tmp_path):
    model = stir(convnet())
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    theirs = stir(open_in_keras(tmp_path / "model.keras"), 1)
    theirs.load_weights(tmp_path / "model.weights.h5")
    for ours, other in zip(model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, other)
    with h5py.File(tmp_path / "model.weights.h5") as file:
        assert file["layers/conv2d/vars"].attrs["name"] == "conv"


# Refused before anything is touched -----------------------------------------------------------------

REFUSED = {
    "another ending": (
        lambda m, p: m.save(p / "model.pt"),
        r"^Sequential 'small'\.save got the file .*model\.pt'\); it needs a path that ends in \.keras\. Change",
    ),
    "Keras 2's ending": (lambda m, p: m.save(str(p / "model.h5")), r"it needs a path that ends in \.keras"),
    "no path": (lambda m, p: m.save(3), r"^Sequential 'small'\.save got the file 3; it needs a path"),
    "weights with another ending": (
        lambda m, p: m.save_weights(p / "model.npz"),
        r"^Sequential 'small'\.save_weights got the file .*; it needs a path that ends in \.safetensors or",
    ),
    "plain h5 weights": (lambda m, p: m.save_weights(p / "model.h5"), r"ends in \.safetensors or \.weights\.h5"),
    "a folder": (
        lambda m, p: ((p / "d.keras").mkdir(), m.save(p / "d.keras")),
        r"\.save got the folder '.*d\.keras'; it needs a file",
    ),
    "an unknown argument": (
        lambda m, p: m.save(p / "model.keras", speed=1),
        r"^Sequential 'small'\.save got an unknown argument speed=1",
    ),
    "an unsupported argument": (
        lambda m, p: m.save(p / "model.keras", save_format="h5"),
        r"got save_format='h5'; .* Leave save_format out",
    ),
    "NaN in a config": (
        lambda m, p: Sequential([Input((2,)), Rescaling(float("nan"))], name="s").save(p / "model.keras"),
        r"^Sequential 's'\.save got something JSON cannot hold \(Out of range float.*\); it needs numbers, texts,",
    ),
    "code": (
        lambda m, p: Sequential([Input((2,)), Activation(lambda x: x)]).save(p / "model.keras"),
        r"^An activation to be saved got the function '<lambda>'; it needs one known by name, since files carry",
    ),
    "weights of a model without any": (
        lambda m, p: Sequential([Dense(1)], name="s").save_weights(p / "model.safetensors"),
        r"^Sequential 's'\.save_weights got a model without weights; it needs one whose weights are made\. Call build",
    ),
    "weights into a model without any": (
        lambda m, p: Sequential([Dense(1)], name="s").load_weights(p / "model.safetensors"),
        r"^Sequential 's'\.load_weights got a model without weights",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case, tmp_path):
    act, text = REFUSED[case]
    with pytest.raises(UserError, match=text):
        act(convnet(), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", FILES)
def test_overwrite(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"old")
    act = convnet().save if name.endswith(".keras") else convnet().save_weights
    with pytest.raises(
        UserError, match=r"got overwrite=False and '.*', which is there; it needs a file that is not there\. Choose"
    ):
        act(path, overwrite=False)
    assert path.read_bytes() == b"old"
    act(path)
    assert path.read_bytes() != b"old"


@pytest.mark.parametrize("argument", ["skip_mismatch", "by_name"])
def test_halves_are_not_loaded(tmp_path, argument):
    with pytest.raises(
        UnsupportedError,
        match=rf"\.load_weights got {argument}=True; it needs {argument}=False: .* Leave {argument} out",
    ):
        load_weights(convnet(), tmp_path / "x.safetensors", **{argument: True})


# Full disks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("after", [0, 1])
def test_no_space_left_keeps_the_old_file(tmp_path, monkeypatch, name, after):
    path = tmp_path / name
    path.write_bytes(b"old")

    def full(out, *_):
        if after and hasattr(out, "write"):
            out.write(b"something")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("striate.models.saving.write_weights", full)
    monkeypatch.setattr("striate.models.saving.write_safetensors", full)
    with pytest.raises(
        UserError, match=r"^Writing '.*' got No space left on device; it needs a folder it may write to, with free"
    ):
        write(convnet(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("Can't write data (file write failed)"), RuntimeError("Unable to flush")])
def test_errors_of_hdf5_leave_the_old_file(tmp_path, monkeypatch, error):
    path = tmp_path / "model.keras"
    path.write_bytes(b"old")

    def fails(*_, **__):
        raise error

    monkeypatch.setattr("h5py.Group.create_dataset", fails)
    with pytest.raises((UserError, RuntimeError), match=r"Can't write data|Unable to flush"):
        write(convnet(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def unwritable(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    yield tmp_path / "file"
    if Path("/proc/self").is_dir():
        yield Path("/proc")
    if os.geteuid():  # the superuser writes where it likes
        (tmp_path / "locked").mkdir(mode=0o500)
        yield tmp_path / "locked"


@pytest.mark.parametrize("name", FILES)
def test_folders_that_cannot_be_written_to(tmp_path, name):
    for folder in unwritable(tmp_path):
        with pytest.raises(
            UserError, match=r"^Writing '.*' got .*; it needs a folder it may write to, with free space\. Choose"
        ):
            write(convnet(), folder / name)


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from model_files import convnet, stir
from striate.foundation.checks import UserError
from striate.models.saving import save_model, save_weights
folder, model = Path({folder!r}), stir(convnet(), 1)
model.compile("adam", "mse")
sizes = [0, 1, 100, 1000, 2100, 5000, 9000, 12000, 15000, 17000]
for name in {files!r}:
    size = (folder / name).stat().st_size
    for limit in [limit for limit in sizes if limit < size]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            (save_model if name.endswith(".keras") else save_weights)(model, folder / name)
        except UserError as error:
            print(name, limit, error)
        else:
            print(name, limit, "written")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit there")
def test_files_that_may_not_grow(tmp_path):
    """The process goes on and ends well: HDF5 itself would end it with a segmentation fault."""
    for name in FILES:
        write(stir(convnet()), tmp_path / name)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    code = LIMITED.format(tests=str(Path(__file__).parents[1]), folder=str(tmp_path), files=FILES)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert {line.split()[0] for line in lines} == set(FILES)
    assert len(lines) > 20
    assert all("Writing" in line and "File too large" in line for line in lines)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_interrupted_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    convnet().save(path)
    before = path.read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("striate.models.saving.write_weights", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convnet().save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
