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

from striate.foundation.checks import UserError, refuse_unknown

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
_LONGEST, _LONGEST_REASON = 60, 200


class ExplainedError(UserError):
    """A refusal that no check said, but `explaining`."""


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
        striate.foundation.explain.ExplainedError: half got a wrong call (missing a required argument: 'x'); it needs \
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


def explained(
    where: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException
) -> UserError:
    """The refusal for what a function stumbled over.

    Args:
        where: As errors name the function.
        function: What was called; its signature names the arguments.
        args, kwargs: The arguments.
        error: What was raised.
    """
    signature = inspect.signature(function)
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values())
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as mismatch:
        open_kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        known = [n for n, parameter in signature.parameters.items() if n != "self" and parameter.kind not in open_kinds]
        unknown = {} if open_ended else {name: kwargs[name] for name in kwargs if name not in known}
        try:
            refuse_unknown(where, unknown, known, {})
        except UserError as refusal:
            return refusal
        needs = f"the arguments {', '.join(known)}" if known else "no arguments"
        return ExplainedError(where, f"a wrong call ({mismatch})", needs, "Call it so.")
    named = {name: value for name, value in given.items() if name != "self"}
    got = ", ".join(f"{name}={describe_value(value)}" for name, value in named.items()) or "no arguments"
    return ExplainedError(where, got, f"what it can compute with ({_reason(error)})", _fix(named))


def _reason(error: BaseException) -> str:
    """What an error says, of torch's long ones the first sentence."""
    text = (str(error).splitlines() or [""])[0] or type(error).__name__
    return (text if len(text) <= _LONGEST_REASON else text.partition(". ")[0][:_LONGEST_REASON]).rstrip(". ")


def describe_value(value: Any) -> str:
    """A value in few words: arrays by dtype and shape, anything else as Python writes it, cut short.

    Example:
        >>> describe_value("same"), describe_value(list(range(100)))
        ("'same'", '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,...')
    """
    if isinstance(value, list | tuple) and any(_is_array(part) for part in value):
        return f"[{', '.join(map(describe_value, value[:3]))}{', ...' * (len(value) > 3)}]"
    if not _is_array(value):
        text = repr(value).replace("\n", " ")
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    dtype = str(value.dtype).removeprefix("torch.")
    sparse = " sparse" if _is_sparse(value) else ""
    meta = " on meta" if _is_meta(value) else ""
    return f"a{sparse} {dtype} {type(value).__name__} of shape {tuple(value.shape)}{meta}"


def _where(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """Who refuses: a function, or an object, with the method's name if it has one of its own."""
    if not args or next(iter(inspect.signature(function).parameters), "") != "self":
        return function.__name__
    owner = getattr(args[0], "where", type(args[0]).__name__)
    return owner if function.__name__ in ("__init__", "__call__", "forward") else f"{owner}.{function.__name__}"


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and isinstance(getattr(value, "shape", None), tuple)


def _is_sparse(value: Any) -> bool:
    return str(getattr(value, "layout", "")).startswith("torch.sparse")


def _is_meta(value: Any) -> bool:
    return getattr(getattr(value, "device", None), "type", "") == "meta"


def _fix(named: dict[str, Any]) -> str:
    """What is worth a try, by the first of the arguments that is out of the ordinary."""
    for name, value in named.items():
        if isinstance(value, list | tuple):
            value = next(filter(_is_array, value), None)
        if _is_sparse(value):
            return f"Make {name} dense with to_dense()."
        if _is_meta(value):
            return f"Make {name} on another device: a tensor on meta holds no numbers."
        if _is_array(value) and "bool" in str(value.dtype):
            return f"Make numbers of {name} with float()."
        if _is_array(value) and "float16" in str(value.dtype):
            return f"Convert {name} with float(), or compute with dtype='float32'."
    return "Look at their types, shapes and ranges."
