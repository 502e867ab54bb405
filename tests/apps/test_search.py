"""`striate train --trials N`: tries, remembers, goes on, and trains with the best."""

import csv
import json

import optuna
import pytest

from striate.apps import cli, search
from striate.apps.commands import train

CHOICES = ["--epochs", "6", "--size", "small", "--batch-size", "16", "--seed", "3", "--quiet"]


@pytest.fixture
def run(array_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "write_report", lambda path: None)  # it has tests of its own

    def start(*words):
        code = cli.main(["train", str(array_file), "--out", str(tmp_path / "run"), *CHOICES, *words])
        return code, capsys.readouterr().err

    start.folder = tmp_path / "run"
    return start


def study(folder):
    return optuna.load_study(study_name=folder.name, storage=f"sqlite:///{folder / 'trials.db'}")


def rows(folder):
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_best_trial_is_trained(run):
    code, err = run("--trials", "4")
    assert (code, err) == (0, "")
    trials = study(run.folder).trials
    assert len(trials) == 4
    about = json.loads((run.folder / "run.json").read_text())
    assert about["state"] == "finished"
    best = min((trial for trial in trials if trial.value is not None), key=lambda trial: trial.value)
    assert about["searched"] == {"trials": 4, "best": best.number, "value": best.value}
    for name, value in best.params.items():
        assert about["spec"][name] == value
    assert about["spec"]["epochs"] == 6
    assert trials[0].params["batch_size"] == 16, "the first trial is what would be trained without a search"
    table = rows(run.folder)
    assert [row["trial"] for row in table] == ["0", "1", "2", "3"]
    assert {row["state"] for row in table} <= {"complete", "pruned"}
    assert (run.folder / "trials.png").read_bytes().startswith(b"\x89PNG")
    # Finished is finished.
    assert run("--trials", "4", "--resume")[0] == 0
    assert len(study(run.folder).trials) == 4


def test_interrupted_and_gone_on_with(run, monkeypatch):
    count = iter(range(100))
    real = search._try

    def stop(*arguments):
        if next(count) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(search, "_try", stop)
        code, err = run("--trials", "3")
    assert code == 130
    assert "--trials 3" in err
    assert err.rstrip().endswith("--resume")
    assert len(rows(run.folder)) == 2
    before = [trial.params for trial in study(run.folder).trials[:2]]
    assert run("--trials", "3", "--resume")[0] == 0
    trials = study(run.folder).trials
    assert [trial.params for trial in trials[:2]] == before
    assert [trial.state.name for trial in trials[2:]] == ["FAIL", "COMPLETE"]
    assert len(rows(run.folder)) == 3


def test_worse_trials_are_dropped(run, monkeypatch):
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda trial: trial.number == 1)
    assert run("--trials", "2")[0] == 0
    assert [row["state"] for row in rows(run.folder)] == ["complete", "pruned"]


def test_another_database(run, tmp_path):
    assert run("--trials", "1", "--storage", f"sqlite:///{tmp_path / 'shared.db'}")[0] == 0
    assert (tmp_path / "shared.db").exists()
    assert not (run.folder / "trials.db").exists()


REFUSED = {
    ("--trials", "0"): "striate train got --trials=0; it needs a whole number of at least 1",
    ("--trials", "2", "--storage", "nowhere"): "a database that cannot be used",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused(run, words):
    code, err = run(*words)
    assert code == 2
    assert REFUSED[words] in err


def test_without_optuna(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    code, err = run("--trials", "2")
    assert code == 2
    assert "got no package optuna; it needs that package. Install it: pip install 'striate[search]'." in err


def test_a_task_without_choices(run, monkeypatch):
    monkeypatch.setattr("striate.tasks.classification.Classification.space", lambda self, spec: {})
    code, err = run("--trials", "2")
    assert (code, "got the task classification; it needs one that has choices to try" in err) == (2, True)
