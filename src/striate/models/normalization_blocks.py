"""Blocks that normalise a batch, after a convolution or by themselves."""

import math
from collections.abc import Sequence

import torch

from striate.kernels.batch_norm import scale_channels
from striate.kernels.conv_norm import POINTWISE, FusedConvolution, can_conv_norm, conv_norm
from striate.kernels.halves import Products
from striate.kernels.library import wants_gradient
from striate.kernels.pointwise import can_pointwise
from striate.kernels.reference import Rectifier
from striate.layers.conv import Conv
from striate.layers.layer import Layer
from striate.layers.normalization import BatchNormalization
from striate.models.blocks import Block, Said, convolve, is_product


class Normalization(Block):
    """Batch normalisation, with ReLU if that follows."""

    name = "batch normalisation"

    def __init__(self, layers: Sequence[Layer], norm: BatchNormalization, rectifier: Rectifier | None) -> None:
        super().__init__(layers)
        self.norm, self.rectifier = norm, rectifier

    def refusal(self, x: torch.Tensor) -> str | None:
        if self.norm.axis not in (-1, x.ndim - 1):
            return "an axis that is not the last"
        if not self.in_training and wants_gradient(
            x, *(weight for layer in self.layers for weight in layer.parameters())
        ):
            return "gradients through moving statistics"
        return super().refusal(x)

    @property
    def in_training(self) -> bool:
        """Whether the batch's own statistics count."""
        return self.norm.training and self.norm.trainable

    def prefers_full(self, x: torch.Tensor, products: Products) -> bool:
        return x.dtype is torch.float32

    def compute(self, x: torch.Tensor) -> Said:
        if not self.in_training:
            return scale_channels(x, *self.norm.scaling(), self.rectifier), "moving statistics, one kernel"
        return self.in_batch(x, self.rectifier)

    def in_batch(self, x: torch.Tensor, rectifier: Rectifier | None, added: torch.Tensor | None = None) -> Said:
        """What comes of the batch's own statistics, of a sum with an array of the output's shape, and ReLU, if any."""
        return self.norm.normalise_batch(x, rectifier, added), "statistics of the batch"

    def fits(self, channels: int) -> bool:
        """Whether `convolved` can do it, for so many channels."""
        return can_conv_norm(channels, self.norm.gamma, self.norm.beta, self.norm.moving)

    def convolved(
        self,
        conv: FusedConvolution,
        x: torch.Tensor,
        kernel: torch.Tensor,
        bias: torch.Tensor | None,
        rectifier: Rectifier | None,
        added: torch.Tensor | None,
    ) -> torch.Tensor:
        """A convolution and its normalisation as one operation."""
        norm = self.norm
        options = norm.gamma, norm.beta, norm.epsilon, rectifier, norm.moving
        return conv_norm(conv, x, kernel, bias, *options, added)


class ConvNormalization(Normalization):
    """Convolution and batch normalisation, with ReLU if that follows; in inference folded into one convolution."""

    name = "convolution + batch normalisation"

    def __init__(self, layers: Sequence[Layer], norm: BatchNormalization, rectifier: Rectifier | None) -> None:
        super().__init__(layers, norm, rectifier)
        conv = layers[0]
        assert isinstance(conv, Conv)
        self.conv = conv

    def prefers_full(self, x: torch.Tensor, products: Products) -> bool:
        return False

    def compute(self, x: torch.Tensor) -> Said:
        conv = self.conv
        if self.in_training:
            return self.in_batch(x, self.rectifier)
        scale, offset = self.norm.scaling()
        moved = offset if conv.bias is None else offset + conv.bias * scale
        relu, cap = self.rectifier is not None, math.nan if self.rectifier is None else self.rectifier.cap
        y, how = convolve(conv, x, conv.kernel * scale, moved, relu and math.isnan(cap))
        return (y if math.isnan(cap) else y.clamp_(0, cap)), f"{how}, folded into one"

    def in_batch(self, x: torch.Tensor, rectifier: Rectifier | None, added: torch.Tensor | None = None) -> Said:
        conv, after = self.conv, "then statistics of the batch"
        kernel, bias = conv.kernel, conv.bias
        if is_product(conv) and can_pointwise(x, kernel, bias) and self.fits(conv.filters):
            return self.convolved(POINTWISE, x, kernel, bias, rectifier, added), f"one product, {after}"
        y, how = convolve(conv, x, kernel, bias)
        return self.norm.normalise_batch(y, rectifier, added), f"{how}, {after}"
