"""EfficientNet-Lite0, which reads pixels from 0 to 255."""

from striate.foundation.absent import explain_absent
from striate.models.applications.efficientnet_lite import EfficientNetLite0
from striate.models.applications.imagenet import as_it_is as preprocess_input
from striate.models.applications.imagenet import decode_predictions

__all__ = ["EfficientNetLite0", "decode_predictions", "preprocess_input"]

explain_absent(__name__)
