"""`striate train` and `striate demo`: from data to a sealed model with its report, in a folder that can be resumed."""

import dataclasses
import time
from typing import Any

from striate.apps.evaluation import judge, load_predictor, score_lines, write_drawings, write_evaluation
from striate.apps.journal import Journal
from striate.apps.output import Output, command_line
from striate.apps.prepare import Prepared, Request, check_same, resumed, started
from striate.apps.report import write_report
from striate.apps.run import RunFolder, default_folder
from striate.apps.search import search
from striate.apps.stopping import Stop
from striate.data.arrays import make_feed
from striate.data.samples import SampleSet
from striate.deliver import amend, seal
from striate.models.measure import measure
from striate.models.model import Model
from striate.tasks.schedule import RiseAndFall
from striate.training.backup import BackupAndRestore
from striate.training.callbacks import EarlyStopping
from striate.training.progress import ProgressBar
from striate.training.seeding import seed_everything

BATCHES_BETWEEN_BACKUPS = 500
GOLDEN_INPUTS = 8
SHOWN_INPUTS = 16


class Interrupted(KeyboardInterrupt):
    """Training stopped because it was told to.

    Args:
        resume: The command that goes on.
    """

    def __init__(self, resume: str) -> None:
        super().__init__(resume)
        self.resume = resume


def train(request: Request, output: Output) -> None:
    """Train, seal, evaluate and report.

    Raises:
        UserError: The data, an option or the folder cannot be used.
        Interrupted: Ctrl-C or SIGTERM came; the state is kept.
    """
    out = request.out or default_folder(request.name, request.resume)
    run = RunFolder.open(out) if request.resume else RunFolder.create(out)
    with run.alone() as kept:
        if not kept:
            said = "a file system without locks, so nothing keeps a second training out of it; start none there"
            output.say(f"{run.path} is on {said}.", "yellow")
        go_on(run, request, output)


def go_on(run: RunFolder, request: Request, output: Output) -> None:
    """Do what the run still lacks."""
    begun = time.perf_counter()
    if run.about:
        check_same(request, run)
        if run.state == "finished":
            output.say(f"The run in {run.path} is finished; nothing is left to do.")
            if not (run.path / "report.html").exists():
                write_report(run.path)
            return finish(run, output)
        prepared = resumed(request, run, output)
    else:
        prepared = run.unless_refused(lambda: started(request, run, output))
    if run.state == "started":
        if request.trials is not None and "searched" not in run.about:
            prepared = dataclasses.replace(prepared, spec=searched(prepared, request, output))
        fit(prepared, request, output)
    evaluate(prepared, output)
    run.note(state="finished", seconds=round(run.about.get("seconds", 0.0) + time.perf_counter() - begun, 1))
    run.event("finished")
    write_report(run.path)
    finish(run, output)


def searched(prepared: Prepared, request: Request, output: Output) -> Any:
    """The best choices found.

    Raises:
        Interrupted: The search was told to stop; the trials that ended are kept.
    """
    assert request.trials is not None
    try:
        return search(prepared, request.trials, request.storage, output)
    except KeyboardInterrupt:
        raise interrupted(prepared.run, request) from None


def fit(prepared: Prepared, request: Request, output: Output) -> None:
    """Train, or go on with training, and seal the network of the best epoch.

    Raises:
        Interrupted: Training was told to stop; its state is kept.
    """
    run, task, spec = prepared.run, prepared.task, prepared.spec
    seed_everything(spec.seed)
    model = task.build(spec)
    training = task.training_data(prepared.part("train"), spec)
    validation = task.data(prepared.part("validation"), spec)
    describe(prepared, model, output)
    show_inputs(prepared, training)
    backup = BackupAndRestore(run.path / "checkpoint", save_freq=BATCHES_BETWEEN_BACKUPS, delete_checkpoint=False)
    best = EarlyStopping(monitor=spec.monitor, patience=spec.epochs, restore_best_weights=True)
    schedule, journal, stop = RiseAndFall(spec.learning_rate, spec.epochs), Journal(run), Stop(backup)
    bar = ProgressBar(0 if output.quiet else "auto", output.console)
    with stop.listening():
        callbacks = [schedule, best, journal, bar, stop, backup]
        model.fit(training, validation_data=validation, epochs=spec.epochs, callbacks=callbacks, verbose=0)
    if not journal.ended:
        raise interrupted(run, request)
    run.note(best_epoch=best.best_epoch + 1)
    run.event("trained", best_epoch=best.best_epoch + 1)
    outputs = model.predict(validation, verbose=0)
    spec = task.calibrate(outputs, [sample.target for sample in prepared.part("validation")], spec)
    run.note(spec=spec.to_json())
    seal_best(dataclasses.replace(prepared, spec=spec), model)
    run.note(state="trained")
    if stop.asked:
        raise interrupted(run, request)


def seal_best(prepared: Prepared, model: Model) -> None:
    """Write the sealed file; the scores of the test come later."""
    run, task, spec = prepared.run, prepared.task, prepared.spec
    contents = {
        "task": task.name,
        "spec": spec.to_json(),
        "classes": list(prepared.samples.classes),
        "data": run.about["data"],
        "best_epoch": run.about["best_epoch"],
        "licence": "not stated",
        "versions": run.about["versions"],
    }
    inputs = make_feed(task.data(prepared.part("validation")[:GOLDEN_INPUTS], spec), where="predict")
    seal(model, run.model, contents, next(inputs.epoch(0)).x.numpy())


def interrupted(run: RunFolder, request: Request) -> Interrupted:
    """The exception for a run that was told to stop; its next command is written down."""
    resume = command_line(*request.command(run.path), "--resume")
    run.write_text("next.txt", resume + "\n")
    run.event("stopped")
    return Interrupted(resume)


def evaluate(prepared: Prepared, output: Output) -> None:
    """Judge the sealed file on the test samples."""
    run, test = prepared.run, prepared.part("test")
    output.say(f"Evaluating {run.model} on {len(test):,} test samples")
    predictor = load_predictor(run.model)
    verdict = judge(predictor, test)
    write_evaluation(run, predictor, verdict)
    amend(run.model, metrics=verdict.scores)
    run.event("evaluated", **{name: figure["value"] for name, figure in verdict.scores.items()})
    run.write_text("next.txt", "\n".join(next_commands(run, test)) + "\n")


def finish(run: RunFolder, output: Output) -> None:
    """Say how it ended, and what may follow."""
    scores = run.read_json("evaluation/metrics.json")
    for name, line in score_lines(scores).items():
        output.tell(f"{name:<18} {line}")
    output.say(f"Report: {run.path / 'report.html'}")
    output.next(run.next_commands)
    output.result({"run": str(run.path), "metrics": scores, "seconds": run.about["seconds"]})


def next_commands(run: RunFolder, test: SampleSet) -> list[str]:
    """What may follow a finished run; predicting a file, if the samples were files."""
    example = test[0].source
    predicting = [] if example is None else [command_line("striate", "predict", run.path, example)]
    looking = command_line("striate", "summary", run.model)
    return [*predicting, command_line("striate", "evaluate", run.path), looking]


def describe(prepared: Prepared, model: Model, output: Output) -> None:
    """Say what will be trained, and add the network to run.json."""
    measured = measure(model)
    layers = [dataclasses.asdict(row) for row in measured.rows]
    params = sum(row.params for row in measured.rows)
    prepared.run.note(model={"name": model.name, "layers": layers, "params": params, "flops": measured.flops})
    spec, counts = prepared.spec, ", ".join(f"{len(n):,} {name}" for name, n in prepared.parts.items())
    facts = {
        "run": prepared.run.path,
        "task": prepared.task.name,
        "samples": counts,
        "network": f"{spec.size}, {params:,} parameters",
        "training": f"{spec.epochs} epochs, batches of {spec.batch_size}, seed {spec.seed}",
    }
    output.facts(facts)


def show_inputs(prepared: Prepared, training: Any) -> None:
    """Draw some inputs of the first epoch as the network sees them."""
    task, spec = prepared.task, prepared.spec
    batch = next(make_feed(training).epoch(0))
    count = min(SHOWN_INPUTS, len(batch.x))

    def draw(index: int) -> Any:
        return task.draw(batch.x[index].numpy(), None, batch.y[index].numpy(), spec)

    write_drawings(prepared.run.path / "samples", ["input"] * count, draw, range(count))
