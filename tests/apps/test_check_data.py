"""`striate check-data`: planted faults are found and named, and nothing else; nothing of the user's is changed."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from striate.apps import cli

CATS_DOGS = Path(__file__).parents[3] / "shared" / "data" / "cats_dogs"


def scenes(folder):
    """Photograph-like pictures, 96 x 96: coloured blobs at random, for machines without the photographs."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    for split, count in (("train", 120), ("test", 60)):
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.full((96, 96, 3), 40.0)
                for _ in range(10):
                    a, b, size = draw.uniform(0, 96, 2).tolist() + [draw.uniform(20, 600)]
                    pixels += np.exp(-((x - a) ** 2 + (y - b) ** 2) / size)[..., None] * draw.uniform(0, 120, 3)
                image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
                image.save(folder / split / name / f"{name}.{number:04}.jpg", quality=90)


def photographs(folder):
    """The first pictures of each class and split of the cats and dogs."""
    for split, count in (("train", 120), ("test", 60)):
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            for path in sorted((CATS_DOGS / split / name).iterdir())[:count]:
                shutil.copy(path, folder / split / name)


@pytest.fixture(params=["scenes", "photographs"])
def data(request, tmp_path):
    if request.param == "photographs" and not CATS_DOGS.exists():
        pytest.skip("needs the photographs of cats and dogs beside the project")
    {"scenes": scenes, "photographs": photographs}[request.param](tmp_path / "pets")
    return tmp_path / "pets"


@pytest.fixture
def check(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = cli.main(["check-data", *map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def plant(data):
    """Plant faults; returns kind -> the groups of names that must be found."""
    train = {name: sorted((data / "train" / name).iterdir()) for name in ("cat", "dog")}
    test = {name: sorted((data / "test" / name).iterdir()) for name in ("cat", "dog")}
    name_of = lambda path: path.relative_to(data).as_posix()  # noqa: E731
    planted = {}

    def take(count):
        return [train["cat" if n % 2 else "dog"].pop() for n in range(count)]

    truncated = take(20)
    for path in truncated:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    planted["truncated"] = {(str(path),) for path in truncated}
    (empty,) = take(1)
    empty.write_bytes(b"")
    planted["empty"] = {(str(empty),)}
    across, near = set(), set()
    for number in range(30):
        source = test["cat" if number % 2 else "dog"].pop()
        copy = data / "train" / source.parent.name / f"copy{number}.jpg"
        shutil.copy(source, copy)
        across.add(tuple(sorted((name_of(source), name_of(copy)))))
    for number in range(10):
        source = test["cat" if number % 2 else "dog"].pop()
        copy = data / "train" / source.parent.name / f"near{number}.jpg"
        with Image.open(source) as image:
            changed = ImageOps.mirror(image) if number % 3 == 0 else image
            changed = changed.resize((128, 128)) if number % 3 == 1 else changed
            changed.save(copy, quality=60)
        near.add(tuple(sorted((name_of(source), name_of(copy)))))
    planted["copies across splits"], planted["near copies across splits"] = across, near
    wrong = take(5)
    renamed = [path.rename(path.with_suffix(".png")) for path in wrong]
    planted["wrong extension"] = {(name_of(path),) for path in renamed}
    inked, deep, turned = take(3), take(2), take(4)
    for path in inked:
        with Image.open(path) as image:
            image.convert("CMYK").save(path)
    planted["mode CMYK"] = {(name_of(path),) for path in inked}
    planted["16 bits"] = set()
    for path in deep:
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"), np.uint16) * 257
        Image.fromarray(grey).save(path.with_suffix(".png"))
        path.unlink()
        planted["16 bits"].add((name_of(path.with_suffix(".png")),))
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in turned:
        with Image.open(path) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    planted["turned by EXIF"] = {(name_of(path),) for path in turned}
    (data / "train" / "cat" / ".hidden.jpg").write_bytes(b"x")
    planted["hidden"] = {(str(data / "train" / "cat" / ".hidden.jpg"),)}
    return planted


def found(report):
    return {finding["kind"]: {tuple(sorted(names)) for names in finding["samples"]} for finding in report["findings"]}


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_clean_data(data, check, tmp_path):
    code, report = check(data)
    assert (code, report["findings"], report["manifest"]) == (0, [], None)
    assert "nothing to complain about" in (tmp_path / "pets-check" / "data_report.html").read_text()


def test_planted_faults_are_all_found_and_nothing_else(data, check, tmp_path):
    planted = plant(data)
    before = contents(data)
    code, report = check(data, "--fix", "--out", tmp_path / "out")
    assert code == 2
    assert found(report) == planted
    severity = {finding["kind"]: finding["severity"] for finding in report["findings"]}
    assert [kind for kind, one in severity.items() if one == "refuse"] == [
        "copies across splits",
        "near copies across splits",
    ]
    assert {severity[kind] for kind in ("truncated", "empty")} == {"quarantine"}
    assert contents(data) == before
    check_page((tmp_path / "out" / "data_report.html").read_text(), planted)
    check_manifest(Path(report["manifest"]), data, planted)
    again, listed = check(report["manifest"])
    assert (again, {finding["severity"] for finding in listed["findings"]} <= {"note", "warn"}) == (0, True)


def check_page(page, planted):
    assert not re.search(r"(src|href)=\"(?!data:image/jpeg;base64,|#)", page)
    assert "<script" not in page
    assert page.count("<img ") > 2 * 12
    for kind in planted:
        assert f"<h3>{kind}</h3>" in page


def check_manifest(manifest, data, planted):
    """What is listed is every good file, once; copies are left where the test is."""
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "group", "split"]
    listed = {(manifest.parent / row["path"]).resolve().relative_to(data).as_posix(): row for row in rows}
    assert len(listed) == len(rows)
    gone = {name for group in planted["copies across splits"] | planted["near copies across splits"] for name in group}
    gone = {name for name in gone if name.startswith("train/")}
    gone |= {Path(group[0]).relative_to(data).as_posix() for kind in ("truncated", "empty") for group in planted[kind]}
    everything = {path.relative_to(data).as_posix() for path in data.rglob("*.*") if path.name[0] != "."}
    assert set(listed) == everything - gone
    assert all(
        row["split"] == name.split("/")[0] and row["label"] == name.split("/")[1] for name, row in listed.items()
    )


def test_the_report_is_not_written_into_the_data(tmp_path, capsys):
    scenes_folder = tmp_path / "pets"
    for name in ("a", "b"):
        (scenes_folder / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(scenes_folder / name / "0.png")
    assert cli.main(["check-data", str(scenes_folder), "--out", str(scenes_folder / "report")]) == 2
    assert "inside the data; it needs a folder outside it" in capsys.readouterr().err
    assert not (scenes_folder / "report").exists()


def test_names_are_escaped_and_one_picture_under_two_labels_is_told(tmp_path, capsys):
    draw = np.random.default_rng(0)
    for name in ("a<b>&", "c"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            pixels = draw.integers(0, 256, (20, 20, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}<i>.png")
    shutil.copy(tmp_path / "pets" / "c" / "0<i>.png", tmp_path / "pets" / "a<b>&" / "twin.png")
    assert cli.main(["check-data", str(tmp_path / "pets"), "--fix"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"Look at this +copies under two labels +1 ", out)
    assert out.splitlines()[-1] == f"Next: striate train {tmp_path / 'pets-check.csv'}"
    page = (tmp_path / "pets-check" / "data_report.html").read_text()
    assert "<i>.png" not in page
    assert "a<b>" not in page
    assert "a&lt;b&gt;&amp;" in page
    listed = (tmp_path / "pets-check.csv").read_text()
    assert "twin.png" not in listed
    assert "c/0<i>.png" not in listed
    assert len(listed.splitlines()) == 1 + 19
    words = [
        "train",
        tmp_path / "pets-check.csv",
        "--epochs",
        "1",
        "--size",
        "small",
        "--out",
        tmp_path / "run",
        "--quiet",
    ]
    assert cli.main([str(word) for word in words]) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"]["samples"] == 19


def test_a_training_keeps_copies_in_one_split_and_resumes(pictures, tmp_path, capsys):
    data = shutil.copytree(pictures, tmp_path / "pets")
    twins = {f"cat/{number:02}.png": f"cat/twin{number:02}.png" for number in range(12)}
    for one, two in twins.items():
        shutil.copy(data / one, data / two)
    words = ["train", str(data), "--epochs", "1", "--size", "small", "--out", str(tmp_path / "run"), "--quiet"]
    assert cli.main(words) == 0
    with (tmp_path / "run" / "split.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert all(rows[one]["split"] == rows[two]["split"] for one, two in twins.items())
    assert {rows[one]["split"] for one in twins} == {"train", "validation", "test"}
    report = json.loads((tmp_path / "run" / "data_report.json").read_text())
    assert [finding["kind"] for finding in report["findings"]] == ["copies in one split"]
    assert report["duplicates"]["across_parts"] == 0
    (tmp_path / "run" / "report.html").unlink()
    about = json.loads((tmp_path / "run" / "run.json").read_text()) | {"state": "trained"}
    (tmp_path / "run" / "run.json").write_text(json.dumps(about))
    assert cli.main([*words, "--resume"]) == 0
    assert (tmp_path / "run" / "report.html").exists()
    capsys.readouterr()
