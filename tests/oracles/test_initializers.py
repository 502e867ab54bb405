"""Initializers against Keras's: exact where they are not random, in distribution where they are."""

import inspect
from typing import Any

import keras
import numpy as np
import pytest
import torch
from scipy import stats

import striate.initializers
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Dense, initializers
from striate.layers.initializers import KERAS_DEFAULTS

RANDOM: list[tuple[str, dict[str, Any]]] = [
    ("RandomNormal", {}),
    ("RandomNormal", {"mean": 1.0, "stddev": 0.2}),
    ("TruncatedNormal", {}),
    ("TruncatedNormal", {"mean": -1.0, "stddev": 2.0}),
    ("RandomUniform", {}),
    ("RandomUniform", {"minval": 0.0, "maxval": 3.0}),
    *[(name, {}) for name in ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal")],
    *[
        ("VarianceScaling", {"scale": 2.0, "mode": mode, "distribution": distribution})
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("truncated_normal", "untruncated_normal", "uniform")
    ],
]
# What draws from a whole normal has no limits.
BOUNDED = [
    (name, arguments)
    for name, arguments in RANDOM
    if name != "RandomNormal" and arguments.get("distribution") != "untruncated_normal"
]
SHAPES = [(60, 50), (3, 3, 16, 24), (3000,)]


def draw(initializer: Any, shape: tuple[int, ...]) -> np.ndarray:
    return initializer(shape).detach().numpy()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "arguments"), RANDOM, ids=str)
def test_random_values_are_distributed_as_those_of_keras(name: str, arguments: dict[str, Any], shape: tuple[int, ...]):
    ours = draw(getattr(initializers, name)(**arguments, seed=5), shape)
    theirs = draw(getattr(keras.initializers, name)(**arguments, seed=5), shape)
    assert ours.shape == theirs.shape == shape
    assert ours.dtype == theirs.dtype == np.float32
    # Two samples of one distribution give a p-value this small once in 100,000 times; the seed is fixed.
    assert stats.ks_2samp(ours.ravel(), theirs.ravel(), method="asymp").pvalue > 1e-5
    spread = float(theirs.std())
    assert float(ours.std()) == pytest.approx(spread, rel=0.08)
    assert float(ours.mean()) == pytest.approx(float(theirs.mean()), abs=0.1 * spread)


@pytest.mark.parametrize(("name", "arguments"), BOUNDED, ids=str)
def test_bounded_ones_stay_within_their_limits(name: str, arguments: dict[str, Any]):
    theirs = draw(getattr(keras.initializers, name)(**arguments, seed=1), (300, 300))
    ours = draw(getattr(initializers, name)(**arguments, seed=1), (300, 300))
    # 90,000 draws come within a thousandth of the limits of a uniform, and of a normal cut at two deviations.
    assert float(ours.min()) == pytest.approx(float(theirs.min()), rel=2e-3, abs=1e-3)
    assert float(ours.max()) == pytest.approx(float(theirs.max()), rel=2e-3, abs=1e-3)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (5, 4), (3, 3, 2, 4)], ids=str)
@pytest.mark.parametrize(("name", "arguments"), [("Zeros", {}), ("Ones", {}), ("Constant", {"value": 2.5})], ids=str)
def test_fixed_values_are_those_of_keras(name: str, arguments: dict[str, Any], shape: tuple[int, ...]):
    ours = draw(getattr(initializers, name)(**arguments), shape)
    np.testing.assert_array_equal(ours, draw(getattr(keras.initializers, name)(**arguments), shape))


@pytest.mark.parametrize("gain", [1.0, -0.5])
@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2)], ids=str)
def test_the_identity_is_that_of_keras(shape: tuple[int, ...], gain: float):
    ours = draw(initializers.Identity(gain), shape)
    np.testing.assert_array_equal(ours, draw(keras.initializers.Identity(gain), shape))


@pytest.mark.parametrize(("name", "arguments"), RANDOM, ids=str)
def test_variances_are_those_of_theory(name: str, arguments: dict[str, Any]):
    """Of 200,000 numbers, whose variance is within a hundredth but once in thousands of draws; the seed is fixed."""
    scale = arguments.get("scale", {"He": 2.0}.get(name[:2], 1.0))
    mode = arguments.get("mode", "fan_avg" if name.startswith("Glorot") else "fan_in")
    cut = 0.7737  # the variance of a standard normal between -2 and 2
    expected = {
        "RandomNormal": arguments.get("stddev", 0.05) ** 2,
        "TruncatedNormal": arguments.get("stddev", 0.05) ** 2 * cut,
        "RandomUniform": (arguments.get("maxval", 0.05) - arguments.get("minval", -0.05)) ** 2 / 12,
    }.get(name, scale / {"fan_in": 400, "fan_out": 500, "fan_avg": 450}[mode])
    assert draw(getattr(initializers, name)(**arguments, seed=2), (400, 500)).var() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 3, 2, 5)], ids=str)
def test_orthogonal_has_right_angles(shape: tuple[int, ...]):
    flat = draw(initializers.Orthogonal(gain=2.0, seed=3), shape).reshape(-1, shape[-1])
    expected = draw(keras.initializers.Orthogonal(gain=2.0, seed=3), shape).reshape(-1, shape[-1])
    small = flat @ flat.T if flat.shape[0] < flat.shape[1] else flat.T @ flat
    reference = expected @ expected.T if flat.shape[0] < flat.shape[1] else expected.T @ expected
    np.testing.assert_allclose(small, reference, atol=1e-5)
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-5)


@pytest.mark.parametrize(
    "name", [name for name in initializers.registry.classes if name not in ("Zeros", "Ones", "Constant", "Identity")]
)
def test_seeds_repeat_and_differ(name: str):
    cls = initializers.registry.classes[name]
    first, again, other = (draw(cls(seed=seed), (20, 20)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_without_a_seed_torch_decides():
    torch.manual_seed(4)
    first = draw(initializers.GlorotUniform(), (4, 4))
    assert np.abs(first - draw(initializers.GlorotUniform(), (4, 4))).max() > 0
    torch.manual_seed(4)
    np.testing.assert_array_equal(first, draw(initializers.GlorotUniform(), (4, 4)))


def test_a_seed_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    for name in ("GlorotUniform", "HeNormal", "Orthogonal"):
        draw(initializers.get(name).from_config({"seed": 1}), (5, 5))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", initializers.registry.classes)
def test_arguments_and_configs_are_those_of_keras(name: str):
    ours, theirs = initializers.registry.classes[name], getattr(keras.initializers, name)
    assert defaults(ours) == defaults(theirs)
    config = ours().config()
    forgotten = {"gain": 1.0} if name == "Identity" else {}  # Keras takes it back, but does not write it
    expected = {**forgotten, **theirs().get_config()}
    assert config == {key: value for key, value in expected.items() if key not in KERAS_DEFAULTS}
    assert initializers.get(keras.initializers.serialize(theirs())).config() == config
    assert type(theirs.from_config(config)) is theirs
    assert ours.from_config(config).config() == config
    assert initializers.serialize(ours())["class_name"] == keras.initializers.serialize(theirs())["class_name"]
    assert initializers.serialize(ours())["module"] == keras.initializers.serialize(theirs())["module"]


def defaults(cls: type) -> list[tuple[str, Any]]:
    skip = {"unknown", *KERAS_DEFAULTS}
    return [(p.name, p.default) for p in inspect.signature(cls).parameters.values() if p.name not in skip]


@pytest.mark.parametrize(
    "name", ["zeros", "ones", "glorot_uniform", "he_normal", "lecun_uniform", "random_normal", "truncated_normal",
             "random_uniform", "variance_scaling", "orthogonal", "GlorotUniform", "uniform", "normal", "identity",
             "he_uniform", "glorot_normal", "lecun_normal", "zero", "one", "IdentityInitializer",
             "OrthogonalInitializer"]
)  # fmt: skip
def test_names_lead_to_the_same_class_as_in_keras(name: str):
    aliases = {"uniform": "RandomUniform", "normal": "RandomNormal"}
    expected = aliases.get(name) or type(keras.initializers.get(name)).__name__
    assert type(initializers.get(name)).__name__ == expected


def test_both_spellings_of_keras_are_there():
    refused = {"STFT", "STFTInitializer", "stft"}
    theirs = {name for name in dir(keras.initializers) if not name.startswith("_")} - refused
    assert set(striate.initializers.__all__) == theirs
    for name in theirs - {"get", "serialize", "deserialize"}:
        assert getattr(striate.initializers, name).__name__ == getattr(keras.initializers, name).__name__


@pytest.mark.parametrize("name", ["STFT", "stft"])
def test_the_fourier_initializer_of_keras_is_refused_by_name(name: str):
    with pytest.raises(UnsupportedError, match=rf"got initializer '{name}'; .* striate does not have this Keras init"):
        initializers.get(name)


def test_the_seed_of_a_keras_generator_is_taken():
    config = keras.initializers.serialize(keras.initializers.HeNormal(seed=keras.random.SeedGenerator(3)))
    assert initializers.get(config).config() == {"seed": 3}


def test_a_keras_config_leads_to_the_initializer():
    config = keras.initializers.serialize(keras.initializers.VarianceScaling(3.0, "fan_out", "uniform", seed=2))
    assert initializers.get(config).config() == {
        "scale": 3.0, "mode": "fan_out", "distribution": "uniform", "seed": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: Dense(1, kernel_initializer="glorot_uniforn"),
            r"Dense 'dense\w*' got .*'glorot_uniforn'.*Did you mean",
        ),
        (lambda: Dense(1, kernel_initializer=3), r"initializer 3; it needs the name of a known initializer"),
        (lambda: initializers.VarianceScaling(scale=0), r"scale=0; it needs a positive number"),
        (lambda: initializers.VarianceScaling(mode="fan"), r"mode='fan'; it needs one of 'fan_in'"),
        (lambda: initializers.VarianceScaling(distribution="cauchy"), r"distribution='cauchy'; it needs one of"),
        (lambda: initializers.VarianceScaling(input_axes=[0]), r"input_axes=\[0\]; it needs input_axes=None: striate"),
        (lambda: initializers.HeNormal(sed=1), r"HeNormal got an unknown argument sed=1; .* Did you mean 'seed'\?"),
        (lambda: initializers.HeNormal(seed=1.5), r"HeNormal got seed=1.5; it needs a whole number of at least 0"),
        (lambda: initializers.RandomNormal(stddev=-1), r"RandomNormal got stddev=-1; it needs a number of at least 0"),
        (lambda: initializers.RandomUniform(1, 0), r"maxval=0; it needs a number of at least minval=1"),
        (lambda: initializers.Constant("one"), r"Constant got value='one'; it needs a number"),
        (
            lambda: initializers.get({"class_name": "Ones", "config": {"value": 1}}),
            r"Ones got an unknown argument value=1; it needs arg",
        ),
        (lambda: initializers.Identity()((3,)), r"Identity got shape \(3,\); it needs a matrix, of two axes"),
        (lambda: initializers.Identity("one"), r"Identity got gain='one'; it needs a number"),
        (lambda: initializers.Orthogonal()((3,)), r"Orthogonal got shape \(3,\); it needs at least two axes"),
    ],
)
def test_bad_arguments_are_refused(make: Any, text: str):
    with pytest.raises(UserError, match=text):
        make()
