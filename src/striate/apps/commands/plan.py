"""`striate train --plan`: what a training would do, and why, how long it would take; nothing is written."""

import dataclasses
import itertools
import statistics
import time
from typing import Any

from striate.apps.machine import peak_memory
from striate.apps.output import Output, command_line
from striate.apps.prepare import Request, planned
from striate.apps.run import default_folder
from striate.data.arrays import make_feed
from striate.data.samples import SampleSet
from striate.models.measure import measure
from striate.models.model import Model
from striate.training.progress import duration

TIMED_STEPS = 4  # after one that is not timed
TIMED_SAMPLES = 512  # read for them, not all there are
# What people want to know first; the others follow.
FIRST = ("size", "pretrained", "image_size", "epochs", "batch_size", "optimizer", "learning_rate")


def plan(request: Request, output: Output) -> None:
    """Read the data, make every choice, try a few steps, and say all of it.

    Raises:
        UserError: The data or an option cannot be used.
    """
    planned_run = planned(request, output)
    task: Any = planned_run.task
    samples, parts, spec, why = planned_run.samples, planned_run.parts, planned_run.spec, planned_run.why
    training = samples.subset(parts["train"])
    model = task.build(spec)
    measured = measure(model)
    steps = -(-len(training) // spec.batch_size)
    seconds = _seconds_a_step(task, training, spec, model)
    estimate = {
        "seconds": round(seconds * steps * spec.epochs, 1),
        "memory_bytes": peak_memory(),
        "steps": steps * spec.epochs,
    }
    params = sum(row.params for row in measured.rows)
    counts = {name: len(numbers) for name, numbers in parts.items()}
    choices = {name: value for name, value in spec.to_json().items() if name not in ("task", "classes")}
    output.tell(f"Task: {task.name}, {samples.origin}")
    output.tell("Samples: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    output.tell(f"Network: {model.name}, {params:,} parameters, {measured.flops:,} operations a sample")
    for name in dict.fromkeys((*FIRST, *choices)):
        if name in choices:
            reason = f"  ({why[name]})" if name in why else ""
            output.tell(f"  {name:<14} {_text(choices[name])}{reason}")
    time_text = (
        f"{duration(seconds * steps * spec.epochs)} for {estimate['steps']:,} steps, as {TIMED_STEPS} of them took"
    )
    output.tell(f"Time: about {time_text}, and some more to read and to evaluate")
    if estimate["memory_bytes"] is not None:
        output.tell(f"Memory: about {estimate['memory_bytes'] / 2**20:,.0f} MB")
    out = request.out or default_folder(request.name, resume=False)
    output.next([command_line(*dataclasses.replace(request, out=out).command(out))])
    output.result(
        {
            "task": task.name,
            "samples": counts,
            "spec": spec.to_json(),
            "why": why,
            "params": params,
            "estimate": estimate,
        }
    )


def _seconds_a_step(task: Any, samples: SampleSet, spec: Any, model: Model) -> float:
    """How long a step takes, reading included."""
    few = samples.subset(range(min(len(samples), max(TIMED_SAMPLES, 2 * spec.batch_size))))
    feed = make_feed(task.training_data(few, spec))
    times = []
    begin = time.perf_counter()
    for batch in itertools.islice(
        itertools.chain.from_iterable(feed.epoch(n) for n in range(TIMED_STEPS + 1)), TIMED_STEPS + 1
    ):
        model.train_on_batch(batch.x, batch.y)
        now = time.perf_counter()
        times.append(now - begin)
        begin = now
    return statistics.median(times[1:])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " x ".join(map(str, value)) if len(value) < 4 else f"{len(value)} values"
    return f"{value:g}" if isinstance(value, float) else str(value)
