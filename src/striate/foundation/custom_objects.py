"""Classes and functions of the user's own that files may name: for the whole program, or for a block."""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

from striate.foundation.checks import UserError
from striate.foundation.explain import explaining

T = TypeVar("T", bound=Callable[..., Any])

# How to mend it where a file names what this program does not know; takes the name and what it is.
INSTEAD_OF_CODE = (
    "If it is yours, put @register_keras_serializable() before the {1}, or pass custom_objects={{{0!r}: the {1}}}."
)

_registered: dict[str, Any] = {}
_names: dict[Any, str] = {}
_in_block: ContextVar[Mapping[str, Any]] = ContextVar("_in_block", default={})  # noqa: B039 - never changed


@explaining
def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """A class decorator: files may name this class (or function) as package>name, and `load_model` finds it.

    Args:
        package: What its names begin with.
        name: Its own name if left out.

    Raises:
        UserError: A class has no get_config or config to be made again from.

    Example:
        >>> @register_keras_serializable("mine")
        ... def double(x):
        ...     return 2 * x
        >>> get_registered_name(double), get_registered_object("mine>double") is double
        ('mine>double', True)
    """

    def add(entry: T) -> T:
        if inspect.isclass(entry) and not hasattr(entry, "get_config"):
            needs = "a get_config() that makes it again"
            raise UserError("register_keras_serializable", f"the class {entry.__name__}", needs, "Write get_config.")
        full = f"{package}>{name or entry.__name__}"
        _registered[full], _names[entry] = entry, full
        return entry

    return add


@explaining
@contextlib.contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Let files name these classes and functions, too, for the duration of the block.

    Args:
        custom_objects: Name in the file to class or function.

    Raises:
        UserError: Something in it is neither.

    Example:
        >>> with custom_object_scope({"double": abs}):
        ...     find_custom("double") is abs
        True
    """
    if custom_objects is not None and not isinstance(custom_objects, Mapping):
        needs = "a dict of names to classes or functions"
        raise UserError("custom_objects", repr(custom_objects), needs, "Pass {'MyLayer': MyLayer}.")
    for name, value in (custom_objects or {}).items():
        if not callable(value):
            needs = "a dict of names to classes or functions"
            raise UserError("custom_objects", f"{name!r}: {value!r}", needs, f"Pass {{{name!r}: the class}}.")
    token = _in_block.set({**_in_block.get(), **(custom_objects or {})})
    try:
        yield
    finally:
        _in_block.reset(token)


def get_custom_objects() -> dict[str, Any]:
    """What is registered for the whole program, by name; what is added to this dict is registered, too."""
    return _registered


@explaining
def get_registered_name(obj: Any) -> str:
    """The name under which files hold a class or function: the registered one, else its own."""
    return _names.get(obj) or obj.__name__


@explaining
def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """What is known by this name: in a block, for the program, or in these; None for nothing."""
    for known in (_in_block.get(), _registered, custom_objects or {}, module_objects or {}):
        if name in known:
            return known[name]
    return None


def find_custom(*names: Any) -> Any:
    """What is known by the first of these names that is known at all; a block's names come before the program's."""
    for known in (_in_block.get(), _registered):
        for name in names:
            if isinstance(name, str) and name in known:
                return known[name]
    return None


def has_custom_objects() -> bool:
    """Whether anything is known just now."""
    return bool(_in_block.get() or _registered)
