"""Layers that normalise each item by itself, whatever else is in the batch."""

from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, is_int
from striate.foundation.shapes import Shape
from striate.layers.elementwise import Elementwise
from striate.layers.layer import registry
from striate.layers.normalization import Normalizing, check_axes, check_axis


@registry.register()
class LayerNormalization(Normalizing):
    """Normalises every item by itself along an axis, or along several together.

    Input and output: (N, ..., C).

    Args:
        axis: Along which the mean is taken; gamma and beta have a number for each of its cells. A list for several.
        epsilon: Added to the variance.
        center, scale: Whether beta is added and gamma multiplied.
        beta_initializer, gamma_initializer: First values of beta and gamma.
        beta_regularizer, gamma_regularizer: Penalties added to the loss.
        beta_constraint, gamma_constraint: What they are brought back to after every step.

    Raises:
        UserError: axis is neither a whole number nor a list of different ones.
        ShapeError: An axis is not there, or its size not known.

    Source: Ba et al., arXiv 1607.06450.

    Example:
        >>> LayerNormalization(epsilon=1e-6)(torch.tensor([[1.0, 3.0]])).detach()
        tensor([[-1.0000,  1.0000]])
    """

    def __init__(
        self,
        axis: int | list[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis = check_axes(self.where, axis)
        beta = beta_initializer, beta_regularizer, beta_constraint
        gamma = gamma_initializer, gamma_regularizer, gamma_constraint
        self.set_options(epsilon, center, scale, beta, gamma)

    @property
    def axes(self) -> list[int]:
        """The axes in rising order."""
        return sorted(self.axis) if isinstance(self.axis, list) else [self.axis]

    def build(self, input_shape: Shape) -> None:
        self.make_weights(tuple(int(input_shape[axis] or 0) for axis in self.axes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        axes = self.axes
        last = list(range(-len(axes), 0))
        moved = x if axes == last else x.movedim(axes, last)
        y = F.layer_norm(moved, self.weight_shape, self.gamma, self.beta, self.epsilon)
        return y if axes == last else y.movedim(last, axes)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        self.check_channels(input_shape, self.axes)
        return input_shape

    def config(self) -> dict[str, Any]:
        axis = self.axis if isinstance(self.axis, list) else [self.axis]  # as Keras's files have it
        return {"axis": axis, **super().config()}


@registry.register()
class GroupNormalization(Normalizing):
    """Normalises every group of channels of an item by itself, over all its cells.

    Input and output: (N, ..., C).

    Args:
        groups: How many groups there are; -1 makes every channel one, which is called instance normalisation.
        axis: The axis of the channels.
        epsilon: Added to the variance.
        center, scale: Whether beta is added and gamma multiplied.
        beta_initializer, gamma_initializer: First values of beta and gamma.
        beta_regularizer, gamma_regularizer: Penalties added to the loss.
        beta_constraint, gamma_constraint: What they are brought back to after every step.

    Raises:
        UserError: groups is neither -1 nor a whole number from 1.
        ShapeError: The axis is not there, or its size not known, or groups do not divide it.

    Source: Wu and He, arXiv 1803.08494.

    Example:
        >>> GroupNormalization(2)(torch.rand(1, 8, 8, 6)).shape
        torch.Size([1, 8, 8, 6])
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not is_int(groups) or (groups < 1 and groups != -1):
            needs = "a whole number of at least 1, or -1 for a group for every channel"
            raise UserError(self.where, f"groups={groups!r}", needs, "Pass a number that divides the channels.")
        self.groups = int(groups)
        self.axis = check_axis(self.where, axis)
        beta = beta_initializer, beta_regularizer, beta_constraint
        gamma = gamma_initializer, gamma_regularizer, gamma_constraint
        self.set_options(epsilon, center, scale, beta, gamma)

    def build(self, input_shape: Shape) -> None:
        self.make_weights((int(input_shape[self.axis] or 0),))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        groups = x.shape[self.axis] if self.groups == -1 else self.groups
        cudnn = torch.backends.cudnn.enabled
        beta = None if self.gamma is None else self.beta
        first = x.movedim(self.axis, 1)
        if torch.is_grad_enabled() and not x.requires_grad:
            # torch 2.13's gradient dies of channels that lie last, where x needs none.
            first = first.clone(memory_format=torch.contiguous_format)
        y = torch.group_norm(first, groups, self.gamma, beta, self.epsilon, cudnn)
        if self.gamma is None and self.beta is not None:  # of beta alone torch finds no gradient
            y = (y.movedim(1, -1) + self.beta).movedim(-1, 1)
        return y.movedim(1, self.axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        self.check_channels(input_shape, [self.axis])
        if int(input_shape[self.axis] or 0) % self.groups:
            needs = f"channels on axis {self.axis} that groups={self.groups} divides"
            raise self.refuse_shape(input_shape, needs, "Change groups.")
        return input_shape

    def config(self) -> dict[str, Any]:
        return {"groups": self.groups, "axis": self.axis, **super().config()}


@registry.register()
class UnitNormalization(Elementwise):
    """Divides every item by its length along an axis, or along several together.

    Input and output: any shape.

    Args:
        axis: Along which the sum of squares becomes one; a list for several.

    Raises:
        UserError: axis is neither a whole number nor a list of different ones.
        ShapeError: An axis is not there.

    Example:
        >>> UnitNormalization()(torch.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]])
    """

    casts_integers = True

    def __init__(self, axis: int | list[int] = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = check_axes(self.where, axis)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        length = torch.linalg.vector_norm(x, dim=self.axis, keepdim=True)
        # The gradient of a product makes fewer arrays than that of a quotient.
        return x * length.clamp(min=1e-12).reciprocal()

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        for axis in self.axis if isinstance(self.axis, list) else [self.axis]:
            if not -len(input_shape) <= axis < len(input_shape):
                raise self.refuse_shape(input_shape, f"an axis {axis}", "Change axis.")
        return input_shape

    def config(self) -> dict[str, Any]:
        return {"axis": self.axis}
