"""Freed memory stays with the process that trains: page faults say so."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from striate.layers import Conv2D, Dense, Flatten, MaxPooling2D
from striate.models import Sequential
from striate.training.memory import keep_freed_memory

model = Sequential([Conv2D(32, 3, input_shape=(64, 64, 3)), MaxPooling2D(), Flatten(), Dense(32), Dense(1)])
model.compile("adam", "mse")
data = {"x": np.zeros((128, 64, 64, 3), "float32"), "y": np.zeros(128, "float32"), "verbose": 0}
model.fit(**data)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
model.fit(**data)
print(keep_freed_memory(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def train(**environment: str) -> tuple[bool, int]:
    """Whether memory was kept, and how many pages were new in the second epoch."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="its C library is not glibc")
def test_a_step_finds_the_memory_of_the_one_before():
    (kept, few), (left, many) = train(), train(MALLOC_TRIM_THRESHOLD_="131072")
    assert (kept, left) == (True, False), "what the environment says holds"
    assert few < many / 10
