"""MobileNetV2, and how pictures are brought to it."""

from striate.foundation.absent import explain_absent
from striate.models.applications.imagenet import as_tf as preprocess_input
from striate.models.applications.imagenet import decode_predictions
from striate.models.applications.mobilenet_v2 import MobileNetV2

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

explain_absent(__name__)
