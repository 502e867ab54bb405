"""`striate summary`: the layers of a model file, and what it says of itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from striate.apps.commands.evaluate import model_of
from striate.apps.output import Output, command_line
from striate.deliver import read_contents
from striate.models.measure import measure
from striate.models.saving import load_model


def summary(subject: Path, output: Output) -> None:
    """Say what is in a model file.

    Args:
        subject: A run folder, a sealed file, or any .keras file.
        output: Where to say it.

    Raises:
        UserError: It is no model.
    """
    path = model_of(subject)
    model, contents = load_model(str(path)), read_contents(path)
    model.summary(line_length=output.console.width, print_fn=output.tell)
    output.facts(dict(_lines(contents or {})))
    words = ("predict", subject, "FILE") if contents else ("train", "FOLDER")
    output.next([command_line("striate", *words)])
    measured = measure(model)
    params = sum(row.params for row in measured.rows)
    output.result({"model": str(path), "params": params, "flops": measured.flops, "contents": contents})


def _lines(facts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A name and a value for every fact, however deep."""
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{prefix}{name} ")
        else:
            yield prefix + name, " ".join(map(str, value)) if isinstance(value, list) else str(value)
