"""Where numbers stopped being numbers."""

from typing import Any

import torch

from striate.foundation.checks import UserError

FIX = "Lower the learning rate, scale the inputs to about 0..1, or look for extreme values in that batch."


class NotFiniteError(UserError, RuntimeError):
    """The loss is NaN or infinite; a RuntimeError too, as which Keras's TerminateOnNaN raises it.

    Args:
        where: What refuses it.
        got: The loss, and where it came from.
        fix: What to do.
    """

    def __init__(self, where: str, got: str, fix: str = FIX) -> None:
        super().__init__(where, got, "a finite loss", fix)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where, self.got, self.fix)


def explain_loss(module: torch.nn.Module, x: Any, loss: float, number: int) -> NotFiniteError:
    """The error for a loss that is not finite, naming the batch and the first layer whose output is not.

    Args:
        module: The network; its mode, weights and statistics are left as they are.
        x: The batch's inputs.
        loss: What came out.
        number: The batch's number within its epoch.
    """
    layer, dtype = first_bad_layer(module, x) or (None, None)
    place = f"; the first output that is not finite is {layer}'s" if layer else "; all layers' outputs are finite"
    fix = FIX
    if dtype == torch.float16:
        place, fix = f"{place}, in float16, which ends at 65504", f"Compute in bfloat16. {fix}"
    return NotFiniteError("fit", f"loss {loss} at batch {number}{place}", fix)


@torch.no_grad()
def first_bad_layer(module: torch.nn.Module, x: Any) -> tuple[str, torch.dtype] | None:
    """The innermost module whose output is the first to hold NaN or infinity, in words, and the output's dtype.

    Returns:
        None if there is none.
    """
    found: list[tuple[str, torch.dtype]] = []

    def look(inner: torch.nn.Module, args: Any, output: Any) -> None:
        if not found and isinstance(output, torch.Tensor) and not torch.isfinite(output).all():
            found.append((getattr(inner, "where", type(inner).__name__), output.dtype))

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
