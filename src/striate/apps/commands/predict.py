"""`striate predict`: what a sealed model says of files."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from striate.apps.commands.evaluate import model_of
from striate.apps.evaluation import load_predictor
from striate.apps.output import Output, command_line
from striate.apps.run import csv_text
from striate.data.samples import Sample
from striate.data.threads import side_by_side, worker_count
from striate.foundation.checks import UserError
from striate.tasks import Table

WHERE = "striate predict"
MOST_COLUMNS = 4  # for people; --csv and --json have all of them


def predict(subject: Path, inputs: Sequence[str], as_csv: bool, output: Output) -> int:
    """Predict files and say what came out.

    Args:
        subject: A run folder or a sealed file.
        inputs: Files, folders, and patterns such as "new/*.jpg".
        as_csv: Print a whole table as CSV.
        output: Where to say it.

    Returns:
        The exit code: 2 where some of the files could not be read, which are named.

    Raises:
        UserError: The model cannot be used, or none of the files can.
    """
    path = model_of(subject)
    predictor = load_predictor(path)
    task: Any = predictor.task
    files = list_files(inputs, task.suffixes)

    def load(file: Path) -> np.ndarray | UserError:
        try:
            return task.prepare_input(task.load(file, predictor.spec), predictor.spec)
        except UserError as error:
            return error

    contents = list(side_by_side(load, files, worker_count()))
    failed = {str(file): error for file, error in zip(files, contents, strict=True) if isinstance(error, UserError)}
    if len(failed) == len(files):
        raise next(iter(failed.values()))
    good = [(file, content) for file, content in zip(files, contents, strict=True) if str(file) not in failed]
    samples = [Sample(str(file), None, str(file)) for file, _ in good]
    predictions = predictor.predict(content for _, content in good)
    table = task.rows(predictions, samples, predictor.spec, with_targets=False)
    show(table, as_csv, output)
    for error in failed.values():
        output.complain(str(error))
    if not as_csv:
        output.next([command_line("striate", "evaluate", subject, "FOLDER")])
    records = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    failures = [{"source": source, "reason": str(error)} for source, error in failed.items()]
    output.result({"model": str(path), "predictions": records, "failed": failures})
    return 2 if failed else 0


def list_files(inputs: Sequence[str], suffixes: Sequence[str]) -> list[Path]:
    """The files that are meant, each once, in the order given; of folders, those with a task's endings.

    Raises:
        UserError: There is none, a path leads to nothing, or a folder has no such file.
    """
    if not inputs:
        raise UserError(WHERE, "no inputs", "files, folders or patterns", "Name some, for example a picture.")
    found: list[Path] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
            if not inside:
                needs = f"files that end in {', '.join(suffixes)}"
                raise UserError(WHERE, f"{text!r} with no file it can read", needs, "Check the path.")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            matches = sorted(map(Path, glob.glob(text, recursive=True)))  # noqa: PTH207 - also absolute patterns
            if not matches:
                raise UserError(WHERE, f"no file {text!r}", "files, folders or patterns", "Check the path.")
            found += [match for match in matches if match.is_file()]
    return list(dict.fromkeys(found))


def show(table: Table, as_csv: bool, output: Output) -> None:
    """The table as CSV, or its first columns for people; with --json, nothing."""
    if output.as_json:
        return
    if as_csv:
        print(csv_text(table.header, table.rows), end="")
        return
    head = [name for name in table.header if name != "source"][:MOST_COLUMNS]
    places = [table.header.index(name) for name in head if not name.startswith("p_")]
    rows = [[table.header[place] for place in places], *([str(row[place]) for place in places] for row in table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(places))]
    for row in rows:
        output.tell("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
