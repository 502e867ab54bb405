"""First values of weights, by Keras's names."""

import math
from typing import Any, ClassVar

import torch

from striate.foundation.arguments import KnownArguments
from striate.foundation.checks import UserError, check_choice, check_int, check_number, refuse_unknown
from striate.foundation.configured import Configured
from striate.foundation.explain import explaining
from striate.foundation.registry import Registry


class Initializer(KnownArguments, Configured):
    """Makes the first values of a weight: `initializer(shape) -> tensor`, float32.

    Example:
        >>> Constant(2.0)((2,))
        tensor([2., 2.])
    """

    explained: ClassVar[tuple[str, ...]] = ("__init__", "__call__")

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Values of this shape."""
        raise NotImplementedError


# Keras's arguments that striate does not support, with the defaults that ask for nothing.
KERAS_DEFAULTS = {"input_axes": None, "output_axes": None}

registry: Registry[Initializer] = Registry("initializer", "keras.initializers", Initializer, others=("STFT",))
serialize = registry.serialize


@explaining
def get(identifier: Any, where: str | None = None) -> Initializer:
    """The initializer for a name, a Keras config, or an `Initializer`; None stands for Keras's default of a weight."""
    return registry.get("glorot_uniform" if identifier is None else identifier, where)


@registry.register("zero")
class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.zeros(shape)


@registry.register("one")
class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.ones(shape)


@registry.register()
class Constant(Initializer):
    """The same value everywhere."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = check_number("Constant", "value", value, "a number")

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.full(shape, self.value)

    def config(self) -> dict[str, Any]:
        return {"value": self.value}


class Random(Initializer):
    """Base of the random ones: without a seed torch's global generator, with one always the same values."""

    def __init__(self, seed: int | None = None) -> None:
        if isinstance(seed, dict):  # Keras writes a SeedGenerator as its config
            seed = seed.get("config", {}).get("seed")
        self.seed = None if seed is None else check_int(type(self).__name__, "seed", seed, minimum=0)

    def generator(self) -> torch.Generator | None:
        """The source of chance for one call."""
        return None if self.seed is None else torch.Generator().manual_seed(self.seed)

    def config(self) -> dict[str, Any]:
        return {"seed": self.seed}


@registry.register("IdentityInitializer")
class Identity(Initializer):
    """Ones on the diagonal of a matrix, zeros elsewhere.

    Args:
        gain: Factor.

    Example:
        >>> Identity(2.0)((2, 3))
        tensor([[2., 0., 0.],
                [0., 2., 0.]])
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = check_number("Identity", "gain", gain, "a number")

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        if len(shape) != 2:
            raise UserError("Identity", f"shape {shape}", "a matrix, of two axes", "Use another initializer here.")
        return self.gain * torch.eye(*shape)

    def config(self) -> dict[str, Any]:
        return {"gain": self.gain}


@registry.register("normal")
class RandomNormal(Random):
    """Normal values."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        where = type(self).__name__
        self.mean = check_number(where, "mean", mean, "a number")
        self.stddev = check_number(where, "stddev", stddev, "a number of at least 0", lambda value: value >= 0)

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape).normal_(self.mean, self.stddev, generator=self.generator())

    def config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().config()}


@registry.register()
class TruncatedNormal(RandomNormal):
    """Normal values, those beyond two standard deviations drawn again."""

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        low, high = self.mean - 2 * self.stddev, self.mean + 2 * self.stddev
        values = torch.empty(shape)
        return torch.nn.init.trunc_normal_(values, self.mean, self.stddev, low, high, generator=self.generator())


@registry.register("uniform")
class RandomUniform(Random):
    """Uniform values."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = check_number("RandomUniform", "minval", minval, "a number")
        needs = f"a number of at least minval={minval}"
        self.maxval = check_number("RandomUniform", "maxval", maxval, needs, lambda value: value >= self.minval)

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape).uniform_(self.minval, self.maxval, generator=self.generator())

    def config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, **super().config()}


@registry.register()
class VarianceScaling(Random):
    """Values whose variance is scale / fan, so that signals neither fade nor grow from layer to layer.

    Args:
        scale: The factor.
        mode: "fan_in", "fan_out" or "fan_avg": inputs of a cell, outputs, or their mean.
        distribution: "truncated_normal", "untruncated_normal" or "uniform".

    Source: Glorot and Bengio 2010; He et al., arXiv 1502.01852.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(seed)
        where = type(self).__name__
        refuse_unknown(where, unknown, ("scale", "mode", "distribution", "seed"), KERAS_DEFAULTS)
        self.scale = check_number(where, "scale", scale, "a positive number", lambda value: value > 0)
        self.mode = check_choice(where, "mode", mode, ("fan_in", "fan_out", "fan_avg"))
        distributions = ("truncated_normal", "untruncated_normal", "uniform")
        given = "truncated_normal" if distribution == "normal" else distribution
        self.distribution = check_choice(where, "distribution", given, distributions)

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        deviation = math.sqrt(self.scale / max(1.0, fan))
        if self.distribution == "uniform":
            limit = math.sqrt(3) * deviation
            return RandomUniform(-limit, limit, self.seed)(shape)
        if self.distribution == "truncated_normal":
            # Cutting a normal at two deviations leaves 0.8796 of its own.
            return TruncatedNormal(0.0, deviation / 0.87962566103423978, self.seed)(shape)
        return RandomNormal(0.0, deviation, self.seed)(shape)

    def config(self) -> dict[str, Any]:
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, **super().config()}


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs of one cell for a weight of this shape, (..., in, out).

    Example:
        >>> fans((3, 3, 16, 32))
        (144, 288)
    """
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


class _Scaled(VarianceScaling):
    """A variance scaling whose three choices are in its name."""

    choices: tuple[float, str, str]

    def __init__(self, seed: int | None = None, **unknown: Any) -> None:
        super().__init__(*self.choices, seed=seed, **unknown)

    def config(self) -> dict[str, Any]:
        return {"seed": self.seed}


@registry.register("xavier_uniform")
class GlorotUniform(_Scaled):
    """Uniform, by the mean of inputs and outputs: Keras's default for kernels."""

    choices = (1.0, "fan_avg", "uniform")


@registry.register("xavier_normal")
class GlorotNormal(_Scaled):
    """Truncated normal, by the mean of inputs and outputs."""

    choices = (1.0, "fan_avg", "truncated_normal")


@registry.register()
class HeUniform(_Scaled):
    """Uniform, by inputs, doubled for ReLU."""

    choices = (2.0, "fan_in", "uniform")


@registry.register()
class HeNormal(_Scaled):
    """Truncated normal, by inputs, doubled for ReLU."""

    choices = (2.0, "fan_in", "truncated_normal")


@registry.register()
class LecunUniform(_Scaled):
    """Uniform, by inputs."""

    choices = (1.0, "fan_in", "uniform")


@registry.register()
class LecunNormal(_Scaled):
    """Truncated normal, by inputs."""

    choices = (1.0, "fan_in", "truncated_normal")


@registry.register("OrthogonalInitializer")
class Orthogonal(Random):
    """Columns (or rows) at right angles to each other.

    Source: Saxe et al., arXiv 1312.6120.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = check_number("Orthogonal", "gain", gain, "a number")

    def __call__(self, shape: tuple[int, ...]) -> torch.Tensor:
        if len(shape) < 2:
            raise UserError("Orthogonal", f"shape {shape}", "at least two axes", "Use another initializer here.")
        flat = torch.empty(math.prod(shape[:-1]), shape[-1])
        return torch.nn.init.orthogonal_(flat, self.gain, generator=self.generator()).reshape(shape)

    def config(self) -> dict[str, Any]:
        return {"gain": self.gain, **super().config()}
