"""The loops: train an epoch, evaluate, predict. Plain functions over any torch module."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from striate.data.feed import Batch, Feed, check_finite
from striate.foundation.checks import UserError
from striate.foundation.nested import as_lists, map_structure
from striate.layers.structure import mode
from striate.training.diagnose import NotFiniteError, explain_loss
from striate.training.objective import Objective, RunningLogs

Penalty = Callable[[], torch.Tensor | None]


def no_penalty() -> None:
    """Nothing is added to the loss."""


def train_step(
    module: torch.nn.Module,
    batch: Batch,
    objective: Objective,
    optimizer: Any,
    penalty: Penalty = no_penalty,
    number: int = 0,
    alone: Sequence[torch.Tensor] = (),
) -> None:
    """One batch: forward, loss, backward, update, count.

    Args: see `train_epoch`.

    Raises:
        NotFiniteError: The loss is NaN or infinite; it is counted, the metrics are not.
        UserError: Labels do not fit the loss. After either the weights are as before the batch.
    """
    statistics = [(buffer, buffer.clone()) for buffer in module.buffers()]  # that forward may move
    optimizer.zero_grad()
    try:
        prediction = module(batch.x)
        objective.bind(batch.y, prediction)
        total = objective(batch.y, prediction, batch.sample_weight, penalty())
        if not math.isfinite(total.item()):
            objective.count_loss(prediction, total)
            raise explain_loss(module, batch.x, total.item(), number)
    except Exception:
        with torch.no_grad():
            for buffer, before in statistics:
                buffer.copy_(before)
        raise
    optimizer.backward(total, alone)
    optimizer.step()
    objective.update(batch.y, prediction, total, batch.sample_weight)


def evaluate_step(module: torch.nn.Module, batch: Batch, objective: Objective, penalty: Penalty = no_penalty) -> None:
    """One batch: forward, loss, count.

    Raises:
        UserError: Labels do not fit the loss.
    """
    prediction = module(batch.x)
    objective.bind(batch.y, prediction)
    total = objective(batch.y, prediction, batch.sample_weight, penalty())
    objective.update(batch.y, prediction, total, batch.sample_weight)


def train_epoch(
    module: torch.nn.Module,
    feed: Feed,
    objective: Objective,
    optimizer: Any,
    *,
    callbacks: Any,
    epoch: int = 0,
    first: int = 0,
    steps: int | None = None,
    every: int = 1,
    penalty: Penalty = no_penalty,
    alone: Sequence[torch.Tensor] = (),
    on_step: Callable[[int], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    refuse_nan: bool = True,
    step: Callable[..., None] = train_step,
) -> int:
    """Train on the batches of an epoch, in training mode.

    Args:
        module: The network.
        feed: Gives the batches.
        objective: Losses and metrics, counted on from where they stand.
        optimizer: With `zero_grad`, `backward` and `step`.
        callbacks: Told before and after every batch, or every few.
        epoch: The epoch's number.
        first: The batch to begin at.
        steps: The batches of an epoch; all there are if left out.
        every: How many batches pass between calls of the callbacks.
        penalty: Makes what regularizers and layers add to the loss, after each forward pass.
        alone: Weights that one layer uses once, and whose gradients nobody reads; see `Optimizer.backward`.
        on_step: Told how many batches of the epoch are done, before the callbacks are.
        stop: Asked after the callbacks.
        refuse_nan: Whether a loss that is not finite is an error; else it counts, but moves no weights.
        step: What is done with a batch.

    Returns:
        How many batches of the epoch are done.

    Raises:
        UserError: A batch cannot be used, or there are fewer than `steps`.
    """
    logs, done, device = RunningLogs(objective), first, device_of(module)
    batches = limit(feed.epoch(epoch, first), None if steps is None else steps - first)
    with mode(module, True), torch.enable_grad():
        begin, end = callbacks.on_train_batch_begin, lambda last: callbacks.on_train_batch_end(last, logs)
        for number, batch in told(batches, begin, end, first, every, stop):
            check_finite(batch, number, "fit", feed, epoch)
            try:
                step(module, to_device(batch, device), objective, optimizer, penalty, number, alone)
            except NotFiniteError:
                if refuse_nan:
                    raise
            done = number + 1
            if on_step is not None:
                on_step(done)
        if stop():
            return done
    if steps is not None and done < steps:
        fix = "Lower steps_per_epoch, or repeat the data: dataset.repeat()."
        raise UserError("fit", f"{done} batches in epoch {epoch}", f"steps_per_epoch={steps}", fix)
    return done


@torch.no_grad()
def evaluate(
    module: torch.nn.Module,
    feed: Feed,
    objective: Objective,
    *,
    callbacks: Any,
    steps: int | None = None,
    every: int = 1,
    penalty: Penalty = no_penalty,
    step: Callable[..., None] = evaluate_step,
) -> dict[str, Any]:
    """Losses and metrics over all batches, in inference mode; what an epoch under way has counted stays.

    Raises:
        UserError: A batch cannot be used, or there was none.
    """
    counted = objective.state_dict()
    objective.reset()
    logs, device, count = RunningLogs(objective), device_of(module), 0
    begin, end = callbacks.on_test_batch_begin, lambda last: callbacks.on_test_batch_end(last, logs)
    with mode(module, False):
        for number, batch in told(limit(feed.epoch(0), steps), begin, end, every=every):
            check_finite(batch, number, "evaluate", feed)
            step(module, to_device(batch, device), objective, penalty)
            count = number + 1
    if not count:
        raise UserError("evaluate", "no batches", "at least one", "Pass data that is not used up.")
    results = objective.results()
    objective.load_state_dict(counted)
    return results


@torch.no_grad()
def predict(
    module: torch.nn.Module,
    feed: Feed,
    *,
    callbacks: Any,
    steps: int | None = None,
    every: int = 1,
    forward: Callable[[Any], Any] | None = None,
) -> Any:
    """The network's outputs for all batches, in inference mode, as NumPy arrays.

    Args:
        callbacks: Told before and after every batch, or every few, with the outputs for them.
        forward: Computes what the network does, if not the network itself.

    Raises:
        UserError: There was no batch.
    """
    device = device_of(module)
    parts: list[Any] = []

    def end(last: int) -> None:
        new = parts[-(last % every) - 1 :]
        callbacks.on_predict_batch_end(last, {"outputs": new[0] if len(new) == 1 else map_structure(_chained, *new)})

    with mode(module, False):
        for number, batch in told(limit(feed.epoch(0), steps), callbacks.on_predict_batch_begin, end, every=every):
            check_finite(batch, number, "predict", feed)
            parts.append((forward or module)(to_device(batch, device).x))
    if not parts:
        raise UserError("predict", "no batches", "at least one", "Pass data that is not used up.")
    return as_lists(map_structure(_joined, *parts))


def told(
    batches: Iterator[Batch],
    begin: Callable[[int], None],
    end: Callable[[int], None],
    first: int = 0,
    every: int = 1,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, Batch]]:
    """The batches with their numbers; before and after each, or every few, the callbacks are told.

    Args:
        begin: Told the number of the batch to come.
        end: Told the number of the last batch done.
        first: The first batch's number.
        every: How many batches pass between calls.
        stop: Asked after each `end`; if it says so, no batch follows.

    Example:
        >>> from striate.data.feed import Batch
        >>> batches = iter([Batch("a"), Batch("b"), Batch("c")])
        >>> begin, end = lambda number: print("begin", number), lambda number: print("end", number)
        >>> [batch.x for _, batch in told(batches, begin, end, every=2)]
        begin 0
        end 1
        begin 2
        end 2
        ['a', 'b', 'c']
    """
    number = first
    for batch in batches:
        if (number - first) % every == 0:
            begin(number)
        yield number, batch
        number += 1
        if (number - first) % every == 0:
            end(number - 1)
            if stop():
                return
    if (number - first) % every:
        end(number - 1)


def limit(batches: Iterator[Batch], steps: int | None) -> Iterator[Batch]:
    """At most `steps` batches; the next one is not even drawn."""
    if steps is None:
        yield from batches
        return
    for _ in range(steps):
        batch = next(batches, None)
        if batch is None:
            return
        yield batch


def device_of(module: torch.nn.Module) -> torch.device:
    """Where the module's weights are; the CPU if it has none."""
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on the device; itself on the CPU."""

    def move(leaf: Any) -> Any:
        return leaf.to(device, non_blocking=True) if isinstance(leaf, torch.Tensor) else leaf

    return batch if device.type == "cpu" else map_structure(move, batch)


def _chained(*parts: torch.Tensor | None) -> torch.Tensor | None:
    """Batches of one output as one tensor; None where it is None."""
    return None if parts[0] is None else torch.cat(parts)  # type: ignore[arg-type]


def _joined(*parts: Any) -> np.ndarray | None:
    """Batches of one output as one array; None where it is None."""
    if parts[0] is None:
        return None
    if parts[0].dtype == torch.bfloat16:
        return torch.cat(parts).float().cpu().numpy()
    return np.concatenate([part.cpu().numpy() for part in parts])
