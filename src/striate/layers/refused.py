"""Keras's layers that striate refuses on purpose, and what to use in their place."""

from collections.abc import Callable
from typing import Any, NoReturn

from striate.foundation.checks import UnsupportedError

INSTEAD_OF_LAMBDA = (
    "Use Activation, Rescaling or another layer; or write a subclass of Layer with forward(self, x), which files name"
    " and custom_objects brings back."
)


def _refuse_conv_lstm(name: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        """Refused: TimeDistributed convolutions and an LSTM do much of its work."""
        needs = "layers that striate has"
        fix = "Put TimeDistributed(Conv2D(...)), and Flatten or a pooling, before an LSTM."
        raise UnsupportedError(name, "a call, of Keras's layer with convolutions for products", needs, fix)

    refuse.__name__ = refuse.__qualname__ = name
    return refuse


ConvLSTM1D = _refuse_conv_lstm("ConvLSTM1D")
ConvLSTM2D = _refuse_conv_lstm("ConvLSTM2D")
ConvLSTM3D = _refuse_conv_lstm("ConvLSTM3D")


def Lambda(function: Any = None, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: N802 - Keras's name
    """Refused: a function cannot be written into a file without its code.

    Raises:
        UnsupportedError: Always.
    """
    got = f"the function {getattr(function, '__name__', function)!r}"
    raise UnsupportedError("Lambda", got, "a layer that files can name: they carry no code", INSTEAD_OF_LAMBDA)
