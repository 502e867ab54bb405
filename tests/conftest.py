"""Keras, the oracle, computes with torch too; helpers beside the test folders can be imported."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _nothing_registered():
    """Classes that other tests and examples registered for files are not known to this one."""
    from striate.foundation.custom_objects import get_custom_objects

    get_custom_objects().clear()


def pytest_make_parametrize_id(val, argname):
    """Names without addresses or bytes (gzip writes the time), which would differ between parallel processes."""
    return type(val).__name__ if isinstance(val, bytes) or " at 0x" in repr(val) else None


def pytest_terminal_summary(terminalreporter):
    """How many rows of the tables that compare with Keras were run, and how many agree; which kernels ran."""
    from striate.kernels.library import units

    counts = [
        sum(
            "oracles/" in report.nodeid or "against_keras" in report.nodeid
            for report in terminalreporter.stats.get(kind, ())
        )
        for kind in ("passed", "failed")
    ]
    if any(counts):
        terminalreporter.write_line("Compared with Keras: {} cases agree, {} differ.".format(*counts))
    terminalreporter.write_line(f"Compiled kernels: {', '.join(units()) or 'none, so that their tests are skipped'}.")
