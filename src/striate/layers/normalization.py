"""Layers that give their input a mean of zero and a variance of one."""

from collections.abc import Sequence
from typing import Any

import torch

from striate.foundation.checks import UserError, check_flag, check_number, is_int
from striate.foundation.shapes import Shape, describe, product
from striate.kernels.batch_norm import batch_norm, can_batch_norm, fold_norm
from striate.kernels.reference import Moving, Rectifier
from striate.layers import initializers
from striate.layers.elementwise import Elementwise
from striate.layers.layer import registry
from striate.layers.weight_options import Options, WeightOptions


class Normalizing(WeightOptions, Elementwise):
    """Base of the layers that normalise, then multiply by gamma and add beta.

    Args:
        epsilon: Added to the variance.
        center, scale: Whether beta is added and gamma multiplied.
        beta_initializer, gamma_initializer: First values of beta and gamma.
        beta_regularizer, gamma_regularizer: Penalties added to the loss.
        beta_constraint, gamma_constraint: What they are brought back to after every step.
    """

    casts_integers = True

    def set_options(self, epsilon: float, center: bool, scale: bool, beta: Options, gamma: Options) -> None:
        """Check what they share.

        Raises:
            UserError: A name is not known, or a number out of range.
        """
        self.epsilon = check_number(self.where, "epsilon", epsilon, "a positive number", lambda v: v > 0)
        self.center = check_flag(self.where, "center", center)
        self.scale = check_flag(self.where, "scale", scale)
        self.set_weight_options(beta=beta, gamma=gamma)

    def make_weights(self, shape: tuple[int, ...]) -> None:
        """Make gamma and beta."""
        self.gamma = self.make_weight("gamma", shape) if self.scale else None
        self.beta = self.make_weight("beta", shape) if self.center else None
        self.weight_shape = shape

    def check_channels(self, input_shape: Shape, axes: Sequence[int]) -> None:
        """Refuse a shape that lacks one of the axes, or whose size there is not known, or not what it was.

        Raises:
            ShapeError: It is so.
        """
        named = f"axis {axes[0]}" if len(axes) == 1 else f"axes {tuple(axes)}"
        if not all(-len(input_shape) < axis < len(input_shape) and axis for axis in axes):
            raise self.refuse_shape(input_shape, f"(N, ..., C) with the {named} to normalise", "Change axis.")
        sizes = tuple(input_shape[axis] for axis in axes)
        if None in sizes:
            fix = "Give Input or input_shape a size there."
            raise self.refuse_shape(input_shape, f"{'an ' * (len(axes) == 1)}{named} of known size", fix)
        if self.built and sizes != self.weight_shape:
            needs = f"{self.weight_shape[0]} channels" if len(axes) == 1 else f"sizes {describe(self.weight_shape)}"
            fix = "Feed it what it was built for, or make a new layer."
            raise self.refuse_shape(input_shape, f"{needs} on {named}", fix)

    def flops(self, input_shape: Shape) -> int:
        return 2 * int(product(size or 1 for size in input_shape[1:]) or 0)

    def config(self) -> dict[str, Any]:
        return {"epsilon": self.epsilon, "center": self.center, "scale": self.scale, **super().config()}


def check_axis(where: str, axis: Any) -> int:
    """Return `axis` if it is a whole number.

    Raises:
        UserError: It is not.
    """
    if not is_int(axis):
        raise UserError(where, f"axis={axis!r}", "a whole number", "Pass axis=-1 for channels-last arrays.")
    return int(axis)


def check_axes(where: str, axis: Any) -> int | list[int]:
    """Return `axis` if it is a whole number, or a list of different ones, counted from the same end.

    Raises:
        UserError: It is not.
    """
    if is_int(axis):
        return int(axis)
    listed = isinstance(axis, list | tuple) and len(axis) > 0 and all(map(is_int, axis))
    if not listed or len(set(axis)) < len(axis) or len({one < 0 for one in axis}) > 1:
        needs = "a whole number, or a list of different ones, all counted from the front or all from the end"
        raise UserError(where, f"axis={axis!r}", needs, "Pass for example axis=-1, or axis=[1, 2].")
    return [int(one) for one in axis]


@registry.register()
class BatchNormalization(Normalizing):
    """Normalises every channel over the batch in training, by moving statistics otherwise.

    Input and output: (N, ..., C). Steps that a mask leaves out do not count in the batch's statistics.

    Args:
        axis: The axis of the channels.
        momentum: Share of the old moving statistics kept at every batch.
        epsilon: Added to the variance.
        center, scale: Whether beta is added and gamma multiplied.
        beta_initializer, gamma_initializer: First values of beta and gamma.
        moving_mean_initializer, moving_variance_initializer: First values of the moving statistics.
        beta_regularizer, gamma_regularizer: Penalties added to the loss.
        beta_constraint, gamma_constraint: What they are brought back to after every step.

    Raises:
        UserError: The mask is not of the input's shape without its last axis.
        ShapeError: The axis is not there, or its size not known.

    Source: Ioffe and Szegedy, arXiv 1502.03167.

    Example:
        >>> BatchNormalization()(torch.ones(8, 4, 4, 3), training=True).abs().max()
        tensor(0., grad_fn=<MaxBackward1>)
    """

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
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis = check_axis(self.where, axis)
        self.momentum = check_number(self.where, "momentum", momentum, "a share from 0 to 1", lambda v: 0 <= v <= 1)
        beta = beta_initializer, beta_regularizer, beta_constraint
        gamma = gamma_initializer, gamma_regularizer, gamma_constraint
        self.set_options(epsilon, center, scale, beta, gamma)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer, self.where)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer, self.where)

    def build(self, input_shape: Shape) -> None:
        shape = (int(input_shape[self.axis] or 0),)
        self.make_weights(shape)
        self.moving_mean: torch.Tensor
        self.moving_variance: torch.Tensor
        dtype = getattr(torch, self.dtype)
        self.register_buffer("moving_mean", self.moving_mean_initializer(shape).to(dtype))
        self.register_buffer("moving_variance", self.moving_variance_initializer(shape).to(dtype))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if mask is not None and (
            mask.ndim != x.ndim - 1 or any(size not in (1, own) for size, own in zip(mask.shape, x.shape, strict=False))
        ):
            got, needs = f"a mask of shape {describe(mask.shape)}", f"{describe(x.shape[:-1])}, the input's but for C"
            raise UserError(self.where, got, needs, "Pass a mask with one truth for every step.")
        if self.training and self.trainable:
            if mask is not None:
                return self._normalise_counted(x, mask)
            if self.axis in (-1, x.ndim - 1) and can_batch_norm(x, self.gamma, self.beta):
                return self.normalise_batch(x)
        # Any shape as (N, C, 1, cells): for channels-last arrays a view that torch's fast path takes, which it does not
        # take backward for rows and columns.
        moved = x.movedim(self.axis, -1)
        flat = moved.reshape(x.shape[0], 1, moved.shape[1:-1].numel(), moved.shape[-1]).movedim(-1, 1)
        return self._normalise(flat).movedim(1, -1).reshape(moved.shape).movedim(-1, self.axis)

    def normalise_batch(
        self, x: torch.Tensor, rectifier: Rectifier | None = None, added: torch.Tensor | None = None
    ) -> torch.Tensor:
        """By the statistics of the batch, which the moving ones follow, for channels on the last axis.

        Args:
            x: (N, ..., C).
            rectifier: ReLU after it, if any.
            added: (N, ..., C), to be added before ReLU, if any.
        """
        return batch_norm(x, self.gamma, self.beta, self.epsilon, rectifier, self.moving, added)[0]

    def scaling(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The factor and the offset of every channel, (C,) each, that the moving statistics come to; no gradient."""
        return fold_norm(self.moving_mean, self.moving_variance, self.gamma, self.beta, self.epsilon)

    @property
    def moving(self) -> Moving:
        """The statistics that follow those of the batches."""
        return Moving(self.moving_mean, self.moving_variance, self.momentum)

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
        self.follow(mean, variance)
        return y

    def _normalise_counted(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """As `_normalise` in training, with the statistics of the steps that count."""
        x = x.to(self.moving_mean.dtype)  # sums want more digits than half precision has
        counts = mask.bool().unsqueeze(-1).expand(x.shape)
        axes = [axis for axis in range(x.ndim) if axis != self.axis % x.ndim]
        number = counts.sum(axes, keepdim=True).to(x.dtype) + 1e-7  # as Keras, so that none at all gives zeros
        mean = torch.where(counts, x, 0.0).sum(axes, keepdim=True) / number
        variance = torch.where(counts, x - mean, 0.0).square().sum(axes, keepdim=True) / number
        self.follow(mean.flatten(), variance.flatten())
        factor = torch.rsqrt(variance + self.epsilon)
        y = (x - mean) * (factor if self.gamma is None else factor * self.gamma.reshape(factor.shape))
        return y if self.beta is None else y + self.beta.reshape(factor.shape)

    def follow(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Let the moving statistics follow those of a batch."""
        with torch.no_grad():
            self.moving_mean.lerp_(mean, 1 - self.momentum)
            self.moving_variance.lerp_(variance, 1 - self.momentum)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        self.check_channels(input_shape, [self.axis])
        return input_shape

    def config(self) -> dict[str, Any]:
        return {
            "axis": self.axis,
            "momentum": self.momentum,
            **super().config(),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
        }
