"""Blocks at the end of a residual way: what was normalised, another array added to it, and ReLU."""

from collections.abc import Sequence

import torch

from striate.kernels.library import plain
from striate.kernels.reference import Rectifier
from striate.layers.layer import Layer
from striate.layers.masks import mask_of
from striate.layers.merge import Add
from striate.models.blocks import Block
from striate.models.normalization_blocks import Normalization


class Residual(Block):
    """A block that ends with batch normalisation, the sum with another array, and ReLU if that follows.

    Args:
        inner: The block, without a ReLU.
        add: The layer that sums up two arrays.
        place: Which of the two the block gives.
        relu: The layer after it, if it is a ReLU.
        rectifier: What that does.
    """

    def __init__(
        self, inner: Normalization, add: Add, place: int, relu: Layer | None, rectifier: Rectifier | None
    ) -> None:
        super().__init__([*inner.layers, add, *([] if relu is None else [relu])])
        self.name = f"{inner.name} + sum"  # type: ignore[misc]
        self.inner, self.add, self.place, self.relu, self.rectifier = inner, add, place, relu, rectifier
        self._places = self._places[len(inner.layers) :]

    def __call__(self, arrays: Sequence[torch.Tensor]) -> torch.Tensor:  # type: ignore[override]
        """What the layers give for the block's input and the other array, in the order of the sum."""
        x, other = arrays[self.place], arrays[1 - self.place]
        reason = self.refusal(x) or self._refusal_of_sum(x, other)
        if reason is None:
            y, self.said = self.inner.in_batch(x, self.rectifier, other)
            return y
        y = self.inner(x)
        self.said = f"{self.inner.said}, then layers as they are: {reason}"
        y = self.add([other, y] if self.place else [y, other])
        return y if self.relu is None else self.relu(y)

    def refusal(self, x: torch.Tensor) -> str | None:
        """Why the block does not sum up, too; None where it does."""
        if not self.inner.in_training:
            return "moving statistics"
        return "autocast" if torch.is_autocast_enabled("cpu") else self.inner.refusal(x) or super().refusal(x)

    def _refusal_of_sum(self, x: torch.Tensor, other: torch.Tensor) -> str | None:
        if not plain(other) or mask_of(other) is not None:
            return "no float32 array on the CPU, or a mask"
        return None if other.shape == self.inner.shape_of(x.shape) else "arrays of two shapes"
