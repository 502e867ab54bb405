"""What layers share that change numbers, and no shape."""

from typing import Any, ClassVar

from striate.layers.layer import Layer
from striate.layers.structure import is_shape


class Elementwise(Layer):
    """Base of the layers whose output has their input's shape."""

    only_numbers: ClassVar[bool] = True
    supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        if not is_shape(input_shape):
            raise self.refuse_shape(
                input_shape, "one array", "Call it on each, or join them before (Add, Concatenate)."
            )
        return tuple(input_shape)
