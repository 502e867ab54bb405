"""What all networks share: their arguments, and where weights come from."""

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from striate.foundation.checks import UserError
from striate.layers import Conv2D, Input, Rescaling
from striate.models import Model
from striate.models.applications import VGG16, EfficientNetLite0, MobileNetV2, ResNet18, ResNet50

FIX = "Pass weights=None, or weights= the path of a file; EfficientNetLite0 has its weights in a package."


@pytest.fixture
def _keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()


REFUSED = {
    "no copy of the weights": (
        lambda: ResNet50(),
        r"ResNet50 got weights='imagenet' and no '.*models/resnet50_weights_tf_dim_ordering_tf_kernels.h5'; it needs "
        r"weights on this machine: striate fetches nothing. " + FIX,
    ),
    "nor of those without the top": (
        lambda: MobileNetV2((96, 96, 3), include_top=False),
        r"no '.*/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5'",
    ),
    "nobody publishes them": (
        lambda: ResNet18(),
        "ResNet18 got weights='imagenet'; it needs None, or the path of a file: Keras publishes none for it. " + FIX,
    ),
    "no such file": (lambda: ResNet18(weights="nowhere.h5"), "nowhere.h5"),
    "classes": (
        lambda: ResNet50(classes=10),
        "ResNet50 got classes=10; it needs the 1000 of weights='imagenet'. Pass include_top=False and add layers of",
    ),
    "activation": (
        lambda: ResNet50(classifier_activation="relu"),
        "ResNet50 got classifier_activation='relu'; it needs 'softmax' or None with weights='imagenet'. Pass weights=",
    ),
    "no classes": (lambda: ResNet50(weights=None, classes=0), "ResNet50 got classes=0"),
    "pooling": (
        lambda: ResNet50(weights=None, pooling="mean"),
        "ResNet50 got pooling='mean'; it needs one of 'avg', 'max'",
    ),
    "small": (
        lambda: ResNet50(weights=None, input_shape=(31, 64, 3)),
        r"ResNet50 got input_shape=\(31, 64, 3\); it needs \(height, width, channels\) of at least 32 cells. Pass for",
    ),
    "no channels": (lambda: VGG16(weights=None, input_shape=(64, 64)), r"VGG16 got input_shape=\(64, 64\); it needs"),
    "no symbol": (
        lambda: VGG16(weights=None, input_tensor=np.zeros((1, 64, 64, 3))),
        "VGG16 got input_tensor of type ndarray; it needs a symbol. Pass what Input",
    ),
    "two shapes": (
        lambda: VGG16(weights=None, input_tensor=Input((64, 64, 3)), input_shape=(32, 32, 3)),
        r"VGG16 got input_shape=\(32, 32, 3\) beside an input_tensor of shape \(None, 64, 64, 3\); it needs one shape",
    ),
    "width": (lambda: MobileNetV2(weights=None, alpha=0), "MobileNetV2 got alpha=0; it needs a number above 0"),
    "rate": (
        lambda: EfficientNetLite0(weights=None, drop_connect_rate=1.0),
        "EfficientNetLite0 got drop_connect_rate=1.0; it needs a number from 0 to below 1",
    ),
}


@pytest.mark.usefixtures("_keras_home")
@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    make, text = REFUSED[case]
    with pytest.raises(UserError, match=text):
        make()


def test_weights_that_keras_has_left_here(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    first = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, include_top=False, weights=None)
    file = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"
    with h5py.File(tmp_path / "models" / file, "w") as weights:
        legacy_h5_format.save_weights_to_hdf5_group(weights, first)
    read = MobileNetV2((96, 96, 3), alpha=0.35, include_top=False)
    for one, other in zip(read.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_symbol_of_one_s_own():
    begin = Input((40, 40, 1))
    x = Conv2D(3, 1)(Rescaling(1 / 255)(begin))
    model = ResNet18(include_top=False, weights=None, input_tensor=x, pooling="avg")
    assert model.inputs[0] is begin
    assert model.predict(np.ones((2, 40, 40, 1), "float32"), verbose=0).shape == (2, 512)


def test_as_a_part_of_a_larger_network():
    part = MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")
    part.trainable = False
    begin = Input((32, 32, 3))
    model = Model(begin, part(begin))
    assert model.trainable_weights == []
    assert model.output_shape == (None, 1280)
