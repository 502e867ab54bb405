"""`striate train --plan`: says what would happen, and does nothing."""

import json

import pytest

from striate.apps import cli


@pytest.fixture
def plan(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = cli.main(["train", *map(str, words), "--plan"])
        out, err = capsys.readouterr()
        assert list(tmp_path.iterdir()) == []
        return code, out, err

    return run


def test_for_people(plan, pictures):
    code, out, err = plan(pictures, "--epochs", "3")
    assert (code, err) == (0, "")
    for text in (
        "Task: classification, 3 class folders",
        "Samples: 24 train, 3 validation, 9 test",
        "epochs         3  (you asked for it)",
        "image_size     18 x 20  (the pictures have 18 to 20 pixels a side; size medium)",
        "pretrained     no  (no photographs: 18 pixels a side)",
        "Time: about",
        "Memory: about",
    ):
        assert text in out
    assert out.splitlines()[-1] == f"Next: striate train {pictures} --epochs 3 --out runs/pets"


def test_for_programs(plan, pictures):
    code, out, _ = plan(pictures, "--json", "--epochs", "3", "--batch-size", "8")
    assert code == 0
    found = json.loads(out)
    assert found["samples"] == {"train": 24, "validation": 3, "test": 9}
    assert found["spec"]["epochs"] == 3
    assert found["estimate"]["steps"] == 9
    assert found["estimate"]["seconds"] > 0
    assert found["params"] > 1000
    assert found["why"]["epochs"] == "you asked for it"


def test_what_cannot_be_trained_cannot_be_planned(plan, pictures):
    code, _, err = plan(pictures, "--epochs", "0")
    assert code == 2
    assert "--epochs=0; it needs a whole number of at least 1" in err
