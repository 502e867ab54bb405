"""Random arrays, where Keras has them."""

from striate.foundation.absent import explain_absent
from striate.ops.chance import (
    SeedGenerator,
    categorical,
    dropout,
    normal,
    randint,
    shuffle,
    truncated_normal,
    uniform,
)

__all__ = ["SeedGenerator", "categorical", "dropout", "normal", "randint", "shuffle", "truncated_normal", "uniform"]

explain_absent(__name__)
