"""From a name, a config or a torch optimizer to an optimizer."""

from typing import Any

import torch

from striate.foundation.checks import UnsupportedError, UserError
from striate.foundation.explain import explaining
from striate.training.optimizer import Optimizer
from striate.training.optimizers.from_torch import TorchOptimizer
from striate.training.optimizers.registry import registry

serialize = registry.serialize

# What Keras has and striate does not, with what to take instead.
INSTEAD = {
    "Adafactor": "Pass torch.optim.Adafactor(model.parameters()), or choose 'adam'.",
    "Lamb": "Choose 'adamw'; LAMB is made for batches of tens of thousands.",
    "MultiOptimizer": "Choose one optimizer for all weights, or pass a torch.optim optimizer with parameter groups.",
    "Muon": "Pass torch.optim.Muon, where torch has it, or choose 'adamw'.",
    "ScheduleFreeAdamW": "Choose 'adamw' with a CosineDecay as learning_rate.",
}


@explaining
def get(identifier: Any, where: str = "Optimizer") -> Optimizer:
    """The optimizer for a name, a Keras config, an `Optimizer`, or a `torch.optim` optimizer.

    Example:
        >>> get("adam").config()["epsilon"]
        1e-07

    Raises:
        UnsupportedError: Keras has an optimizer of that name, striate does not.
        UserError: It is none of these; the nearest name is suggested.
    """
    if isinstance(identifier, torch.optim.Optimizer):
        return TorchOptimizer(identifier)
    name = identifier.get("class_name") if isinstance(identifier, dict) else identifier
    for refused, fix in INSTEAD.items():
        if isinstance(name, str) and name.lower() == refused.lower():
            needs = f"one of {', '.join(registry.classes)}: striate does not have this Keras optimizer"
            raise UnsupportedError(where, f"optimizer {name!r}", needs, fix)
    if isinstance(identifier, type) and issubclass(identifier, torch.optim.Optimizer):
        needs = "an optimizer that has parameters"
        fix = f"Pass torch.optim.{identifier.__name__}(model.parameters())."
        raise UserError(where, f"the class torch.optim.{identifier.__name__}", needs, fix)
    return registry.get(identifier, where)
