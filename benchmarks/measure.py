"""What the benchmarks share: ratios of interleaved timings, the machine in one line, how results are told."""

import argparse
import json
import platform
import statistics
from pathlib import Path
from typing import Any

import torch

import striate


def spread(values: list[float]) -> dict[str, float]:
    """Median, and the quartiles around it."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high}


def tell(spread_of: dict[str, float], digits: int = 3) -> str:
    """A spread in words.

    Example:
        >>> tell({"median": 1.02, "low": 1.01, "high": 1.04})
        '1.020 (quartiles 1.010 to 1.040)'
    """
    median, low, high = (f"{spread_of[name]:.{digits}f}" for name in ("median", "low", "high"))
    return f"{median} (quartiles {low} to {high})"


def machine() -> dict[str, Any]:
    """What a figure depends on."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "striate": striate.__version__,
    }


def arguments(about: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def report(options: argparse.Namespace, results: dict[str, Any], lines: list[str]) -> None:
    """Print the results with the machine they were taken on."""
    about = machine()
    if options.json:
        print(json.dumps({**results, "machine": about}))
    else:
        print(*lines, ", ".join(f"{name} {value}" for name, value in about.items()), sep="\n")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
