"""What holds of the project as a whole, beside the order of its folders (`make lint`)."""

import shutil
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from striate.kernels.library import units

ROOT = Path(__file__).parents[1]


def pins() -> dict[str, str]:
    """Versions by package."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_every_requirement_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    texts = [*project["project"]["dependencies"], *(text for extra in extras for text in extra)]
    for requirement in map(Requirement, [*texts, *project["build-system"]["requires"]]):
        assert pins()[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_kernels_are_compiled_where_a_compiler_is():
    """Where they are not, their tests are skipped: that must not go unnoticed."""
    assert units() or not shutil.which("c++"), "run make native"
