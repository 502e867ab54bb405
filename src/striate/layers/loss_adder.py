"""Losses that layers add while they compute: each belongs to the forward pass in which it was added."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar, Token
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import torch

from striate.foundation.checks import UnsupportedError, UserError
from striate.foundation.explain import naming
from striate.foundation.nested import flatten
from striate.foundation.shapes import describe
from striate.layers import regularizers
from striate.layers.precise import Precise
from striate.layers.structure import mode

# Beside the layers, not in them: copies and files of a layer, and what torch traces of it, know nothing of them.
_added: WeakKeyDictionary[torch.nn.Module, list[torch.Tensor]] = WeakKeyDictionary()
# Whether losses are kept that layers add; None where no layer computes.
_keeps: ContextVar[bool | None] = ContextVar("_keeps", default=None)


def anything_added() -> bool:
    """Whether any layer of the program holds losses of its last pass: a quick answer to begin with."""
    return bool(_added)


def begin_pass(layer: torch.nn.Module) -> Token[bool | None] | None:
    """Begin a call of a layer. The outermost call begins anew: losses of the pass before are forgotten.

    Returns:
        What `end_pass` is to be given; None within another layer's call.
    """
    if _keeps.get() is not None:
        return None
    if _added:
        for inner in layer.modules():
            _added.pop(inner, None)
    return _keeps.set(True)


def end_pass(token: Token[bool | None] | None) -> None:
    """End the call that `begin_pass` began."""
    if token is not None:
        _keeps.reset(token)


@contextlib.contextmanager
def forward_pass(layer: torch.nn.Module, training: bool | None) -> Iterator[None]:
    """What a call of a layer computes in, from `begin_pass` to `end_pass`.

    Args:
        training: The mode of the call; None for that of each layer.
    """
    token = begin_pass(layer)
    try:
        with contextlib.nullcontext() if training is None else mode(layer, training):
            yield
    finally:
        end_pass(token)


@contextlib.contextmanager
def losses_dropped() -> Iterator[None]:
    """What layers run in to show what shape they give: losses that they add meanwhile count for nothing."""
    token = _keeps.set(False)
    try:
        yield
    finally:
        _keeps.reset(token)


class LossAdder(Precise):
    """The part of a layer that adds to the loss, beside what its outputs are compared with.

    Args:
        trainable: Whether training changes the weights.
    """

    # Whether an activity_regularizer sees what comes out. Not so for cells, of which all steps are computed as one.
    shows_outputs: ClassVar[bool] = True
    activity_regularizer: regularizers.Regularizer | None = None

    def set_activity_regularizer(self, regularizer: Any) -> None:
        """Penalise what comes out of every call.

        Raises:
            UserError: The name is not known.
            UnsupportedError: Nothing comes out that could be penalised.
        """
        self.activity_regularizer = regularizers.get(regularizer, self.where)
        if self.activity_regularizer is None:
            return
        if not self.shows_outputs:
            needs = "activity_regularizer=None: what comes out of single steps and inputs is not looked at"
            fix = "Give it to the layer around, or add an ActivityRegularization layer."
            raise UnsupportedError(self.where, f"activity_regularizer={regularizer!r}", needs, fix)
        self.register_forward_hook(_penalise)

    @naming
    def add_loss(self, loss: Any) -> None:
        """Add to the loss that training minimises, from within `forward` (or `call`).

        It counts for the forward pass under way: `losses` has it until the next one, `fit` and `evaluate` add it to
        the loss that they report.

        Args:
            loss: A scalar tensor, or a list of them.

        Raises:
            UserError: It is none, or no forward pass is under way.

        Example:
            >>> from striate.layers import Layer
            >>> class Small(Layer):
            ...     def forward(self, x):
            ...         self.add_loss(0.5 * x.square().mean())
            ...         return x
            >>> layer = Small()
            >>> _ = layer(torch.tensor([[1.0, 3.0]]))
            >>> layer.losses
            [tensor(2.5000)]
        """
        where = f"{self.where}.add_loss"
        losses = flatten(loss)
        for one in losses:
            _check_loss(where, one)
        keeps = _keeps.get()
        if keeps is None:
            needs = "to be called while the layer computes: losses last until the next forward pass"
            fix = "Call add_loss in forward (or call) of a layer, and call the layer: layer(x)."
            raise UserError(where, "a call outside of a forward pass", needs, fix)
        if keeps:
            _added.setdefault(self, []).extend(losses)

    @property
    def losses(self) -> list[torch.Tensor]:
        """What is added to the loss: by layers in the last forward pass, then by regularizers of trainable weights."""
        added = [loss for inner in self.modules() for loss in _added.get(inner, ())] if _added else []
        return added + self.penalties()

    def penalty(self) -> torch.Tensor | None:
        """The sum of `losses`; None if there are none."""
        terms = [loss if loss.is_floating_point() else loss.float() for loss in self.losses]
        return torch.stack(terms).sum() if terms else None


def _check_loss(where: str, loss: Any) -> None:
    needs = "a scalar tensor that the layer computed"
    if not isinstance(loss, torch.Tensor):
        fix = "Compute it with torch or striate.ops from what comes in, in forward (or call) of a layer."
        raise UserError(where, repr(loss), needs, fix)
    if loss.ndim:
        fix = "Take its mean or its sum: self.add_loss(loss.mean())."
        raise UserError(where, f"a tensor of shape {describe(loss.shape)}", needs, fix)
    if loss.is_complex():
        raise UserError(where, f"a tensor of {loss.dtype}", needs, "Take its absolute value.")


def _penalise(layer: Any, inputs: Any, outputs: Any) -> None:
    """After a forward: what the activity_regularizer makes of each output, by item."""
    for output in flatten(outputs):
        if isinstance(output, torch.Tensor):
            penalty = layer.activity_regularizer(output)
            layer.add_loss(penalty / max(len(output), 1) if output.ndim else penalty)
