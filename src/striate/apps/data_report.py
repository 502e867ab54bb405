"""What is in the data, before anything is trained: data_report.json and data_report.html."""

import hashlib
import html
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from striate.apps.findings_page import findings_page
from striate.apps.outline import Grid, Pairs, Text, outline
from striate.data.findings import Finding
from striate.data.samples import SampleSet
from striate.foundation.files import atomic_path, write_json
from striate.tasks.task import Task

MOST_DUPLICATES = 50


def data_report(
    task: Task, samples: SampleSet, parts: Mapping[str, list[int]], findings: Sequence[Finding] = ()
) -> dict[str, Any]:
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
        "findings": [finding.to_json() for finding in findings],
    }


def write_data_report(
    folder: Path, title: str, report: dict[str, Any], findings: Sequence[Finding], samples: SampleSet
) -> None:
    """Write the facts as JSON, and as a page for people.

    Raises:
        UserError: They cannot be written.
    """
    write_json(folder / "data_report.json", report)
    facts = {key: value for key, value in report.items() if key != "findings"}
    page = findings_page(title, findings, samples, Markup(_page(outline(facts))))
    with atomic_path(folder / "data_report.html") as path:
        path.write_bytes(page.encode("utf-8", "replace"))  # names of files may hold bytes that are no text


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
        return f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>{left}'
    if isinstance(value, Pairs):
        return "<dl>" + "".join(f"<dt>{html.escape(n)}</dt><dd>{_page(v)}</dd>" for n, v in value.pairs) + "</dl>"
    return html.escape(value.text)
