"""Files with the layers that know no space: what is written here Keras opens, and the other way round."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from model_files import assert_same_outputs, keras_predict, open_in_keras, stir
from oracles.compare import Case
from oracles.plain_cases import PLAIN

from striate import layers, regularizers
from striate.foundation.checks import UnsupportedError
from striate.layers.activation import ALIASES, FUNCTIONS
from striate.models import Model, Sequential, load_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

NOISE = [
    Case("GaussianNoise", {"stddev": 0.5, "seed": 3}, ((4, 6),)),
    Case("GaussianDropout", {"rate": 0.5, "seed": 3}, ((4, 6),)),
    Case("AlphaDropout", {"rate": 0.5, "noise_shape": (None, 1), "seed": 3}, ((4, 6),)),
    Case("SpatialDropout1D", {"rate": 0.5, "seed": 3}, ((4, 6, 2),)),
    Case("SpatialDropout2D", {"rate": 0.5, "seed": 3}, ((4, 6, 2, 2),)),
    Case("SpatialDropout3D", {"rate": 0.5, "data_format": "channels_first"}, ((4, 6, 2, 2, 2),)),
]
# Of each layer a case for every set of arguments; items of one number are not what a model is fed with.
CASES = {
    (case.layer, tuple(case.arguments), len(case.shapes)): case
    for case in [*PLAIN, Case("Activation", {"activation": "glu"}, ((4, 6),)), *NOISE]
    if all(len(shape) > 1 for shape in case.shapes)
}


def for_shapes(case: Case, make: Any) -> Any:
    """What is made of the case's shape, or a list for several."""
    made = [make(shape) for shape in case.shapes]
    return made if len(made) > 1 else made[0]


def arrays_for(case: Case) -> Any:
    random = np.random.default_rng(0)
    if case.layer == "Embedding":
        return for_shapes(case, lambda shape: random.integers(0, 256, shape))
    return for_shapes(case, lambda shape: random.normal(size=shape).astype("float32"))


def model_of(case: Case, library: Any, model: Any) -> Any:
    inputs = for_shapes(case, lambda shape: library.Input(shape[1:]))
    return model(inputs, getattr(library, case.layer)(**case.arguments, name="layer")(inputs))


@pytest.mark.parametrize("case", CASES.values(), ids=str)
def test_files_go_both_ways(case: Case, tmp_path: Path):
    x = arrays_for(case)
    ours, theirs = stir(model_of(case, layers, Model)), stir(model_of(case, keras.layers, keras.Model), seed=1)
    ours.save(tmp_path / "ours.keras")
    assert_same_outputs(keras_predict(open_in_keras(tmp_path / "ours.keras"), x), ours.predict(x, verbose=0))
    theirs.save(tmp_path / "theirs.keras")
    again = load_model(tmp_path / "theirs.keras")
    assert_same_outputs(again.predict(x, verbose=0), keras_predict(theirs, x))
    config, expected = (json.loads(json.dumps(model.get_layer("layer").get_config())) for model in (again, theirs))
    assert config == {key: expected[key] for key in config}
    again.save(tmp_path / "again.keras")
    assert_same_outputs(keras_predict(open_in_keras(tmp_path / "again.keras"), x), keras_predict(theirs, x))


def test_every_activation_goes_both_ways(tmp_path: Path):
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    for library, model, name in ((layers, Model, "ours.keras"), (keras.layers, keras.Model, "theirs.keras")):
        begin = library.Input((4,))
        ends = [library.Activation(name)(begin) for name in [*FUNCTIONS, *ALIASES]]
        ends += [library.Dense(4, activation=name, kernel_initializer="identity")(begin) for name in FUNCTIONS]
        model(begin, library.Concatenate()(ends)).save(tmp_path / name)
    expected = keras_predict(open_in_keras(tmp_path / "theirs.keras"), x)
    for name in ("ours.keras", "theirs.keras"):
        assert_same_outputs(load_model(tmp_path / name).predict(x, verbose=0), expected)
        assert_same_outputs(keras_predict(open_in_keras(tmp_path / name), x), expected)


def test_masks_reach_what_follows_in_files_of_keras(tmp_path: Path):
    """Words that fill up do not count in a normalisation's statistics, nor in a product."""
    words = np.array([[3, 1, 0, 0], [2, 0, 0, 0]])
    begin = keras.layers.Input((4,), dtype="int32")
    one, two = (keras.layers.Embedding(5, 3, mask_zero=True)(begin) for _ in range(2))
    normal = keras.layers.BatchNormalization(momentum=0.0)(keras.layers.Multiply()([one, two]))
    theirs = stir(keras.Model(begin, normal))
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    expected = theirs(words, training=True).detach().numpy()
    assert_same_outputs(ours(words, training=True), expected)
    assert_same_outputs(ours.get_weights(), [weight.value.detach().numpy() for weight in theirs.weights])


def test_initializers_and_regularizers_go_both_ways(tmp_path: Path):
    options = {"kernel_initializer": "identity", "kernel_regularizer": "orthogonal_regularizer"}
    for library, model, name in ((layers, Sequential, "ours"), (keras.layers, keras.Sequential, "theirs")):
        model([library.Input((3,)), library.Dense(3, **options)]).save(tmp_path / f"{name}.keras")
    for name in ("ours", "theirs"):
        layer = load_model(tmp_path / f"{name}.keras").layers[-1]
        assert isinstance(layer.kernel_regularizer, regularizers.OrthogonalRegularizer)
        assert layer.kernel_initializer.config() == {"gain": 1.0}
        theirs = open_in_keras(tmp_path / f"{name}.keras").layers[-1]
        assert type(theirs.kernel_initializer) is keras.initializers.Identity
        assert theirs.kernel_regularizer.get_config()["mode"] == layer.kernel_regularizer.mode


INSTEAD = (
    r"Use Activation, Rescaling or another layer; or write a subclass of Layer with forward\(self, x\), which files"
)


def test_lambda_is_refused_with_what_to_use():
    with pytest.raises(
        UnsupportedError, match=rf"^Lambda got the function '<lambda>'; it needs a layer that .* {INSTEAD}"
    ):
        layers.Lambda(lambda x: x + 1)
    with pytest.raises(UnsupportedError, match=r"^Lambda got the function 'abs'; "):
        layers.Lambda(abs, output_shape=(2,), name="positive")


def test_a_file_with_a_lambda_is_refused_with_what_to_use(tmp_path: Path):
    steps = [keras.layers.Input((2,)), keras.layers.Lambda(lambda x: x + 1, output_shape=(2,), name="plus")]
    keras.Sequential(steps).save(tmp_path / "theirs.keras")
    text = rf"Lambda 'plus' got a Lambda layer, which is Python code; it needs layers: no code is read .*{INSTEAD}"
    with pytest.raises(UnsupportedError, match=text):
        load_model(tmp_path / "theirs.keras")


@pytest.mark.parametrize("name", ["RMSNormalization", "SpectralNormalization"])
def test_other_layers_of_keras_are_refused_by_name(name: str, tmp_path: Path):
    arguments = {"SpectralNormalization": [keras.layers.Dense(2)]}.get(name, [])
    keras.Sequential([keras.layers.Input((2,)), getattr(keras.layers, name)(*arguments)]).save(
        tmp_path / "theirs.keras"
    )
    with pytest.raises(UnsupportedError, match=rf"got Keras's layer '{name}'; it needs one of striate's layers"):
        load_model(tmp_path / "theirs.keras")
