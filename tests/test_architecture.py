"""The house keeps its order: who imports whom, what is imported when, how large files are, what they never use."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "striate"
FILES = sorted(SOURCE.rglob("*.py"))
HEAVY = [
    "h5py",
    "rich",
    "PIL",
    "matplotlib",
    "safetensors",
    "IPython",
    "cyclopts",
    "keras",
    "sklearn",
    "torchvision",
    "tensorboard",
]
SMALL = 350


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def imports_of(tree: ast.AST) -> list[str]:
    found = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return found + [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own, which imports what we test."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)


def test_folders_import_only_downward():
    done = run("from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_small_and_import_absolutely(path: Path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= SMALL
    assert ast.get_docstring(tree) or not text.strip(), "every file says what it is for"
    relative = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert not relative
    packages = {module.partition(".")[0] for module in imports_of(tree)}
    assert not packages & {"pickle", "torchvision", "tensorflow", "requests", "marshal", "shelve"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_runs_code_from_text_or_unpickles(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in ("eval", "exec", "compile", "__import__", "os.system"), called
        if called == "torch.load":
            arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert arguments.get("weights_only") == "True"


@pytest.mark.parametrize("path", sorted((SOURCE / "foundation").glob("*.py")), ids=name_of)
def test_foundation_needs_the_standard_library_only(path: Path):
    for module in imports_of(ast.parse(path.read_text(encoding="utf-8"))):
        assert module.partition(".")[0] in {*sys.stdlib_module_names, "striate"}


def test_importing_striate_is_light():
    code = (
        f"import sys, striate, striate.layers, striate.models; print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
