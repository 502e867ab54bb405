"""Random arrays by Keras's names; `striate.random` is where they are found.

Without a seed they follow torch's generator, which `utils.set_random_seed` starts. A whole number gives the same
numbers again at every call; a `SeedGenerator` other ones at each, the same in every run.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from striate.foundation.checks import UserError, check_int, check_number, is_int
from striate.ops.table import dtype_of, taking_arrays, to_tensor

Shape = Sequence[int]


def _chance(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The function with torch's refusals as errors of ours, as operations have them."""
    return taking_arrays(function, f"random.{function.__name__}")


class SeedGenerator:
    """Seeds, one after the other.

    Args:
        seed: The first; drawn from torch's generator if left out.
        name: Accepted as Keras does.

    Raises:
        UserError: The seed is no whole number of at least 0.

    Example:
        >>> numbers = SeedGenerator(3)
        >>> bool((uniform((9,), seed=numbers) == uniform((9,), seed=numbers)).any())
        False
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        given = int(torch.randint(2**31, ())) if seed is None else check_int("SeedGenerator", "seed", seed, minimum=0)
        self.initial_seed, self.name = given, name
        self._chance = torch.Generator().manual_seed(given)

    def next(self) -> int:
        """The next seed."""
        return int(torch.randint(2**62, (), generator=self._chance))


def _generator(where: str, seed: Any) -> torch.Generator | None:
    if seed is None:
        return None
    if isinstance(seed, SeedGenerator):
        return torch.Generator().manual_seed(seed.next())
    if not is_int(seed):
        raise UserError(where, f"seed={seed!r}", "a whole number, a SeedGenerator or None", "Pass seed=1.")
    return torch.Generator().manual_seed(int(seed))


@_chance
def normal(shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> torch.Tensor:
    """Numbers of a normal distribution."""
    kind = dtype_of("random.normal", dtype, torch.float32)
    return torch.randn(tuple(shape), generator=_generator("random.normal", seed), dtype=kind) * stddev + mean


@_chance
def uniform(
    shape: Shape, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> torch.Tensor:
    """Numbers from `minval` up to but without `maxval`, all equally likely."""
    kind = dtype_of("random.uniform", dtype, torch.float32)
    draw = torch.rand(tuple(shape), generator=_generator("random.uniform", seed), dtype=kind)
    return draw * (maxval - minval) + minval


@_chance
def randint(shape: Shape, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> torch.Tensor:
    """Whole numbers from `minval` up to but without `maxval`."""
    kind = dtype_of("random.randint", dtype, torch.int32)
    return torch.randint(minval, maxval, tuple(shape), generator=_generator("random.randint", seed), dtype=kind)


@_chance
def truncated_normal(
    shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> torch.Tensor:
    """Numbers of a normal distribution, none farther from the mean than two standard deviations."""
    values = torch.empty(tuple(shape), dtype=dtype_of("random.truncated_normal", dtype, torch.float32))
    chance = _generator("random.truncated_normal", seed)
    return torch.nn.init.trunc_normal_(values, 0.0, 1.0, -2.0, 2.0, chance) * stddev + mean


@_chance
def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> torch.Tensor:
    """For each row of logits (N, classes), classes drawn by the probabilities their softmax gives: (N, num_samples)."""
    shares = torch.softmax(to_tensor(logits, where="random.categorical").float(), -1)
    drawn = torch.multinomial(shares, num_samples, replacement=True, generator=_generator("random.categorical", seed))
    return drawn.to(dtype_of("random.categorical", dtype, torch.int32))


@_chance
def shuffle(x: Any, axis: int = 0, seed: Any = None) -> torch.Tensor:
    """The slices along an axis in another order."""
    values = to_tensor(x, where="random.shuffle")
    order = torch.randperm(values.shape[axis], generator=_generator("random.shuffle", seed))
    return values.index_select(axis, order.to(values.device))


@_chance
def dropout(inputs: Any, rate: float, noise_shape: Shape | None = None, seed: Any = None) -> torch.Tensor:
    """Zeros in the place of a share of the numbers; the others grow, so that the mean stays.

    Args:
        noise_shape: The shape in which is drawn what becomes 0, stretched over the inputs; None stands for theirs.
    """
    x = to_tensor(inputs, where="random.dropout")
    rate = check_number("random.dropout", "rate", rate, "a share from 0 to 1", lambda value: 0 <= value <= 1)
    shape = [own if size is None else size for own, size in zip(x.shape, noise_shape or x.shape, strict=True)]
    kept = torch.rand(shape, generator=_generator("random.dropout", seed)).to(x.device) >= rate
    return torch.where(kept, x / (1 - rate) if rate < 1 else x, 0.0)
