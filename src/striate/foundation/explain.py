"""What Python or torch stumbled over, said as every refusal is: afterwards, so that what is right pays nothing.

Checks say best what is wrong with one argument; this answers for all that no check foresees.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn, TypeVar, cast
from weakref import WeakKeyDictionary

from striate.foundation.checks import UserError
from striate.foundation.wording import explained

F = TypeVar("F", bound=Callable[..., Any])

# What bad input ends in. Other exceptions (warnings, signals, files that are not there) are passed on.
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
_LIBRARIES = frozenset({"torch", "numpy", "PIL", "h5py", "rich", "safetensors", *sys.stdlib_module_names})
_behind: WeakKeyDictionary[Callable[..., Any], Callable[..., Any]] = WeakKeyDictionary()
_OURS = __name__.partition(".")[0]


def explaining(function: F) -> F:
    """A decorator of public functions and methods: bad arguments end in a `UserError` that names them all.

    What the user's own code raises, called back from inside, is passed on as it is.

    Raises:
        UserError: An argument is not known, one is missing, or the function cannot compute with them.

    Example:
        >>> @explaining
        ... def half(x, rounded=False):
        ...     return x // 2 if rounded else x / 2
        >>> half(4, round=True)
        Traceback (most recent call last):
        striate.foundation.checks.UserError: half got an unknown argument round=True; it needs arguments it knows. \
Did you mean 'rounded'?
    """

    @functools.wraps(function)
    def door(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except FAULTS as error:
            hand_on(_where(function, args), function, args, kwargs, error)

    _behind[door] = function
    return cast("F", door)


def naming(function: F) -> F:
    """A decorator of methods that are called often: a call without an argument, or with one too many, is explained.

    Whatever happens inside is passed on as it is.

    Example:
        >>> @naming
        ... def half(x):
        ...     return x / 2
        >>> half()
        Traceback (most recent call last):
        striate.foundation.wording.ExplainedError: half got a wrong call (missing a required argument: 'x'); it needs \
the arguments x. Call it so.
    """

    @functools.wraps(function)
    def door(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise
            raise explained(_where(function, args), function, args, kwargs, error) from error

    return cast("F", door)


def explaining_all(namespace: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The functions of these names, each behind a door as of `explaining`: for an address that users know.

    The package itself goes on calling what is behind them.
    """
    return {name: explaining(namespace[name]) for name in names if inspect.isfunction(namespace[name])}


def plain(function: Any) -> Any:
    """The function behind a door; anything else as it is.

    Example:
        >>> plain(explaining(len)) is len, plain(3)
        (True, 3)
    """
    return _behind.get(function, function) if inspect.isfunction(function) else function


def hand_on(
    where: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException
) -> NoReturn:
    """Raise what a function's caller is to see of an error: see `explained` for the arguments."""
    if is_users(error):
        raise error
    raise explained(where, function, args, kwargs, error) from error


def is_ours(module: str) -> bool:
    """Whether a module of this name belongs to this package.

    Example:
        >>> is_ours("striate.layers"), is_ours("__main__")
        (True, False)
    """
    return module.partition(".")[0] == _OURS


def is_users(error: BaseException) -> bool:
    """Whether an error is to be passed on: said in words already, an accelerator's memory, or the user's own code.

    What is the user's is told by the last place in the traceback that belongs to no library. A method that a subclass
    should have written raises a bare NotImplementedError, which is passed on, too.
    """
    unwritten = type(error) is NotImplementedError and not error.args
    if isinstance(error, UserError) or unwritten or type(error).__name__ == "OutOfMemoryError":
        return True
    trace: TracebackType | None = error.__traceback__
    last = ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0]
        last = last if module in _LIBRARIES else module
        trace = trace.tb_next
    return not is_ours(last)


def _where(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """Who refuses: a function, or an object, with the method's name if it has one of its own."""
    if not args or next(iter(inspect.signature(function).parameters), "") != "self":
        return function.__name__
    owner = getattr(args[0], "where", type(args[0]).__name__)
    return owner if function.__name__ in ("__init__", "__call__", "forward") else f"{owner}.{function.__name__}"
