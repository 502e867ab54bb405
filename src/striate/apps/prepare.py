"""Readies a run: a new one from what the user asked for, an old one from what it wrote down."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.apps.data_report import data_report, write_data_report
from striate.apps.machine import machine, versions
from striate.apps.output import Output, command_line
from striate.apps.run import RunFolder, now
from striate.data.doctor import Diagnosis, examine, keep_together
from striate.data.findings import Finding
from striate.data.samples import SampleSet, verify
from striate.data.scan import can_scan, scan
from striate.data.splits import read_split, split, write_split
from striate.foundation.checks import UserError
from striate.tasks import Options, Spec, Task, demo_task, find_task, named_task

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
WITHOUT_TEST = {"train": 0.9, "validation": 0.1}  # where the data has a test of its own


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Args:
        path: The data; None for the demonstration.
        task: A task's name, or "auto".
        out: The run folder; None for the next free one in runs/.
        options: Choices by name, those that were given.
        resume: Go on with a run.
        trials: How many choices to try first; None for none.
        storage: The address of the database that keeps the trials; None for one in the run folder.
    """

    path: Path | None
    task: str = "auto"
    out: Path | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    resume: bool = False
    trials: int | None = None
    storage: str | None = None

    @property
    def name(self) -> str:
        """What the data is called."""
        if self.path is None:
            return "demo"
        path = self.path.resolve()
        return path.stem if path.is_file() else path.name

    def command(self, out: Path) -> list[str]:
        """The command that asks for this run again."""
        words = ["striate", "demo"] if self.path is None else ["striate", "train", str(self.path)]
        if self.path is not None and self.task != "auto":
            words += ["--task", self.task]
        for name, value in self.options.items():
            flag = name.replace("_", "-")
            words += [f"--{'' if value else 'no-'}{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
        if self.trials is not None:
            words += ["--trials", str(self.trials)]
        if self.storage is not None:
            words += ["--storage", self.storage]
        return [*words, "--out", str(out)]


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to train."""

    run: RunFolder
    task: Task
    spec: Spec
    samples: SampleSet
    parts: dict[str, list[int]]

    def part(self, name: str) -> SampleSet:
        """The samples of "train", "validation" or "test"."""
        return self.samples.subset(self.parts[name])


@dataclass(frozen=True)
class Planned:
    """What a run would do.

    Args:
        samples: Those that can be read.
        together: The same, copies in groups that no split parts.
        findings: What the doctor says of them.
        parts: Which are for what.
        spec: Every choice.
        why: The reasons, by field.
    """

    task: Task
    samples: SampleSet
    together: SampleSet
    findings: list[Finding]
    parts: dict[str, list[int]]
    spec: Spec
    why: dict[str, str]


def planned(request: Request, output: Output) -> Planned:
    """Read, check and divide the data, and resolve every choice; nothing is written."""
    task = demo_task() if request.path is None else find_task(request.path, request.task)
    options = Options(**request.options)
    task.check_options(options)
    samples, diagnosis = checked(task, request.path, output)
    if diagnosis.refused:
        raise refusal(request.path, diagnosis)
    stated = {sample.split for sample in samples}
    together = keep_together(samples, diagnosis.copies)
    parts = split(together, WITHOUT_TEST if "test" in stated else FRACTIONS, options.seed)
    training = samples.subset(parts["train"])
    spec = task.plan(training, options)
    why = task.explain(training, spec, options)
    return Planned(task, samples, together, diagnosis.findings, parts, spec, why)


def started(request: Request, run: RunFolder, output: Output) -> Prepared:
    """A new run: what is planned, and all of it written down."""
    plan = planned(request, output)
    task, samples, parts, spec = plan.task, plan.samples, plan.parts, plan.spec
    report = data_report(task, samples, parts, plan.findings)
    write_data_report(run.path, f"The data of {run.path.name}", report, plan.findings, samples)
    write_split(run.path / "split.csv", plan.together, parts)
    run.note(
        name=run.path.resolve().name,
        state="started",
        started=now(),
        command=request.command(run.path),
        options=request.options,
        source=None if request.path is None else str(request.path.resolve()),
        task=task.name,
        spec=spec.to_json(),
        why=plan.why,
        data={"origin": samples.origin, "samples": len(samples), "digest": samples.digest()},
        parts={name: len(numbers) for name, numbers in parts.items()},
        versions=versions(),
        machine=machine(),
    )
    run.event("started", command=command_line(*request.command(run.path)))
    lost, twice = len(samples.quarantined), report["duplicates"]["across_parts"]
    if lost:
        output.say(f"{lost} {'file' if lost == 1 else 'files'} left out: see {run.path / 'data_report.html'}", "yellow")
    if twice:
        output.say(f"{twice} samples stand in more than one part: see {run.path / 'data_report.html'}", "yellow")
    return Prepared(run, task, spec, samples, parts)


def check_same(request: Request, run: RunFolder) -> None:
    """Refuse to go on with a run of other data or other choices.

    Raises:
        UserError: Names what differs.
    """
    where, task = f"--resume of {str(run.path)!r}", named_task(run.about["task"])
    source = None if request.path is None else str(request.path.resolve())
    if source != run.about["source"]:
        was = run.about["source"] or "the demonstration"
        raise UserError(where, f"data at {source}", f"the data it began with, {was}", "Pass that path.")
    if request.task not in ("auto", task.name):
        raise UserError(where, f"--task {request.task}", f"the task it began with, {task.name}", "Leave --task out.")
    for name, value in request.options.items():
        before = run.about.get("options", {}).get(name, run.about["spec"].get(name))
        if before not in (value, [value, value]):
            flag = f"--{name.replace('_', '-')}"
            fix = f"Leave {flag} out, or begin a new run without --resume."
            raise UserError(where, f"{flag} {value}", f"{before}, as the run began", fix)


def resumed(request: Request, run: RunFolder, output: Output) -> Prepared:
    """A run that goes on: everything as it was resolved then.

    Raises:
        UserError: The data has changed since.
    """
    task = named_task(run.about["task"])
    spec = task.spec_type.from_json(run.about["spec"])
    samples, _ = checked(task, request.path, output)
    if samples.digest() != run.about["data"]["digest"]:
        fix = "Put the data back as it was, or begin a new run without --resume."
        needs = "the same data"
        raise UserError(f"--resume of {str(run.path)!r}", "data that has changed since the run began", needs, fix)
    run.event("resumed")
    return Prepared(run, task, spec, samples, read_split(run.path / "split.csv", samples))


def checked(task: Task, path: Path | None, output: Output) -> tuple[SampleSet, Diagnosis]:
    """Read the samples, try each of them, and ask the doctor.

    Returns:
        Those that can be read, and what the doctor says of them.

    Raises:
        UserError: They cannot be read at all, or a class has no sample that can.
    """
    samples = task.demo() if path is None else task.read(path)
    output.say(f"Reading {len(samples):,} samples: {samples.origin}")
    if not can_scan(samples):
        return verify(samples), Diagnosis([], [])
    with output.progress("Looking at pictures") as progress:
        scanned = scan(samples, progress)
    return scanned.samples, examine(scanned)


def refusal(path: Path | None, diagnosis: Diagnosis) -> UserError:
    """What the doctor refuses, in a sentence."""
    first, count = diagnosis.refused[0], sum(finding.count for finding in diagnosis.refused)
    got = first.got + (f" ({count} such groups)" if count > 1 else "")
    fix = f"{command_line('striate', 'check-data', path)} shows them; with --fix it writes a list without them."
    return UserError(f"Checking {str(path)!r}", got, first.needs, fix)
