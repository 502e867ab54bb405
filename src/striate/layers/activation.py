"""Activations: functions by Keras's names, with its arguments and defaults."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.explain import FAULTS, hand_on
from striate.layers.symbol import Symbol, operate

Function = Callable[..., torch.Tensor]

FUNCTIONS: dict[str, Function] = {}
"""Those that need nothing but a tensor and keep its shape, so that any layer can end with one."""
OTHERS: dict[str, Function] = {}
# What Keras records for a symbol, where it is no operation of the same name.
RECORDED = {name: f"activations.{name}" for name in ("linear", "mish", "relu")} | {"exponential": "exp"}
ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}


def _named(function: Function, table: dict[str, Function] = FUNCTIONS) -> Function:
    """The function under its name in a table, taking NumPy arrays and lists, too."""

    @functools.wraps(function)
    def activation(x: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        try:
            if isinstance(x, Symbol):
                return _record(function, x, *args, **kwargs)
            x = x if isinstance(x, torch.Tensor) else torch.as_tensor(x)
            return function(x, *args, **kwargs)
        except FAULTS as error:
            hand_on(function.__name__, function, (x, *args), kwargs, error)

    table[function.__name__] = activation
    return activation


def _record(function: Function, *args: Any, **kwargs: Any) -> Any:
    """The operation that Keras records, with this function's own defaults: `ops.gelu` has another."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    (_, x), *options = bound.arguments.items()
    return operate(RECORDED.get(function.__name__, function.__name__), (x,), dict(options))


@_named
def linear(x: torch.Tensor) -> torch.Tensor:
    """The input itself."""
    return x


@_named
def relu(
    x: torch.Tensor, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> torch.Tensor:
    """Zero for what is below the threshold, the input above it.

    Args:
        x: Any shape.
        negative_slope: Slope below the threshold.
        max_value: The largest value that comes out; None for no limit.
        threshold: Values up to it are damped: negative_slope * (x - threshold).

    Example:
        >>> relu([-1.0, 0.5, 2.0], max_value=1.0)
        tensor([0.0000, 0.5000, 1.0000])
    """
    if negative_slope and max_value is None and not threshold:
        return F.leaky_relu(x, negative_slope)
    if max_value == 6 and not threshold:
        y = F.relu6(x)
    else:
        y = torch.where(x > threshold, x, 0.0) if threshold else torch.relu(x)
        y = y if max_value is None else y.clamp(0.0, max_value)
    return y - negative_slope * torch.relu(threshold - x) if negative_slope else y


@_named
def relu6(x: torch.Tensor) -> torch.Tensor:
    """The nearest number from 0 to 6."""
    return F.relu6(x)


@_named
def leaky_relu(x: torch.Tensor, negative_slope: float = 0.2) -> torch.Tensor:
    """The input, times the slope where it is below 0."""
    return F.leaky_relu(x, negative_slope)


@_named
def elu(x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    """The input, alpha * (exp(x) - 1) where it is below 0.

    Source: Clevert et al., arXiv 1511.07289.
    """
    return F.elu(x, alpha)


@_named
def celu(x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    """The input, alpha * (exp(x / alpha) - 1) where it is below 0.

    Source: Barron, arXiv 1704.07483.
    """
    return F.celu(x, alpha)


@_named
def selu(x: torch.Tensor) -> torch.Tensor:
    """An `elu` that keeps means near 0 and variances near 1 from layer to layer.

    Source: Klambauer et al., arXiv 1706.02515.
    """
    return F.selu(x)


@_named
def gelu(x: torch.Tensor, approximate: bool = False) -> torch.Tensor:
    """The input times the share of a standard normal below it, or the approximation of that by a tanh.

    Source: Hendrycks and Gimpel, arXiv 1606.08415.
    """
    return F.gelu(x, approximate="tanh" if approximate else "none")


@_named
def silu(x: torch.Tensor) -> torch.Tensor:
    """The input times its sigmoid; also called swish.

    Source: Ramachandran et al., arXiv 1710.05941.
    """
    return F.silu(x)


@_named
def hard_silu(x: torch.Tensor) -> torch.Tensor:
    """The input times its `hard_sigmoid`; also called hard_swish.

    Source: Howard et al., arXiv 1905.02244.
    """
    return F.hardswish(x)


@_named
def hard_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """A sixth of the input plus 1/2, from 0 to 1."""
    return F.hardsigmoid(x)


@_named
def hard_tanh(x: torch.Tensor) -> torch.Tensor:
    """The nearest number from -1 to 1."""
    return F.hardtanh(x)


@_named
def hard_shrink(x: torch.Tensor, threshold: float = 0.5) -> torch.Tensor:
    """The input, 0 where it is within the threshold of 0."""
    return F.hardshrink(x, threshold)


@_named
def soft_shrink(x: torch.Tensor, threshold: float = 0.5) -> torch.Tensor:
    """The input, nearer to 0 by the threshold; 0 where it is within the threshold."""
    return F.softshrink(x, threshold)


@_named
def tanh_shrink(x: torch.Tensor) -> torch.Tensor:
    """The input minus its tanh."""
    return F.tanhshrink(x)


@_named
def mish(x: torch.Tensor) -> torch.Tensor:
    """The input times the tanh of its softplus.

    Source: Misra, arXiv 1908.08681.
    """
    return F.mish(x)


@_named
def softplus(x: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(x))."""
    return F.softplus(x)


@_named
def softsign(x: torch.Tensor) -> torch.Tensor:
    """The input divided by 1 + its absolute value."""
    return F.softsign(x)


@_named
def squareplus(x: torch.Tensor, b: float = 4) -> torch.Tensor:
    """(x + sqrt(x ** 2 + b)) / 2.

    Source: Barron, arXiv 2112.11687.
    """
    return (x + torch.sqrt(x.square() + b)) / 2


@_named
def sparse_plus(x: torch.Tensor) -> torch.Tensor:
    """0 up to -1, (x + 1) ** 2 / 4 between, x from 1 on."""
    return torch.where(x <= -1, 0.0, torch.where(x < 1, (x + 1).square() / 4, x))


@_named
def sparse_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """(x + 1) / 2, from 0 to 1.

    Source: Blondel et al., arXiv 1901.02324.
    """
    return torch.where(x <= -1, 0.0, torch.where(x >= 1, 1.0, (x + 1) / 2))


@_named
def sigmoid(x: torch.Tensor) -> torch.Tensor:
    """1 / (1 + exp(-x))."""
    return torch.sigmoid(x)


@_named
def log_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """The logarithm of the sigmoid."""
    return F.logsigmoid(x)


@_named
def tanh(x: torch.Tensor) -> torch.Tensor:
    """The hyperbolic tangent."""
    return torch.tanh(x)


@_named
def exponential(x: torch.Tensor) -> torch.Tensor:
    """exp(x)."""
    return torch.exp(x)


@_named
def softmax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """Positive numbers that sum to one along an axis.

    Example:
        >>> softmax([[0.0, 0.0], [1000.0, 0.0]])
        tensor([[0.5000, 0.5000],
                [1.0000, 0.0000]])
    """
    return torch.softmax(x, axis)


@_named
def log_softmax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """The logarithm of the softmax."""
    return torch.log_softmax(x, axis)


@_named
def sparsemax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """As softmax, but small shares are exactly 0.

    These are Keras's numbers, which differ from the paper's where more than one share is above 0: they do not sum to
    one there, since the cut is made of running sums in the place of the numbers themselves.

    Source: Martins and Astudillo, arXiv 1602.02068.

    Example:
        >>> sparsemax([0.0, 1.0, 5.0])
        tensor([0., 0., 1.])
    """
    falling = x.sort(dim=axis, descending=True).values
    total = falling.cumsum(axis)
    count = torch.arange(1, x.shape[axis] + 1, dtype=x.dtype, device=x.device)
    count = count.reshape([-1 if at == axis % x.ndim else 1 for at in range(x.ndim)])
    inside = falling > (total - 1) / count  # the numbers that stay above 0
    cut = (torch.where(inside, total, 0.0).sum(axis, keepdim=True) - 1) / inside.sum(axis, keepdim=True)
    return (x - cut).clamp(min=0.0)


def threshold(x: torch.Tensor, threshold: float, default_value: float) -> torch.Tensor:
    """The input where it is above the threshold, the default elsewhere."""
    return F.threshold(x, threshold, default_value)


def glu(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """The first half along an axis, times the sigmoid of the second half.

    Source: Dauphin et al., arXiv 1612.08083.
    """
    return F.glu(x, axis)


threshold, glu = _named(threshold, OTHERS), _named(glu, OTHERS)
