"""What networks are made of: activations, normalization, attention."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import activation
from striate.ops.table import as_floats, axes_of, op

# Activations without arguments: torch's function, and what it does in words.
ACTIVATIONS: dict[str, tuple[Callable[..., torch.Tensor], str, tuple[str, ...]]] = {
    "relu": (torch.relu, "0 for what is below 0.", ()),
    "relu6": (F.relu6, "From 0 to 6; what is outside becomes the nearer of them.", ()),
    "sigmoid": (torch.sigmoid, "1 / (1 + exp(-x)).", ()),
    "log_sigmoid": (F.logsigmoid, "The logarithm of the sigmoid.", ()),
    "hard_sigmoid": (F.hardsigmoid, "x / 6 + 1/2, from 0 to 1.", ()),
    "tanh": (torch.tanh, "The hyperbolic tangent.", ()),
    "hard_tanh": (F.hardtanh, "From -1 to 1; what is outside becomes the nearer of them.", ()),
    "tanh_shrink": (F.tanhshrink, "x - tanh(x).", ()),
    "softplus": (F.softplus, "log(1 + exp(x)).", ()),
    "softsign": (F.softsign, "x / (1 + |x|).", ()),
    "silu": (F.silu, "x times its sigmoid.", ("swish",)),
    "hard_silu": (F.hardswish, "x times its hard sigmoid.", ("hard_swish",)),
    "selu": (F.selu, "The scaled exponential linear unit.", ()),
}


def _activation(name: str, function: Callable[..., torch.Tensor], text: str, aliases: Sequence[str]) -> Any:
    def operation(x: torch.Tensor) -> torch.Tensor:
        return function(x)

    operation.__name__, operation.__doc__ = name, text
    return op(*aliases)(operation)


for _name, (_function, _text, _aliases) in ACTIVATIONS.items():
    globals()[_name] = _activation(_name, _function, _text, _aliases)


for _function in (activation.sparse_plus, activation.sparse_sigmoid, activation.sparsemax):
    op()(inspect.unwrap(_function))


@op()
def leaky_relu(x: torch.Tensor, negative_slope: float = 0.2) -> torch.Tensor:
    """x, and x times the slope below 0."""
    return F.leaky_relu(x, negative_slope)


@op()
def elu(x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    """x, and alpha * (exp(x) - 1) below 0."""
    return F.elu(x, alpha)


@op()
def celu(x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
    """x, and alpha * (exp(x / alpha) - 1) below 0."""
    return F.celu(x, alpha)


@op()
def gelu(x: torch.Tensor, approximate: bool = True) -> torch.Tensor:
    """X times the share of the normal distribution below it; with a tanh in the place of its integral, unless told."""
    return F.gelu(x, approximate="tanh" if approximate else "none")


@op()
def glu(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    """The first half along an axis, times the sigmoid of the second."""
    return F.glu(x, axis)


@op()
def hard_shrink(x: torch.Tensor, threshold: float = 0.5) -> torch.Tensor:
    """0 for what is no farther from 0 than the threshold."""
    return F.hardshrink(x, threshold)


@op()
def soft_shrink(x: torch.Tensor, threshold: float = 0.5) -> torch.Tensor:
    """Nearer to 0 by the threshold; 0 for what is nearer than that."""
    return F.softshrink(x, threshold)


@op()
def threshold(x: torch.Tensor, threshold: float, default_value: float) -> torch.Tensor:
    """x, and the default where it is not above the threshold."""
    return F.threshold(x, threshold, default_value)


@op()
def squareplus(x: torch.Tensor, b: float = 4) -> torch.Tensor:
    """(x + sqrt(x * x + b)) / 2."""
    return (x + torch.sqrt(x * x + b)) / 2


@op()
def softmax(x: torch.Tensor, axis: Any = -1) -> torch.Tensor:
    """Positive numbers that sum to 1 along an axis, or over all of them (None).

    Example:
        >>> softmax([0.0, 0.0])
        tensor([0.5000, 0.5000])
    """
    return torch.exp(log_softmax(x, axis)) if isinstance(axis, tuple | list) else _over(torch.softmax, x, axis)


@op()
def log_softmax(x: torch.Tensor, axis: Any = -1) -> torch.Tensor:
    """The logarithms of `softmax`."""
    if isinstance(axis, tuple | list):
        return x - torch.logsumexp(x, tuple(axis), keepdim=True)
    return _over(torch.log_softmax, x, axis)


def _over(function: Callable[..., torch.Tensor], x: torch.Tensor, axis: int | None) -> torch.Tensor:
    return function(x.flatten(), 0).reshape(x.shape) if axis is None else function(x, axis)


@op()
def moments(
    x: torch.Tensor, axes: Any, keepdims: bool = False, synchronized: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance along axes."""
    if synchronized:
        needs = "synchronized=False: striate computes on one device"
        raise UnsupportedError("ops.moments", f"synchronized={synchronized!r}", needs, "Leave synchronized out.")
    variance, mean = torch.var_mean(as_floats(x), axes, correction=0, keepdim=keepdims)
    return mean, variance


@op()
def batch_normalization(
    x: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    axis: int,
    offset: torch.Tensor | None = None,
    scale: torch.Tensor | None = None,
    epsilon: float = 1e-3,
) -> torch.Tensor:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, each of them a vector along `axis`."""
    shape = [-1 if one == axes_of(x, axis)[0] else 1 for one in range(x.ndim)]
    factor = torch.rsqrt(variance + epsilon) * (1.0 if scale is None else scale)
    y = (x - mean.reshape(shape)) * factor.reshape(shape)
    return y if offset is None else y + offset.reshape(shape)


@op()
def layer_normalization(
    x: torch.Tensor,
    gamma: torch.Tensor | None = None,
    beta: torch.Tensor | None = None,
    axis: Any = -1,
    epsilon: float | None = None,
) -> torch.Tensor:
    """X with mean 0 and variance 1 along axes, times gamma, plus beta."""
    axes, shape = _axes_and_shape(x, axis)
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    y = (x - mean) * torch.rsqrt(variance + (1e-7 if epsilon is None else epsilon))
    y = y if gamma is None else y * gamma.reshape(shape)
    return y if beta is None else y + beta.reshape(shape)


@op()
def rms_normalization(
    x: torch.Tensor, scale: torch.Tensor | None = None, axis: Any = -1, epsilon: float | None = None
) -> torch.Tensor:
    """X divided by the root of its mean square along axes, times `scale`."""
    axes, shape = _axes_and_shape(x, axis)
    y = x * torch.rsqrt(x.square().mean(axes, keepdim=True) + (1e-7 if epsilon is None else epsilon))
    return y if scale is None else y * scale.reshape(shape)


def _axes_and_shape(x: torch.Tensor, axis: Any) -> tuple[list[int], list[int]]:
    """The axes from the front, and the shape of what is to be stretched along the others."""
    axes = sorted(axes_of(x, axis))
    return axes, [x.shape[one] if one in axes else 1 for one in range(x.ndim)]


@op()
def dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> torch.Tensor:
    """Every query's mean of the values, weighted by how well their keys fit it.

    Args:
        query: (N, steps, heads, features).
        key: (N, other steps, heads, features).
        value: As the keys.
        bias: Added to the fits; stretches to (N, heads, steps, other steps).
        mask: Where False, a value does not count; of the same shape.
        scale: Factor of the fits; 1 / sqrt(features) if left out.
        is_causal: Whether a query sees no later step than its own.
        flash_attention: None, or False: torch chooses the algorithm.
        attn_logits_soft_cap: None; not supported.

    Source: Vaswani et al., Attention is all you need, arXiv 1706.03762.
    """
    for name, given in (("flash_attention", flash_attention or None), ("attn_logits_soft_cap", attn_logits_soft_cap)):
        if given is not None:
            needs = f"{name}=None: striate does not support others"
            raise UnsupportedError("ops.dot_product_attention", f"{name}={given!r}", needs, f"Leave {name} out.")
    if query.ndim != 4:
        needs = "(N, steps, heads, features)"
        raise UserError("ops.dot_product_attention", f"query of shape {tuple(query.shape)}", needs, "Add the axis.")
    allowed = None if mask is None else mask.bool()
    if is_causal and (allowed is not None or bias is not None):
        earlier = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool, device=query.device).tril()
        allowed, is_causal = earlier if allowed is None else allowed & earlier, False
    extra = allowed
    if bias is not None:
        extra = bias if allowed is None else bias.masked_fill(~allowed, -torch.inf)
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    y = F.scaled_dot_product_attention(query, key, value, attn_mask=extra, is_causal=is_causal, scale=scale)
    return y.transpose(1, 2)
