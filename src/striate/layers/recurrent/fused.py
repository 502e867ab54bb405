"""A whole sequence in one call of torch's recurrent functions (oneDNN's on the CPU, cuDNN's on a GPU)."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

RecurrentFunction = Callable[..., Any]


def run_fused(
    function: RecurrentFunction,
    x: torch.Tensor,
    states: Sequence[torch.Tensor],
    weights: list[torch.Tensor],
    mask: torch.Tensor | None = None,
    keeps_states: bool = True,
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Every step's output and the last states.

    Args:
        function: torch.lstm, torch.gru, torch.rnn_tanh or torch.rnn_relu.
        x: (N, T, F).
        states: To begin with, each (N, units).
        weights: As `function` takes them: both kernels, or these and both biases.
        mask: (N, T), True where a step counts; the others leave the states alone and repeat the output before, which
            is zero in the beginning.
        keeps_states: Whether the last states matter; where not, masks cost little (oneDNN takes no packed sequences).

    Example:
        >>> weights = [torch.ones(1, 1), torch.zeros(1, 1)]
        >>> mask = torch.tensor([[False, True, False]])
        >>> run_fused(torch.rnn_relu, torch.tensor([[[1.0], [2.0], [3.0]]]), [torch.zeros(1, 1)], weights, mask)
        (tensor([[[0.],
                 [2.],
                 [2.]]]), [tensor([[2.]])])
    """
    if mask is None or not len(x):
        outputs, *after = _call(function, x, [], states, weights, batch_first=True)
        return outputs, after
    # The steps that count go to the front; each step then looks up how far they had come.
    order = (~mask).to(torch.uint8).argsort(dim=1, stable=True)
    front = x.gather(1, order.unsqueeze(-1).expand_as(x))
    if keeps_states:
        outputs, after = _run_packed(function, front, states, weights, mask.sum(1))
    else:
        outputs, after = _call(function, front, [], states, weights, batch_first=True)[0], list(states)
    seen = mask.cumsum(1).unsqueeze(-1)
    index = (seen - 1).clamp(min=0).expand(-1, -1, outputs.shape[-1])
    return torch.where(seen > 0, outputs.gather(1, index), 0.0), after


def _run_packed(
    function: RecurrentFunction,
    x: torch.Tensor,
    states: Sequence[torch.Tensor],
    weights: list[torch.Tensor],
    lengths: torch.Tensor,
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Outputs, and the states after as many steps of each sequence as `lengths` says."""
    packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
    begin = [state[packed.sorted_indices] for state in states]
    data, *after = _call(function, packed.data, [packed.batch_sizes], begin, weights)
    result = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    outputs, _ = pad_packed_sequence(result, batch_first=True)
    after = [state[packed.unsorted_indices] for state in after]
    counts = (lengths > 0).unsqueeze(-1)
    return outputs, [torch.where(counts, new, old) for new, old in zip(after, states, strict=True)]


def _call(
    function: RecurrentFunction,
    x: torch.Tensor,
    sizes: list[torch.Tensor],
    states: Sequence[torch.Tensor],
    weights: list[torch.Tensor],
    **options: bool,
) -> list[torch.Tensor]:
    """Outputs and last states of one layer in one direction."""
    begin = [state.unsqueeze(0).contiguous() for state in states]
    # In this order: states, weights, biases, layers, dropout, training (cuDNN then keeps what backward needs),
    # bidirectional.
    settings = (len(weights) == 4, 1, 0.0, torch.is_grad_enabled(), False)
    hidden = begin[0] if len(begin) == 1 else tuple(begin)
    arguments = (x, *sizes, hidden, weights, *settings, *options.values())
    outputs, *after = function(*arguments)
    return [outputs, *(state.squeeze(0) for state in after)]
