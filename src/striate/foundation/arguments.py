"""Classes that refuse keyword arguments they do not take, and say which they do."""

from typing import Any, ClassVar

from striate.foundation.explain import explaining


class KnownArguments:
    """Base of classes whose misspelt arguments are answered with the nearest right one.

    Raises:
        UserError: A keyword argument is none of `__init__`'s, one is missing, or it cannot work with them.

    Example:
        >>> class Stop(KnownArguments):
        ...     def __init__(self, patience=0):
        ...         self.patience = patience
        >>> Stop(patence=3)
        Traceback (most recent call last):
        striate.foundation.checks.UserError: Stop got an unknown argument patence=3; it needs arguments it knows. \
Did you mean 'patience'?
    """

    # Methods that users call, whose bad arguments end in a `UserError`: see `explaining`.
    explained: ClassVar[tuple[str, ...]] = ("__init__",)

    @explaining
    def __init__(self) -> None:
        super().__init__()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in cls.explained:
            if name in vars(cls):
                setattr(cls, name, explaining(vars(cls)[name]))
