"""`striate evaluate`: judge a sealed model on the test of its run, or on other data."""

from pathlib import Path
from typing import Any

from striate.apps.evaluation import judge, load_predictor, score_lines, test_samples, write_evaluation
from striate.apps.output import Output, command_line
from striate.apps.report import write_report
from striate.apps.run import ABOUT, RunFolder
from striate.data.samples import SampleSet, verify
from striate.data.splits import read_split
from striate.deliver import Predictor
from striate.foundation.checks import UserError
from striate.tasks import Task


def evaluate(subject: Path, data: Path | None, output: Output) -> None:
    """Judge the model of a run folder, or a sealed file, and say how it did.

    Args:
        subject: A run folder or a sealed file.
        data: Judge on this instead of the run's own test; its part called test, or all of it.
        output: Where to say it.

    Raises:
        UserError: The model or the data cannot be used.
    """
    path = model_of(subject)
    predictor = load_predictor(path)
    task: Any = predictor.task
    if data is not None:
        samples = test_samples(task, verify(task.read(data, predictor.spec)))
        output.say(f"Evaluating {path} on {len(samples):,} samples of {data}")
        scores = judge(predictor, samples).scores
        commands = [command_line("striate", "predict", subject, data)]
    elif subject.is_dir():
        run = RunFolder.open(subject)
        samples = own_test(run, task, predictor)
        output.say(f"Evaluating {path} on the {len(samples):,} test samples of its run")
        verdict = judge(predictor, samples)
        write_evaluation(run, predictor, verdict)
        run.event("evaluated", **{name: figure["value"] for name, figure in verdict.scores.items()})
        write_report(run.path)
        scores, commands = verdict.scores, [line for line in run.next_commands if " evaluate " not in line]
    else:
        fix = f"Add it: striate evaluate {path} PATH, or pass the run folder."
        raise UserError("striate evaluate", "a model file alone", "data to judge it on", fix)
    for name, line in score_lines(scores).items():
        output.tell(f"{name:<18} {line}")
    output.next(commands or [command_line("striate", "summary", path)])
    output.result({"model": str(path), "samples": len(samples), "metrics": scores})


def own_test(run: RunFolder, task: Task, predictor: Predictor) -> SampleSet:
    """The test samples of a run.

    Raises:
        UserError: The data is not there any more, or has changed.
    """
    source = run.about["source"]
    samples = verify(task.demo() if source is None else task.read(Path(source), predictor.spec))
    if samples.digest() != run.about["data"]["digest"]:
        fix = f"Put the data back as it was, or name other data: striate evaluate {run.path} PATH."
        raise UserError(f"Run folder {str(run.path)!r}", "data that has changed since", "the same data", fix)
    return samples.subset(read_split(run.path / "split.csv", samples)["test"])


def model_of(subject: Path) -> Path:
    """The sealed file of a run folder, or the file itself.

    Raises:
        UserError: It is not there.
    """
    if not subject.exists():
        raise UserError("Model", f"no {str(subject)!r}", "a run folder or a .keras file", "Check the path.")
    if not subject.is_dir():
        return subject
    run = RunFolder.open(subject)
    if not run.model.exists():
        fix = "Finish it: " + command_line(*run.about["command"], "--resume") + "."
        raise UserError(f"Run folder {str(subject)!r}", f"no model in it yet (only {ABOUT})", "a finished run", fix)
    return run.model
