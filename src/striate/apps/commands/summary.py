"""`striate summary`: the layers of a model file, and what it says of itself."""

from pathlib import Path
from typing import Any

from striate.apps.commands.evaluate import model_of
from striate.apps.figures import read_figures
from striate.apps.output import Output, command_line
from striate.deliver import read_contents
from striate.models.measure import measure
from striate.models.saving import load_model

MOST = 10  # entries of a list that are shown


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
    facts = _facts(contents or {})
    if facts:
        output.say()
        output.facts(facts)
        output.say("--json says all that the file holds.", "dim")
    words = ("predict", subject, "FILE") if contents else ("train", "FOLDER")
    output.next([command_line("striate", *words)])
    measured = measure(model)
    params = sum(row.params for row in measured.rows)
    output.result({"model": str(path), "params": params, "flops": measured.flops, "contents": contents})


def _facts(contents: dict[str, Any]) -> dict[str, str]:
    """The few things of a sealed file that people ask for first; --json has all of them."""
    spec, data, metrics = (_dict(contents.get(name)) for name in ("spec", "data", "metrics"))
    known = {
        "task": contents.get("task"),
        "classes": contents.get("classes"),
        "image size": spec.get("image_size"),
        "trained on": data.get("origin"),
        "best epoch": contents.get("best_epoch"),
    }
    facts = {name: _text(value) for name, value in known.items() if value is not None}
    for figure in read_figures(metrics)[:1]:
        interval = f" (95 % interval {figure.text(figure.low)} to {figure.text(figure.high)})"
        facts[f"test {figure.title.lower()}"] = figure.text(figure.value) + interval * figure.has_interval
    return facts


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A value, or the first of many."""
    if not isinstance(value, list):
        return str(value)
    more = f", ... ({len(value)})" if len(value) > MOST else ""
    return ", ".join(map(str, value[:MOST])) + more
