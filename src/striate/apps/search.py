"""`striate train --trials N`: tries choices, remembers each trial in a database, and goes on with the best."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from striate.apps.output import Output
from striate.apps.plots import draw_trials
from striate.apps.prepare import Prepared
from striate.apps.run import RunFolder
from striate.foundation.checks import UserError
from striate.tasks.schedule import RiseAndFall
from striate.tasks.task import Range, Spec
from striate.training.callback import Callback
from striate.training.monitor import BETTER_UP
from striate.training.seeding import seed_everything

if TYPE_CHECKING:
    import optuna

WHERE = "striate train --trials"
DATABASE = "trials.db"
TABLE = "trials.csv"
SHORTER = 3  # a trial has so many times fewer epochs than a training
LEAST_EPOCHS = 2


class Dropped(Exception):  # noqa: N818 - no error: this trial looks worse than others did
    """A trial that need not be ended."""


class Watch(Callback):
    """Tells the study how a trial stands after each epoch, and drops it where others were better by then.

    Args:
        trial: The study's.
        monitor: The logged figure.
        higher: Whether more of it is better.

    Attributes:
        best: The best figure so far.
    """

    def __init__(self, trial: "optuna.Trial", monitor: str, higher: bool) -> None:
        self.trial, self.monitor, self.higher = trial, monitor, higher
        self.best = float("-inf") if higher else float("inf")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        value = float((logs or {})[self.monitor])
        self.best = max(self.best, value) if self.higher else min(self.best, value)
        self.trial.report(value, epoch)
        if self.trial.should_prune():
            raise Dropped


def search(prepared: Prepared, trials: int, storage: str | None, output: Output) -> Spec:
    """The choices of the best of so many trials, those of an earlier call counted.

    Args:
        prepared: The run; its database is `trials.db` in the folder.
        trials: How many.
        storage: The address of another database, which several machines may share.
        output: Where to say how each went.

    Raises:
        UserError: optuna is not installed, the database cannot be used, or the task has nothing to try.
    """
    optuna = _optuna()
    run, spec = prepared.run, prepared.spec
    space = prepared.task.space(spec)
    if not space:
        raise UserError(WHERE, f"the task {prepared.task.name}", "one that has choices to try", "Leave --trials out.")
    higher = spec.monitor.rpartition("_")[2] in BETTER_UP
    study = _study(optuna, run, storage, spec.seed, higher)
    finished = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(
            {name: getattr(spec, name) for name in space}, skip_if_exists=True
        )  # nothing worse than that
    while (done := len(study.get_trials(deepcopy=False, states=finished))) < trials:
        trial = study.ask()
        tried = dataclasses.replace(spec, **{name: _suggest(trial, name, choices) for name, choices in space.items()})
        value = _try(prepared, tried, trial, higher)
        study.tell(trial, value, state=None if value is not None else optuna.trial.TrialState.PRUNED)
        said = "dropped" if value is None else f"{spec.monitor} {value:.4f}"
        output.say(f"Trial {done + 1} of {trials}: {said}")
        _write(run, study, finished)
    best = dataclasses.replace(spec, **study.best_params)
    output.say(f"The best of {trials}: " + ", ".join(f"{name} {_short(v)}" for name, v in study.best_params.items()))
    run.note(
        spec=best.to_json(), searched={"trials": trials, "best": study.best_trial.number, "value": study.best_value}
    )
    run.event("searched", trials=trials, value=study.best_value, **study.best_params)
    return best


def _optuna() -> Any:
    try:
        import optuna  # noqa: PLC0415 - an extra
    except ImportError as error:
        fix = "Install it: pip install 'striate[search]'."
        raise UserError(WHERE, "no package optuna", "that package", fix) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _study(optuna: Any, run: RunFolder, storage: str | None, seed: int, higher: bool) -> "optuna.Study":
    """The trials so far; those that were cut short are set aside."""
    address = storage or f"sqlite:///{(run.path / DATABASE).resolve()}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(
                storage=address,
                study_name=run.path.resolve().name,
                direction="maximize" if higher else "minimize",
                sampler=optuna.samplers.TPESampler(seed=seed),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
                load_if_exists=True,
            )
    except Exception as error:  # of SQLAlchemy, of a driver, of optuna: as many kinds as there are databases
        got = f"a database that cannot be used ({str(error).splitlines()[0]:.200})"
        fix = "Pass for example --storage sqlite:///trials.db, or leave it out."
        raise UserError(WHERE, got, "the address of one, as SQLAlchemy writes it", fix) from error
    if storage is None:  # nobody else is at work on it
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _suggest(trial: "optuna.Trial", name: str, choices: Range | tuple[Any, ...]) -> Any:
    if isinstance(choices, Range):
        return trial.suggest_float(name, choices.low, choices.high, log=choices.log)
    return trial.suggest_categorical(name, choices)


def _try(prepared: Prepared, spec: Spec, trial: "optuna.Trial", higher: bool) -> float | None:
    """The best figure of a short training; None where it was dropped."""
    task: Any = prepared.task
    spec = dataclasses.replace(spec, epochs=max(LEAST_EPOCHS, spec.epochs // SHORTER))
    seed_everything(spec.seed)
    model = task.build(spec)
    watch = Watch(trial, spec.monitor, higher)
    schedule = RiseAndFall(spec.learning_rate, spec.epochs)
    training, validation = (
        task.training_data(prepared.part("train"), spec),
        task.data(prepared.part("validation"), spec),
    )
    try:
        model.fit(training, validation_data=validation, epochs=spec.epochs, callbacks=[schedule, watch], verbose=0)
    except Dropped:
        return None
    return watch.best


def _write(run: RunFolder, study: "optuna.Study", finished: tuple[Any, ...]) -> None:
    """The trials as a table and as a picture."""
    trials = study.get_trials(deepcopy=False, states=finished)
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    rows = [
        [
            trial.number,
            trial.state.name.lower(),
            "" if trial.value is None else round(trial.value, 6),
            *(trial.params.get(name, "") for name in names),
        ]
        for trial in trials
    ]
    run.write_table(TABLE, ["trial", "state", "value", *names], rows)
    values = [
        (trial.number, trial.value) for trial in trials if trial.value is not None and trial.state.name == "COMPLETE"
    ]
    if values:
        draw_trials(run.path, values, study.direction.name == "MAXIMIZE")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
