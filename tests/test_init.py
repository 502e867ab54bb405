import importlib
import importlib.util
import re
import subprocess
import sys

import keras
import pytest

import striate

# What striate exports beside Keras's names: its own, or what Keras keeps to itself.
OURS = {
    "applications": {"EfficientNetLite0", "ResNet18", "ResNet34", "efficientnet_lite"},
    "callbacks": {"ProgressBar"},
    "layers": {"TorchModule"},
    "losses": {"LossFunctionWrapper"},
    "models": {"Program"},
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


def test_absent_names_are_attribute_errors_with_a_reason():
    needs = "it needs one of the names that are there"
    for place, name, text in (
        (striate, "backend", f"Module 'striate' got Keras's 'backend'; {needs} (torch computes"),
        (striate, "Layr", f"Module 'striate' got 'Layr'; {needs}. Did you mean 'Layer'?"),
        (striate.layers, "StringLookup", f"Module 'striate.layers' got Keras's 'StringLookup'; {needs} (texts, not"),
        (striate.layers, "Conv2d", f"Module 'striate.layers' got 'Conv2d'; {needs}. Did you mean 'Conv2D'?"),
        (striate.layers, "zzz", f"Module 'striate.layers' got 'zzz'; {needs}. docs/keras.md lists them."),
        (striate.ops, "fft", f"Module 'striate.ops' got Keras's 'fft'; {needs} (not written yet). docs/keras.md"),
        (striate.layers, "__zzz__", "module 'striate.layers' has no attribute '__zzz__'"),
    ):
        assert not hasattr(place, name)
        assert getattr(place, name, None) is None
        with pytest.raises(AttributeError, match=re.escape(text)):
            getattr(place, name)


@pytest.mark.parametrize("name", striate.MODULES)
def test_imports_of_absent_names_say_why(name):
    with pytest.raises(ImportError, match=f"Module 'striate.{name}' got 'zzz'; it needs one of the names that are"):
        exec(f"from striate.{name} import zzz")
    with pytest.raises(ImportError, match=r"got Keras's 'backend'; it needs .* \(torch computes"):
        exec("from striate import backend")


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


MODULES_OF_KERAS = {
    "from striate.applications.xception import preprocess_input": ("Keras's 'xception'", "not written yet"),
    "import striate.applications.densenet": ("Keras's 'densenet'", "`load_model` opens the .keras file"),
    "from striate.preprocessing.image import ImageDataGenerator": ("Keras's 'preprocessing'", "`utils` has these"),
    "import striate.backend as K": ("Keras's 'backend'", "torch computes"),
    "import striate.laiers": ("'laiers'; it needs one of the names that are there", "Did you mean 'layers'?"),
    "from striate.layers.experimental import preprocessing": ("'striate.layers' got 'experimental'", "docs/keras.md"),
}


@pytest.mark.parametrize("line", MODULES_OF_KERAS)
def test_modules_that_are_not_there_say_why(line):
    got, why = MODULES_OF_KERAS[line]
    with pytest.raises(ModuleNotFoundError) as caught:
        exec(line)
    assert got in str(caught.value)
    assert why in str(caught.value)
    assert caught.value.name.startswith("striate.")


def test_other_packages_keep_python_s_words():
    with pytest.raises(ModuleNotFoundError, match=r"^No module named .striater.$"):
        importlib.import_module("striater")
    assert importlib.util.find_spec("torch.striate") is None
