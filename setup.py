"""Compiles the native kernels; everything else is in pyproject.toml. Without a compiler, the package does without."""

import os
import runpy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

NATIVE = Path("src/striate/kernels/native")
DIGEST = runpy.run_path("src/striate/kernels/digest.py")["digest"](NATIVE)


class BuildNative(build_ext):
    """A plain shared library under a plain name: no part of it knows Python."""

    def get_ext_filename(self, fullname: str) -> str:
        return fullname.replace(".", os.sep) + ".so"


class NativeWheel(bdist_wheel):
    """One wheel for every Python of a platform; where nothing could be compiled, for every platform."""

    def get_tag(self) -> tuple[str, str, str]:
        build = self.get_finalized_command("build_ext")
        library = Path(build.get_ext_fullpath(native.name))
        return "py3", "none", super().get_tag()[2] if library.exists() else "any"


# OpenMP's functions are left open: torch has loaded a runtime that has them, and two would fight over the cores.
native = Extension(
    "striate.kernels._native",
    sources=sorted(str(path) for path in NATIVE.glob("*.cpp")),
    depends=sorted(str(path) for path in NATIVE.iterdir()),
    language="c++",
    define_macros=[("STRIATE_DIGEST", f'"{DIGEST}"')],
    extra_compile_args=[
        *["-std=c++17", "-O3", "-g0", "-fopenmp", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math"],
        *["-Wall", "-Wextra", "-Wno-psabi", "-Wno-uninitialized", "-Wno-maybe-uninitialized"],  # of the compiler's own
    ],
    optional=True,
)
setup(ext_modules=[native], cmdclass={"build_ext": BuildNative, "bdist_wheel": NativeWheel})
