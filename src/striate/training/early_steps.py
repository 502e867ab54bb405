"""Steps that weights take while gradients are computed, so that gradients of all weights are never alive together."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from striate.kernels.early import read_once
from striate.kernels.library import library, readable
from striate.training.moving_averages import MovingAverages
from striate.training.optimizer_options import CLIPS, Tensors


class EarlySteps(MovingAverages):
    """The part of an optimizer that computes gradients, and lets large weights take their steps at once."""

    # Whether the compiled rule of one weight hangs on nothing that its step changes for others; subclasses say so anew.
    steps_one_by_one: ClassVar[bool] = False

    _options: dict[str, Any]
    _stepped: bool

    def backward(self, loss: torch.Tensor, alone: Sequence[torch.Tensor] = ()) -> None:
        """Compute the gradients.

        Args:
            loss: A scalar.
            alone: Weights whose gradients nobody reads but this optimizer: they may take their step at once, and get
                no gradient. If an exception ends the computation on its way, some of them have taken it.
        """
        early = [weight for weight in alone if self._can_step_early(weight)]
        early = read_once(loss, early) if early else []
        hooks = [weight.register_post_accumulate_grad_hook(self._step_early) for weight in early]
        if early:
            self._set_rate()
        try:
            self._compute_gradients(loss, early)
        finally:
            for hook in hooks:
                hook.remove()

    def _compute_gradients(self, loss: torch.Tensor, early: Tensors) -> None:
        """Let torch compute them; those of weights that step early may be left out, if the steps are taken."""
        self.scale_loss(loss).backward()

    def _can_step_early(self, weight: torch.Tensor) -> bool:
        """Whether nothing is to be done with a weight's gradient but its step, as far as can be known here."""
        if not vars(type(self)).get("steps_one_by_one") or library() is None:
            return False
        if weight not in self._names or not weight.requires_grad or weight.grad is not None:
            return False
        asked = any(self._options[name] for name in (*CLIPS, "gradient_accumulation_steps", "loss_scale_factor"))
        watched = weight._backward_hooks or weight._post_accumulate_grad_hooks or self._engine_is_watched()
        if asked or watched or getattr(weight, "constraint", None) is not None:
            return False
        return readable(weight, *self._state(weight).values())

    def _step_early(self, weight: torch.Tensor) -> None:
        """Take the step of a weight whose gradient has just been completed, and drop the gradient."""
        gradient = weight.grad
        if gradient is None or not readable(gradient):
            return
        self._match_memory([weight])
        self._move([weight])
        weight.grad = None
        self._stepped = True

    # What the optimizer has -----------------------------------------------------------------------

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss, times the scale that `step` takes off again."""
        raise NotImplementedError

    def _engine_is_watched(self) -> bool:
        raise NotImplementedError

    def _set_rate(self) -> None:
        raise NotImplementedError

    def _move(self, parameters: Tensors) -> None:
        raise NotImplementedError
