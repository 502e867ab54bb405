"""What losses and metrics share: the config that makes the same object again, and their form in `.keras` files."""

from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch

from striate.foundation.arguments import KnownArguments
from striate.foundation.checks import UserError, refuse_unknown
from striate.foundation.configured import Configured
from striate.foundation.custom_objects import INSTEAD_OF_CODE, find_custom, get_registered_name
from striate.foundation.names import snake_case
from striate.foundation.registry import Registry
from striate.training.labels import match_rank


class Configurable(Configured, KnownArguments):
    """A loss, a metric or a schedule: an object with a name and a config."""

    name: str
    dtype = "float32"

    def config(self) -> dict[str, Any]:
        """The arguments that make the same object again."""
        return {"name": self.name}

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


class FunctionWrapper(Configurable):
    """A loss or metric that is made of a function of (y_true, y_pred) and options for it."""

    # Where the classes are whose functions files may name; the first is of its own kind.
    registries: ClassVar[tuple[Registry[Any], ...]]
    # Options that files leave out while they have these values, as Keras's do.
    unwritten: ClassVar[dict[str, Any]] = {}

    fn: Callable[..., torch.Tensor]
    options: dict[str, Any]

    def apply(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        """What the function makes of labels and predictions.

        (N,) beside (N, 1) would broadcast to (N, N) in a function that does not look.
        """
        if y_true.shape != y_pred.shape:
            y_true, y_pred = match_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self.options)

    def config(self) -> dict[str, Any]:
        """The arguments that make the same object again."""
        # Only the wrappers themselves have to be told their function; classes made from them know it.
        own = {"fn": describe_function(self.fn)} if FunctionWrapper in type(self).__bases__ else {}
        options = {k: v for k, v in self.options.items() if k not in self.unwritten or v != self.unwritten[k]}
        return {**super().config(), **own, **options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The object that `config` describes; its function must be one of striate's."""
        name = function_name(config.get("fn"))
        if name is not None:
            own = cls.registries[0]
            known = next((registry for registry in cls.registries if name in registry), own)
            config = {**config, "fn": find_by_function(known, name)().fn}
        return super().from_config(config)


def describe_function(function: Callable[..., Any]) -> dict[str, Any]:
    """A function as Keras writes it into files: its name, no code."""
    name = get_registered_name(function) if hasattr(function, "__name__") else type(function).__name__
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def function_name(identifier: Any) -> str | None:
    """The name in what `describe_function` wrote, None for everything else."""
    if isinstance(identifier, dict) and identifier.get("class_name") == "function":
        return str(identifier.get("config"))
    return None


def make_custom(identifier: Any) -> Any:
    """A function or an object of a class of the user's own, if it is one's config; everything else as it is."""
    if not isinstance(identifier, dict):
        return identifier
    name, config = identifier.get("class_name"), identifier.get("config")
    found = find_custom(config) if name == "function" else find_custom(identifier.get("registered_name"), name)
    if isinstance(found, type):
        make = getattr(found, "from_config", None)
        return make(config or {}) if make else found(**(config or {}))
    return identifier if found is None else found


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
            INSTEAD_OF_CODE.format(name, "function"),
        ) from error


def serialize(registry: Registry[Any], entry: Any) -> dict[str, Any]:
    """The form in which `.keras` files hold a loss, a metric or a function used as one."""
    if not isinstance(entry, registry.base):
        return describe_function(entry)
    return registry.serialize(entry)
