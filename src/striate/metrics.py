"""Metrics, where Keras has them."""

from striate.foundation.absent import explain_absent
from striate.foundation.explain import explaining_all
from striate.training.metrics import *  # noqa: F403 - all that is public there
from striate.training.metrics import __all__ as __all__

globals().update(explaining_all(globals(), __all__))
explain_absent(__name__)
