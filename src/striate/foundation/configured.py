"""What initializers, regularizers, constraints, losses and metrics share: a config that makes the object again."""

from typing import Any, Self


class Configured:
    """An object that `config()` describes and `from_config` makes again.

    Subclasses write `config`; one written for Keras, with `get_config`, serves as well.

    Example:
        >>> class Times(Configured):
        ...     def __init__(self, factor):
        ...         self.factor = factor
        ...     def config(self):
        ...         return {"factor": self.factor}
        >>> Times.from_config(Times(3).get_config()).factor
        3
    """

    def config(self) -> dict[str, Any]:
        """The arguments that make the same object again."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """Keras's name for `config`."""
        return self.config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The object that `config` describes.

        Raises:
            UserError: The config holds an argument that the class does not know.
        """
        return cls(**config)
