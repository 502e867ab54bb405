"""Embedding: a row of numbers for every word."""

import warnings
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from striate.foundation.checks import UserError, check_flag, check_int
from striate.foundation.shapes import Shape
from striate.layers.layer import registry
from striate.layers.structure import is_shape
from striate.layers.weight_options import WeightOptions


@registry.register()
class Embedding(WeightOptions):
    """Looks up a row of numbers for every whole number that comes in.

    Input: (N, ...), whole numbers (or floats that are whole). Output: (N, ..., output_dim).

    Args:
        input_dim: How many rows there are: one more than the largest number that comes in.
        output_dim: How long they are.
        embeddings_initializer: First values of the rows.
        embeddings_regularizer: Penalty added to the loss.
        embeddings_constraint: What the rows are brought back to after every step.
        mask_zero: Whether 0 only fills up series: the output then brings a mask along, which leaves it out.
        weights: The rows to begin with, instead of the initializer's.

    Raises:
        UserError: An argument is out of range, or a number that comes in has no row.
        ShapeError: The input is no array with a batch axis.

    Example:
        >>> Embedding(1000, 64)(torch.tensor([[4, 20, 7]])).shape
        torch.Size([1, 3, 64])
    """

    only_numbers: ClassVar[bool] = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **options: Any,
    ) -> None:
        if options.pop("input_length", None) is not None:
            warnings.warn("Embedding needs no input_length since Keras 3.", stacklevel=2)
        super().__init__(**options)
        self.input_dim = check_int(self.where, "input_dim", input_dim)
        self.output_dim = check_int(self.where, "output_dim", output_dim)
        rows = embeddings_initializer, embeddings_regularizer, embeddings_constraint
        self.set_weight_options(embeddings=rows)
        self.mask_zero = check_flag(self.where, "mask_zero", mask_zero)
        self.supports_masking = self.mask_zero
        if weights is not None:
            self.build(None)
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.make_weight("embeddings", (self.input_dim, self.output_dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numbers = x if x.dtype in (torch.int32, torch.int64) else x.long()
        if x.is_floating_point() and not torch.equal(numbers.to(x.dtype), x):
            self._refuse(x[numbers != x][0].item())
        if x.device.type != "cpu":  # a wrong number there would end the process's use of the device
            self._check(numbers)
        try:
            return F.embedding(numbers, self.embeddings)
        except IndexError:
            self._check(numbers)
            raise

    def _check(self, numbers: torch.Tensor) -> None:
        """Refuse numbers that have no row."""
        wrong = (numbers < 0) | (numbers >= self.input_dim)
        if wrong.any():
            self._refuse(numbers[wrong][0].item())

    def _refuse(self, number: float) -> None:
        needs = f"whole numbers from 0 to {self.input_dim - 1}, one less than input_dim"
        fix = "Make input_dim larger, or mend the data."
        raise UserError(self.where, f"the number {number} to look up", needs, fix)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """Where the number is not 0, if 0 only fills up."""
        return inputs != 0 if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not is_shape(input_shape) or not input_shape:
            raise self.refuse_shape(input_shape, "(N, ...)", "Pass one array with a batch axis.")
        return (*input_shape, self.output_dim)

    def config(self) -> dict[str, Any]:
        sizes = {"input_dim": self.input_dim, "output_dim": self.output_dim}
        return {**sizes, **super().config(), "mask_zero": self.mask_zero}
