"""Layers that give their input a mean of zero and a variance of one."""

from typing import Any

import torch

from striate.foundation.checks import UserError, check_flag, check_number, is_int
from striate.foundation.shapes import Shape
from striate.layers import initializers, regularizers
from striate.layers.layer import Layer, registry
from striate.layers.structure import is_shape


@registry.register()
class BatchNormalization(Layer):
    """Normalises every channel over the batch in training, by moving statistics otherwise.

    Input and output: (N, ..., C).

    Args:
        axis: The axis of the channels.
        momentum: Share of the old moving statistics kept at every batch.
        epsilon: Added to the variance.
        center, scale: Whether beta is added and gamma multiplied.
        beta_initializer, gamma_initializer: First values of beta and gamma.
        moving_mean_initializer, moving_variance_initializer: First values of the moving statistics.
        beta_regularizer, gamma_regularizer: Penalties added to the loss.

    Raises:
        ShapeError: The axis is not there, or its size not known.

    Source: Ioffe and Szegedy, arXiv 1502.03167.

    Example:
        >>> BatchNormalization()(torch.ones(8, 4, 4, 3), training=True).abs().max()
        tensor(0., grad_fn=<MaxBackward1>)
    """

    casts_integers = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not is_int(axis):
            raise UserError(self.where, f"axis={axis!r}", "a whole number", "Pass axis=-1 for channels-last arrays.")
        self.axis = int(axis)
        self.momentum = check_number(self.where, "momentum", momentum, "a share from 0 to 1", lambda v: 0 <= v <= 1)
        self.epsilon = check_number(self.where, "epsilon", epsilon, "a positive number", lambda v: v > 0)
        self.center = check_flag(self.where, "center", center)
        self.scale = check_flag(self.where, "scale", scale)
        given = (beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer)
        self.initializers = [initializers.get(value, self.where) for value in given]
        penalties = (beta_regularizer, gamma_regularizer)
        self.regularizers = [None if value is None else regularizers.get(value, self.where) for value in penalties]

    def build(self, input_shape: Shape) -> None:
        shape = (int(input_shape[self.axis] or 0),)
        beta, gamma, mean, variance = self.initializers
        self.gamma = self.add_weight(shape, gamma, regularizer=self.regularizers[1]) if self.scale else None
        self.beta = self.add_weight(shape, beta, regularizer=self.regularizers[0]) if self.center else None
        self.moving_mean: torch.Tensor
        self.moving_variance: torch.Tensor
        dtype = getattr(torch, self.dtype)
        self.register_buffer("moving_mean", mean(shape).to(dtype))
        self.register_buffer("moving_variance", variance(shape).to(dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Any shape as (N, C, cells, 1): for channels-last arrays a view that torch's fast path takes.
        moved = x.movedim(self.axis, -1)
        flat = moved.reshape(x.shape[0], -1, 1, moved.shape[-1]).movedim(-1, 1)
        return self._normalise(flat).movedim(1, -1).reshape(moved.shape).movedim(-1, self.axis)

    def _normalise(self, x: torch.Tensor) -> torch.Tensor:
        cudnn = torch.backends.cudnn.enabled
        if not (self.training and self.trainable):
            mean, variance = self.moving_mean, self.moving_variance
            return torch.batch_norm(x, self.gamma, self.beta, mean, variance, False, 0.0, self.epsilon, cudnn)
        # momentum=1 makes torch leave this batch's own statistics behind. Keras averages the variance over all
        # cells, torch over all but one.
        mean, variance = torch.zeros_like(self.moving_mean), torch.zeros_like(self.moving_variance)
        y = torch.batch_norm(x, self.gamma, self.beta, mean, variance, True, 1.0, self.epsilon, cudnn)
        cells = x.numel() // x.shape[1]
        variance = variance * ((cells - 1) / cells) if cells > 1 else torch.zeros_like(variance)
        with torch.no_grad():
            self.moving_mean.lerp_(mean, 1 - self.momentum)
            self.moving_variance.lerp_(variance, 1 - self.momentum)
        return y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        there = is_shape(input_shape) and len(input_shape) >= 2 and -len(input_shape) <= self.axis < len(input_shape)
        if not there or self.axis % len(input_shape) == 0:
            raise self.refuse_shape(input_shape, f"(N, ..., C) with an axis {self.axis} of channels", "Change axis.")
        if input_shape[self.axis] is None:
            fix = "Give Input or input_shape a size there."
            raise self.refuse_shape(input_shape, f"an axis {self.axis} of known size", fix)
        if self.built and input_shape[self.axis] != self.moving_mean.shape[0]:
            needs = f"{self.moving_mean.shape[0]} channels on axis {self.axis}"
            raise self.refuse_shape(input_shape, needs, "Feed it what it was built for, or make a new layer.")
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        cells = 1
        for size in input_shape[1:]:
            cells *= size or 1
        return 2 * cells

    def config(self) -> dict[str, Any]:
        kinds = ("beta", "gamma", "moving_mean", "moving_variance")
        first = {
            f"{kind}_initializer": initializers.serialize(value)
            for kind, value in zip(kinds, self.initializers, strict=True)
        }
        penalties = {
            f"{kind}_regularizer": None if value is None else regularizers.serialize(value)
            for kind, value in zip(kinds, self.regularizers, strict=False)
        }
        own = {"axis": self.axis, "momentum": self.momentum, "epsilon": self.epsilon}
        return {**own, "center": self.center, "scale": self.scale, **first, **penalties}
