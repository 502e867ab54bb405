"""What is handed out: an archive of the sources, which compiles, and a wheel, which needs no compiler."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from striate.kernels.library import units

ROOT = Path(__file__).parents[1]
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
LIBRARY = "striate/kernels/_native.so"
NO_COMPILER = {"CC": "no-such-compiler", "CXX": "no-such-compiler"}
# Trains and predicts a little, so that kernels are called, and says where it all came from.
USE = """
import numpy as np, striate
from striate.kernels.library import library
from striate.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D
from striate.models import Sequential
model = Sequential([Input((8, 8, 1)), Conv2D(4, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(1)])
model.compile("adam", "mse")
model.fit(np.ones((8, 8, 8, 1)), np.ones(8), epochs=2, verbose=0)
assert model.predict(np.ones((2, 8, 8, 1)), verbose=0).shape == (2, 1)
print(striate.__file__, library() and library().unit)
"""

pytestmark = pytest.mark.slow


def run(*words, cwd, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("STRIATE_KERNELS", "CC", "CXX")}
    command = [sys.executable, "-P", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=kept | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_wheel(archive, folder, **environment):
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (sources,) = folder.iterdir()
    options = ("-q", "--no-deps", "--no-build-isolation", "-w", folder)
    run("-m", "pip", "wheel", *options, sources, cwd=folder, **environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The archive of the sources."""
    folder = tmp_path_factory.mktemp("sources")
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__"))
    run("-c", "from setuptools import build_meta; build_meta.build_sdist('dist')", cwd=folder)
    (found,) = (folder / "dist").glob("*.tar.gz")
    return found


def installed(wheel, folder):
    """How to run Python beside what the wheel holds, and nothing that compiles."""
    run("-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder, **NO_COMPILER)
    return {"PYTHONPATH": str(folder), "PATH": str(Path(sys.executable).parent), **NO_COMPILER}


@pytest.mark.skipif(not units(), reason="nothing is compiled here")
def test_a_wheel_brings_the_kernels(archive, tmp_path):
    wheel = make_wheel(archive, tmp_path)
    interpreter, abi, platform = wheel.stem.split("-")[2:]
    assert (interpreter, abi) == ("py3", "none"), "the library is called by address: any Python will do"
    assert platform != "any"
    names = zipfile.ZipFile(wheel).namelist()
    assert LIBRARY in names
    assert {"striate/py.typed", "striate/apps/page/report.html.jinja"} <= set(names)
    assert not [name for name in names if "/native/" in name], "sources are for whoever compiles"
    target = tmp_path / "target"
    target.mkdir()
    here = installed(wheel, target)
    assert run("-c", USE, cwd=tmp_path, **here).split() == [str(target / "striate/__init__.py"), units()[0]]
    said = run("-m", "striate", "doctor", cwd=tmp_path, **here)
    assert f" {units()[0]}: compiled, for " in said
    assert "No kernels" not in said


def test_without_a_compiler_plain_torch_is_installed(archive, tmp_path):
    wheel = make_wheel(archive, tmp_path, **NO_COMPILER)
    assert wheel.stem.endswith("-py3-none-any")
    assert LIBRARY not in zipfile.ZipFile(wheel).namelist()
    target = tmp_path / "target"
    target.mkdir()
    here = installed(wheel, target)
    assert run("-c", USE, cwd=tmp_path, **here).split() == [str(target / "striate/__init__.py"), "None"]
    said = run("-m", "striate", "doctor", cwd=tmp_path, **here)
    assert " reference: plain PyTorch" in said
    assert "No kernels are compiled: install a C++ compiler" in said
    facts = json.loads(run("-m", "striate", "doctor", "--json", cwd=tmp_path, **here))
    assert facts["machine"]["kernels"].startswith("reference")
