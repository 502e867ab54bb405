"""Operations on arrays by Keras's names: `striate.ops.mean(x, axis=-1)`, for layers, losses and loops of one's own.

They take tensors, NumPy arrays and numbers, return torch tensors, and let gradients through; pictures have their
channels last unless told.

    >>> import striate as keras
    >>> keras.ops.mean([[1.0, 2.0], [3.0, 4.0]], axis=0)
    tensor([2., 3.])
"""

import sys
from typing import Any

from striate.foundation.absent import absent
from striate.ops import (
    arrays,
    control,
    distances,
    elementwise,
    image,
    linear,
    making,
    nn,
    operation,
    picking,
    reductions,
    shaping,
    windows,
)
from striate.ops.table import TABLE

_PARTS = (arrays, control, distances, elementwise, image, linear, making, nn, picking, reductions, shaping, windows)
_RECORDS = operation.record_call  # which lets operations take symbols
_OPERATIONS = {name: operation for name, operation in TABLE.items() if "." not in name}
globals().update(_OPERATIONS)

__all__ = sorted([*_OPERATIONS, "image"])


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, sys._getframe(1))
