"""ResNet-50, and how pictures are brought to it."""

from striate.foundation.absent import explain_absent
from striate.models.applications.imagenet import as_caffe as preprocess_input
from striate.models.applications.imagenet import decode_predictions
from striate.models.applications.resnet import ResNet50

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

explain_absent(__name__)
