"""Operations on every number by itself, or on every pair."""

from collections.abc import Callable
from typing import Any

import torch

from striate.ops.table import as_floats, op

# Operations of one argument: torch's function, and what it does in words.
OF_ONE: dict[str, tuple[Callable[..., torch.Tensor], str]] = {
    "arccos": (torch.arccos, "The angle in radians whose cosine is x."),
    "arccosh": (torch.arccosh, "The inverse of the hyperbolic cosine."),
    "arcsin": (torch.arcsin, "The angle in radians whose sine is x."),
    "arcsinh": (torch.arcsinh, "The inverse of the hyperbolic sine."),
    "arctan": (torch.arctan, "The angle in radians whose tangent is x."),
    "arctanh": (torch.arctanh, "The inverse of the hyperbolic tangent."),
    "cos": (torch.cos, "The cosine of an angle in radians."),
    "cosh": (torch.cosh, "The hyperbolic cosine."),
    "deg2rad": (torch.deg2rad, "Degrees as radians."),
    "erf": (torch.erf, "The error function."),
    "erfc": (torch.erfc, "One minus the error function."),
    "erfinv": (torch.erfinv, "The inverse of the error function."),
    "exp": (torch.exp, "e to the power of x."),
    "exp2": (torch.exp2, "2 to the power of x."),
    "expm1": (torch.expm1, "e to the power of x, minus 1, precise near 0."),
    "isfinite": (torch.isfinite, "Whether it is neither NaN nor infinite."),
    "isinf": (torch.isinf, "Whether it is infinite."),
    "isnan": (torch.isnan, "Whether it is NaN."),
    "isneginf": (torch.isneginf, "Whether it is minus infinity."),
    "isposinf": (torch.isposinf, "Whether it is plus infinity."),
    "log": (torch.log, "The natural logarithm."),
    "log10": (torch.log10, "The logarithm to the base 10."),
    "log1p": (torch.log1p, "The natural logarithm of 1 + x, precise near 0."),
    "log2": (torch.log2, "The logarithm to the base 2."),
    "logical_not": (torch.logical_not, "Whether it is false, or 0."),
    "negative": (torch.negative, "Minus x."),
    "rad2deg": (torch.rad2deg, "Radians as degrees."),
    "reciprocal": (torch.reciprocal, "One divided by x."),
    "rsqrt": (torch.rsqrt, "One divided by the square root."),
    "sign": (torch.sign, "-1, 0 or 1."),
    "sin": (torch.sin, "The sine of an angle in radians."),
    "sinc": (torch.sinc, "sin(pi x) / (pi x)."),
    "sinh": (torch.sinh, "The hyperbolic sine."),
    "sqrt": (torch.sqrt, "The square root."),
    "square": (torch.square, "x times x."),
    "tan": (torch.tan, "The tangent of an angle in radians."),
    "trunc": (torch.trunc, "x without what stands behind the point."),
}

# Operations of two arguments, which stretch against each other as NumPy's do.
OF_TWO: dict[str, tuple[Callable[..., torch.Tensor], str]] = {
    "add": (torch.add, "x1 + x2."),
    "divide": (torch.divide, "x1 / x2."),
    "equal": (torch.eq, "Whether they are equal."),
    "floor_divide": (torch.floor_divide, "x1 / x2, rounded down."),
    "fmax": (torch.fmax, "The larger of the two; NaN only where both are."),
    "fmin": (torch.fmin, "The smaller of the two; NaN only where both are."),
    "greater": (torch.greater, "Whether x1 is larger."),
    "greater_equal": (torch.greater_equal, "Whether x1 is larger or equal."),
    "less": (torch.less, "Whether x1 is smaller."),
    "less_equal": (torch.less_equal, "Whether x1 is smaller or equal."),
    "logical_and": (torch.logical_and, "Whether both are true."),
    "logical_or": (torch.logical_or, "Whether one of them is true."),
    "logical_xor": (torch.logical_xor, "Whether exactly one of them is true."),
    "maximum": (torch.maximum, "The larger of the two."),
    "minimum": (torch.minimum, "The smaller of the two."),
    "mod": (torch.remainder, "What is left of x1 after division by x2; it has the sign of x2."),
    "multiply": (torch.multiply, "x1 * x2."),
    "not_equal": (torch.ne, "Whether they differ."),
    "power": (torch.pow, "x1 to the power of x2."),
}
OTHER_NAMES = {"divide": ("true_divide",)}


def _of_one(name: str, function: Callable[..., torch.Tensor], text: str) -> Callable[..., Any]:
    def operation(x: torch.Tensor) -> torch.Tensor:
        return function(x)

    operation.__name__, operation.__doc__ = name, text
    return op()(operation)


def _of_two(name: str, function: Callable[..., torch.Tensor], text: str) -> Callable[..., Any]:
    def operation(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
        return function(x1, x2)

    operation.__name__, operation.__doc__ = name, text
    return op(*OTHER_NAMES.get(name, ()))(operation)


for _name, (_function, _text) in OF_ONE.items():
    globals()[_name] = _of_one(_name, _function, _text)
for _name, (_function, _text) in OF_TWO.items():
    globals()[_name] = _of_two(_name, _function, _text)


@op()
def bitwise_and(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The bits that both have."""
    return torch.bitwise_and(x, y)


@op()
def bitwise_or(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The bits that one of them has."""
    return torch.bitwise_or(x, y)


@op()
def bitwise_xor(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The bits that exactly one of them has."""
    return torch.bitwise_xor(x, y)


@op("absolute")
def abs_(x: torch.Tensor) -> torch.Tensor:
    """The number without its sign.

    Example:
        >>> abs_([-1, 2])
        tensor([1, 2], dtype=torch.int32)
    """
    return x if x.dtype == torch.bool else torch.abs(x)


@op()
def subtract(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """x1 - x2."""
    if torch.bool in (x1.dtype, x2.dtype):  # torch refuses truths here
        dtype = torch.promote_types(x1.dtype, x2.dtype)
        x1, x2 = x1.to(dtype), x2.to(dtype)
    return torch.subtract(x1, x2)


@op()
def divide_no_nan(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """x1 / x2, and 0 where x2 is 0."""
    return torch.where(x2 == 0, 0, torch.divide(x1, torch.where(x2 == 0, 1, x2)))


@op()
def arctan2(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """The angle in radians of the point (x2, x1)."""
    return torch.arctan2(as_floats(x1), as_floats(x2))


@op()
def hypot(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """The length of the longest side of a right-angled triangle."""
    return torch.hypot(as_floats(x1), as_floats(x2))


@op()
def logaddexp(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """The logarithm of exp(x1) + exp(x2)."""
    return torch.logaddexp(as_floats(x1), as_floats(x2))


@op()
def ceil(x: torch.Tensor) -> torch.Tensor:
    """The nearest whole number above, as a float."""
    return torch.ceil(as_floats(x))


@op()
def floor(x: torch.Tensor) -> torch.Tensor:
    """The nearest whole number below, as a float."""
    return torch.floor(as_floats(x))


@op()
def round_(x: torch.Tensor, decimals: int = 0) -> torch.Tensor:
    """The nearest number of so many decimals; of two equally near ones the even.

    Example:
        >>> round_([0.5, 1.5, 2.345], decimals=0)
        tensor([0., 2., 2.])
    """
    return torch.round(as_floats(x), decimals=decimals).to(x.dtype)


@op()
def clip(x: torch.Tensor, x_min: torch.Tensor, x_max: torch.Tensor) -> torch.Tensor:
    """No less than `x_min`, no more than `x_max`.

    Example:
        >>> clip([-1.0, 0.5, 3.0], 0, 1)
        tensor([0.0000, 0.5000, 1.0000])
    """
    return torch.clip(x.int() if x.dtype == torch.bool else x, x_min, x_max)


@op()
def nan_to_num(
    x: torch.Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> torch.Tensor:
    """Numbers in the place of NaN and infinities; the dtype's largest ones for the latter, unless told."""
    return x if not x.is_floating_point() else torch.nan_to_num(x, nan, posinf, neginf)


@op()
def isclose(
    x1: torch.Tensor, x2: torch.Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> torch.Tensor:
    """Whether they differ by no more than atol + rtol * |x2|."""
    dtype = torch.promote_types(x1.dtype, x2.dtype)
    return torch.isclose(x1.to(dtype), x2.to(dtype), rtol, atol, equal_nan)


@op()
def allclose(
    x1: torch.Tensor, x2: torch.Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> torch.Tensor:
    """Whether all of them are close, see `isclose`."""
    return torch.all(isclose(x1, x2, rtol, atol, equal_nan))


@op()
def where(condition: torch.Tensor, x1: torch.Tensor | None = None, x2: torch.Tensor | None = None) -> torch.Tensor:
    """x1 where the condition holds, else x2; without them the places where it holds, (axes, count).

    Example:
        >>> where([True, False], [1.0, 2.0], 0.0)
        tensor([1., 0.])
    """
    condition = condition.bool()
    if x1 is None or x2 is None:
        return torch.stack(torch.where(condition))
    return torch.where(condition, x1, x2)
