"""Values brought to mean 0 and variance 1, as they were found in the data."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError, check_flag, is_int
from striate.foundation.shapes import Shape
from striate.layers.elementwise import Elementwise
from striate.layers.layer import registry
from striate.layers.readable import check_numbers
from striate.layers.structure import as_tensor


@registry.register()
class Normalization(Elementwise):
    """(x - mean) / sqrt(variance), with the mean and variance of data that `adapt` saw, or as given.

    Input and output: any shape; integers become floats.

    Args:
        axis: The axis or axes with a mean and a variance for each place: the last one, as for channels, unless told
            otherwise; None takes one of each for everything.
        mean, variance: Known ones, numbers or arrays over `axis`; both or none.
        invert: Undo a normalization instead: x * sqrt(variance) + mean.

    Raises:
        UserError: Only one of mean and variance is given, or their shapes differ.
        ShapeError: The input lacks an axis, or its size is not known.

    Example:
        >>> layer = Normalization()
        >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
        >>> layer(torch.tensor([[1.0, 20.0]]))
        tensor([[-1.,  0.]])
    """

    casts_integers = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        axes = () if axis is None else axis if isinstance(axis, list | tuple) else (axis,)
        if not all(map(is_int, axes)):
            raise UserError(self.where, f"axis={axis!r}", "whole numbers, or None", "Pass for example axis=-1.")
        self.axis = tuple(axes)
        self.given_mean, self.given_variance = self._check("mean", mean), self._check("variance", variance)
        if (mean is None) != (variance is None) or np.shape(self.given_mean) != np.shape(self.given_variance):
            got = f"mean={mean!r} and variance={variance!r}"
            raise UserError(self.where, got, "both, of the same shape, or none", "Pass both, or call adapt.")
        if len(np.shape(self.given_mean)) > len(self.axis):
            needs = f"at most the {len(self.axis)} axes of axis={axis!r}"
            raise UserError(self.where, f"mean of shape {np.shape(self.given_mean)}", needs, "Name more axes.")
        self.invert = check_flag(self.where, "invert", invert)

    def _check(self, argument: str, value: Any) -> Any:
        """Numbers as nested lists (Keras writes arrays as such or as a config with a value)."""
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            value = value["config"].get("value")
        if value is None:
            return None
        try:
            return np.asarray(value, dtype="float64").tolist()
        except (TypeError, ValueError):
            needs = "a number, or numbers over the axes"
            raise UserError(self.where, f"{argument}={value!r}", needs, "Pass for example mean=0.5.") from None

    def build(self, input_shape: Shape) -> None:
        if self.given_mean is not None:
            return
        shape = [int(input_shape[axis] or 0) for axis in self._kept(input_shape)]
        self.mean: torch.Tensor
        self.variance: torch.Tensor
        dtype = getattr(torch, self.dtype)
        self.register_buffer("mean", torch.zeros(shape, dtype=dtype))
        self.register_buffer("variance", torch.ones(shape, dtype=dtype))
        self.register_buffer("count", torch.zeros((), dtype=torch.int32))  # of Keras's files; nothing reads it

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data, in place of those from before.

        Args:
            data: An array (N, ...), or batches: a `Dataset`, a loader or a list of arrays. Of (x, y) it takes x.

        Raises:
            UserError: mean and variance were given, there is no data, or it is no array of numbers.
            ShapeError: Its shape is not that of what came before.
        """
        where = f"{self.where}.adapt"
        if self.given_mean is not None:
            fix = "Leave mean and variance out."
            raise UserError(where, "data for a layer that was given its mean", "a layer without", fix)
        batches = [data] if isinstance(data, np.ndarray | torch.Tensor) else data
        if not isinstance(batches, Iterable) or isinstance(batches, str | dict | set):
            raise UserError(where, f"a {type(data).__name__}", "an array, or batches of them", "Pass np.asarray(x).")
        count, mean, squares = 0, torch.zeros(()), torch.zeros(())
        for batch in batches:
            batch = batch[0] if isinstance(batch, list | tuple) else batch
            x = as_tensor(batch if isinstance(batch, torch.Tensor) else np.asarray(batch), "float64", where)
            check_numbers(where, [x])
            if not x.numel():
                continue
            x = x.to(torch.float64)
            self.ensure_built((None, *x.shape[1:]))
            away = [axis for axis in range(x.ndim) if axis not in self._kept(x.shape)]
            size = x.numel() // max(1, int(np.prod([x.shape[axis] for axis in self._kept(x.shape)])))
            here = x.mean(away) if away else x
            spread = ((x - self._spread_out(here, x.shape)) ** 2).sum(away) if away else torch.zeros_like(x)
            # Chan, Golub and LeVeque, The American Statistician 37, 1983: sums of squares of parts put together.
            step = here - mean
            total = count + size
            squares = squares + spread + step**2 * (count * size / total)
            mean, count = mean + step * (size / total), total
        if not count:
            raise UserError(where, "no data", "at least one batch", "Pass data that is not used up.")
        with torch.no_grad():
            self.mean.copy_(mean)
            self.variance.copy_(squares / count)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.given_mean is None:
            mean, variance = self.mean, self.variance
        else:
            mean, variance = (x.new_tensor(value) for value in (self.given_mean, self.given_variance))
        mean, deviation = (self._spread_out(value, x.shape) for value in (mean, variance.sqrt()))
        if self.invert:
            return x * deviation.clamp(min=1e-7) + mean
        return (x - mean) / deviation.clamp(min=1e-7)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        input_shape = super().compute_output_shape(input_shape)
        kept = [input_shape[axis] for axis in self._kept(input_shape)]
        if None in kept:
            raise self.refuse_shape(input_shape, f"a known size on axis {self.axis}", "Say it in Input(shape).")
        if self.given_mean is not None:
            known = np.shape(self.given_mean)
            fix, fits = "Pass a mean and a variance for each.", _broadcasts(known, kept)
        else:
            known = tuple(self.mean.shape) if self.built else tuple(kept)
            fix, fits = "Call adapt on a new layer.", known == tuple(kept)
        if not fits:
            raise self.refuse_shape(input_shape, f"sizes {known} on axis {self.axis}", fix)
        return input_shape

    def _kept(self, shape: Any) -> list[int]:
        """The axes with a mean for each place, counted from 0."""
        rank = len(shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise self.refuse_shape(shape, f"an axis {max(self.axis, key=abs)}", "Change axis.")
        return sorted(axis % rank for axis in self.axis)

    def _spread_out(self, value: torch.Tensor, shape: Any) -> torch.Tensor:
        """Numbers over the kept axes, aligned with an input of this shape."""
        kept = self._kept(shape)
        sizes = [1] * len(shape)
        for axis, size in zip(reversed(kept), reversed(value.shape), strict=False):
            sizes[axis] = size
        return value.reshape(sizes)

    def config(self) -> dict[str, Any]:
        return {
            "axis": list(self.axis),
            "mean": self.given_mean,
            "variance": self.given_variance,
            "invert": self.invert,
        }


def _broadcasts(shape: tuple[int, ...], sizes: Sequence[int | None]) -> bool:
    """Whether an array of this shape spreads out over these sizes, as arrays of length 1 and numbers do."""
    return len(shape) <= len(sizes) and all(
        one in (1, size) for one, size in zip(reversed(shape), reversed(sizes), strict=False)
    )
