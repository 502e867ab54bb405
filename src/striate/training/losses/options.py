"""What the options of losses may be."""

from collections.abc import Callable
from functools import partial
from typing import Any

from striate.foundation.checks import UserError, check_flag, check_number, is_int


def checked(loss: str | None, **options: Any) -> dict[str, Any]:
    """The options of a loss of this name.

    Raises:
        UserError: One of them is of the wrong type, or out of range.

    Example:
        >>> checked("huber_loss", delta=0.5)
        {'delta': 0.5}
    """
    for name, value in options.items():
        CHECKS[name](f"Loss {loss!r}", "axis" if name == "axes" else name, value)
    return options


def _axis(where: str, name: str, value: Any) -> None:
    if not is_int(value):
        raise UserError(where, f"{name}={value!r}", "a whole number", f"Pass for example {name}=-1.")


def _axes(where: str, name: str, value: Any) -> None:
    several = isinstance(value, list | tuple) and len(value) > 0 and all(is_int(one) for one in value)
    if not (value is None or is_int(value) or several):
        needs = "a whole number, several of them, or None for all axes"
        raise UserError(where, f"{name}={value!r}", needs, f"Pass for example {name}=(1, 2, 3).")


def _ignored(where: str, name: str, value: Any) -> None:
    if value is not None and not is_int(value):
        raise UserError(where, f"{name}={value!r}", "a class number", f"Pass for example {name}=255.")


def _alpha(where: str, name: str, value: Any) -> None:
    for one in value if isinstance(value, list | tuple) else [value]:
        check_number(where, name, one, "a number of at least 0, or one per class", lambda number: number >= 0)


def _number(needs: str, accept: Callable[[float], bool]) -> Callable[[str, str, Any], Any]:
    return partial(check_number, needs=needs, accept=accept)


CHECKS: dict[str, Callable[[str, str, Any], Any]] = {
    "from_logits": check_flag,
    "apply_class_balancing": check_flag,
    "label_smoothing": _number("a number from 0 to 1", lambda value: 0 <= value <= 1),
    "alpha": _alpha,
    "beta": _number("a number of at least 0", lambda value: value >= 0),
    "gamma": _number("a number of at least 0", lambda value: value >= 0),
    "delta": _number("a number above 0", lambda value: value > 0),
    "q": _number("a number between 0 and 1", lambda value: 0 < value < 1),
    "axis": _axis,
    "axes": _axes,
    "ignore_class": _ignored,
}
