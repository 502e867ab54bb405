"""VGG-19, and how pictures are brought to it."""

from striate.foundation.absent import explain_absent
from striate.models.applications.imagenet import as_caffe as preprocess_input
from striate.models.applications.imagenet import decode_predictions
from striate.models.applications.vgg import VGG19

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

explain_absent(__name__)
