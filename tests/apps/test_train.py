"""Runs: what a folder holds in the end, and that a killed one ends as an unbroken one."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from striate.apps import cli
from striate.apps.commands import train
from striate.apps.stopping import Stop
from striate.models import load_model

BEFORE = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
CHOICES = ["--epochs", "2", "--size", "small", "--batch-size", "4", "--seed", "3"]


def run(data, out, *words):
    return cli.main(["train", str(data), "--out", str(out), *CHOICES, "--quiet", *words])


def weights(out):
    return load_model(out / "model.keras").get_weights()


@pytest.fixture(scope="module")
def unbroken(array_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("unbroken") / "run"
    assert run(array_file, out) == 0
    return out


def assert_same(out, unbroken):
    for found, expected in zip(weights(out), weights(unbroken), strict=True):
        np.testing.assert_array_equal(found, expected)
    for name in ("split.csv", "evaluation/metrics.json", "evaluation/predictions.csv", "evaluation/confusion.csv"):
        assert (out / name).read_text() == (unbroken / name).read_text()
    epochs = [[row[key] for key in row if key != "seconds"] for row in metrics(out)]
    assert epochs == [[row[key] for key in row if key != "seconds"] for row in metrics(unbroken)]


def metrics(out):
    with (out / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


# Killed, and gone on with ------------------------------------------------------------------------


@pytest.fixture
def no_report(monkeypatch):
    """The report takes longer than these trainings, and has tests of its own."""
    monkeypatch.setattr(train, "write_report", lambda path: None)


class Killed(BaseException):
    """As sudden as a kill, as far as this process can tell: nothing catches it."""


def run_until_killed(data, out):
    with pytest.raises(Killed):
        run(data, out)


@pytest.mark.parametrize(("epoch", "batch", "frequency"), [(0, 7, 500), (0, 7, 3), (1, 4, 500), (1, 10, 3)])
@pytest.mark.usefixtures("no_report")
def test_killed_at_a_batch(array_file, unbroken, tmp_path, monkeypatch, epoch, batch, frequency):
    count = iter(range(10**6))

    def kill(self, number, logs=None):
        if next(count) == epoch * 11 + batch:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train, "BATCHES_BETWEEN_BACKUPS", frequency)
        patch.setattr(Stop, "on_train_batch_end", kill)
        run_until_killed(array_file, tmp_path / "run")
    assert run(array_file, tmp_path / "run", "--resume") == 0
    assert_same(tmp_path / "run", unbroken)


@pytest.mark.parametrize(
    "place",
    [
        "prepare.data_report",
        "prepare.write_split",
        "commands.train.show_inputs",
        "journal.draw_progress",
        "commands.train.seal",
        "commands.train.write_evaluation",
        "commands.train.write_report",
    ],
)
def test_killed_between_steps(array_file, unbroken, tmp_path, monkeypatch, place):
    def kill(*arguments, **options):
        raise Killed

    reports = []
    monkeypatch.setattr(train, "write_report", reports.append)
    with monkeypatch.context() as patch:
        patch.setattr(f"striate.apps.{place}", kill)
        run_until_killed(array_file, tmp_path / "run")
    resume = ["--resume"] if (tmp_path / "run").exists() else []  # an empty folder is taken away
    assert run(array_file, tmp_path / "run", *resume) == 0
    assert_same(tmp_path / "run", unbroken)
    assert reports == [tmp_path / "run"]


def test_kill_9_in_the_middle_of_an_epoch(tmp_path):
    """The whole way, with a real process: train, kill -9, --resume, and the weights of an unbroken run."""
    targets = np.arange(240) % 2
    images = np.random.default_rng(0).integers(0, 120, (240, 32, 32, 3)) + 100 * targets[:, None, None, None]
    np.savez(tmp_path / "data.npz", images=images.astype(np.uint8), labels=targets)
    choices = ["--epochs", "2", "--size", "small", "--batch-size", "2"]
    words = [sys.executable, "-m", "striate", "train", str(tmp_path / "data.npz"), *choices]

    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    assert cli.main([*words[3:], "--out", str(tmp_path / "unbroken")]) == 0
    process = subprocess.Popen([*words, "--out", str(tmp_path / "killed")], **quiet)
    try:
        while not (tmp_path / "killed" / "checkpoint" / "checkpoint.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(0.03)  # some batches into the second epoch
    finally:
        process.kill()
        ended = process.wait()
    assert ended == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.keras").exists()
    assert cli.main([*words[3:], "--out", str(tmp_path / "killed"), "--resume"]) == 0
    for found, expected in zip(weights(tmp_path / "killed"), weights(tmp_path / "unbroken"), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("batch", "number"), [(4, signal.SIGINT), (10, signal.SIGTERM)])
@pytest.mark.usefixtures("no_report")
def test_signals_keep_the_state_and_its_command(array_file, unbroken, tmp_path, monkeypatch, capsys, batch, number):
    out, original, count = tmp_path / "run", Stop.on_train_batch_begin, iter(range(10**6))

    def press(self, place, logs=None):
        if next(count) == batch:
            os.kill(os.getpid(), number)
        original(self, place, logs)

    with monkeypatch.context() as patch:
        patch.setattr(Stop, "on_train_batch_begin", press)
        assert run(array_file, out) == 130
    error = capsys.readouterr().err
    resume = f"striate train {array_file} --size small --epochs 2 --batch-size 4 --seed 3 --out {out} --resume"
    assert resume in error
    assert (out / "checkpoint" / "checkpoint.safetensors").exists()
    assert run(array_file, out, "--resume") == 0
    assert_same(out, unbroken)
    kinds = [json.loads(line)["event"] for line in (out / "events.jsonl").read_text().splitlines()]
    assert kinds[-1] == "finished"
    assert {"started", "stopped", "resumed", "epoch", "trained", "evaluated"} <= set(kinds)


def test_a_second_ctrl_c_stops_at_once(array_file, tmp_path, monkeypatch):
    def press(self, number, logs=None):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("went on")

    monkeypatch.setattr(Stop, "on_train_batch_begin", press)
    assert run(array_file, tmp_path / "run") == 130


def test_handlers_of_signals_are_given_back(unbroken):
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == BEFORE


def test_finished_runs_say_so(array_file, unbroken, capsys):
    before = {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")}
    assert cli.main(["train", str(array_file), "--out", str(unbroken), "--resume"]) == 0
    assert "is finished; nothing is left to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")} == before


def test_changed_data_cannot_go_on(array_file, tmp_path, monkeypatch, capsys):
    data = tmp_path / "data.npz"
    data.write_bytes(array_file.read_bytes())

    def kill(*arguments, **options):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("striate.apps.commands.train.fit", kill)
        run_until_killed(data, tmp_path / "run")
    content = dict(np.load(data))
    content["images"][0, 0, 0] += 1
    np.savez(data, **content)
    assert run(data, tmp_path / "run", "--resume") == 2
    assert "data that has changed since the run began; it needs the same data" in capsys.readouterr().err


# What is there in the end ------------------------------------------------------------------------


def test_the_folder_holds_what_the_design_says(finished):
    files = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    assert {
        "run.json",
        "data_report.json",
        "data_report.html",
        "split.csv",
        "metrics.csv",
        "events.jsonl",
        "progress.png",
        "checkpoint/checkpoint.safetensors",
        "model.keras",
        "evaluation/metrics.json",
        "evaluation/predictions.csv",
        "evaluation/confusion.csv",
        "samples/01-input.png",
        "report.html",
        "next.txt",
    } <= files
    assert not [name for name in files if name.endswith((".part", ".tmp"))]


def test_run_json_resolves_every_choice(finished, pictures):
    about = json.loads((finished / "run.json").read_text())
    assert about["state"] == "finished"
    assert about["source"] == str(pictures)
    assert about["spec"]["epochs"] == 2
    assert about["spec"]["seed"] == 0
    assert about["parts"] == {"train": 24, "validation": 3, "test": 9}
    assert set(about["versions"]) >= {"striate", "python", "torch", "numpy"}
    assert len(about["data"]["digest"]) == 64
    assert about["model"]["layers"][1]["kind"] == "Conv2D"
    assert about["command"][:2] == ["striate", "train"]


def test_figures_of_every_epoch(finished):
    rows = metrics(finished)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == ["epoch", "seconds", "loss", "accuracy", "val_loss", "val_accuracy"]


def test_evaluation_agrees_with_its_table(finished):
    with (finished / "evaluation" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = json.loads((finished / "evaluation" / "metrics.json").read_text())
    right = [row["target"] == row["prediction"] for row in rows]
    assert [row["correct"] for row in rows] == [str(value) for value in right]
    assert scores["accuracy"]["value"] == pytest.approx(np.mean(right), abs=1e-6)
    with (finished / "split.csv").open() as file:
        assert {row["id"] for row in csv.DictReader(file) if row["split"] == "test"} == {row["id"] for row in rows}
    wrong = [path.stem[3:] for path in (finished / "evaluation" / "worst").glob("*.png")]
    assert len(wrong) == min(16, len(rows) - sum(right))
    for path in (finished / "evaluation" / "worst").glob("*.png"):
        with Image.open(path) as picture:
            assert picture.width > 200


def test_data_report(finished):
    report = json.loads((finished / "data_report.json").read_text())
    assert report["samples"] == 36
    assert report["sizes"] == {"20 x 18": 36}
    assert report["modes"] == {"RGB": 36}
    assert sum(part["cat"] for part in report["counts"].values()) == 12
    assert "<table>" in (finished / "data_report.html").read_text()


def test_the_next_commands_work(finished, capsys):
    commands = (finished / "next.txt").read_text().splitlines()
    assert len(commands) == 3
    for command in commands:
        assert cli.main(command.split()[1:]) == 0
    capsys.readouterr()


def test_no_word_of_a_task_in_what_every_task_shares():
    from pathlib import Path

    import striate.apps
    import striate.deliver

    for package in (striate.apps, striate.deliver):
        for path in Path(package.__file__).parent.rglob("*.py"):
            words = path.read_text().lower()
            assert "classif" not in words, path
