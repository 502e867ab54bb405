"""Losses, where Keras has them."""

from striate.training.losses import *  # noqa: F403 - all that is public there
from striate.training.losses import __all__ as __all__
