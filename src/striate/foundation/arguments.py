"""Classes that refuse keyword arguments they do not take, and say which they do."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Self

from striate.foundation.checks import refuse_unknown


class KnownArguments:
    """Base of classes whose misspelt arguments are answered with the nearest right one.

    Raises:
        UserError: A keyword argument is none of `__init__`'s.

    Example:
        >>> class Stop(KnownArguments):
        ...     def __init__(self, patience=0):
        ...         self.patience = patience
        >>> Stop(patence=3)
        Traceback (most recent call last):
        striate.foundation.checks.UserError: Stop got an unknown argument patence=3; it needs arguments it knows. \
Did you mean 'patience'?
    """

    def __new__(cls, *args: Any, **options: Any) -> Self:
        known = _arguments_of(cls.__init__)
        if known is not None:
            unknown = {name: value for name, value in options.items() if name not in known}
            refuse_unknown(cls.__name__, unknown, known, {})
        return super().__new__(cls)


@functools.cache
def _arguments_of(method: Callable[..., Any]) -> tuple[str, ...] | None:
    """The names of what a method takes besides self; None for one that takes anything."""
    if method is object.__init__:
        return ()
    _, *parameters = inspect.signature(method).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return tuple(parameter.name for parameter in parameters)
