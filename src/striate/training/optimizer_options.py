"""What every optimizer can be asked to do to gradients and weights, beside its own rule: Keras's common arguments."""

import math
from collections.abc import Callable
from typing import Any

import torch

from striate.foundation.checks import UserError, check_flag, check_int, check_number

Tensors = list[torch.Tensor]

# Keras's arguments in its order, with the values that ask for nothing.
DEFAULTS: dict[str, Any] = {
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")


def check_options(where: str, given: dict[str, Any]) -> dict[str, Any]:
    """All options, with defaults where nothing is given.

    Raises:
        UserError: One is out of range, or two kinds of clipping are asked for.
    """
    options = DEFAULTS | given
    clips = [f"{name}={options[name]!r}" for name in CLIPS if options[name] is not None]
    if len(clips) > 1:
        raise UserError(where, " and ".join(clips), "one kind of clipping", "Keep one of them.")
    for name in (*CLIPS, "loss_scale_factor"):
        if options[name] is not None:
            options[name] = check_number(where, name, options[name], "a number above 0", lambda v: 0 < v < math.inf)
    options["use_ema"] = check_flag(where, "use_ema", options["use_ema"])
    needs = "a number from 0 to 1"
    options["ema_momentum"] = check_number(where, "ema_momentum", options["ema_momentum"], needs, lambda v: 0 <= v <= 1)
    if options["ema_overwrite_frequency"] is not None:
        check_int(where, "ema_overwrite_frequency", options["ema_overwrite_frequency"])
        if not options["use_ema"]:
            got = f"ema_overwrite_frequency={options['ema_overwrite_frequency']} with use_ema=False"
            raise UserError(where, got, "averages to overwrite with", "Pass use_ema=True, or leave it out.")
    if options["gradient_accumulation_steps"] is not None:
        check_int(where, "gradient_accumulation_steps", options["gradient_accumulation_steps"], minimum=2)
    return options


def clipper(options: dict[str, Any]) -> Callable[[Tensors], None] | None:
    """The function that clips gradients in place as the options say; None where they ask for none."""
    functions = {"clipnorm": clip_norms, "global_clipnorm": clip_global_norm, "clipvalue": clip_values}
    for name, function in functions.items():
        if (limit := options[name]) is not None:
            return lambda gradients: function(gradients, limit)
    return None


def clip_norms(gradients: Tensors, limit: float) -> None:
    """Scale down each gradient that is longer than `limit`, in place.

    Example:
        >>> gradients = [torch.tensor([3.0, 4.0]), torch.tensor([0.5])]
        >>> clip_norms(gradients, 1.0)
        >>> gradients
        [tensor([0.6000, 0.8000]), tensor([0.5000])]
    """
    norms = torch._foreach_norm(gradients)
    for gradient, norm in zip(gradients, norms, strict=True):
        gradient.mul_(limit / norm.clamp_min(limit))


def clip_global_norm(gradients: Tensors, limit: float) -> None:
    """Scale all gradients down by one factor, where together they are longer than `limit`, in place."""
    norms = torch._foreach_norm(gradients)
    norm = torch.stack([one.to(norms[0]) for one in norms]).norm()
    factor = limit / norm.clamp_min(limit) + (norm - norm)  # infinity makes all NaN, instead of most of them 0
    for gradient in gradients:
        gradient.mul_(factor.to(gradient))


def clip_values(gradients: Tensors, limit: float) -> None:
    """Cut every number off at `limit` and its negative, in place."""
    torch._foreach_clamp_min_(gradients, -limit)
    torch._foreach_clamp_max_(gradients, limit)
