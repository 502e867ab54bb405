"""MobileNetV3, which reads pixels from 0 to 255."""

from striate.foundation.absent import explain_absent
from striate.models.applications.imagenet import as_it_is as preprocess_input
from striate.models.applications.imagenet import decode_predictions
from striate.models.applications.mobilenet_v3 import MobileNetV3Large, MobileNetV3Small

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]

explain_absent(__name__)
