"""Where numbers stopped being numbers."""

from typing import Any

import torch

from striate.foundation.checks import UserError


class NotFiniteError(UserError, RuntimeError):
    """The loss is NaN or infinite; a RuntimeError too, as which Keras's TerminateOnNaN raises it.

    Args:
        where: What refuses it.
        got: The loss, and where it came from.
    """

    def __init__(self, where: str, got: str) -> None:
        fix = "Lower the learning rate, scale the inputs to about 0..1, or look for extreme values in that batch."
        super().__init__(where, got, "a finite loss", fix)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where, self.got)


def explain_loss(module: torch.nn.Module, x: Any, loss: float, number: int) -> NotFiniteError:
    """The error for a loss that is not finite, naming the batch and the first layer whose output is not.

    Args:
        module: The network; its mode, weights and statistics are left as they are.
        x: The batch's inputs.
        loss: What came out.
        number: The batch's number within its epoch.
    """
    layer = first_bad_layer(module, x)
    place = f"; the first output that is not finite is {layer}'s" if layer else "; all layers' outputs are finite"
    return NotFiniteError("fit", f"loss {loss} at batch {number}{place}")


@torch.no_grad()
def first_bad_layer(module: torch.nn.Module, x: Any) -> str | None:
    """The innermost module whose output is the first to hold NaN or infinity, in words; None if there is none."""
    found: list[str] = []

    def look(inner: torch.nn.Module, args: Any, output: Any) -> None:
        if not found and isinstance(output, torch.Tensor) and not torch.isfinite(output).all():
            found.append(getattr(inner, "where", type(inner).__name__))

    leaves = [inner for inner in module.modules() if not list(inner.children())]
    hooks = [leaf.register_forward_hook(look) for leaf in leaves]
    state = {name: value.clone() for name, value in module.state_dict().items()}
    try:
        with torch.random.fork_rng(devices=[]):
            module(x)
    finally:
        for hook in hooks:
            hook.remove()
        module.load_state_dict(state)
    return found[0] if found else None
