"""`striate check-data`: what the doctor says of a data set, before anything is trained on it."""

import csv
import io
import os
from pathlib import Path

from striate.apps.data_report import data_report, write_data_report
from striate.apps.faults import BAD_INPUT
from striate.apps.findings_page import WORDS
from striate.apps.output import Output, command_line
from striate.apps.prepare import checked
from striate.data.doctor import Diagnosis, good_samples
from striate.data.samples import SampleSet
from striate.foundation.checks import UserError
from striate.foundation.files import write_text
from striate.tasks import find_task

COLUMNS = ("path", "label", "group", "split")


def check_data(path: Path, out: Path | None, fix: bool, output: Output) -> int:
    """Examine the data, and write data_report.html and data_report.json; with `fix`, a manifest of what is good.

    Args:
        path: The data.
        out: Where the report goes; None for NAME-check beside the data.
        fix: Whether to write the manifest, NAME-check.csv beside the data.
        output: Where to speak.

    Returns:
        0, or 2 where the data is refused.

    Raises:
        UserError: The data cannot be read, or the report would be written into it.
    """
    task = find_task(path)
    folder = out or _beside(path)
    if path.is_dir() and folder.resolve().is_relative_to(path.resolve()):
        raise UserError("--out", f"{str(folder)!r}, inside the data", "a folder outside it", "Pass another --out.")
    samples, diagnosis = checked(task, path, output)
    stated = {name or "all": [n for n, one in enumerate(samples) if one.split == name] for name in _splits(samples)}
    report = data_report(task, samples, stated, diagnosis.findings)
    write_data_report(folder, f"The data of {path.resolve().name}", report, diagnosis.findings, samples)
    _tell(diagnosis, output)
    output.say(f"See {folder / 'data_report.html'}")
    manifest = (
        _write_manifest(_beside(path).with_name(_beside(path).name + ".csv"), samples, diagnosis) if fix else None
    )
    source = manifest or path
    if diagnosis.refused and not fix:
        output.next([command_line("striate", "check-data", path, "--fix")])
    else:
        output.next([command_line("striate", "train", source)])
    written = None if manifest is None else str(manifest)
    output.result({**report, "report": str(folder / "data_report.html"), "manifest": written})
    return BAD_INPUT if diagnosis.refused else 0


def _beside(path: Path) -> Path:
    """The place beside the data that is called after it."""
    path = path.resolve()
    return path.parent / f"{path.stem if path.is_file() else path.name}-check"


def _splits(samples: SampleSet) -> list[str | None]:
    return list(dict.fromkeys(sample.split for sample in samples))


def _tell(diagnosis: Diagnosis, output: Output) -> None:
    """The findings as a table with an example each."""
    if not diagnosis.findings:
        output.tell("The doctor found nothing to complain about.")
    width = max((len(finding.kind) for finding in diagnosis.findings), default=0)
    for finding in diagnosis.findings:
        line = f"{WORDS[finding.severity]:<12}  {finding.kind:<{width}}  {finding.count or 1:>6}  {finding.got}"
        style = {"refuse": "bold red", "note": "dim"}.get(finding.severity)
        output.tell(line, style)


def _write_manifest(target: Path, samples: SampleSet, diagnosis: Diagnosis) -> Path:
    """List what is good: one of each picture, its class, group and split."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for sample in good_samples(samples, diagnosis.copies):
        if sample.source is None or not Path(sample.source).is_file():
            got, needs = f"a sample without a file ({sample.id})", "pictures in files"
            raise UserError("--fix", got, needs, "Leave --fix out.")
        targets = sample.target if isinstance(sample.target, tuple) else (sample.target,)
        place = os.path.relpath(Path(sample.source).resolve(), target.parent)
        label = "|".join(samples.classes[one] for one in targets)
        writer.writerow([Path(place).as_posix(), label, sample.group or "", sample.split or ""])
    write_text(target, table.getvalue())
    return target
