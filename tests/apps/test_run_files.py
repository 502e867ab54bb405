"""Files of a run folder are read as they are, and damaged ones named."""

import re

import numpy as np
import pytest

from striate.apps.run_files import RunFiles, read_curves
from striate.foundation.checks import UserError


@pytest.fixture
def folder(tmp_path):
    """A folder that is just a run's."""
    (tmp_path / "run.json").write_text("{}")
    return tmp_path


def curves(folder, text, about="{}"):
    (folder / "run.json").write_text(about)
    (folder / "metrics.csv").write_text(text)
    return read_curves(RunFiles(folder))


@pytest.mark.parametrize("name", ["nothing", "file"])
def test_folder_without_a_run_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    text = f"The report got {str(tmp_path / name)!r}; it needs a run folder, which holds run.json or metrics.csv."
    with pytest.raises(UserError, match=re.escape(text) + " Pass the folder that training named"):
        RunFiles(tmp_path / name)


def test_what_is_not_there_is_none(folder):
    run = RunFiles(folder)
    assert [run.text("x"), run.json("x"), run.records("x"), run.table("x"), read_curves(run)] == [None] * 5
    assert run.mapping("x") == {}
    assert run.pictures("x") == []


DAMAGES = [
    ("mapping", "{", "no JSON: Expecting property name"),
    ("mapping", "[1]", "JSON of list, not one object"),
    ("mapping", "[" * 100_000, "no JSON: maximum recursion"),
    ("json", "9" * 5000, "no JSON: Exceeds the limit"),
    ("table", "epoch,loss\n1,2,3\n2,1\n", "row 2 with another number of cells than the 2 of its head"),
    ("table", f"epoch,loss\n1,{'2' * 200_000}\n", "no CSV: field larger"),
    ("records", '{"a": 1\n{"b": 2}\n', "line 1 that is no JSON"),
]


@pytest.mark.parametrize(("kind", "content", "text"), DAMAGES)
def test_damaged_file_is_named(folder, kind, content, text):
    (folder / "part").write_text(content)
    with pytest.raises(UserError, match=re.escape(f"The report of {str(folder)!r} got part with {text}")) as error:
        getattr(RunFiles(folder), kind)("part")
    assert "it needs a whole part. Let the command that wrote it run again, or move the file away" in str(error.value)


@pytest.mark.parametrize("kind", ["text", "table"])
def test_file_that_cannot_be_read_is_named(folder, kind):
    (folder / "part").mkdir()
    with pytest.raises(UserError, match="part with Is a directory"):
        getattr(RunFiles(folder), kind)("part")


def test_last_lines_that_a_kill_cut_short_are_left_out(folder):
    (folder / "events").write_text('{"event": "epoch"}\n\n{"eve')
    (folder / "table").write_text("epoch,loss\n1,2\n2")
    run = RunFiles(folder)
    assert run.records("events") == [{"event": "epoch"}]
    assert run.table("table").cells == {"epoch": ["1"], "loss": ["2"]}


def test_table_keeps_only_what_is_asked_for(folder):
    (folder / "table").write_text('id,p_cat,note\n1,0.5,"a\nb"\n')
    table = RunFiles(folder).table("table", ("id", "note", "target"))
    assert table.columns == ["id", "p_cat", "note"]
    assert table.cells == {"id": ["1"], "note": ["a\nb"]}


def test_empty_tables(folder):
    (folder / "table").write_text("")
    assert RunFiles(folder).table("table") is None
    assert curves(folder, "") is None
    assert curves(folder, "epoch,loss\n") is None


@pytest.mark.parametrize("first", [0, 1])
def test_epochs_are_counted_from_one(folder, first):
    assert curves(folder, f"epoch,loss\n{first},2\n{first + 1},1\n").epochs == [1, 2]


def test_epoch_that_was_taken_up_again_counts_as_it_was_last(folder):
    found = curves(folder, "epoch,loss\n1,3\n2,2\n2,1.5\n3,1\n")
    assert found.epochs == [1, 2, 3]
    np.testing.assert_array_equal(found.values["loss"], [3, 1.5, 1])


def test_epoch_that_is_no_number_is_named(folder):
    with pytest.raises(UserError, match=r"metrics.csv with an epoch that is no number"):
        curves(folder, "epoch,loss\nfirst,2\n")


def test_curves_begin_with_the_loss_and_leave_out_what_never_was_a_number(folder):
    columns = "epoch,rate,seconds,val_f1,f1,loss,auc,val_loss"
    found = curves(folder, columns + "\n1,0.1,3,0.5,0.6,2,NA,inf\n")
    assert found.names == ["loss", "f1", "rate"]
    np.testing.assert_array_equal(found.pair("f1"), [[0.6], [0.5]])
    np.testing.assert_array_equal(found.pair("rate"), [[0.1], [np.nan]])


TABLE = "epoch,loss,val_loss,val_accuracy\n1,3,2,0.5\n2,2,1,0.7\n3,1,1.5,0.9\n4,nan,nan,nan\n"
BEST = [
    ("{}", TABLE, ("val_loss", 2)),
    ('{"spec": {"monitor": "val_accuracy"}}', TABLE, ("val_accuracy", 3)),
    ('{"spec": {"monitor": "val_f1"}}', TABLE, ("val_loss", 2)),
    ('{"spec": {"monitor": "val_loss"}, "best_epoch": 3}', TABLE, ("val_loss", 3)),
    ('{"best_epoch": 9}', TABLE, ("val_loss", 2)),
    ('{"monitor": ["loss"], "best_epoch": [1]}', TABLE, ("val_loss", 2)),
    ("{}", "epoch,loss\n1,3\n2,4\n", ("loss", 1)),
    ("{}", "epoch,loss\n1,nan\n", (None, None)),
    ("{}", "epoch,dice\n1,0.5\n", (None, None)),
]


@pytest.mark.parametrize(("about", "table", "expected"), BEST)
def test_best_epoch(folder, about, table, expected):
    found = curves(folder, table, about)
    assert (found.judge, found.best) == expected
