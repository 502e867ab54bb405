"""Well-known networks, where Keras has them: `applications.ResNet50(weights=None)`. No weights are ever fetched."""

from striate.applications import (
    efficientnet_lite,
    imagenet_utils,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    resnet50,
    vgg16,
    vgg19,
)
from striate.foundation.absent import explain_absent
from striate.models.applications import (
    VGG16,
    VGG19,
    EfficientNetLite0,
    MobileNetV2,
    MobileNetV3Large,
    MobileNetV3Small,
    ResNet18,
    ResNet34,
    ResNet50,
    ResNet101,
    ResNet152,
)

__all__ = [
    "VGG16",
    "VGG19",
    "EfficientNetLite0",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "efficientnet_lite",
    "imagenet_utils",
    "mobilenet_v2",
    "mobilenet_v3",
    "resnet",
    "resnet50",
    "vgg16",
    "vgg19",
]

explain_absent(__name__)
