"""Names for classes: how 'adam', 'Adam' and a Keras config all lead to the same thing."""

from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

from striate.foundation.checks import UnsupportedError, UserError, nearest
from striate.foundation.custom_objects import INSTEAD_OF_CODE, get_registered_name
from striate.foundation.wording import ExplainedError

T = TypeVar("T")


class Registry(Generic[T]):
    """The classes of one kind, found by name, by Keras config, or passed through as they are.

    Names match whatever their case and underscores: `glorot_uniform`, `GlorotUniform`.

    Args:
        kind: What an entry is, in words, for errors: "initializer".
        module: The Keras module that exports these classes, written into files: "keras.initializers".
        base: What an entry is an instance of.
        others: What Keras has of this kind and striate does not: refused as such.
    """

    def __init__(self, kind: str, module: str, base: type[T], others: Collection[str] = ()) -> None:
        self.kind, self.module, self.base, self.others = kind, module, base, others
        self.classes: dict[str, type[T]] = {}
        self._keys: dict[str, type[T]] = {}

    def register(self, *aliases: str) -> Callable[[type[T]], type[T]]:
        """A class decorator that makes the class known under its own name and `aliases`."""

        def add(cls: type[T]) -> type[T]:
            self.classes[cls.__name__] = cls
            for name in (cls.__name__, *aliases):
                self._keys[_key(name)] = cls
            return cls

        return add

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._keys

    def find(self, name: str, where: str) -> type[T]:
        """The class called `name`.

        Raises:
            UnsupportedError: Keras has it, striate does not.
            UserError: There is none; the nearest name is suggested.
        """
        if _key(name) in map(_key, self.others):
            needs = f"one of {', '.join(self.classes)}: striate does not have this Keras {self.kind}"
            raise UnsupportedError(where, f"{self.kind} {name!r}", needs, f"Write a subclass of {self.base.__name__}.")
        if _key(name) not in self._keys:
            raise UserError(where, f"{self.kind} {name!r}", f"a known {self.kind}", nearest(name, self.classes))
        return self._keys[_key(name)]

    def get(self, identifier: Any, where: str | None = None) -> T:
        """An instance for `identifier`: a name, a Keras config, a class, or an instance.

        Raises:
            UserError: It is none of these, or names nothing known.
        """
        where = where or self.kind.capitalize()
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            return self.find(identifier, where)()
        if isinstance(identifier, type) and issubclass(identifier, self.base):
            return identifier()
        if isinstance(identifier, dict) and isinstance(identifier.get("class_name"), str):
            name = identifier["class_name"]
            if name not in self and identifier.get("registered_name"):  # Keras's own have none
                needs = f"a {self.kind} of striate's, because no code is read from files"
                raise UserError(where, f"{self.kind} {name!r}", needs, INSTEAD_OF_CODE.format(name, "class"))
            cls = self.find(name, where)
            config = identifier.get("config") or {}
            return self._configured(cls, config, where)
        needs = f"the name of a known {self.kind}, or a {self.base.__name__}"
        raise UserError(where, f"{self.kind} {identifier!r}", needs, nearest(str(identifier), self.classes))

    def _configured(self, cls: type[T], config: Any, where: str) -> T:
        """An instance made with the arguments of a config, which may come from any file."""
        make = getattr(cls, "from_config", None)
        try:
            return make(config) if make else cls(**config)
        except (TypeError, ExplainedError) as error:
            got = f"{cls.__name__} with {config!r}"
            fix = f"Python says: {error.__cause__ or error}."
            raise UserError(where, got, "arguments it knows", fix) from error

    def serialize(self, entry: Any) -> dict[str, Any]:
        """The Keras config of `entry`, as `.keras` files hold it; a class of the user's own has its registered name.

        Raises:
            UserError: It is nothing of this kind.
        """
        if not isinstance(entry, self.base):
            needs = f"an instance of {self.base.__name__}"
            raise UserError("serialize", repr(entry), needs, "Pass what get() returns for a name.")
        cls = type(entry)
        known = self.classes.get(cls.__name__) is cls
        return {
            "module": self.module if known else None,
            "class_name": cls.__name__,
            "config": entry.get_config(),  # type: ignore[attr-defined]
            "registered_name": None if known else get_registered_name(cls),
        }


def _key(name: str) -> str:
    return name.replace("_", "").lower()
