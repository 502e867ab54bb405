"""What the layers that work on pictures share."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch

from striate.foundation.shapes import Shape
from striate.layers.layer import Layer
from striate.layers.spatial import check_data_format
from striate.layers.structure import is_shape


class PictureLayer(Layer):
    """Base of the layers that change pictures (N, H, W, C), or a single one (H, W, C).

    Args:
        data_format: "channels_last", or "channels_first" for (N, C, H, W).
    """

    casts_integers: ClassVar[bool] = True
    only_numbers: ClassVar[bool] = True

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = check_data_format(self.where, data_format)

    def change(self, x: torch.Tensor) -> torch.Tensor:
        """The pictures (N, H, W, C) changed."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.on_batch(self.change, x)

    def on_batch(self, change: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        """Let `change` see pictures (N, H, W, C), whatever their axes are."""
        batch = x if x.ndim == 4 else x.unsqueeze(0)
        if self.data_format == "channels_first":
            changed = change(batch.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        else:
            changed = change(batch)
        return changed if x.ndim == 4 else changed.squeeze(0)

    def size_out(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        """The height and width that come out."""
        return height, width

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        axes = "(N, H, W, C) or (H, W, C)" if self.data_format == "channels_last" else "(N, C, H, W) or (C, H, W)"
        if not is_shape(input_shape) or len(input_shape) not in (3, 4):
            raise self.refuse_shape(input_shape, f"pictures {axes}", "Put it where its input has these axes.")
        if 0 in input_shape[-3:]:
            raise self.refuse_shape(input_shape, f"pictures {axes} of at least one cell", "Leave empty pictures out.")
        at = len(input_shape) - (3 if self.data_format == "channels_last" else 2)
        height, width = input_shape[at : at + 2]
        return (*input_shape[:at], *self.size_out(height, width), *input_shape[at + 2 :])

    def config(self) -> dict[str, Any]:
        return {"data_format": self.data_format}
