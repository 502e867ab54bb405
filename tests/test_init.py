import importlib
import subprocess
import sys

import keras
import pytest

import striate

# What striate exports beside Keras's names: its own, or what Keras keeps to itself.
OURS = {
    "callbacks": {"ProgressBar"},
    "layers": {"TorchModule"},
    "losses": {"LossFunctionWrapper"},
    "models": set(),
    "optimizers": set(),
}


@pytest.mark.parametrize("name", striate.MODULES)
def test_public_names_are_those_of_keras(name):
    ours, theirs = importlib.import_module(f"striate.{name}"), getattr(keras, name)
    assert ours is getattr(striate, name)
    assert all(hasattr(ours, public) for public in ours.__all__)
    assert {public for public in ours.__all__ if not hasattr(theirs, public)} <= OURS.get(name, set())


@pytest.mark.parametrize("name", ["DTypePolicy", "Input", "Layer", "Model", "Sequential"])
def test_classes_at_the_top_are_those_of_their_modules(name):
    homes = {"DTypePolicy": striate.mixed_precision, "Input": striate.layers, "Layer": striate.layers}
    home = homes.get(name, striate.models)
    assert getattr(striate, name) is getattr(home, name)


def test_dir_shows_what_is_imported_later():
    assert {"layers", "Sequential", "__version__"} <= set(dir(striate))


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'striate' has no attribute 'layer'"):
        _ = striate.layer


def test_importing_striate_imports_nothing_else():
    program = "import sys, striate; sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'rich')))"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_layers_and_models_leaves_heavy_packages_for_later():
    heavy = ("h5py", "rich", "PIL", "matplotlib", "IPython", "cyclopts")
    program = (
        f"import sys, {', '.join(f'striate.{name}' for name in striate.MODULES)}\n"
        f"sys.exit(', '.join(name for name in {heavy} if name in sys.modules) or 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
