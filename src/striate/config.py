"""What holds for all layers, where Keras has it."""

from striate.foundation.absent import explain_absent
from striate.foundation.checks import UnsupportedError
from striate.foundation.explain import explaining
from striate.layers.policy import dtype_policy, set_dtype_policy

__all__ = ["dtype_policy", "floatx", "set_dtype_policy", "set_floatx"]

explain_absent(__name__)


def floatx() -> str:
    """The dtype of numbers that are told none: always float32. That of layers is `dtype_policy()`.

    Example:
        >>> floatx()
        'float32'
    """
    return "float32"


@explaining
def set_floatx(value: str) -> None:
    """Accept float32, which it is.

    Raises:
        UnsupportedError: It is another.
    """
    if value != "float32":
        fix = f"Call striate.config.set_dtype_policy({value!r}), which layers follow."
        raise UnsupportedError("set_floatx", f"value={value!r}", "'float32'", fix)
