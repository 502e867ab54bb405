"""What is in the data, before anything is trained: data_report.json and data_report.html."""

import hashlib
import html
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from striate.apps.outline import Grid, Pairs, Text, outline
from striate.apps.run import RunFolder
from striate.data.samples import SampleSet
from striate.tasks.task import Task

MOST_DUPLICATES = 50
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #d5dade}"
    "td:first-child,th:first-child{text-align:left}dt{font-weight:600;margin-top:1rem}dd{margin:0 0 0 1rem}"
    "@media(prefers-color-scheme:dark){body{background:#16191d;color:#e6e9ec}td,th{border-color:#3a4149}}"
)


def data_report(task: Task, samples: SampleSet, parts: Mapping[str, list[int]]) -> dict[str, Any]:
    """The facts: counts, what the task says of the contents, what was left out, and what stands twice."""
    counts = {name: _counts(samples.subset(numbers)) for name, numbers in parts.items()}
    return {
        "origin": samples.origin,
        "task": task.name,
        "samples": len(samples),
        "counts": counts,
        **task.describe(samples),
        "quarantined": [{"source": source, "reason": reason} for source, reason in samples.quarantined],
        "duplicates": _duplicates(samples, parts),
    }


def write_data_report(run: RunFolder, report: dict[str, Any]) -> None:
    """Write the facts as JSON, and as a small page for people.

    Raises:
        UserError: They cannot be written.
    """
    run.write_json("data_report.json", report)
    title = f"The data of {html.escape(run.path.name)}"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    body = f"<h1>{title}</h1>{_page(outline(report))}"
    run.write_text(
        "data_report.html", f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'
    )


def _counts(samples: SampleSet) -> dict[str, int]:
    return {"samples": len(samples), **(samples.counts() if samples.classes else {})}


def _duplicates(samples: SampleSet, parts: Mapping[str, list[int]]) -> dict[str, Any]:
    """Samples of equal content; those in different parts make a test look better than it is."""
    part_of = {number: name for name, numbers in parts.items() for number in numbers}
    same: dict[bytes, list[int]] = defaultdict(list)
    for number, sample in enumerate(samples):
        same[hashlib.sha256(samples.store.content(sample)).digest()].append(number)
    groups = [numbers for numbers in same.values() if len(numbers) > 1]
    across = [numbers for numbers in groups if len({part_of[number] for number in numbers}) > 1]
    shown = [", ".join(f"{samples[n].id} ({part_of[n]})" for n in numbers[:4]) for numbers in across[:MOST_DUPLICATES]]
    return {"equal_contents": len(groups), "across_parts": len(across), "examples_across_parts": shown}


def _page(value: Text | Pairs | Grid) -> str:
    if isinstance(value, Grid):
        head = "".join(f"<th>{html.escape(name)}</th>" for name in value.head)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell.text)}</td>" for cell in row) + "</tr>" for row in value.rows
        )
        left = f"<p>and {value.left} more</p>" if value.left else ""
        return f"<table><tr>{head}</tr>{rows}</table>{left}"
    if isinstance(value, Pairs):
        return "<dl>" + "".join(f"<dt>{html.escape(n)}</dt><dd>{_page(v)}</dd>" for n, v in value.pairs) + "</dl>"
    return html.escape(value.text)
