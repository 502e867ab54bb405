"""A callback made of functions."""

import inspect
from collections.abc import Callable
from typing import Any

from striate.foundation.checks import UserError, nearest
from striate.training.callback import Callback

HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """Calls functions where a `Callback` has hooks.

    Args:
        on_epoch_begin, on_epoch_end: Functions of (epoch, logs).
        on_train_begin, on_train_end: Functions of (logs).
        on_train_batch_begin, on_train_batch_end: Functions of (batch, logs).
        hooks: The same for any other hook of `Callback`, by its name.

    Raises:
        UserError: There is no hook of that name, or what is given cannot be called with the hook's arguments.

    Example:
        >>> from striate.training.callback import CallbackList
        >>> cheer = LambdaCallback(on_epoch_end=lambda epoch, logs: print("epoch", epoch, "loss", logs["loss"]))
        >>> CallbackList([cheer]).on_epoch_end(0, {"loss": 0.25})
        epoch 0 loss 0.25
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Any], Any] | None = None,
        on_epoch_end: Callable[[int, Any], Any] | None = None,
        on_train_begin: Callable[[Any], Any] | None = None,
        on_train_end: Callable[[Any], Any] | None = None,
        on_train_batch_begin: Callable[[int, Any], Any] | None = None,
        on_train_batch_end: Callable[[int, Any], Any] | None = None,
        **hooks: Callable[..., Any],
    ) -> None:
        given: dict[str, Any] = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **hooks,
        }
        for name, function in given.items():
            if name not in HOOKS:
                raise UserError(
                    "LambdaCallback", f"an unknown hook {name!r}", "hooks of Callback", nearest(name, HOOKS)
                )
            if function is not None:
                _check_hook(name, function)
                setattr(self, name, function)


def _check_hook(name: str, function: Any) -> None:
    arguments = list(inspect.signature(getattr(Callback, name)).parameters)[1:]
    if not takes(function, len(arguments)):
        needs = f"a function of ({', '.join(arguments)})"
        fix = f"Write for example {name}=lambda {', '.join(arguments)}: ..."
        raise UserError("LambdaCallback", f"{name}={function!r}", needs, fix)


def takes(function: Any, count: int) -> bool:
    """Whether `function` can be called with so many positional arguments; what does not tell is trusted.

    Example:
        >>> takes(lambda epoch, logs: None, 2), takes(lambda epoch: None, 2), takes("epoch", 2)
        (True, False, False)
    """
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # some built-in functions have no signature
        return True
    return True
