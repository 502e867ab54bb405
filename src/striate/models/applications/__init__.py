"""Well-known networks, built of our layers, with Keras's names and arguments."""

from striate.models.applications.efficientnet_lite import EfficientNetLite0
from striate.models.applications.mobilenet_v2 import MobileNetV2
from striate.models.applications.mobilenet_v3 import MobileNetV3Large, MobileNetV3Small
from striate.models.applications.resnet import ResNet18, ResNet34, ResNet50, ResNet101, ResNet152
from striate.models.applications.vgg import VGG16, VGG19

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
]
