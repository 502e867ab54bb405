"""Writes report.html: one file that tells a newcomer how good a network is, and an engineer why.

Which sections there are follows from the files and columns of the run folder, so that every task gets its report.
"""

import functools
import math
import os
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from striate.apps import plots
from striate.apps.answers import PREDICTIONS, Answers
from striate.apps.breakdown import Confusion, reliability
from striate.apps.diagrams import read_diagrams
from striate.apps.embed import MOST_PICTURES, embed
from striate.apps.figures import percent, read_figures
from striate.apps.outline import outline
from striate.apps.run_files import Curves, RunFiles, find, number, read_curves
from striate.foundation.files import atomic_path
from striate.models.summary_view import count

MOST_CURVES = 6
MOST_CELLS = 25  # classes; more of them are drawn as a heat map, since nobody reads 10,000 numbers
MOST_EVENTS = 100
SURE = 0.9
# What a finished run has, and what the report shows of it.
PARTS = {
    "run.json": "the choices and the network",
    "metrics.csv": "the training curves",
    "data_report.json": "the data report",
    "samples": "samples as the network sees them",
    "evaluation/metrics.json": "the test figures",
    PREDICTIONS: "the single answers",
    "evaluation/worst": "the worst mistakes",
    "next.txt": "the next commands",
}


def write_report(run_folder: str | os.PathLike[str]) -> Path:
    r"""Write `report.html` of a run folder: one file that needs no other, and no network.

    Args:
        run_folder: `runs/<name>`. Files that are missing leave their section out; the report says which.

    Returns:
        The path of the report.

    Raises:
        UserError: The folder is no run folder, a file of it is damaged, or the report cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "metrics.csv").write_text("epoch,loss\n0,0.7\n")
        ...     write_report(folder).name
        'report.html'
    """
    run = RunFiles(run_folder)
    page = _templates().get_template("report.html.jinja").render(contents(run)).lstrip()
    target = run.folder / "report.html"
    with atomic_path(target) as path:
        path.write_bytes(page.encode("utf-8", "replace"))  # names of files may hold bytes that are no text
    return target


def contents(run: RunFiles) -> dict[str, Any]:
    """Everything that the page shows, by the name that the template knows it by."""
    about = run.mapping("run.json")
    answers = Answers.read(run)
    curves = read_curves(run)
    data = run.json("data_report.json")
    choices = {key: value for key, value in about.items() if key not in ("model", "command")}
    return {
        "name": run.folder.resolve().name,
        "task": find(about, "task"),
        "origin": _origin(about),
        "version": _version(about),
        "figures": read_figures(run.mapping("evaluation/metrics.json")),
        "answers": answers,
        "curves": curves and _curves(curves, run),
        "confusion": _confusion(run),
        "scores": answers and answers.scores(),
        "reliability": answers and _reliability(answers),
        "diagrams": _diagrams(run),
        "worst": _gallery(run, "evaluation/worst", answers),
        "charts": _gallery(run, "evaluation"),
        "samples": _gallery(run, "samples"),
        "network": _network(about.get("model")),
        "data": data and outline(data),
        "leaks": number(find(data, "across_parts")) if isinstance(data, dict) else 0,
        "command": _command(about.get("command")),
        "choices": choices and outline(choices),
        "events": _events(run),
        "next": (run.text("next.txt") or "").strip(),
        "missing": [(name, what) for name, what in PARTS.items() if not (run.folder / name).exists()],
    }


def _origin(about: dict[str, Any]) -> str | None:
    """Where the data came from, as the run names it."""
    found = find(about, "origin") or find(about, "source")
    return str(found) if found else None


def _version(about: dict[str, Any]) -> str:
    versions = about.get("versions")
    return str(versions.get("striate", "")) if isinstance(versions, dict) else ""


def _curves(curves: Curves, run: RunFiles) -> dict[str, Any]:
    """The diagrams, and the same as a table for those who want the numbers."""
    labels = {name: f"Curve of {name} over {len(curves.epochs)} epochs" for name in curves.names[:MOST_CURVES]}
    columns = [name for name in curves.values if name != "epoch"]
    return {
        "svgs": [Markup(plots.svg(plots.curve_figure(curves, name), label)) for name, label in labels.items()],
        "best": curves.best,
        "judge": curves.judge,
        "twins": any("val_" + name in columns for name in columns),
        "columns": columns,
        "rows": [(epoch, [curves.values[name][row] for name in columns]) for row, epoch in enumerate(curves.epochs)],
    }


def _confusion(run: RunFiles) -> dict[str, Any] | None:
    """What is taken for what: as shaded cells where they can be read, else as a heat map."""
    name = "evaluation/confusion.csv"
    table = run.table(name)
    if table is None or not table.columns[1:]:
        return None
    first, *answers = table.columns
    counts = np.stack([table.numbers(column) for column in answers], axis=1)
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise run.damaged(name, "a cell that is no count")
    confusion = Confusion(table.cells[first], answers, counts.astype(int))
    label = "Heat map of how often what was taken for what"
    few, longest = max(counts.shape) <= MOST_CELLS, max(map(len, answers))
    return {
        "answers": answers,
        "rows": [_heat(confusion, row) for row in range(len(confusion.truths))] if few else None,
        "svg": None if few else Markup(plots.svg(plots.confusion_figure(confusion), label)),
        "mistakes": confusion.mistakes(),
        "vertical": longest > 3,
        "narrow": not few or 2.4 * len(answers) + 0.55 * min(longest, 16) < 28,  # half of the page, in letters' heights
    }


def _heat(confusion: Confusion, row: int) -> tuple[str, list[tuple[int, str, float]]]:
    """A row of cells: count, whether it is right or wrong, shade, which no mistake is too rare to show."""
    cells = []
    for column, times in enumerate(confusion.counts[row]):
        share, right = float(confusion.shares[row, column]), confusion.right(row, column)
        shade = share if right else 0.15 + 0.85 * share**0.5
        cells.append((int(times), "right" if right else "wrong", round(shade, 3)))
    return confusion.truths[row], cells


def _reliability(answers: Answers) -> dict[str, Any] | None:
    """The diagram, and in numbers how often it is right where it is sure."""
    if not answers.has("confidence", "correct"):
        return None
    confidence = answers.table.numbers("confidence")
    points = reliability(confidence, answers.correct)
    if not points:
        return None
    sure = confidence >= SURE
    label = "Reliability diagram: the share of right answers at each level of confidence"
    return {
        "svg": Markup(plots.svg(plots.reliability_figure(points), label)),
        "points": points,
        "sure": SURE,
        "times": int(sure.sum()),
        "right": float(answers.correct[sure].mean()) if sure.any() else None,
        "confidence": float(np.nanmean(confidence)),
        "accuracy": float(answers.correct.mean()),
    }


def _diagrams(run: RunFiles) -> list[dict[str, Any]]:
    """The curves of the evaluation."""
    return [
        {
            "title": diagram.title,
            "meaning": diagram.meaning,
            "svg": Markup(plots.svg(plots.diagram_figure(diagram), f"{diagram.title}: {diagram.meaning}")),
        }
        for diagram in read_diagrams(run)
    ]


def _gallery(run: RunFiles, folder: str, answers: Answers | None = None) -> dict[str, Any] | None:
    """The first pictures of a folder, and how many more there are."""
    paths = run.pictures(folder)
    if not paths:
        return None
    names = [re.sub(r"^\d+\W*", "", path.stem) for path in paths]
    telling = len(set(names)) > 1  # a name that all have says nothing
    lines: list[tuple[str, ...]] = [(name,) if telling else () for name in names]
    if answers:
        lines = [answers.about(path) or line for path, line in zip(paths, lines, strict=True)]
    pictures = [embed(path, line) for path, line in zip(paths[:MOST_PICTURES], lines, strict=False)]
    return {"pictures": pictures, "left": len(paths) - len(pictures), "folder": folder}


def _network(model: Any) -> dict[str, Any] | None:
    """The layers: what they put out, hold, cost and see."""
    if not isinstance(model, dict) or not isinstance(model.get("layers"), list):
        return None
    layers = [layer for layer in model["layers"] if isinstance(layer, dict)]
    most = {cost: max((number(layer.get(cost)) for layer in layers), default=0) for cost in ("params", "flops")}
    rows = [
        {
            "name": layer.get("name", ""),
            "kind": layer.get("kind", ""),
            "depth": int(np.nan_to_num(number(layer.get("depth")))),
            "shape": _sizes(layer.get("output_shape"), ", "),
            "field": _sizes(layer.get("receptive_field"), " × "),
            "costs": [(_whole(layer.get(cost)), _share(layer.get(cost), most[cost])) for cost in most],
        }
        for layer in layers
    ]
    params = model.get("params")
    total = params.get("total") if isinstance(params, dict) else params
    return {
        "name": model.get("name", ""),
        "rows": rows,
        "params": _whole(total),
        "flops": _whole(model.get("flops")),
        "fields": any(row["field"] for row in rows),
    }


def _sizes(value: Any, between: str) -> str:
    """A shape or a receptive field; several, one after the other.

    Example:
        >>> _sizes([None, 26, 26, 8], ", "), _sizes([3, 3], " × "), _sizes("all", " × "), _sizes(None, "")
        ('?, 26, 26, 8', '3 × 3', 'all', '')
    """
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_sizes(one, between)}" for key, one in value.items())
    if isinstance(value, list) and any(isinstance(one, list) for one in value):
        return "; ".join(_sizes(one, between) for one in value)
    if isinstance(value, list):
        return between.join("?" if size is None else str(size) for size in value)
    return "" if value is None else str(value)


def _whole(value: Any) -> int | None:
    found = number(value)
    return None if math.isnan(found) else int(found)


def _share(part: Any, whole: float) -> float:
    share = number(part) / whole if whole > 0 else 0.0
    return round(share, 4) if share > 0 else 0.0


def _events(run: RunFiles) -> dict[str, Any] | None:
    """What happened during the run, the last of it."""
    records = run.records("events.jsonl")
    if not records:
        return None
    return {"outline": outline(records[-MOST_EVENTS:]), "left": max(len(records) - MOST_EVENTS, 0)}


def _command(command: Any) -> str | None:
    """A command as one can paste it, whether it was kept as a line or as its words."""
    if isinstance(command, list):
        return shlex.join(map(str, command))
    return str(command) if command else None


@functools.cache
def _templates() -> Environment:
    """The page's template; every text that it shows is escaped, since names of files and classes may hold anything."""
    folder = Path(__file__).parent / "page"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "count": count, "figure": _figure_text, "score": _score_text}
    return environment


def _figure_text(value: Any) -> str:
    """A number with four digits; a dash for none.

    Example:
        >>> _figure_text(0.123456), _figure_text(float("nan")), _figure_text(1234567)
        ('0.1235', '–', '1,234,567')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if not np.isfinite(number(value)) else f"{value:.4g}"


def _score_text(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"
