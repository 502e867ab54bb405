"""How pictures of ImageNet are brought to networks, and what its classes are called."""

from striate.foundation.absent import explain_absent
from striate.models.applications.imagenet import decode_predictions, preprocess_input

__all__ = ["decode_predictions", "preprocess_input"]

explain_absent(__name__)
