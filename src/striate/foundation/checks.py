"""Argument checks, and the one sentence they refuse with: got, expected, fix."""

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeGuard

# No size, count or seed reaches it: torch's and NumPy's whole numbers end here.
TOO_LARGE = 2**63
# The sizes of windows and pictures end before: many of torch's functions read them as 32 bits.
TOO_WIDE = 2**31


class UserError(ValueError):
    """Something the user gave cannot be used; the text says what, and how to mend it.

    Args:
        where: What refuses: a layer with its name, a function, a command.
        got: What arrived.
        needs: What would have been accepted.
        fix: One sentence that tells how to mend it.

    Example:
        >>> str(UserError("Conv2D 'conv2d'", "filters=0", "a whole number of at least 1", "Pass filters=32."))
        "Conv2D 'conv2d' got filters=0; it needs a whole number of at least 1. Pass filters=32."
    """

    def __init__(self, where: str, got: str, needs: str, fix: str) -> None:
        super().__init__(f"{where} got {got}; it needs {needs}. {fix}")
        self.where, self.got, self.needs, self.fix = where, got, needs, fix

    def __reduce__(self) -> tuple[Any, ...]:  # four arguments, so that worker processes can send it home
        return type(self), (self.where, self.got, self.needs, self.fix)


class UnsupportedError(UserError):
    """Keras knows this; striate does not (yet), and says so instead of ignoring it."""


def is_int(value: object) -> TypeGuard[int]:
    """Whether `value` is a whole number (NumPy's count, booleans do not).

    Example:
        >>> is_int(3), is_int(True), is_int(3.0)
        (True, False, False)
    """
    return hasattr(value, "__index__") and not isinstance(value, bool | type) and not hasattr(value, "__len__")


def nearest(word: str, choices: Iterable[str]) -> str:
    """A sentence that suggests the likeliest of `choices`, or lists them all.

    Example:
        >>> nearest("adm", ["adam", "sgd"])
        "Did you mean 'adam'?"
        >>> nearest("qqq", ["adam", "sgd"])
        "Choose one of 'adam', 'sgd'."
    """
    options = list(choices)
    if not options:
        return "There are none."
    lowered = {option.lower(): option for option in options}
    found = difflib.get_close_matches(word.lower(), lowered, n=1)
    if found:
        return f"Did you mean {lowered[found[0]]!r}?"
    return "Choose one of " + ", ".join(repr(option) for option in options) + "."


def check_choice(
    where: str, argument: str, value: object, choices: Iterable[str], refused: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Return `value` if it is one of `choices`, whatever its case.

    Args:
        refused: What Keras takes besides and striate does not, each with what to do instead.

    Raises:
        UnsupportedError: `value` is one of the refused.
        UserError: `value` is none of them; the nearest is suggested.

    Example:
        >>> check_choice("Conv2D", "padding", "SAME", ["valid", "same"])
        'same'
    """
    options = list(choices)
    if isinstance(value, str):
        for option in options:
            if value.lower() == option.lower():
                return option
    needs = "one of " + ", ".join(repr(option) for option in options)
    if isinstance(value, str) and value in refused:
        raise UnsupportedError(where, f"{argument}={value!r}", needs, refused[value])
    raise UserError(where, f"{argument}={value!r}", needs, nearest(str(value), options))


def check_int(where: str, argument: str, value: object, *, minimum: int = 1, below: int = TOO_LARGE) -> int:
    """Return `value` as an int of at least `minimum` and below `below`, a power of 2.

    Raises:
        UserError: `value` is no whole number, too small or too large.
    """
    if not is_int(value) or not minimum <= int(value) < below:
        limit = f" and below 2**{below.bit_length() - 1}" if is_int(value) and value >= below else ""
        needs = f"a whole number of at least {minimum}{limit}"
        raise UserError(where, f"{argument}={value!r}", needs, f"Pass for example {argument}={max(minimum, 1)}.")
    return int(value)


def check_ints(where: str, argument: str, value: object, count: int, *, minimum: int = 1) -> tuple[int, ...]:
    """Return `value`, a list or an array, as `count` ints of at least `minimum` and below 2**31.

    One int stands for all of them.

    Example:
        >>> check_ints("Conv2D", "kernel_size", 3, 2)
        (3, 3)

    Raises:
        UserError: `value` is neither an int nor `count` of them, or one is too small or too large.
    """
    values = [value] * count if is_int(value) else value.tolist() if hasattr(value, "tolist") else value
    if (
        not isinstance(values, list | tuple)
        or len(values) != count
        or not all(is_int(v) and minimum <= v < TOO_WIDE for v in values)
    ):
        several = values if isinstance(values, list | tuple) else []
        limit = " and below 2**31" * any(is_int(v) and v >= TOO_WIDE for v in several)
        needs = f"a whole number of at least {minimum}{limit}, or {count} of them"
        example = (3,) * count
        raise UserError(where, f"{argument}={value!r}", needs, f"Pass for example {argument}={example}.")
    return tuple(int(v) for v in values)


def check_flag(where: str, argument: str, value: object) -> bool:
    """Return `value` if it is True or False (NumPy's, too).

    Example:
        >>> check_flag("Conv2D", "use_bias", False)
        False

    Raises:
        UserError: `value` is anything else, 0, 1 and "no" included.
    """
    if type(value).__name__ not in ("bool", "bool_"):
        raise UserError(where, f"{argument}={value!r}", "True or False", f"Pass {argument}=True or {argument}=False.")
    return bool(value)


def check_verbose(where: str, value: object) -> int:
    """Return how much is to be told, 0 for nothing; True and False count, too.

    Raises:
        UserError: `value` is neither one of them nor a whole number of at least 0.

    Example:
        >>> check_verbose("EarlyStopping", True)
        1
    """
    return int(value) if isinstance(value, bool) else check_int(where, "verbose", value, minimum=0)


def check_path(where: str, argument: str, value: object) -> Path:
    """Return `value` as a path.

    Example:
        >>> check_path("load_img", "path", "cat.png").name
        'cat.png'

    Raises:
        UserError: `value` is neither a text nor a path.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        needs = "a path: a text or a pathlib.Path"
        raise UserError(where, f"{argument}={value!r}", needs, f"Pass for example {argument}='name'.")
    return Path(value)


def check_number(
    where: str, argument: str, value: object, needs: str, accept: Callable[[float], bool] = lambda value: True
) -> float:
    """Return `value` as a float that `accept` holds true.

    Args:
        needs: The accepted range in words, for the error: "a rate from 0 up to but not including 1".

    Example:
        >>> check_number("Dropout", "rate", 0.5, "a rate from 0 up to but not including 1", lambda v: 0 <= v < 1)
        0.5

    Raises:
        UserError: `value` is no number, or out of range.
    """
    number = isinstance(value, int | float) or (hasattr(value, "__float__") and not hasattr(value, "__len__"))
    no_number = isinstance(value, type) or type(value).__name__ in ("bool", "bool_")
    if not number or no_number or not accept(float(value)):  # type: ignore[arg-type]
        raise UserError(where, f"{argument}={value!r}", needs, f"Change {argument}.")
    return float(value)  # type: ignore[arg-type]


def refuse_unknown(where: str, given: dict[str, Any], known: Iterable[str], keras_defaults: dict[str, Any]) -> None:
    """Refuse keyword arguments that nobody reads, instead of dropping them.

    An argument of Keras's that striate does not support passes while it holds Keras's default, since it then
    asks for nothing; files written by Keras spell all of them out.

    Args:
        given: The left-over keyword arguments.
        known: Names that would have been accepted, for the suggestion.
        keras_defaults: Keras's arguments that striate does not support, with their defaults.

    Raises:
        UnsupportedError: An argument that Keras has and striate does not support.
        UserError: An argument that neither has.
    """
    for name, value in given.items():
        if name in keras_defaults:
            if value is not None and not _equal(value, keras_defaults[name]):
                needs = f"{name}={keras_defaults[name]!r}: striate does not support other values of this Keras argument"
                raise UnsupportedError(where, f"{name}={value!r}", needs, f"Leave {name} out.")
        else:
            raise UserError(where, f"an unknown argument {name}={value!r}", "arguments it knows", nearest(name, known))


def _equal(value: object, default: object) -> bool:
    try:
        return bool(value == default)
    except (ValueError, RuntimeError):  # arrays and tensors compare cell by cell
        return False
