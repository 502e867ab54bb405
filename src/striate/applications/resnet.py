"""Residual networks, and how pictures are brought to them."""

from striate.foundation.absent import explain_absent
from striate.models.applications.imagenet import as_caffe as preprocess_input
from striate.models.applications.imagenet import decode_predictions
from striate.models.applications.resnet import ResNet18, ResNet34, ResNet50, ResNet101, ResNet152

__all__ = ["ResNet18", "ResNet34", "ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

explain_absent(__name__)
