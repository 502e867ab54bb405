"""Metrics, where Keras has them."""

from striate.training.metrics import *  # noqa: F403 - all that is public there
from striate.training.metrics import __all__ as __all__
