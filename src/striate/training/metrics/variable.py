"""State of metrics that users write: tensors that are changed as Keras's variables are."""

from typing import Any

import torch


class Variable(torch.Tensor):
    """A tensor with Keras's ways to change it; what is computed from it are plain tensors.

    It moves to the device of what is assigned.

    Args:
        data: Its first values, which give its shape and dtype.

    Example:
        >>> total = Variable(torch.zeros(2))
        >>> total.assign_add([1.0, 2.0])
        >>> total.assign(total * 2)
        >>> total + 0
        tensor([2., 4.])
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __new__(cls, data: torch.Tensor) -> "Variable":
        return torch.Tensor._make_subclass(cls, data.detach())

    @property
    def value(self) -> torch.Tensor:
        """The values as a plain tensor."""
        return self.detach()

    def assign(self, value: Any) -> None:
        """Take on these values; fewer of them are repeated to fill the shape."""
        wanted = torch.as_tensor(value).detach()
        self.data = wanted.to(self.dtype).expand(self.shape).clone()

    def assign_add(self, value: Any) -> None:
        """Add these values."""
        self.assign(self.value + torch.as_tensor(value).detach())

    def assign_sub(self, value: Any) -> None:
        """Subtract these values."""
        self.assign(self.value - torch.as_tensor(value).detach())
