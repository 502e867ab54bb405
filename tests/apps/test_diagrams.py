"""Curves of an evaluation: written, read, drawn."""

import json

import numpy as np
import pytest

from striate.apps import plots
from striate.apps.diagrams import FILE, as_json, read_diagrams
from striate.apps.run_files import RunFiles
from striate.foundation.checks import UserError
from striate.tasks.curves import Curve, Line


def folder(path, curves):
    (path / "evaluation").mkdir(parents=True, exist_ok=True)
    (path / "run.json").write_text("{}")
    (path / FILE).write_text(curves if isinstance(curves, str) else json.dumps(curves))
    return RunFiles(path)


CURVE = Curve(
    "roc", "ROC", "what it tells", "false", "true", {"cat": Line(np.array([0, 1 / 3, 1]), np.array([0, 0.9, 1]))}, True
)


def test_what_is_written_is_read(tmp_path):
    [found] = read_diagrams(folder(tmp_path, as_json([CURVE])))
    assert (found.title, found.meaning, found.across, found.up, found.diagonal) == (*CURVE[1:5], True)
    [(label, x, y)] = found.lines
    assert label == "cat"
    np.testing.assert_allclose(x, CURVE.lines["cat"].x, atol=1e-6)
    np.testing.assert_allclose(y, CURVE.lines["cat"].y, atol=1e-6)


def test_curves_without_lines_are_left_out(tmp_path):
    empty = CURVE._replace(name="empty", lines={})
    assert len(read_diagrams(folder(tmp_path, as_json([CURVE, empty])))) == 1
    (tmp_path / FILE).unlink()
    assert read_diagrams(RunFiles(tmp_path)) == []


DAMAGED = {
    "[]": "JSON of list",
    '{"roc": 3}': "a curve 'roc' that lacks something",
    '{"roc": {"title": "ROC", "lines": {}}}': "a curve 'roc' that lacks something",
    json.dumps(
        {"roc": as_json([CURVE])["roc"] | {"lines": {"a": {"x": [0, 1], "y": [0]}}}}
    ): "whose axes differ in length",
}


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged(tmp_path, text):
    with pytest.raises(UserError, match=DAMAGED[text]):
        read_diagrams(folder(tmp_path, text))


def test_lines_differ_without_colours(tmp_path):
    lines = {f"class {number}": CURVE.lines["cat"] for number in range(6)}
    [diagram] = read_diagrams(folder(tmp_path, as_json([CURVE._replace(lines=lines)])))
    axes = plots.diagram_figure(diagram).axes[0]
    drawn = axes.lines[1:]  # the first is the diagonal
    assert len({(str(line.get_linestyle()), line.get_marker(), line.get_color()) for line in drawn}) == 6
    assert len({line.get_marker() for line in drawn}) == 6
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(lines)
