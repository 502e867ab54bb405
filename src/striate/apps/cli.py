"""The command line: parses, hands over, and turns whatever goes wrong into a sentence and an exit code."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from striate import __version__
from striate.apps.faults import guarded
from striate.apps.output import Output

# Every command imports what it needs when it is called: torch alone takes seconds, and `striate --help` none of it.
# ruff: noqa: PLC0415

app = App(
    name="striate",
    help="Train, look inside, check and ship convolutional networks.",
    version=__version__,
    version_flags=["--version"],
    help_flags=["--help", "-h"],
)

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object, and words to stderr.")]
Quiet = Annotated[bool, Parameter(name="--quiet", negative="", help="Say only the result.")]
Out = Annotated[Path | None, Parameter(help="The run folder; if left out, runs/NAME, named after the data.")]
Epochs = Annotated[int | None, Parameter(help="Passes over the training samples.")]
BatchSize = Annotated[int | None, Parameter(help="Samples in a step.")]
ImageSize = Annotated[int | None, Parameter(help="Rows and columns that pictures are brought to.")]
Seed = Annotated[int | None, Parameter(help="Decides splits, first weights and orders; 0 if left out.")]
Size = Annotated[str | None, Parameter(help="How large a network: small, medium (the default) or large.")]
Flip = Annotated[bool | None, Parameter(help="Whether training mirrors pictures; if left out, colour pictures only.")]
Pretrained = Annotated[
    str | None, Parameter(help="Whether to begin with a network that knows photographs: auto, yes or no.")
]
Cost = Annotated[str | None, Parameter(help="What missing classes costs, as cat=5,dog=1; 1 where nothing is said.")]
Coverage = Annotated[float | None, Parameter(help="How often possible answers are to hold the right one; 0.99.")]
Resume = Annotated[bool, Parameter(negative="", help="Go on with the run in the folder.")]


@app.command(sort_key=1)
def demo(
    *,
    out: Out = None,
    size: Size = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    resume: Resume = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Train on 5,000 handwritten digits: about half a minute on two cores."""
    options = {"size": size, "epochs": epochs, "batch_size": batch_size, "seed": seed}
    return _train(None, "auto", out, options, resume, Output(as_json, quiet))


@app.command(sort_key=2)
def train(
    path: Path,
    /,
    *,
    out: Out = None,
    task: Annotated[str, Parameter(help="What to learn; auto looks at the data.")] = "auto",
    size: Size = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    image_size: ImageSize = None,
    flip: Flip = None,
    pretrained: Pretrained = None,
    cost: Cost = None,
    coverage: Coverage = None,
    seed: Seed = None,
    trials: Annotated[int | None, Parameter(help="Try so many other choices first, and go on with the best.")] = None,
    storage: Annotated[
        str | None, Parameter(help="The database that keeps the trials; else a file of the run.")
    ] = None,
    plan: Annotated[bool, Parameter(negative="", help="Say what would happen, and why, and do nothing.")] = False,
    resume: Resume = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Train on a folder or file: checks the data, trains, evaluates, writes a report and a sealed model.

    Args:
        path: The data, for example a folder with one folder of pictures for every class.
    """
    options = {
        "size": size,
        "epochs": epochs,
        "batch_size": batch_size,
        "image_size": image_size,
        "flip": flip,
        "pretrained": pretrained,
        "cost": cost,
        "coverage": coverage,
        "seed": seed,
    }
    return _train(path, task, out, options, resume, Output(as_json, quiet), plan, trials, storage)


@app.command(sort_key=3)
def evaluate(run_or_model: Path, path: Path | None = None, /, *, as_json: Json = False, quiet: Quiet = False) -> int:
    """Judge a model on the test of its run, or on other data.

    Args:
        run_or_model: A run folder, or a model.keras.
        path: Other data, of the same classes.
    """
    output = Output(as_json, quiet)

    def work() -> None:
        from striate.apps.commands.evaluate import evaluate

        evaluate(run_or_model, path, output)

    return guarded(work, output)


@app.command(sort_key=4)
def predict(
    model: Annotated[Path, Parameter(allow_leading_hyphen=True)],  # "-" is standard input
    /,
    *inputs: Annotated[str, Parameter(allow_leading_hyphen=True)],
    csv: Annotated[bool, Parameter(name="--csv", negative="", help="Print a table as CSV.")] = False,
    jsonl: Annotated[bool, Parameter(name="--jsonl", negative="", help="Print one JSON object a line.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Say what a model sees in files; without a model, what a network that knows ImageNet sees in photographs.

    Args:
        model: A run folder, or a model.keras; if left out, the first input.
        inputs: Files, folders, patterns such as 'new/*.jpg', and - for standard input (a picture, or names of files).
    """
    form = "csv" if csv else "jsonl" if jsonl else "table"
    output = Output(as_json, quiet or form != "table")

    def work() -> int:
        from striate.apps.commands.predict import predict

        if csv + jsonl + as_json > 1:
            from striate.foundation.checks import UserError

            raise UserError(
                "striate predict", "several forms", "one of --csv, --jsonl and --json", "Leave the others out."
            )
        return predict(model, inputs, form, output)

    return guarded(work, output)


@app.command(sort_key=5)
def summary(model: Path, /, *, as_json: Json = False) -> int:
    """Show the layers of a model file, and what it says of itself.

    Args:
        model: A run folder, or a .keras file.
    """
    output = Output(as_json)

    def work() -> None:
        from striate.apps.commands.summary import summary

        summary(model, output)

    return guarded(work, output)


@app.command(sort_key=6)
def check_data(
    path: Path,
    /,
    *,
    fix: Annotated[bool, Parameter(negative="", help="Write a list of the good samples, to train on.")] = False,
    out: Annotated[Path | None, Parameter(help="The report's folder; if left out, NAME-check beside the data.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Look for broken files, copies across splits and other traps, and write a report that shows them.

    Args:
        path: The data, as for train; it is never changed.
    """
    output = Output(as_json, quiet)

    def work() -> int:
        from striate.apps.commands.check_data import check_data

        return check_data(path, out, fix, output)

    return guarded(work, output)


@app.command(sort_key=7)
def doctor(*, as_json: Json = False) -> int:
    """Look at this machine and this installation: what is here, what is missing."""
    output = Output(as_json)

    def work() -> None:
        from striate.apps.commands.doctor import doctor

        doctor(output)

    return guarded(work, output)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Its words; the process's own if left out.

    Returns:
        0 good, 1 a fault of ours, 2 input or usage that cannot be, 130 interrupted.
    """
    try:
        result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        print(f"striate: {error}\nSee: striate --help", file=sys.stderr)
        return 2
    return result if isinstance(result, int) else 0


def _train(
    path: Path | None,
    task: str,
    out: Path | None,
    options: dict[str, Any],
    resume: bool,
    output: Output,
    plan_only: bool = False,
    trials: int | None = None,
    storage: str | None = None,
) -> int:
    given = {name: value for name, value in options.items() if value is not None}

    def work() -> None:
        from striate.apps.prepare import Request

        if trials is not None:
            from striate.foundation.checks import check_int

            check_int("striate train", "--trials", trials)
        request = Request(path, task, out, given, resume, trials, storage)
        if plan_only:
            from striate.apps.commands.plan import plan

            plan(request, output)
        else:
            from striate.apps.commands.train import train

            train(request, output)

    return guarded(work, output)
