"""Choices, loops and functions over arrays: plain Python, since nothing here is traced."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from striate.foundation.checks import check_int
from striate.ops.table import op, to_tensor


@op()
def cond(pred: torch.Tensor, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What one of two functions returns.

    Example:
        >>> cond(True, lambda: "yes", lambda: "no")
        'yes'
    """
    return true_fn() if bool(pred) else false_fn()


@op()
def switch(index: torch.Tensor, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What the function of this number returns; the first or the last one where there is none of it."""
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


@op()
def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Call `body` on the variables, and on what it returns, as long as `cond` of them is true.

    Example:
        >>> while_loop(lambda number: number < 100, lambda number: number * 2, (3,))
        (tensor(192, dtype=torch.int32),)
    """
    single = not isinstance(loop_vars, tuple | list)
    values = tuple(map(to_tensor, (loop_vars,) if single else loop_vars))
    turns = 0
    while (maximum_iterations is None or turns < maximum_iterations) and bool(cond(*values)):
        given = body(*values)
        values = tuple(given) if isinstance(given, tuple | list) else (given,)
        turns += 1
    return values[0] if single else values


@op()
def fori_loop(lower: int, upper: int, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """Call `body_fun(number, value)` for the numbers from `lower` up to but without `upper`."""
    value = init_val
    for number in range(int(lower), int(upper)):
        value = body_fun(number, value)
    return value


@op()
def map_(f: Callable[[Any], Any], xs: torch.Tensor) -> torch.Tensor:
    """What a function returns for every slice along the first axis, stacked."""
    return torch.stack([f(x) for x in xs])


@op()
def vectorized_map(function: Callable[[Any], Any], elements: torch.Tensor) -> Any:
    """What a function returns for every slice along the first axis, computed at once.

    Example:
        >>> vectorized_map(lambda row: row.sum(), [[1.0, 2.0], [3.0, 4.0]])
        tensor([3., 7.])
    """
    return torch.vmap(function)(elements)


@op()
def scan(
    f: Callable[[Any, Any], Any],
    init: Any,
    xs: torch.Tensor | None = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int = 1,
) -> tuple[Any, torch.Tensor]:
    """Carry something along the first axis: f(carry, slice) gives the next carry and an output.

    Args:
        length: How many times, where there is no `xs`.

    Returns:
        The last carry, and the outputs stacked.
    """
    count = check_int("ops.scan", "length", length, minimum=0) if xs is None else len(xs)
    places = range(count)[::-1] if reverse else range(count)
    carry, outputs = init, []
    for place in places:
        carry, output = f(carry, None if xs is None else xs[place])
        outputs.append(output)
    return carry, torch.stack(outputs[::-1] if reverse else outputs)
