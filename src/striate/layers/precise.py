"""In what precision a layer works: its own, or what `torch.autocast` around it chooses."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch

from striate.foundation.explain import FAULTS
from striate.foundation.nested import flatten
from striate.layers.faults import refusal_of
from striate.layers.holder import WeightHolder
from striate.layers.policy import DTypePolicy, get_policy
from striate.layers.structure import autocasts, in_dtype


class Precise(WeightHolder):
    """The part of a layer that knows its dtypes.

    A layer that was told a dtype keeps to it. One that was told none, where the global policy is float32 as well,
    follows `torch.autocast`, by which a model works in the precision that `compile` was given. A float32 that comes
    from the config of a file tells nothing: Keras writes it for every layer.

    Args:
        trainable: Whether training changes the weights.
        dtype: A dtype, a policy, or None for the global policy.

    Attributes:
        dtype: Of the weights.
        mixed: The dtype to compute in where that is another than the weights'.
        insists: Whether the layer keeps to its dtypes under `torch.autocast`.
    """

    # Whether whole numbers that come in become floats. Not so in layers of one's own: they may look things up.
    casts_integers: ClassVar[bool] = False
    # The `likeness` of what the last call brought, if all that is to be done for it is to compute.
    _usual: Any = None

    def __init__(self, trainable: bool) -> None:
        super().__init__(trainable)
        self.dtype, self.insists = "float32", False
        self.mixed: str | None = None

    def set_policy(self, dtype: Any) -> None:
        """Take the dtypes that an argument `dtype` means.

        Raises:
            UserError: It is no policy.
        """
        policy, self._usual = get_policy(self.where, dtype), None
        self.dtype = policy.variable_dtype
        self.mixed = None if policy.compute_dtype == self.dtype else policy.compute_dtype
        self.insists = policy.name != "float32" or not (dtype is None or isinstance(dtype, dict))

    @property
    def compute_dtype(self) -> str:
        """The dtype of the inputs, of the arithmetic and of the outputs."""
        return self.mixed or self.dtype

    @property
    def dtype_policy(self) -> DTypePolicy:
        """How precisely the layer works."""
        return DTypePolicy(f"mixed_{self.mixed}" if self.mixed else self.dtype)

    def cast(self, value: Any) -> Any:
        """What came in, in the dtype that the layer computes in (Keras's autocast)."""
        return in_dtype(value, getattr(torch, self.compute_dtype), self.casts_integers, follow=not self.insists)

    def keeps(self, dtype: torch.dtype) -> bool:
        """Whether `cast` leaves all tensors of a dtype as they are, under `torch.autocast`, too."""
        if type(self).cast is not Precise.cast:
            return False
        whole = not dtype.is_floating_point and not self.casts_integers
        return whole or dtype == getattr(torch, self.compute_dtype)

    def cast_floats(self, value: Any) -> Any:
        """As `cast`, but whole numbers stay, since masks and indices come as keyword arguments."""
        return in_dtype(value, getattr(torch, self.compute_dtype), integers=False, follow=not self.insists)

    def _compute(self, *inputs: Any, **kwargs: Any) -> Any:
        """What torch does when a module is called; in mixed precision under torch's autocast, which casts weights."""
        if self.mixed is None and not self.insists:
            return self._call_torch(*inputs, **kwargs)
        device = next((leaf.device.type for leaf in flatten(list(inputs)) if isinstance(leaf, torch.Tensor)), "cpu")
        if self.mixed is None and not autocasts(device):
            return self._call_torch(*inputs, **kwargs)
        with torch.autocast(device, getattr(torch, self.mixed or "bfloat16"), enabled=self.mixed is not None):
            outputs = self._call_torch(*inputs, **kwargs)
        return self.cast_floats(outputs)

    def _call_torch(self, *inputs: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*inputs, **kwargs)
        except FAULTS as error:
            refusal = refusal_of(self, inputs, kwargs, error)
            if refusal is None:
                raise
            raise refusal from error

    def _follow_weights(self, fn: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Keep the dtype on record that weights have after torch's to(), double() or cuda(); new ones end mixing."""
        before, self._usual = self.dtype, None
        self.dtype = dtype_after(self.dtype, fn)
        self.mixed = self.mixed if self.dtype == before else None


def dtype_after(dtype: str, fn: Callable[[torch.Tensor], torch.Tensor]) -> str:
    """The dtype that a function makes of tensors of this one; texts stay texts."""
    return dtype if dtype == "string" else str(fn(torch.empty(0, dtype=getattr(torch, dtype))).dtype)[len("torch.") :]
