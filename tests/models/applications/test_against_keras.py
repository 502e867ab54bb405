"""Keras's own networks of the same names: layers, weights, files and numbers."""

import keras
import numpy as np
import pytest
from model_files import assert_same_outputs, keras_predict

from striate import applications

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SMALL = {"weights": None, "classes": 10, "input_shape": (32, 32, 3)}
CASES = {
    "vgg16": ("VGG16", SMALL),
    "vgg16 features": ("VGG16", {"weights": None, "include_top": False, "pooling": "max"}),
    "resnet50": ("ResNet50", SMALL),
    "resnet50 features": ("ResNet50", {"weights": None, "include_top": False}),
    "mobilenet_v2": ("MobileNetV2", {**SMALL, "alpha": 0.35, "classifier_activation": None}),
    "mobilenet_v2, odd sides": ("MobileNetV2", {**SMALL, "alpha": 1.4, "input_shape": (45, 38, 3), "pooling": "avg"}),
    "mobilenet_v2 features": ("MobileNetV2", {"weights": None, "include_top": False, "alpha": 0.5, "pooling": "avg"}),
    "mobilenet_v3_small": ("MobileNetV3Small", {**SMALL, "alpha": 0.75}),
    "mobilenet_v3_small, free sides": ("MobileNetV3Small", {"weights": None, "include_top": False, "pooling": "max"}),
    "mobilenet_v3_large": ("MobileNetV3Large", {**SMALL, "input_shape": (64, 64, 3), "dropout_rate": 0.0}),
    "mobilenet_v3_large, minimalistic": (
        "MobileNetV3Large",
        {**SMALL, "minimalistic": True, "alpha": 1.25, "include_preprocessing": False},
    ),
}
LARGE = {
    "vgg19": ("VGG19", SMALL),
    "resnet101": ("ResNet101", SMALL),
    "resnet152": ("ResNet152", {**SMALL, "include_top": False, "pooling": "avg"}),
    "vgg16, full": ("VGG16", {"weights": None}),
}


def stir(model):
    """Weights that keep what a deep network computes within bounds; those of one axis may be variances."""
    random = np.random.default_rng(3)
    model.set_weights(
        [
            (
                random.uniform(0.8, 1.2, value.shape)
                if value.ndim < 2
                else 0.7 * random.normal(size=value.shape) / np.prod(value.shape[:-1]) ** 0.5
            ).astype("float32")
            for value in model.get_weights()
        ]
    )
    return model


def check(name, options, folder):
    keras.utils.clear_session()
    theirs = stir(getattr(keras.applications, name)(**options))
    ours = getattr(applications, name)(**options)
    assert ours.name == theirs.name
    assert ours.input_shape == theirs.input_shape
    assert ours.output_shape == theirs.output_shape
    assert [tuple(weight.shape) for weight in ours.weights] == [tuple(weight.shape) for weight in theirs.weights]
    named = [layer.name for layer in theirs.layers if layer.weights]
    assert [layer.name for layer in ours.layers if layer.weights] == named
    x = np.random.default_rng(1).uniform(0, 255, (2, *(side or 40 for side in ours.input_shape[1:]))).astype("float32")
    theirs.save_weights(folder / "theirs.weights.h5")
    ours.load_weights(folder / "theirs.weights.h5")
    expected = keras_predict(theirs, x)
    assert_same_outputs(ours.predict(x, verbose=0), expected)
    ours.save_weights(folder / "ours.safetensors")
    read = getattr(applications, name)(**{**options, "weights": folder / "ours.safetensors"})
    assert_same_outputs(read.predict(x, verbose=0), expected)
    ours.save(folder / "ours.keras")
    assert_same_outputs(keras_predict(keras.models.load_model(folder / "ours.keras"), x), expected)


@pytest.mark.parametrize("case", CASES)
def test_networks(case, tmp_path):
    check(*CASES[case], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE)
def test_large_networks(case, tmp_path):
    check(*LARGE[case], tmp_path)


@pytest.mark.parametrize("place", ["vgg16", "vgg19", "resnet", "resnet50", "mobilenet_v2", "mobilenet_v3"])
@pytest.mark.parametrize("data_format", [None, "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_preprocessing(place, data_format, dtype):
    shape = (2, 3, 4, 5) if data_format else (2, 4, 5, 3)
    x = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    before = x.copy()
    ours = getattr(applications, place).preprocess_input(x, data_format)
    np.testing.assert_array_equal(x, before)
    theirs = getattr(keras.applications, place).preprocess_input(x.copy(), data_format)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("shape", [(4, 5, 3), (2, 4, 5, 3)])
def test_preprocessing_modes(mode, shape):
    x = np.random.default_rng(0).uniform(0, 255, shape).astype("float32")
    ours = applications.imagenet_utils.preprocess_input(x, mode=mode)
    theirs = keras.applications.imagenet_utils.preprocess_input(x.copy(), mode=mode)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-5)
