"""The single answers of a test, and which picture belongs to which."""

import pytest

from striate.apps.answers import Answers, slug
from striate.apps.run_files import RunFiles


def answers(folder, text):
    (folder / "evaluation").mkdir(exist_ok=True)
    (folder / "evaluation" / "predictions.csv").write_text(text, encoding="utf-8")
    return Answers.read(RunFiles(folder))


TABLE = """id,target,prediction,confidence,correct,source,p_cat,p_dog
test/cat/1.png,cat,dog,0.75,False,/data/1.png,0.25,0.75
test/dog/2.png,dog,dog,1.0,True,,0,1
test/dog_2.png,dog,dog,nan,1,,0,1
"""


def test_counts(tmp_path):
    found = answers(tmp_path, TABLE)
    assert (found.total, found.right, found.classes) == (3, 2, ["cat", "dog"])
    assert found.most_frequent == ("dog", 2 / 3)
    assert [score.name for score in found.scores()] == ["cat", "dog"]


def test_columns_that_are_missing_are_not_told(tmp_path):
    found = answers(tmp_path, "id,prediction\n1,0.5\n")
    assert (found.total, found.right, found.most_frequent, found.scores()) == (1, None, None, None)


@pytest.mark.parametrize("text", ["", "id,target\n", "score\n1\n"])
def test_no_answers_are_none(tmp_path, text):
    assert answers(tmp_path, text) is None


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("01-test-cat-1.png", ("said dog (75.0\u202f% sure)", "was cat", "test/cat/1.png")),
        ("test_cat_1_png", ("said dog (75.0\u202f% sure)", "was cat", "test/cat/1.png")),
        ("02-test-dog-2.png", ()),  # two ids are spelled like this
        ("01-input", ()),
    ],
)
def test_picture_finds_its_answer(tmp_path, name, lines):
    assert answers(tmp_path, TABLE).about(tmp_path / f"{name}.png") == lines


def test_confidence_that_is_no_number_is_not_told(tmp_path):
    found = answers(tmp_path, "id,target,prediction,confidence\nrow-1,1.5,2,nan\n")
    assert found.about(tmp_path / "1-row-1.png") == ("said 2", "was 1.5", "row-1")


def test_slug_keeps_letters_of_every_language():
    assert slug("Ärzte/猫 1.PNG") == "ärzte-猫-1-png"
