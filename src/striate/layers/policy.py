"""Precisions: the dtype that a layer keeps its weights in, and the one that it computes in."""

from dataclasses import dataclass
from typing import Any

from striate.foundation.checks import check_choice
from striate.foundation.explain import explaining

DTYPES = ("float32", "float64", "float16", "bfloat16", "int32", "int64", "uint8", "bool")
MIXED = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}


@dataclass(frozen=True)
class DTypePolicy:
    """How precisely a layer works.

    With "mixed_bfloat16" weights are float32 and layers compute in bfloat16, about twice as fast where the hardware
    has it. The last layer of a network should be told dtype="float32", so that losses see all digits.

    Args:
        name: A dtype, "mixed_bfloat16" or "mixed_float16"; the global policy's if left out.

    Raises:
        UserError: It is none of these.

    Source: Micikevicius et al., Mixed Precision Training, arXiv 1710.03740.

    Example:
        >>> policy = DTypePolicy("mixed_bfloat16")
        >>> policy.variable_dtype, policy.compute_dtype
        ('float32', 'bfloat16')
    """

    name: str = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        name = _policy.name if self.name is None else self.name
        object.__setattr__(self, "name", check_choice("DTypePolicy", "name", name, (*DTYPES, *MIXED)))

    @property
    def variable_dtype(self) -> str:
        """The dtype of the weights."""
        return "float32" if self.name in MIXED else self.name

    @property
    def compute_dtype(self) -> str:
        """The dtype of the inputs, of the arithmetic and of the outputs."""
        return MIXED.get(self.name, self.name)


_policy = DTypePolicy("float32")


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are told none."""
    return _policy


@explaining
def set_dtype_policy(policy: Any) -> None:
    """Choose the policy of the layers made from now on that are told none.

    Args:
        policy: A name or a `DTypePolicy`.

    Raises:
        UserError: There is no such policy.

    Example:
        >>> set_dtype_policy("mixed_bfloat16")
        >>> dtype_policy().compute_dtype
        'bfloat16'
        >>> set_dtype_policy("float32")
    """
    global _policy
    _policy = get_policy("set_dtype_policy", policy)


def get_policy(where: str, dtype: Any) -> DTypePolicy:
    """The policy given as a name, a torch dtype, a policy or Keras's config of one; None is the global policy."""
    if dtype is None:
        return _policy
    config = dtype.get("config") if isinstance(dtype, dict) else None
    name = config.get("name") if isinstance(config, dict) else getattr(dtype, "name", dtype)
    name = name.__name__ if isinstance(name, type) else name  # numpy.float32
    return DTypePolicy(check_choice(where, "dtype", str(name).removeprefix("torch."), (*DTYPES, *MIXED)))
