"""What a function cannot compute with, in words: its arguments, what Python or torch said, and what is worth a try."""

import inspect
import reprlib
from collections.abc import Callable
from typing import Any

from striate.foundation.checks import UserError, refuse_unknown

_LONGEST, _LONGEST_REASON = 60, 200
_MOST = 20  # of a list: more never fit into the longest text
# Of long values only what may be shown is ever written down.
_BRIEF = reprlib.Repr()
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxdict = _BRIEF.maxset = _BRIEF.maxfrozenset = _MOST
_BRIEF.maxlevel = 3
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = 4 * _LONGEST  # reprlib cuts in the middle, which is to lie beyond


class ExplainedError(UserError):
    """A refusal that no check said, but `explaining`."""


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
    if isinstance(value, list | tuple) and any(map(_is_array, value[:_MOST])):
        return f"[{', '.join(map(describe_value, value[:3]))}{', ...' * (len(value) > 3)}]"
    if not _is_array(value):
        text = _BRIEF.repr(value).replace("\n", " ")
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    dtype = str(value.dtype).removeprefix("torch.")
    sparse = " sparse" if _is_sparse(value) else ""
    meta = " on meta" if _is_meta(value) else ""
    return f"a{sparse} {dtype} {type(value).__name__} of shape {tuple(value.shape)}{meta}"


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
