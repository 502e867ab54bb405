"""What losses and metrics share: the config that makes the same object again, and their form in `.keras` files."""

import inspect
from collections.abc import Callable
from typing import Any, Self

from striate.foundation.checks import UserError, refuse_unknown
from striate.foundation.names import snake_case
from striate.foundation.registry import Registry


class Configurable:
    """An object that `config()` describes and `from_config` makes again.

    Subclasses write `config`; one written for Keras, with `get_config`, serves as well.
    """

    name: str

    def config(self) -> dict[str, Any]:
        """The arguments that make the same object again."""
        return {"name": self.name}

    def get_config(self) -> dict[str, Any]:
        """Keras's name for `config`."""
        return self.config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The object that `config` describes.

        Raises:
            UserError: The config holds an argument that the class does not know.
        """
        parameters = inspect.signature(cls).parameters
        if all(parameter.kind != parameter.VAR_KEYWORD for parameter in parameters.values()):
            unknown = {name: value for name, value in config.items() if name not in parameters}
            refuse_unknown(cls.__name__, unknown, parameters, {})
        return cls(**config)

    @property
    def where(self) -> str:
        """How errors name this object: AUC 'auc'."""
        return f"{type(self).__name__} {self.name!r}"


def check_dtype(where: str, dtype: Any) -> None:
    """Refuse every dtype but float32, in which losses and metrics are given out whatever the model computes in."""
    if dtype is not None:
        refuse_unknown(where, {"dtype": dtype}, (), {"dtype": "float32"})


def object_name(function: Any) -> str:
    """The name under which a loss or metric function appears in histories.

    Example:
        >>> object_name(check_dtype)
        'check_dtype'
    """
    return getattr(function, "name", None) or snake_case(getattr(function, "__name__", type(function).__name__))


def describe_function(function: Callable[..., Any]) -> dict[str, Any]:
    """A function as Keras writes it into files: its name, no code."""
    name = getattr(function, "__name__", type(function).__name__)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def function_name(identifier: Any) -> str | None:
    """The name in what `describe_function` wrote, None for everything else."""
    if isinstance(identifier, dict) and identifier.get("class_name") == "function":
        return str(identifier.get("config"))
    return None


def find_by_function(registry: Registry[Any], name: str) -> Any:
    """The class of `registry` that computes the function called `name`.

    Raises:
        UserError: The function belonged to the program that wrote the file.
    """
    try:
        return registry.find(name, registry.kind.capitalize())
    except UserError as error:
        kind = registry.kind
        raise UserError(
            f"The saved {kind} {name!r}",
            "only a function's name",
            f"a {kind} of striate's, because no code is read from files",
            f"Load without compiling, then pass the function {name} to compile().",
        ) from error


def serialize(registry: Registry[Any], entry: Any) -> dict[str, Any]:
    """The form in which `.keras` files hold a loss, a metric or a function used as one."""
    if not isinstance(entry, registry.base):
        return describe_function(entry)
    name = type(entry).__name__
    known = registry.classes.get(name) is type(entry)
    return {
        "module": registry.module if known else None,
        "class_name": name,
        "config": entry.get_config(),
        "registered_name": None if known else name,
    }
