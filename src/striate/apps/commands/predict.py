"""`striate predict`: what a model says of files."""

import dataclasses
import glob
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from striate.apps.commands.evaluate import model_of
from striate.apps.evaluation import load_predictor
from striate.apps.inputs import STANDARD_INPUT, Input, list_inputs
from striate.apps.output import Output, command_line
from striate.apps.run import ABOUT, csv_text
from striate.data.samples import Sample
from striate.data.threads import side_by_side, worker_count
from striate.deliver import Predictor
from striate.foundation.checks import UserError
from striate.tasks import Table, all_tasks, ready_task

CHUNK = 256  # inputs whose answers come together
MOST_COLUMNS = 4  # for people; the other forms have all of them
FORMS = ("table", "csv", "jsonl")


@dataclasses.dataclass
class Answered:
    """What came of all inputs: answers by column, and which inputs could not be read."""

    records: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    failed: dict[str, UserError] = dataclasses.field(default_factory=dict)
    count: int = 0


def predict(subject: Path, inputs: Sequence[str], form: str, output: Output) -> int:
    """Predict files and say what came out, as it comes.

    Args:
        subject: A run folder or a sealed file; an input if it is neither, for a network that is there without training.
        inputs: Files, folders, patterns such as "new/*.jpg", and "-" for standard input.
        form: One of `FORMS`: columns for people, a whole table as CSV, or one JSON object a line.
        output: Where to say it.

    Returns:
        The exit code: 2 where some of the files could not be read, which are named.

    Raises:
        UserError: The model cannot be used, or none of the files can.
    """
    if is_model(subject, inputs):
        path: Path | None = model_of(subject)
        predictor = load_predictor(path)  # type: ignore[arg-type]
    else:
        path, inputs = None, [str(subject), *inputs]
        ready_for: Any
        ready_for, ready = ready_task()
        predictor = Predictor(ready.model, ready_for, ready.spec)
        output.say(f"No model was named, so {ready.name} answers, which knows {ready.knows}.")
    task: Any = predictor.task
    answered, keep = Answered(), output.as_json
    for table in tables(predictor, list_inputs(inputs, task.suffixes), answered):
        show(table, form, output, first=answered.count == 0)
        answered.count += len(table.rows)
        if keep:
            answered.records += [dict(zip(table.header, row, strict=True)) for row in table.rows]
    if not answered.count:
        raise next(iter(answered.failed.values()))
    for error in answered.failed.values():
        output.complain(str(error))
    if form == "table":
        judged = ["striate", "evaluate", subject, "FOLDER"] if path else ["striate", "train", "FOLDER"]
        output.next([command_line(*judged)])
    failures = [{"source": source, "reason": str(error)} for source, error in answered.failed.items()]
    model = None if path is None else str(path)
    output.result({"model": model, "predictions": answered.records, "failed": failures})
    return 2 if answered.failed else 0


def is_model(subject: Path, inputs: Sequence[str]) -> bool:
    """Whether the first word names a model, and no input: standard input, a pattern, a file that a task reads."""
    if subject.is_dir():
        return bool(inputs) or (subject / ABOUT).exists()
    endings = {suffix for task in all_tasks().values() for suffix in task.suffixes}
    return not (str(subject) == STANDARD_INPUT or subject.suffix.lower() in endings or glob.has_magic(str(subject)))


def tables(predictor: Predictor, inputs: Sequence[Input], answered: Answered) -> Iterator[Table]:
    """The answers, a few hundred inputs at a time; those that cannot be read are noted."""
    task: Any = predictor.task

    def load(one: Input) -> np.ndarray | UserError:
        try:
            return task.prepare_input(task.load(one.content, predictor.spec), predictor.spec)
        except UserError as error:
            return error

    for begin in range(0, len(inputs), CHUNK):
        few = inputs[begin : begin + CHUNK]
        contents = list(side_by_side(load, few, worker_count()))
        pairs = list(zip(few, contents, strict=True))
        answered.failed |= {one.name: found for one, found in pairs if isinstance(found, UserError)}
        good = [(one, found) for one, found in pairs if isinstance(found, np.ndarray)]
        if good:
            samples = [Sample(one.name, None, one.name) for one, _ in good]
            predictions = predictor.predict(found for _, found in good)
            yield task.rows(predictions, samples, predictor.spec, with_targets=False)


def show(table: Table, form: str, output: Output, *, first: bool) -> None:
    """A table in the form that was asked for, its head only the first time; with --json, nothing."""
    if output.as_json:
        return
    if form == "csv":
        text = csv_text(table.header, table.rows)
        print(text if first else text.split("\n", 1)[1], end="", flush=True)
    elif form == "jsonl":
        for row in table.rows:
            print(json.dumps(dict(zip(table.header, row, strict=True)), ensure_ascii=False))
        sys.stdout.flush()
    else:
        _show_columns(table, output, first)


def _show_columns(table: Table, output: Output, first: bool) -> None:
    head = [name for name in table.header if name != "source"][:MOST_COLUMNS]
    places = [table.header.index(name) for name in head if not name.startswith("p_")]
    rows = [[table.header[place] for place in places], *([_cell(row[place]) for place in places] for row in table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(places))]
    for row in rows if first else rows[1:]:
        output.tell("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
